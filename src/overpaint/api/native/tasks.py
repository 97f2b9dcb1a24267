"""Native tasks: create, get, list, cancel, delete, and the webhook deliveries of one."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from overpaint.api.closing import wait_for
from overpaint.api.deps import CallDep, note_task
from overpaint.api.native.convert import from_delivery, from_task, to_draft
from overpaint.api.native.envelope import ANSWERS, SUBMIT_ANSWERS
from overpaint.api.native.form import read_task_body
from overpaint.api.native.request_body import task_body
from overpaint.api.native.schemas import STATES, DeliveryOut, TaskListOut, TaskOut
from overpaint.core.errors import RequestError
from overpaint.core.task import TaskState
from overpaint.service.tasks import TaskQuery

router = APIRouter(tags=["tasks"], responses=ANSWERS)

WaitS = Annotated[float, Query(ge=0, le=600, description="Hold the answer until the task is final, this long at most.")]
IdempotencyKey = Annotated[
    str | None, Header(max_length=200, description="The same key with the same body gives the same task.")
]


async def _query(
    state: Annotated[list[STATES], Query(description="Any of these; repeat it.")] = [],  # noqa: B006 - FastAPI copies it
    model: Annotated[str | None, Query()] = None,
    created_after: Annotated[datetime | None, Query()] = None,
    created_before: Annotated[datetime | None, Query()] = None,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> TaskQuery:
    return TaskQuery(
        states=tuple(TaskState(name) for name in state),
        model=model,
        created_after=aware(created_after, "created_after"),
        created_before=aware(created_before, "created_before"),
        cursor=cursor,
        limit=limit,
    )


@router.post(
    "/tasks",
    status_code=201,
    operation_id="create_task",
    openapi_extra=task_body(),
    responses=SUBMIT_ANSWERS,
    response_model=TaskOut,
)
async def create_task(
    response: Response, call: CallDep, wait_s: WaitS = 0, idempotency_key: IdempotencyKey = None
) -> TaskOut:
    """Accept a task. It is stored before this answers; watch it at `urls.events`, or poll `urls.get`."""
    body = await read_task_body(call.request, call.config.max_body_bytes)
    model = call.service.catalogue.models()[0].id
    draft = to_draft(body.fields, model, idempotency_key=idempotency_key, pictures=body.pictures, mask=body.mask)
    task = await call.service.submit.submit(call.caller, draft)
    note_task(call.request, task)
    if wait_s > 0:
        timeout_s = min(wait_s, call.config.sync_timeout_s)
        task = await wait_for(call.request, call.service, call.caller, task, timeout_s, call.closing)
    answer = from_task(task, call.links)
    response.headers["Location"] = answer.urls.get
    return answer


@router.get("/tasks", operation_id="list_tasks")
async def list_tasks(call: CallDep, query: Annotated[TaskQuery, Depends(_query)]) -> TaskListOut:
    """The key's tasks, newest first; an admin's key sees everybody's."""
    page = await call.service.tasks.list_tasks(call.caller, query)
    return TaskListOut(tasks=[from_task(task, call.links) for task in page.tasks], next_cursor=page.next_cursor)


@router.get("/tasks/{task_id}", operation_id="get_task")
async def get_task(task_id: str, call: CallDep) -> TaskOut:
    """One task as it is now."""
    task = await call.service.tasks.get(call.caller, task_id)
    note_task(call.request, task)
    return from_task(task, call.links)


@router.post("/tasks/{task_id}/cancel", operation_id="cancel_task")
async def cancel_task(task_id: str, call: CallDep) -> TaskOut:
    """Stop a task: a queued one at once, a running one within one step. A final one comes back as it is."""
    task = await call.service.tasks.cancel(call.caller, task_id)
    note_task(call.request, task)
    return from_task(task, call.links)


@router.delete("/tasks/{task_id}", status_code=204, operation_id="delete_task")
async def delete_task(task_id: str, call: CallDep) -> None:
    """Forget a final task and its files; its usage stays."""
    await call.service.tasks.delete(call.caller, task_id)


@router.get("/tasks/{task_id}/deliveries", operation_id="list_deliveries")
async def list_deliveries(task_id: str, call: CallDep) -> list[DeliveryOut]:
    """The webhook messages of a task and how they went, newest first."""
    task = await call.service.tasks.get(call.caller, task_id)
    return [from_delivery(delivery) for delivery in await call.service.webhooks.deliveries(task_id=task.id)]


def aware(moment: datetime | None, field: str) -> datetime | None:
    """A moment with its time zone; one without is UTC.

    Args:
        moment: as it was sent.
        field: of the request.

    Raises:
        RequestError: it lies outside what a database can hold.
    """
    if moment is None:
        return None
    if not 1970 <= moment.year <= 9000:
        raise RequestError(field, moment.isoformat(), "must be of the years 1970 to 9000")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
