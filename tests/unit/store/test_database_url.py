"""Which databases can be named, and what is said about others."""

import pytest

from overpaint.core.errors import ConfigError
from overpaint.store.database import parse_url


@pytest.mark.parametrize(
    ("text", "driver"),
    [("sqlite:///a/b.db", "sqlite"), ("postgres://me@host/x", "postgresql"), ("postgresql://host/x", "postgresql")],
)
def test_a_database_of_ours_is_taken(text: str, driver: str) -> None:
    assert parse_url(text).drivername == driver


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("postgresql://me:secret@a:5432,b:5433/x?sslmode=require", {"sslmode": "require"}),
        ("postgres://a:5432,b:5433/x", {}),
    ],
)
def test_several_hosts_are_named_as_for_libpq(text: str, kept: dict[str, str]) -> None:
    url = parse_url(text)
    assert (url.drivername, url.host or None, url.database) == ("postgresql", None, "x")
    assert url.query == {"host": ("a:5432", "b:5433"), **kept}
    assert url.password == ("secret" if "secret" in text else None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mysql://me:secret@host/x", "database: '...@host/x' must be like sqlite:///PATH or postgresql://..."),
        ("nonsense", "database: 'nonsense' must be like sqlite:///PATH or postgresql://..."),
        (
            "postgresql://me:secret@host:port/x",
            "database: '...@host:port/x' must be like sqlite:///PATH or postgresql://...",
        ),
        ("sqlite://", "database: 'sqlite://' needs a file: sqlite:///PATH"),
    ],
)
def test_another_one_is_refused_by_the_name_of_the_setting_and_without_its_password(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_url(text)
    assert caught.value.message == said
