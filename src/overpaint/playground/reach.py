"""How a visitor reaches this server: by which host, and below which path a proxy serves it. Knows no route."""

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

BaseOf = Callable[[HTTPConnection], str]


def hosts_of(visit: HTTPConnection) -> frozenset[str]:
    """The hosts that a visitor may mean this server by."""
    named = (visit.headers.get("host", ""), visit.headers.get("x-forwarded-host", "").partition(",")[0].strip())
    return frozenset(named) - {""}


def path_of(base: str, visit: HTTPConnection) -> str:
    """The path that a proxy serves this server below, and takes off; empty for who comes past the proxy.

    Args:
        base: what this server is reached by.
        visit: how it is reached now.
    """
    url = urlsplit(base)
    return url.path.rstrip("/") if url.netloc in hosts_of(visit) else ""
