"""Requests that had to be started by a certain time (``X-Fal-Request-Timeout``) and were not."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from overpaint.api.deps import Call
from overpaint.api.dialects.fal.endings import start_by
from overpaint.core.task import Task, TaskState
from overpaint.service.caller import Caller
from overpaint.service.service import Service
from overpaint.service.watch import Queued


async def cancel_if_late(service: Service, caller: Caller, task: Task) -> Task:
    """The task, cancelled if it still waits after its time; seen to whenever somebody looks at it."""
    limit = start_by(task)
    if limit is None or task.state is not TaskState.QUEUED or datetime.now(UTC) < limit:
        return task
    return await service.tasks.cancel(caller, task.id)


async def await_start(call: Call, task: Task) -> Task:
    """Wait until a task that has a time to start by is started; cancelled when it is not."""
    limit = start_by(task)
    if limit is None:
        return task
    with suppress(TimeoutError):
        async with asyncio.timeout((limit - datetime.now(UTC)).total_seconds()):
            async for event in call.service.tasks.events(call.caller, task.id):
                if not isinstance(event.what, Queued):
                    break
    return await cancel_if_late(call.service, call.caller, await call.service.tasks.get(call.caller, task.id))
