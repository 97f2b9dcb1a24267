"""What happens, as server-sent events for one open page: the parts of a frame that changed, as soon as they did."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.requests import HTTPConnection

from overpaint.core.errors import AccessError
from overpaint.playground.desk import Desks
from overpaint.playground.handlers import Handlers

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LINGER_S = 600.0
"""How long it is known what a page showed that does not listen: its network is broken, or its tab hidden."""


async def changes(handlers: Handlers, visit: HTTPConnection, page_id: str, remembered: str) -> AsyncIterator[bytes]:
    """Events until the page is closed or asks anew, its key is revoked, or the server stops.

    A frame in which nothing changed is an empty event, by which the page knows that it still listens.
    """
    desks, known = handlers.parts.desks, dict[str, Any]()
    end = asyncio.create_task(_end_with(visit.app.state.closing, desks, page_id))
    try:
        with suppress(AccessError):  # the page is told when it asks for something
            async for frame in handlers.frames(visit, page_id, remembered):
                changed = {name: value for name, value in frame.parts.items() if known.get(name) != value}
                known |= changed
                yield f"data: {json.dumps(changed, separators=(',', ':'))}\n\n".encode()
    finally:
        end.cancel()
        asyncio.get_running_loop().call_later(LINGER_S, desks.close_unheard, page_id)


async def _end_with(closing: Any, desks: Desks, page_id: str) -> None:
    """Make no more frames once the server is about to stop."""
    await closing.wait()
    desks.end(page_id)
