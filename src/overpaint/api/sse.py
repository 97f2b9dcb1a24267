"""Server-sent events: framing, comments that keep proxies awake, and an end when the server stops.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncIterator
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
        id: what a client sends back as ``Last-Event-ID`` to resume after it.
        event: its name.
        data: anything JSON can hold.
    """

    id: int
    event: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])

    def encode(self) -> bytes:
        """Its frame; JSON has no raw line breaks, so one ``data`` line is enough."""
        data = json.dumps(self.data, ensure_ascii=False, separators=(",", ":"))
        return f"id: {self.id}\nevent: {self.event}\ndata: {data}\n\n".encode()


def parse_last_event_id(text: str | None) -> int:
    """The event a client saw last; 0 for none and for what is not ours."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


def event_stream(
    events: AsyncIterator[SseEvent], closing: Closing, keep_alive_s: float = KEEP_ALIVE_S
) -> StreamingResponse:
    """The response that sends `events` as they come."""
    return StreamingResponse(_frames(events, closing, keep_alive_s), media_type="text/event-stream", headers=HEADERS)


async def _frames(events: AsyncIterator[SseEvent], closing: Closing, keep_alive_s: float) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MS}\n\n".encode()
    end = asyncio.ensure_future(closing.wait())
    following: asyncio.Future[SseEvent] | None = None
    try:
        while not end.done():
            following = following or asyncio.ensure_future(anext(events))
            await asyncio.wait((following, end), timeout=keep_alive_s, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                yield b": still here\n\n"
                continue
            ready, following = following, None
            try:
                yield ready.result().encode()
            except StopAsyncIteration:
                return
    finally:
        for future in (end, following):
            if future is not None:
                future.cancel()
