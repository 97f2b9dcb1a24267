"""A picture from a URL that a stranger wrote: guarded addresses, bounded bytes, time and redirects, told by content.

Gives bytes that begin like a picture, or whatever else is asked for, whole or as they arrive; decoding them is
`decode`'s. Everything that goes wrong is a `PictureError`.
Takes no proxy from the environment, sends no cookies and no referrer, and lets nobody compress a bomb.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urljoin

import httpcore2

from overpaint.core.errors import PictureError, UnreachablePictureError
from overpaint.images.fetch_guard import GuardedBackend, RefusedAddressError, Resolver, system_resolver
from overpaint.images.fetch_rules import AddressRules, Target, read_target
from overpaint.images.header import read_header
from overpaint.images.limits import MIB

#: Takes the next bytes of a file.
Sink = Callable[[bytes], Awaitable[None]]
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SNIFFED_BYTES = 16
USER_AGENT = "overpaint"


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Bounds on one fetch, redirects included.

    Args:
        max_bytes: of the file.
        total_s: from the first look-up to the last byte.
        connect_s: for each connection.
        max_redirects: followed.
    """

    max_bytes: int = 64 * MIB
    total_s: float = 30.0
    connect_s: float = 5.0
    max_redirects: int = 4


class _RefusedError(Exception):
    """The other server does not give the file."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """What kind of file is fetched.

    Args:
        media_type: that is asked for.
        broken_by: the rule that its first 16 bytes break, as a clause, or None.
    """

    media_type: str
    broken_by: Callable[[bytes], str | None]


def _broken_picture(data: bytes) -> str | None:
    try:
        is_picture = read_header(data) is not None
    except ValueError:
        is_picture = True  # begins like one; too short so far to tell its sides
    return None if is_picture else "is not a JPEG, PNG, WebP or GIF picture"


PICTURES = FileKind("image/*", _broken_picture)


class PictureFetcher:
    """Fetches pictures, or files of another kind, over http and https.

    Args:
        rules: which addresses may be asked.
        limits: bounds on a fetch.
        resolver: names to addresses.
        backend: opens connections; None is the machine's network.
        ssl_context: whom to trust; None trusts whom the system trusts.
        kind: what is fetched.
    """

    def __init__(
        self,
        rules: AddressRules | None = None,
        limits: FetchLimits | None = None,
        resolver: Resolver = system_resolver,
        backend: httpcore2.AsyncNetworkBackend | None = None,
        ssl_context: ssl.SSLContext | None = None,
        kind: FileKind = PICTURES,
    ) -> None:
        self._limits = limits or FetchLimits()
        self._backend = GuardedBackend(rules or AddressRules(), resolver, backend)
        self._ssl_context = ssl_context
        self._kind = kind

    async def fetch(self, url: str, field: str = "images") -> bytes:
        """The file behind a URL, whole; see `fetch_into`."""
        data = bytearray()

        async def keep(chunk: bytes) -> None:
            data.extend(chunk)

        await self.fetch_into(keep, url, field)
        return bytes(data)

    async def fetch_into(self, sink: Sink, url: str, field: str = "images") -> None:
        """Give away the file behind a URL as it arrives; what was given before this raises is not whole.

        Args:
            sink: takes it; what it raises of the error tree is raised here.
            url: http or https.
            field: what the request calls this picture, for the error.

        Raises:
            UnreachablePictureError: it may not or cannot be fetched.
            PictureError: it is no picture, or too large.
        """
        try:
            async with asyncio.timeout(self._limits.total_s):
                await self._follow(url, sink)
        except TimeoutError as exc:
            raise UnreachablePictureError(field, url, f"took longer than {self._limits.total_s:g} s to fetch") from exc
        except (_RefusedError, RefusedAddressError) as exc:
            raise UnreachablePictureError(field, url, str(exc)) from exc
        except ValueError as exc:
            raise PictureError(field, url, str(exc)) from exc
        except httpcore2.TimeoutException as exc:
            raise UnreachablePictureError(field, url, "does not answer in time") from exc
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError, OSError) as exc:
            reason = str(exc).strip() or type(exc).__name__
            raise UnreachablePictureError(field, url, f"cannot be fetched ({reason})") from exc

    async def _follow(self, url: str, sink: Sink) -> None:
        for _ in range(self._limits.max_redirects + 1):
            target = read_target(url)
            async with httpcore2.AsyncConnectionPool(
                network_backend=self._backend, ssl_context=self._context(target)
            ) as pool:
                moved_to = await self._ask(pool, target, sink)
            if moved_to is None:
                return
            url = urljoin(url, moved_to)
        raise _RefusedError(f"redirects more than {self._limits.max_redirects} times")

    def _context(self, target: Target) -> ssl.SSLContext | None:
        """Loading the trusted certificates takes a while, so it is done once, and not for plain http."""
        if target.scheme == "https" and self._ssl_context is None:
            self._ssl_context = httpcore2.default_ssl_context()
        return self._ssl_context

    async def _ask(self, pool: httpcore2.AsyncConnectionPool, target: Target, sink: Sink) -> str | None:
        """One request: None when the file was given away, or where it has moved to."""
        location = httpcore2.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        headers: list[tuple[bytes | str, bytes | str]] = [
            ("Host", target.authority),
            ("Accept", self._kind.media_type),
            ("Accept-Encoding", "identity"),
            ("User-Agent", USER_AGENT),
        ]
        timeouts = {"connect": self._limits.connect_s, "read": self._limits.total_s, "write": self._limits.connect_s}
        async with pool.stream("GET", location, headers=headers, extensions={"timeout": timeouts}) as response:
            if response.status in _REDIRECTS:
                return _location_of(response)
            if response.status != 200:
                raise _RefusedError(f"cannot be fetched (its server answers {response.status})")
            await self._read(response, sink)
            return None

    async def _read(self, response: httpcore2.Response, sink: Sink) -> None:
        if _header(response, b"content-encoding") not in ("", "identity"):
            raise ValueError("is sent compressed although that was not asked for")
        length = _header(response, b"content-length")
        if length.isdigit() and int(length) > self._limits.max_bytes:
            raise ValueError(self._too_large())
        head, num_bytes = b"", 0
        async for chunk in _chunks(response):
            num_bytes += len(chunk)
            if num_bytes > self._limits.max_bytes:
                raise ValueError(self._too_large())
            if len(head) < _SNIFFED_BYTES:
                head += chunk[: _SNIFFED_BYTES - len(head)]
                if len(head) == _SNIFFED_BYTES:
                    self._require_kind(head)
            await sink(chunk)
        if len(head) < _SNIFFED_BYTES:
            self._require_kind(head)

    def _require_kind(self, head: bytes) -> None:
        """Stop early: nobody makes this server read 64 MiB of something else."""
        if rule := self._kind.broken_by(head):
            raise ValueError(rule)

    def _too_large(self) -> str:
        return f"must be at most {self._limits.max_bytes / MIB:g} MiB"


async def _chunks(response: httpcore2.Response) -> AsyncIterator[bytes]:
    async for chunk in response.aiter_stream():
        yield chunk


def _location_of(response: httpcore2.Response) -> str:
    location = _header(response, b"location")
    if not location:
        raise _RefusedError(f"cannot be fetched (its server answers {response.status} without a location)")
    return location


def _header(response: httpcore2.Response, name: bytes) -> str:
    values = [value for key, value in response.headers if key.lower() == name]
    return values[0].decode("latin-1").strip() if values else ""
