"""Request bodies with a bound: nobody makes the server hold more than it was told to."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overpaint.api.errors import BodyTooLargeError, RouteError

MIB = 1024 * 1024


class BodyLimit:
    """An ASGI middleware that ends requests whose body is larger than `max_bytes`."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        num_bytes = 0

        async def counted() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            check_length(num_bytes, self._max_bytes)
            return message

        await self._app(scope, counted, send)


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
