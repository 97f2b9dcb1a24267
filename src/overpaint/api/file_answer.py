"""The answer that is a stored file, for whoever may read it. Knows no route and no dialect."""

from collections.abc import AsyncIterator, Mapping

from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from overpaint.service.files import Files


class FileAnswer(Response):
    """A stored file, sent as fast as its reader takes it; an error of `Files.open` is answered as a route's is.

    Args:
        files: where it is.
        key: of it; whoever makes this has checked that the reader may.
        headers: besides its type and length.
    """

    def __init__(self, files: Files, key: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(headers=headers)
        self._files = files
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        async with self._files.open(self._key) as file:
            pieces = _nothing() if scope["method"] == "HEAD" else file.pieces
            answer = StreamingResponse(pieces, headers=self.headers, media_type=file.media_type)
            answer.headers["Content-Length"] = str(file.num_bytes)
            await answer(scope, receive, send)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""  # makes it a generator
