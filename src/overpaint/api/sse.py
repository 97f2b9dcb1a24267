"""Server-sent events: framing, comments that keep proxies awake, and the last words of a stream that breaks off.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from overpaint.api.closing import Closing
from overpaint.api.submission import stopped_before
from overpaint.core.errors import OverpaintError

KEEP_ALIVE_S = 15.0
RETRY_MS = 2000
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event.

    Args:
        id: what a client sends back as ``Last-Event-ID`` to resume after it; None sends no such line.
        event: its name; None sends no such line.
        data: anything JSON can hold; a text is sent as it is.
    """

    id: int | str | None
    event: str | None
    data: Any = field(default_factory=dict[str, Any])

    def encode(self) -> bytes:
        """Its frame. JSON is in ASCII and a text is cut at all of Unicode's line breaks: some clients cut there."""
        is_text = isinstance(self.data, str)
        text = self.data if is_text else json.dumps(self.data, separators=(",", ":"))
        head = [f"{name}: {value}" for name, value in (("id", self.id), ("event", self.event)) if value is not None]
        return "\n".join([*head, *(f"data: {line}" for line in text.splitlines() or [""]), "\n"]).encode()


LastWords = Callable[[OverpaintError], Sequence[SseEvent]]


def _none(error: OverpaintError) -> Sequence[SseEvent]:
    del error
    return ()


def parse_last_event_id(text: str | None) -> int:
    """The event a client saw last; 0 for none and for what is not ours."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


def event_stream(
    events: AsyncGenerator[SseEvent],
    closing: Closing,
    keep_alive_s: float = KEEP_ALIVE_S,
    retry_ms: int | None = RETRY_MS,
    last_words: LastWords = _none,
) -> StreamingResponse:
    """The response that sends `events` as they come.

    Args:
        events: what to send; closed as soon as the reader has gone.
        closing: ends the stream.
        keep_alive_s: of silence, before a comment is sent.
        retry_ms: how long a browser waits before it comes back; None says nothing of it.
        last_words: what to send when something goes wrong before the events end, and when the server stops before, to
            clients that do not come back; those who do are told nothing.
    """
    frames = _frames(_until_closing(events, closing, keep_alive_s), retry_ms, last_words)
    return _Stream(frames)


class _Stream(StreamingResponse):
    """A response that closes its frames however it ends: the collector may be a while."""

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        super().__init__(frames, media_type="text/event-stream", headers=HEADERS)
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._frames):
            await super().__call__(scope, receive, send)


async def _frames(frames: AsyncGenerator[bytes], retry_ms: int | None, last_words: LastWords) -> AsyncGenerator[bytes]:
    if retry_ms is not None:
        yield f"retry: {retry_ms}\n\n".encode()
    try:
        async with aclosing(frames):
            async for frame in frames:
                yield frame
    except OverpaintError as error:
        for event in last_words(error):
            yield event.encode()


async def _until_closing(
    events: AsyncGenerator[SseEvent], closing: Closing, keep_alive_s: float
) -> AsyncGenerator[bytes]:
    """The frames of all events, with comments in between.

    Raises:
        UnfinishedTaskError: the server stops before they end.
    """
    end = asyncio.ensure_future(closing.wait())
    following: asyncio.Future[SseEvent] | None = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(events))
            await asyncio.wait((following, end), timeout=keep_alive_s, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                ready, following = following, None
                try:
                    yield ready.result().encode()
                except StopAsyncIteration:
                    return
            elif end.done():
                raise stopped_before()
            else:
                yield b": still here\n\n"
    finally:
        end.cancel()
        if following is not None:
            following.cancel()
            await asyncio.wait((following,))
        await events.aclose()
