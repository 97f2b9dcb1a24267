"""``GET /tasks/{id}/events``: what happens to a task, as server-sent events that can be resumed."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import StreamingResponse

from overpaint.api.deps import CallerDep, ClosingDep, LinksDep, ServiceDep, note_task
from overpaint.api.inline import look_uri
from overpaint.api.native.convert import from_task
from overpaint.api.native.envelope import ANSWERS
from overpaint.api.public_url import Links
from overpaint.api.sse import SseEvent, event_stream, parse_last_event_id
from overpaint.core.events import Preview, Progress
from overpaint.service.watch import Queued, TaskEvent

router = APIRouter(tags=["tasks"], responses=ANSWERS)

_EXAMPLE = (
    'id: 1\nevent: queued\ndata: {"position":3}\n\n'
    'id: 1000002\nevent: progress\ndata: {"stage":"denoise","step":2,"num_steps":4}\n\n'
    'id: 1000006\nevent: done\ndata: {"task":{"id":"9f0c...","state":"succeeded"}}\n\n'
)
_STREAM = {200: {"description": "The stream.", "content": {"text/event-stream": {"example": _EXAMPLE}}}}


@router.get(
    "/tasks/{task_id}/events", operation_id="watch_task", response_class=StreamingResponse, responses={**_STREAM}
)
async def watch_task(
    task_id: str,
    request: Request,
    service: ServiceDep,
    caller: CallerDep,
    links: LinksDep,
    closing: ClosingDep,
    last_event_id: Annotated[str | None, Header(description="Resume after this event.")] = None,
) -> StreamingResponse:
    """Events `queued`, `progress`, `preview` (a small picture as a data URI) and `done` (the whole task; the last)."""
    note_task(request, await service.tasks.get(caller, task_id))
    events = service.tasks.events(caller, task_id, parse_last_event_id(last_event_id))
    return event_stream(_rendered(events, links), closing)


async def _rendered(events: AsyncIterator[TaskEvent], links: Links) -> AsyncGenerator[SseEvent]:
    async for event in events:
        yield await _render(event, links)


async def _render(event: TaskEvent, links: Links) -> SseEvent:
    what = event.what
    if isinstance(what, Queued):
        return SseEvent(event.sequence, "queued", {"position": what.position})
    if isinstance(what, Progress):
        data = {"stage": what.stage, "step": what.step, "num_steps": what.num_steps}
        return SseEvent(event.sequence, "progress", data)
    if isinstance(what, Preview):
        data = {"index": what.index, "step": what.step, "picture": await look_uri(what.picture)}
        return SseEvent(event.sequence, "preview", data)
    return SseEvent(event.sequence, "done", {"task": from_task(what.task, links).model_dump(mode="json")})
