"""Who looks at the page: the key in a cookie or, where the operator says so, anybody on this very machine.

The cookie is the key itself, out of reach for scripts and not sent by other sites; a revoked key is out at once.
"""

import asyncio
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from overpaint.core.account import ApiKey
from overpaint.playground.reach import hosts_of
from overpaint.service.caller import Caller
from overpaint.service.keys import Keys

COOKIE = "overpaint_key"
OPEN_KEY = "page"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


class Visitors:
    """Recognises visitors.

    Args:
        keys: the server's.
        is_open: whether visitors from this machine need no key; they then act as the key named ``page``.
    """

    def __init__(self, keys: Keys, *, is_open: bool = False) -> None:
        self._keys = keys
        self._is_open = is_open
        self._open_key_id: str | None = None
        self._looking = asyncio.Lock()

    async def caller(self, connection: HTTPConnection) -> Caller:
        """Who this is.

        Raises:
            AccessError: nobody we know.
        """
        secret = connection.cookies.get(COOKIE)
        if secret or not (self._is_open and _is_local(connection)):
            return await self._keys.authenticate(secret)
        return Caller(await self._key_of_the_open_page())

    def secret(self, connection: HTTPConnection) -> str | None:
        """The key that the visitor signed in with."""
        return connection.cookies.get(COOKIE)

    async def _key_of_the_open_page(self) -> ApiKey:
        """As it is now; made at the first visit, and again once it was revoked."""
        async with self._looking:  # a page asks for many things at once, and the name is taken once
            key = await self._keys.by_id(self._open_key_id) if self._open_key_id else None
            if key is None or key.revoked_at is not None:
                key = await self._find_or_make()
            self._open_key_id = key.id
            return key

    async def _find_or_make(self) -> ApiKey:
        known = await self._keys.list_keys()
        valid = (key for key in known if key.name == OPEN_KEY and key.revoked_at is None)
        return next(valid, None) or (await self._keys.create(OPEN_KEY))[0]


def is_sent_by_others(connection: HTTPConnection, base: str) -> bool:
    """Whether a form was sent by a page of another origin, as far as the browser says.

    Args:
        connection: of the request.
        base: what this server is reached by.
    """
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc not in hosts_of(connection) | {urlsplit(base).netloc}


def _is_local(connection: HTTPConnection) -> bool:
    """From this machine, not through a proxy, and meant for it: no other site's page gets in by a name of its own."""
    if connection.client is None or not _is_loopback(connection.client.host):
        return False
    if any(header in connection.headers for header in _FORWARDED):
        return False
    host = connection.headers.get("host", "")
    origin = connection.headers.get("origin")
    is_ours = origin is None or urlsplit(origin).netloc == host
    return is_ours and _is_loopback(urlsplit(f"//{host}").hostname or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
