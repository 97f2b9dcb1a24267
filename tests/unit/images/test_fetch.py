"""What a stranger's URL can and cannot make this server do.

A resolver and a network of the tests' own: names lead where the table says, and what is connected to is what counts.
"""

import asyncio
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from overpaint.core.errors import BackendError, PictureError, UnreachablePictureError
from overpaint.core.own_threads import OwnThreads
from overpaint.images import fetch_guard
from overpaint.images.fetch import FetchLimits, PictureFetcher
from overpaint.images.fetch_guard import system_resolver
from overpaint.images.fetch_rules import AddressRules, is_public, read_target

PUBLIC = "93.184.216.34"


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, "PNG")
    return buffer.getvalue()


class FakeStream(httpcore2.AsyncNetworkStream):
    """A server that answers by the first line and the host of the request."""

    def __init__(self, network: "FakeNetwork", address: str) -> None:
        self._network = network
        self._address = address
        self._request = b""
        self._answer: io.BytesIO | None = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109, ARG002
        self._request += buffer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109, ARG002
        if self._answer is None:
            self._network.requests.append((self._address, self._request))
            self._answer = io.BytesIO(self._network.answer(self._request))
        data = self._answer.read(min(max_bytes, 4096))
        self._network.bytes_read += len(data)
        if self._network.pause_s:
            await asyncio.sleep(self._network.pause_s)
        return data

    async def aclose(self) -> None:
        pass

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,  # noqa: ARG002
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002
    ) -> httpcore2.AsyncNetworkStream:
        self._network.server_names.append(server_hostname)
        return self

    def get_extra_info(self, info: str) -> Any:  # noqa: ARG002
        return None


class FakeNetwork(httpcore2.AsyncNetworkBackend):
    """Names, addresses and answers."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.pages: dict[str, bytes] = {}
        self.connected: list[str] = []
        self.requests: list[tuple[str, bytes]] = []
        self.server_names: list[str | None] = []
        self.dead: set[str] = set()
        self.bytes_read = 0
        self.pause_s = 0.0

    async def resolve(self, host: str, port: int) -> list[str]:
        """Each look-up of a name gives its next answer, the last one stays; numbers are the C library's to read."""
        answers = self.names.get(host)
        if answers is None:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, flags=4)  # AI_NUMERICHOST: never asks the real network
            return [str(entry[4][0]) for entry in found]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def answer(self, request: bytes) -> bytes:
        head = request.decode("latin-1")
        path = head.split(" ")[1]
        host = head.split("Host: ")[1].split("\r\n")[0]
        return self.pages.get(host + path) or self.pages.get(host) or respond(404, b"no")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        self.connected.append(f"{host}:{port}")
        if host in self.dead:
            raise httpcore2.ConnectError("connection refused")
        return FakeStream(self, host)


def respond(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(to: str, status: int = 302) -> bytes:
    return respond(status, b"", f"Location: {to}")


@pytest.fixture
def network() -> FakeNetwork:
    network = FakeNetwork()
    network.names = {"pics.example": [[PUBLIC]], "other.example": [["2606:2800:220:1::1"]]}
    network.pages = {"pics.example": respond(200, png()), "other.example": respond(200, png())}
    return network


Fetch = Callable[..., bytes]


@pytest.fixture
def fetch(network: FakeNetwork) -> Fetch:
    def run(url: str, allowed: tuple[str, ...] = (), **limits: Any) -> bytes:
        context = ssl.create_default_context()
        fetcher = PictureFetcher(AddressRules(allowed), FetchLimits(**limits), network.resolve, network, context)
        return asyncio.run(fetcher.fetch(url))

    return run


HOSTILE_URLS = [
    # other schemes and shapes
    "file:///etc/passwd",
    "ftp://pics.example/a.png",
    "gopher://127.0.0.1:6379/_INFO",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "jar:http://pics.example!/a",
    "//pics.example/a.png",
    "pics.example/a.png",
    "http:/pics.example/a.png",
    "http://",
    "http:///a.png",
    "https://:443/a.png",
    "",
    " http://pics.example/",
    "http://pics.example/a b",
    "http://pics.example/\r\nX-Injected: 1",
    "http://pics.example\t/a",
    "http://pics.example\\@127.0.0.1/",
    "http://user:secret@pics.example/",
    "http://pics.example@127.0.0.1/",
    "http://127.0.0.1#@pics.example/",
    "http://127.0.0.1?@pics.example/",
    "http://pics.example:0/",
    "http://pics.example:99999/",
    "http://pics.example:-1/",
    "http://pics.example:80a/",
    "http://[::1/",
    "http://[v1.fe80::a]/",
    "http://pics.example/" + "a" * 9000,
    # loopback, in every spelling the C library takes
    "http://127.0.0.1/",
    "http://127.0.0.1:8080/a.png",
    "http://127.1/",
    "http://127.255.255.254/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.0.0.1./",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    # IPv4 inside IPv6
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:5ef5:79fb::1]/",
    # private, shared, link-local, metadata
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/iam/",
    "http://169.254.170.2/v2/credentials",
    "http://2852039166/latest/",
    "http://192.0.0.192/opc/v1/",
    "http://168.63.129.16/machine",
    "http://[fd00:ec2::254]/latest/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    # multicast, reserved, documentation, benchmarks
    "http://224.0.0.1/",
    "http://239.255.255.250:1900/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://192.0.2.1/",
    "http://198.51.100.7/",
    "http://203.0.113.7/",
    "http://198.18.0.1/",
    "http://192.88.99.1/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[100::1]/",
    "http://[3fff::1]/",
    "http://[5f00::1]/",
    # names that nobody knows
    "http://unknown.example/",
    "http://localhost/",
    "http://xn--/",
    "http://" + "a" * 300 + ".example/",
]


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_a_hostile_url_is_refused_before_anything_is_connected_to(network: FakeNetwork, fetch: Fetch, url: str) -> None:
    network.names["localhost"] = [["127.0.0.1", "::1"]]
    with pytest.raises(PictureError) as refusal:
        fetch(url)
    assert refusal.value.field == "images"
    assert network.connected == []


def is_writable(url: str) -> bool:
    """Whether a URL can stand in a header as it is."""
    return url.isascii() and url.isprintable() and url == url.strip()


@pytest.mark.parametrize("url", [url for url in HOSTILE_URLS if is_writable(url)])
def test_a_redirect_to_a_hostile_url_connects_to_nothing_else(network: FakeNetwork, fetch: Fetch, url: str) -> None:
    """Some of them are harmless as a redirect, being relative then."""
    network.names["localhost"] = [["127.0.0.1"]]
    network.pages["pics.example/go"] = redirect(url)
    with suppress(PictureError):
        fetch("http://pics.example/go")
    assert set(network.connected) == {f"{PUBLIC}:80"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_honest_redirects_are_followed(network: FakeNetwork, fetch: Fetch, status: int) -> None:
    network.pages["pics.example/1"] = redirect("/2", status)
    network.pages["pics.example/2"] = redirect("https://other.example/3", status)
    assert fetch("http://pics.example/1") == png()
    assert network.connected == [f"{PUBLIC}:80", f"{PUBLIC}:80", "2606:2800:220:1::1:443"]


def test_the_name_is_kept_for_tls_and_for_the_server(network: FakeNetwork, fetch: Fetch) -> None:
    network.pages["pics.example:8443"] = respond(200, png())
    fetch("https://PICS.example.:8443/a%20b.png?x=1&y=ü")
    [(address, request)] = network.requests
    assert address == PUBLIC
    assert request.startswith(b"GET /a%20b.png?x=1&y=%C3%BC HTTP/1.1\r\nHost: pics.example:8443\r\n")
    assert network.server_names == ["pics.example"]


@pytest.mark.parametrize(
    "answers",
    [
        [[PUBLIC], ["127.0.0.1"]],  # changes after the check
        [[PUBLIC], ["169.254.169.254"], [PUBLIC]],
    ],
)
def test_a_dns_answer_that_changes_after_the_check_is_never_asked_for(
    network: FakeNetwork, fetch: Fetch, answers: list[list[str]]
) -> None:
    network.names["pics.example"] = answers
    assert fetch("http://pics.example/") == png()
    assert network.connected == [f"{PUBLIC}:80"]


def test_a_dns_answer_that_changes_between_redirects_is_checked_again(network: FakeNetwork, fetch: Fetch) -> None:
    network.names["pics.example"] = [[PUBLIC], ["10.0.0.7"]]
    network.pages["pics.example/1"] = redirect("/2")
    with pytest.raises(PictureError, match="not public"):
        fetch("http://pics.example/1")
    assert network.connected == [f"{PUBLIC}:80"]


@pytest.mark.parametrize(
    "answer", [[PUBLIC, "127.0.0.1"], ["::1", PUBLIC], [PUBLIC, "::ffff:10.0.0.1"], ["nonsense"], []]
)
def test_one_bad_address_spoils_a_name(network: FakeNetwork, fetch: Fetch, answer: list[str]) -> None:
    network.names["pics.example"] = [answer]
    with pytest.raises(PictureError):
        fetch("http://pics.example/")
    assert network.connected == []


def test_the_next_address_is_tried_when_one_is_dead(network: FakeNetwork, fetch: Fetch) -> None:
    network.names["pics.example"] = [["2606:2800::9", PUBLIC]]
    network.dead = {"2606:2800::9"}
    assert fetch("http://pics.example/") == png()


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.0/8", "box.lan"])
def test_what_the_operator_allows_is_fetched(network: FakeNetwork, fetch: Fetch, allowed: str) -> None:
    network.names["box.lan"] = [["127.0.0.1"]]
    network.pages["box.lan:9000"] = respond(200, png())
    assert fetch("http://box.lan:9000/", allowed=(allowed,)) == png()
    with pytest.raises(PictureError):
        fetch("http://10.0.0.1/", allowed=(allowed,))


def test_redirect_loops_end(network: FakeNetwork, fetch: Fetch) -> None:
    network.pages["pics.example"] = redirect("/again")
    with pytest.raises(PictureError, match="more than 4 times"):
        fetch("http://pics.example/")
    assert len(network.connected) == 5


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (respond(404, b"no"), "answers 404"),
        (respond(500, b"no"), "answers 500"),
        (respond(204, b""), "answers 204"),
        (respond(302, b""), "without a location"),
        (respond(200, b""), "not a JPEG"),
        (respond(200, b"<html>" + b"x" * 100, "Content-Type: image/png"), "not a JPEG"),
        (respond(200, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Content-Type: image/svg+xml"), "not a JPEG"),
        (respond(200, png(), "Content-Encoding: gzip"), "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + png(), "at most"),
        (b"garbage\r\n\r\n", "cannot be fetched"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + png(), "cannot be fetched"),
    ],
)
def test_bad_answers_are_told_apart(network: FakeNetwork, fetch: Fetch, page: bytes, reason: str) -> None:
    network.pages["pics.example"] = page
    with pytest.raises(PictureError, match=reason):
        fetch("http://pics.example/", max_bytes=50_000)


def test_a_file_without_a_length_is_cut_off_at_the_limit(network: FakeNetwork, fetch: Fetch) -> None:
    network.pages["pics.example"] = b"HTTP/1.1 200 OK\r\n\r\n" + png() + bytes(10_000_000)
    with pytest.raises(PictureError, match="at most"):
        fetch("http://pics.example/", max_bytes=100_000)
    assert network.bytes_read < 300_000


def test_a_file_is_given_away_as_it_arrives(network: FakeNetwork) -> None:
    body = png() + bytes(1_000_000)
    network.pages["pics.example"] = redirect("http://other.example/")
    network.pages["other.example"] = respond(200, body)
    pieces: list[bytes] = []

    async def keep(piece: bytes) -> None:
        pieces.append(piece)

    asyncio.run(PictureFetcher(resolver=network.resolve, backend=network).fetch_into(keep, "http://pics.example/"))
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= 64 * 1024


def test_a_full_disk_is_not_blamed_on_the_url(network: FakeNetwork) -> None:
    async def fail(_: bytes) -> None:
        raise BackendError("no space is left")

    with pytest.raises(BackendError, match="no space"):
        asyncio.run(PictureFetcher(resolver=network.resolve, backend=network).fetch_into(fail, "http://pics.example/"))


def test_what_is_no_picture_is_not_read_to_its_end(network: FakeNetwork, fetch: Fetch) -> None:
    network.pages["pics.example"] = respond(200, bytes(10_000_000))
    with pytest.raises(PictureError, match="not a JPEG"):
        fetch("http://pics.example/")
    assert network.bytes_read < 300_000


def test_a_slow_server_costs_no_more_than_the_time_limit(network: FakeNetwork, fetch: Fetch) -> None:
    network.pause_s = 0.05
    network.pages["pics.example"] = respond(200, png() + bytes(4_000_000))
    with pytest.raises(PictureError, match="longer than"):
        fetch("http://pics.example/", total_s=0.2)


def test_a_slow_look_up_costs_no_more_than_the_time_to_connect(network: FakeNetwork) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return [host, str(port)]

    fetcher = PictureFetcher(limits=FetchLimits(total_s=20, connect_s=0.05), resolver=never, backend=network)
    with pytest.raises(UnreachablePictureError, match="does not answer in time"):
        asyncio.run(fetcher.fetch("http://pics.example/"))
    assert network.connected == []


def test_names_that_are_looked_up_slowly_hold_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def look_up(host: str, port: int, **asked: Any) -> list[Any]:
        if host == "slow.example":
            gate.wait(30)
        return [(None, asked["type"], 0, "", (PUBLIC, port))] * 2

    async def fetch_while_others_wait() -> list[str]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        slow = [asyncio.create_task(system_resolver("slow.example", 80)) for _ in range(3)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            await asyncio.to_thread(len, b"a file")
            found = await system_resolver("pics.example", 80)
        gate.set()
        await asyncio.gather(*slow)
        return found

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        assert asyncio.run(fetch_while_others_wait()) == [PUBLIC]
    finally:
        gate.set()


def test_while_all_are_busy_a_look_up_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(fetch_guard, "_LOOK_UPS", OwnThreads("test", 1))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: gate.wait(30))

    async def fetch_twice() -> None:
        fetcher = PictureFetcher(limits=FetchLimits(connect_s=0.05))
        for _ in range(2):
            with pytest.raises(UnreachablePictureError, match="does not answer in time"):
                await fetcher.fetch("http://pics.example/")

    try:
        asyncio.run(fetch_twice())
    finally:
        gate.set()


@given(st.ip_addresses(v=4))
def test_public_means_what_the_standard_library_calls_global(address: Any) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=6))
def test_public_ipv6_carries_no_ipv4(address: Any) -> None:
    if is_public(address):
        assert address.is_global
        assert address.ipv4_mapped is None
        assert address.sixtofour is None
        assert address.teredo is None


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_a_clean_refusal(text: str) -> None:
    for url in (text, f"http://{text}", f"http://a.example/{text}"):
        try:
            target = read_target(url)
        except ValueError:
            continue
        assert target.host.isascii()
        assert target.path.isascii()
        assert " " not in target.path + target.authority
