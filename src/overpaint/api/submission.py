"""From a draft to a task, and to its pictures for calls that answer with them. Knows no dialect."""

import asyncio

from overpaint.api.body import read_body
from overpaint.api.closing import left_before, wait_for
from overpaint.api.deps import Call, note_task
from overpaint.api.errors import UnfinishedTaskError, gone, raise_unless_painted
from overpaint.api.json_body import M, parse_json, validated
from overpaint.core.task import Task
from overpaint.service.draft import Draft


async def read_input(call: Call, model: type[M]) -> M:
    """The JSON body of a call.

    Raises:
        RequestError: it is not JSON, or a field breaks a rule.
    """
    return validated(model, parse_json(await read_body(call.request, call.config.max_body_bytes)))


async def accept(call: Call, draft: Draft) -> Task:
    """Accept a draft, and have the request's log line name the task.

    A client that goes away meanwhile never hears of the task, which is accepted all the same; its retry is then given
    this one.

    Raises:
        RouteError: it has gone away; nobody reads this.
        OverpaintError: as `Submitter.submit`.
    """
    submitting = asyncio.ensure_future(call.service.submit.submit(call.caller, draft))
    try:
        if await left_before(call.request, submitting):
            raise gone()
    finally:
        submitting.cancel()
    task = submitting.result()
    note_task(call.request, task)
    if await call.request.is_disconnected():
        call.service.submit.note_unheard(task)
    return task


async def finish(call: Call, task: Task) -> Task:
    """Hold the call until the task is final or the time for held calls is up; the task as it is then."""
    return await wait_for(call.request, call.service, call.caller, task, call.config.sync_timeout_s, call.closing)


async def paint(call: Call, draft: Draft) -> Task:
    """Accept a draft and hold the call until its pictures are there.

    Raises:
        UnfinishedTaskError: they are not in time; the task goes on, and the same request gets it.
        FailedTaskError: the task failed.
        CancelledTaskError: it was cancelled.
        OverpaintError: as `Submitter.submit`.
    """
    task = await hold(call, await accept(call, draft))
    raise_unless_painted(task)
    return task


async def hold(call: Call, task: Task) -> Task:
    """Hold the call until the task is final, however it ended.

    Raises:
        UnfinishedTaskError: it is not in time; the task goes on, and the same request gets it.
    """
    task = await finish(call, task)
    if task.state.is_final:
        return task
    call.service.submit.note_unheard(task)
    if call.closing.has_begun:
        raise stopped_before()
    raise UnfinishedTaskError(
        f"the picture is not done after {call.config.sync_timeout_s:g} s; the task goes on, and the same request sent "
        "again is given it"
    )


def stopped_before() -> UnfinishedTaskError:
    """What a caller hears whose picture was not done when the server stopped; its retry may meet another process."""
    return UnfinishedTaskError("the server stops before the picture is done; the task goes on when it is back")
