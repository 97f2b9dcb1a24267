"""fal's queue: submit, status, a stream of it, result, cancel. A request is found by its id, below any endpoint."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from overpaint.api.deps import LinksDep, ServiceDep, note_task
from overpaint.api.described import stream_answer
from overpaint.api.dialects.fal.access import CallDep, CallerDep, check_reach
from overpaint.api.dialects.fal.answers import REQUEST_ID, queue_url, result
from overpaint.api.dialects.fal.asking import manners_of, read_input, take_or_refuse
from overpaint.api.dialects.fal.convert import APP
from overpaint.api.dialects.fal.endpoints import endpoint_at
from overpaint.api.dialects.fal.late import cancel_if_late
from overpaint.api.dialects.fal.progress import completed, in_progress, in_queue, log_of, status_of
from overpaint.api.dialects.fal.schemas import EditPlusLoraInput, NewOutput, Output, Status, Submitted
from overpaint.api.error_answers import json_answer
from overpaint.api.json_body import described_body
from overpaint.api.models import model_at
from overpaint.api.sse import SseEvent, event_stream
from overpaint.api.task_ids import dashed, undashed
from overpaint.core.errors import RateLimitError, TaskNotFoundError
from overpaint.core.events import Preview
from overpaint.core.task import Task, TaskState
from overpaint.service.caller import Caller
from overpaint.service.service import Service
from overpaint.service.tasks import TaskQuery
from overpaint.service.watch import Ended, Queued

router = APIRouter(tags=["fal"])
EXAMPLE = {"prompt": "replace the apple with a banana", "image_urls": ["https://example.com/a.png"]}
REQUESTS = "/{app:path}/requests/{request_id}"
STATUSES = stream_answer("Statuses, until the request is completed.")
UNFINISHED: dict[int | str, dict[str, Any]] = {202: {"model": Status, "description": "It waits or runs."}}
Logs = Annotated[str, Query(description="Whether to send the log: 1, true, 0 or false.")]


@router.get(
    f"{REQUESTS}/status/stream", operation_id="fal_status_stream", response_class=StreamingResponse, responses=STATUSES
)
async def status_stream(app: str, request_id: str, call: CallDep, logs: Logs = "0") -> StreamingResponse:
    """The status as it changes, until the request is completed; with logs, each event has the new lines only."""
    task = await _get(call.request, call.service, call.caller, request_id)
    url = queue_url(call.links, task.spec.wording.get(APP, app), task.id)
    events = _statuses(call.service, call.caller, task, url, _is_yes(logs))
    return event_stream(events, call.closing, retry_ms=None)


@router.get(f"{REQUESTS}/status", operation_id="fal_status", response_model=Status, responses=UNFINISHED)
async def status(app: str, request_id: str, call: CallDep, logs: Logs = "0") -> Response:
    """Where a request is: 202 while it waits or runs, 200 when it is completed, well or not."""
    service, caller = call.service, call.caller
    task = await cancel_if_late(service, caller, await _get(call.request, service, caller, request_id))
    url = queue_url(call.links, task.spec.wording.get(APP, app), task.id)
    position = await service.tasks.position(caller, task.id) if task.state is TaskState.QUEUED else 0
    lines = log_of(service.tasks.history(task)) if _is_yes(logs) else None
    shown = status_of(task, url, position, lines)
    return _answer(200 if task.state.is_final else 202, shown.answer(), task)


@router.put(f"{REQUESTS}/cancel", operation_id="fal_cancel", status_code=202)
async def cancel(app: str, request_id: str, request: Request, service: ServiceDep, caller: CallerDep) -> Response:
    """Stop a request; 400 when it is completed."""
    del app
    try:
        task = await _get(request, service, caller, request_id)
    except TaskNotFoundError as error:
        return json_answer(404, {"status": "NOT_FOUND", "detail": error.message})
    if task.state.is_final:
        return _answer(400, {"status": "ALREADY_COMPLETED", "detail": "the request is completed"}, task)
    await service.tasks.cancel(caller, task.id)
    return _answer(202, {"status": "CANCELLATION_REQUESTED"}, task)


@router.get(f"{REQUESTS}/response", include_in_schema=False)
@router.get(REQUESTS, operation_id="fal_result", response_model=Output | NewOutput)
async def get_result(
    app: str, request_id: str, request: Request, service: ServiceDep, caller: CallerDep, links: LinksDep
) -> Response:
    """What a completed request gave, or why it gave nothing; 400 while it waits or runs."""
    del app
    task = await cancel_if_late(service, caller, await _get(request, service, caller, request_id))
    return await result(service, task, links)


@router.post("/{app:path}", operation_id="fal_submit", openapi_extra=described_body(EditPlusLoraInput, EXAMPLE))
async def submit(
    app: str,
    call: CallDep,
    fal_webhook: Annotated[str | None, Query(description="Told once the request is completed.")] = None,
    fal_max_queue_length: Annotated[
        int | None, Query(ge=1, description="429 when so many of the key's requests wait.")
    ] = None,
) -> Submitted:
    """Take a request. What is wrong with its input is told where its result is."""
    endpoint = endpoint_at(app)
    model_at(call.service.catalogue, endpoint.id)
    await _check_length(call.service, call.caller, fal_max_queue_length)
    task = await take_or_refuse(call, endpoint, await read_input(call), manners_of(call.request, fal_webhook or None))
    url = queue_url(call.links, endpoint.id, task.id)
    return Submitted(
        request_id=dashed(task.id),
        gateway_request_id=dashed(task.id),
        queue_position=await call.service.tasks.position(call.caller, task.id),
        response_url=url,
        status_url=f"{url}/status",
        cancel_url=f"{url}/cancel",
    )


async def _get(request: Request, service: Service, caller: Caller, request_id: str) -> Task:
    task = await service.tasks.get(caller, undashed(request_id))
    await check_reach(request, service, task.spec.wording.get(APP, ""))
    note_task(request, task)
    return task


async def _statuses(service: Service, caller: Caller, task: Task, url: str, has_logs: bool) -> AsyncGenerator[SseEvent]:
    async for event in service.tasks.events(caller, task.id):
        what = event.what
        if isinstance(what, Queued):
            shown = in_queue(task, url, what.position)
        elif isinstance(what, Ended):
            shown = completed(what.task, url, [] if has_logs else None)
        elif isinstance(what, Preview):
            continue
        else:
            shown = in_progress(task, url, log_of([event]) if has_logs else None)
        yield SseEvent(None, None, shown.answer())


async def _check_length(service: Service, caller: Caller, limit: int | None) -> None:
    if limit is not None and await service.tasks.count(caller, TaskQuery(states=(TaskState.QUEUED,))) >= limit:
        raise RateLimitError(f"{limit} requests wait already, as many as the query allows")


def _answer(code: int, body: dict[str, Any], task: Task) -> Response:
    answer = json_answer(code, body)
    answer.headers[REQUEST_ID] = dashed(task.id)
    return answer


def _is_yes(text: str) -> bool:
    return text.lower() in ("1", "true", "yes")
