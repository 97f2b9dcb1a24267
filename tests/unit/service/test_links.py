"""File links: ours, unchanged and young."""

import pytest

from overpaint.core.errors import AccessError, ConfigError
from overpaint.service.links import FileLinks
from tests.unit.service.world import FakeClock

SECRET = b"0123456789abcdef"


def parts(link: str) -> tuple[str, str, str]:
    path, query = link.split("?")
    fields = dict(pair.split("=") for pair in query.split("&"))
    return path.removeprefix("/files/"), fields["expires"], fields["signature"]


def test_a_link_works_until_it_expires() -> None:
    clock = FakeClock()
    links = FileLinks(SECRET, clock, lifetime_s=60)
    link = links.link("outputs/a/0.png")
    links.check(*parts(link))
    assert links.key_of("https://any.host/prefix" + link) == "outputs/a/0.png"
    clock.passed_s = 61
    with pytest.raises(AccessError, match="expired"):
        links.check(*parts(link))
    with pytest.raises(AccessError, match="expired"):
        links.key_of("https://any.host" + link)


def test_a_link_stays_the_same_for_a_while() -> None:
    clock = FakeClock()
    links = FileLinks(SECRET, clock, lifetime_s=6400)
    first, exact = links.link("outputs/a/0.png"), links.link("outputs/a/0.png", lifetime_s=6400)
    clock.passed_s = 1
    assert links.link("outputs/a/0.png", lifetime_s=6400) != exact
    for passed_s in range(0, 1000, 7):
        clock.passed_s = passed_s
        remaining_s = int(parts(links.link("outputs/a/0.png"))[1]) - clock.now().timestamp()
        assert 6400 <= remaining_s < 6500
    assert links.link("outputs/a/0.png") != first
    different = set()
    for clock.passed_s in range(200, 300):
        different.add(links.link("outputs/a/0.png"))
    assert len(different) <= 2


def test_a_link_without_a_query_is_recognised_alike() -> None:
    clock = FakeClock()
    links = FileLinks(SECRET, clock, lifetime_s=60)
    link = links.path_link("uploads/key/1", lifetime_s=10)
    assert "?" not in link
    assert links.key_of("https://any.host/prefix" + link) == "uploads/key/1"
    assert links.key_of("https://any.host" + link + "2") is None
    clock.passed_s = 11
    with pytest.raises(AccessError, match="expired"):
        links.key_of("https://any.host" + link)


def test_nothing_about_a_link_can_be_changed() -> None:
    links = FileLinks(SECRET, FakeClock())
    key, expires, signature = parts(links.link("outputs/a/0.png"))
    for changed in (
        ("outputs/b/0.png", expires, signature, "get"),
        (key, expires + "0", signature, "get"),
        (key, expires, "0" + signature[1:] if signature[0] != "0" else "1" + signature[1:], "get"),
        (key, expires, "", "get"),
        (key, "never", signature, "get"),
        (key, expires, "\ud800é", "get"),
        (key, expires, signature, "put"),
    ):
        with pytest.raises(AccessError, match="not valid"):
            links.check(*changed)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x.png",
        "https://a.example/files/outputs/a/0.png",
        "https://a.example/files/outputs/a/0.png?expires=99999999999&signature=abc",
        "http://[",
        "",
    ],
)
def test_links_of_others_are_others(url: str) -> None:
    assert FileLinks(SECRET, FakeClock()).key_of(url) is None


def test_an_upload_link_does_not_read() -> None:
    links = FileLinks(SECRET, FakeClock())
    assert links.key_of(links.link("uploads/key/1", "put")) is None


def test_a_short_secret_is_a_mistake() -> None:
    with pytest.raises(ConfigError):
        FileLinks(b"short", FakeClock())
