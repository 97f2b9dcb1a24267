"""Server-sent events: framing, comments that keep proxies awake, and the words of a server that stops.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import StreamingResponse

from overpaint.api.closing import Closing

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


def parse_last_event_id(text: str | None) -> int:
    """The event a client saw last; 0 for none and for what is not ours."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


def event_stream(
    events: AsyncIterator[SseEvent],
    closing: Closing,
    keep_alive_s: float = KEEP_ALIVE_S,
    retry_ms: int | None = RETRY_MS,
    farewell: Sequence[SseEvent] = (),
) -> StreamingResponse:
    """The response that sends `events` as they come.

    Args:
        events: what to send.
        closing: ends the stream.
        keep_alive_s: of silence, before a comment is sent.
        retry_ms: how long a browser waits before it comes back; None says nothing of it.
        farewell: what to send when the server stops before the events end, to clients that do not come back.
    """
    frames = _frames(events, closing, keep_alive_s, retry_ms, farewell)
    return StreamingResponse(frames, media_type="text/event-stream", headers=HEADERS)


async def _frames(
    events: AsyncIterator[SseEvent],
    closing: Closing,
    keep_alive_s: float,
    retry_ms: int | None,
    farewell: Sequence[SseEvent],
) -> AsyncIterator[bytes]:
    if retry_ms is not None:
        yield f"retry: {retry_ms}\n\n".encode()
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
                for event in farewell:
                    yield event.encode()
                return
            else:
                yield b": still here\n\n"
    finally:
        for future in (end, following):
            if future is not None:
                future.cancel()
