"""Request bodies with a bound: nobody makes the server hold more than it was told to, alone or many at once."""

from collections import Counter
from typing import cast

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overpaint.api.errors import BodyTooLargeError, RouteError
from overpaint.core.errors import CapacityError, RateLimitError
from overpaint.service.caller import Caller

MIB = 1024 * 1024
SMALL_BYTES = MIB
RETRY_S = 2.0


class HeldBodies:
    """What the bodies of requests that are under way hold together. Small ones are counted and never refused.

    Args:
        max_bytes: of them all; one key may have half of it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._by_key: Counter[str] = Counter()

    def take(self, key_id: str, num_bytes: int) -> None:
        """Count so many more bytes of a key."""
        self._by_key[key_id] += num_bytes

    def check(self, key_id: str) -> None:
        """See that a body of this key may go on.

        Raises:
            RateLimitError: the key holds more than its share.
            CapacityError: all together hold too much.
        """
        if self._by_key[key_id] > self._max_bytes // 2:
            half = f"{self._max_bytes / 2 / MIB:g} MiB"
            raise RateLimitError(
                f"the requests of this key that are under way have bodies of more than {half}", RETRY_S
            )
        if self._by_key.total() > self._max_bytes:
            raise CapacityError("the requests that are under way have too large bodies together; try again")

    def give_back(self, key_id: str, num_bytes: int) -> None:
        """A request is over."""
        self._by_key[key_id] -= num_bytes
        if not self._by_key[key_id]:
            del self._by_key[key_id]


class BodyLimit:
    """An ASGI middleware that ends requests whose body is too large.

    Args:
        app: what comes after.
        max_bytes: of one body.
        max_held_bytes: of those of all requests that are under way.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_held_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._held = HeldBodies(max_held_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        taken: Counter[str] = Counter()

        async def counted() -> Message:
            message = await receive()
            key_id, num_bytes = _key_id(scope), len(message.get("body", b""))
            taken[key_id] += num_bytes
            self._held.take(key_id, num_bytes)
            check_length(taken.total(), self._max_bytes)
            if num_bytes and taken.total() > SMALL_BYTES:
                self._held.check(key_id)
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            for key_id, num_bytes in taken.items():
                self._held.give_back(key_id, num_bytes)


def _key_id(scope: Scope) -> str:
    """Whose request it is; those by a link are nobody's."""
    caller = cast("Caller | None", scope.get("state", {}).get("caller"))
    return caller.key_id if caller else ""


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        RouteError: it is compressed.
        BodyTooLargeError: it is, or says that it will be, larger than `max_bytes`.
    """
    check_plain(request)
    declared = request.headers.get("content-length", "")
    check_length(int(declared) if declared.isdigit() else 0, max_bytes)
    chunks: list[bytes] = []
    num_bytes = 0
    async for chunk in request.stream():
        num_bytes += len(chunk)
        check_length(num_bytes, max_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def check_plain(request: Request) -> None:
    """Refuse what would have to be unpacked: a small body could fill the memory, and no vendor's client sends one.

    Raises:
        RouteError: the body is compressed.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        message = f"a body in Content-Encoding {encoding[:20]} is not understood; send it uncompressed"
        raise RouteError(415, message, {"Accept-Encoding": "identity"})


def check_length(num_bytes: int, max_bytes: int, field: str = "body") -> None:
    """Refuse what is too large.

    Raises:
        BodyTooLargeError: `num_bytes` is above `max_bytes`.
    """
    if num_bytes > max_bytes:
        size = f"{num_bytes / MIB:.1f} MiB"
        raise BodyTooLargeError(field, size, f"must be at most {max_bytes / MIB:g} MiB")
