"""Predictions as they happen: server-sent events `logs`, `output`, `error` and `done`.

The Python client needs an ``event:`` and an ``id:`` with every one of them.
"""

from collections.abc import AsyncGenerator, AsyncIterator

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from overpaint.api.deps import Call, note_task
from overpaint.api.dialects.replicate.access import WatchCallDep
from overpaint.api.dialects.replicate.answers import ERRORS, outputs_of
from overpaint.api.dialects.replicate.tell import bar
from overpaint.api.sse import SseEvent, event_stream
from overpaint.core.errors import OverpaintError
from overpaint.core.events import Progress
from overpaint.core.task import Task, TaskState
from overpaint.service.watch import Ended

router = APIRouter(tags=["replicate"], responses=ERRORS)
_EXAMPLE = (
    "event: output\nid: 1000006:0\ndata: data:image/png;base64,...\n\nevent: done\nid: 1000006:done\ndata: {}\n\n"
)
_STREAM = {200: {"description": "The stream.", "content": {"text/event-stream": {"example": _EXAMPLE}}}}


@router.get(
    "/predictions/{task_id}/stream",
    operation_id="replicate_stream",
    response_class=StreamingResponse,
    responses={**_STREAM},
)
async def stream(task_id: str, call: WatchCallDep) -> StreamingResponse:
    """What happens to a prediction, until it is final. Links to this in `urls.stream` need no key."""
    task = await call.service.tasks.get(call.caller, task_id)
    note_task(call.request, task)
    return event_stream(_events(call, task), call.closing, retry_ms=None, last_words=_last_words)


async def _events(call: Call, task: Task) -> AsyncGenerator[SseEvent]:
    async for event in call.service.tasks.events(call.caller, task.id):
        if isinstance(event.what, Progress) and event.what.num_steps:
            yield SseEvent(event.sequence, "logs", bar(event.what))
        elif isinstance(event.what, Ended):
            async for ending in _endings(call, event.what.task, event.sequence):
                yield ending


def _last_words(error: OverpaintError) -> list[SseEvent]:
    return [SseEvent("stop:error", "error", error.message), SseEvent("stop:done", "done", {"reason": "error"})]


async def _endings(call: Call, task: Task, number: int) -> AsyncIterator[SseEvent]:
    for at, output in enumerate(await outputs_of(call, task)):
        yield SseEvent(f"{number}:{at}", "output", output)
    if task.failure is not None:
        yield SseEvent(f"{number}:error", "error", task.failure.message)
    reason = {"reason": "canceled"} if task.state is TaskState.CANCELLED else {}
    yield SseEvent(f"{number}:done", "done", reason)
