"""Calls that hold a connection: until the task is final, the time is up, the client is gone or the server stops."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from overpaint.core.task import Task
from overpaint.service.caller import Caller
from overpaint.service.service import Service

T = TypeVar("T")


class Closing:
    """Tells once that the server is about to stop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether the server is about to stop."""
        return self._event.is_set()

    def begin(self) -> None:
        """Wake everybody who waits."""
        self._event.set()

    async def wait(self) -> None:
        """Return when the server is about to stop."""
        await self._event.wait()


async def wait_for(
    request: Request, service: Service, caller: Caller, task: Task, timeout_s: float, closing: Closing
) -> Task:
    """The task as soon as it is final, or as it is when there is no more waiting.

    A client that goes away meanwhile never heard of the task; its retry is then given this one.
    """
    done, is_gone = await _first_of(service.tasks.wait(caller, task, timeout_s), _gone(request), closing.wait())
    if is_gone:
        service.submit.note_unheard(task)
    return done or await service.tasks.get(caller, task.id)


async def left_before(request: Request, work: asyncio.Future[T]) -> bool:
    """Wait until `work` is done or the client has gone away; whether it went first. The body must have been read."""
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        return not work.done()
    finally:
        gone.cancel()


async def _first_of(
    work: Coroutine[Any, Any, T], gone: Coroutine[Any, Any, None], closing: Coroutine[Any, Any, None]
) -> tuple[T | None, bool]:
    """The work's result if it came first, and whether the client went away first."""
    main, others = asyncio.ensure_future(work), [asyncio.ensure_future(gone), asyncio.ensure_future(closing)]
    try:
        await asyncio.wait((main, *others), return_when=asyncio.FIRST_COMPLETED)
        return (main.result(), False) if main.done() else (None, others[0].done())
    finally:
        for future in (main, *others):
            future.cancel()


async def _gone(request: Request) -> None:
    """Return when the client has closed the connection; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
