"""fal's direct calls: the answer is the output, at the end or as a stream with what happens on the way."""

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Response
from starlette.responses import StreamingResponse

from overpaint.api.deps import Call
from overpaint.api.described import stream_answer
from overpaint.api.dialects.fal.access import CallDep
from overpaint.api.dialects.fal.answers import REQUEST_ID, asked_output_of, result
from overpaint.api.dialects.fal.asking import manners_of, read_input, take
from overpaint.api.dialects.fal.endings import ending_error
from overpaint.api.dialects.fal.endpoints import endpoint_at
from overpaint.api.dialects.fal.errors import refusal_of
from overpaint.api.dialects.fal.late import await_start
from overpaint.api.dialects.fal.queue import EXAMPLE
from overpaint.api.dialects.fal.schemas import EditPlusLoraInput, NewOutput, Output
from overpaint.api.inline import look_uri
from overpaint.api.json_body import described_body
from overpaint.api.models import model_at
from overpaint.api.sse import SseEvent, event_stream
from overpaint.api.submission import hold
from overpaint.api.task_ids import dashed
from overpaint.core.errors import OverpaintError
from overpaint.core.events import Preview, Progress
from overpaint.core.task import Task
from overpaint.service.watch import Ended, Happening

router = APIRouter(tags=["fal"])


@router.post(
    "/{app:path}/stream",
    operation_id="fal_stream",
    openapi_extra=described_body(EditPlusLoraInput, EXAMPLE),
    response_class=StreamingResponse,
    responses=stream_answer("Steps, previews, and the output at last."),
)
async def stream(app: str, call: CallDep) -> StreamingResponse:
    """What happens to a request, as server-sent events: steps, previews, and the output at last."""
    task = await _take(app.removesuffix("/stream"), call)
    answer = event_stream(_told(call, task), call.closing, retry_ms=None, last_words=_last_words)
    answer.headers[REQUEST_ID] = dashed(task.id)
    return answer


@router.post(
    "/{app:path}",
    operation_id="fal_run",
    openapi_extra=described_body(EditPlusLoraInput, EXAMPLE),
    response_model=Output | NewOutput,
)
async def run(app: str, call: CallDep) -> Response:
    """Paint, and answer with the output."""
    task = await hold(call, await await_start(call, await _take(app, call)))
    return await result(call.service, task, call.links)


async def _take(app: str, call: Call) -> Task:
    endpoint = endpoint_at(app)
    model_at(call.service.catalogue, endpoint.id)
    return await take(call, endpoint, await read_input(call), manners_of(call.request))


async def _told(call: Call, task: Task) -> AsyncGenerator[SseEvent]:
    """Until the end; a caller who goes away before it never heard of the task, and its retry gets the same."""
    is_heard = False
    try:
        async for event in call.service.tasks.events(call.caller, task.id):
            data = await _render(call, event.what)
            if data is not None:
                yield SseEvent(None, None, data)
        is_heard = True
    finally:
        if not is_heard:
            call.service.submit.note_unheard(task)


def _last_words(error: OverpaintError) -> list[SseEvent]:
    return [SseEvent(None, None, refusal_of(error).body)]


async def _render(call: Call, what: Happening) -> dict[str, Any] | None:
    if isinstance(what, Progress):
        return {"type": "progress", "stage": what.stage, "step": what.step, "num_steps": what.num_steps}
    if isinstance(what, Preview):
        look = await look_uri(what.picture)
        return {"type": "preview", "index": what.index, "step": what.step, "url": look}
    if not isinstance(what, Ended):
        return None
    error = ending_error(what.task)
    if error is not None:
        return refusal_of(error).body
    return (await asked_output_of(call.service, what.task, call.links)).model_dump()
