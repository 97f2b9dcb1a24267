"""Requests that the server's end cuts off."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from overpaint.api.closing import Closing
from overpaint.api.error_answers import ErrorRenderer, Unexpected

pytestmark = pytest.mark.anyio


async def cancelled(closing: Closing) -> None:
    """An answer that nobody takes, cancelled as uvicorn does when its grace is over."""
    begun = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        begun.set()
        await asyncio.Event().wait()

    def renderer_of(_: object) -> ErrorRenderer:
        raise AssertionError("nobody is there to be answered")

    async def unused(*_: object) -> None:
        raise AssertionError

    request = asyncio.ensure_future(Unexpected(answer, renderer_of, closing)({"type": "http"}, unused, unused))  # pyright: ignore[reportArgumentType]
    await begun.wait()
    request.cancel()
    await request


async def test_a_slow_reader_when_the_server_stops_is_no_error() -> None:
    """It was a traceback of a hundred lines in the log of every such stop."""
    closing = Closing()
    closing.begin()
    await cancelled(closing)


async def test_a_cancelled_request_of_a_server_that_goes_on_stays_cancelled() -> None:
    with pytest.raises(asyncio.CancelledError):
        await cancelled(Closing())
