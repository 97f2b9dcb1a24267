"""Tasks: fetch, list, cancel."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from overpaint.api.deps import Call, CallDep, note_task
from overpaint.api.dialects.dashscope.answers import STATUS_OF, row, snapshot, to_output, unknown
from overpaint.api.dialects.dashscope.convert import FAMILY
from overpaint.api.dialects.dashscope.schemas import ERRORS, TaskFilter
from overpaint.api.paging import numbered_page
from overpaint.api.request_id import request_id
from overpaint.api.task_ids import undashed
from overpaint.core.errors import RequestError, TaskError, TaskNotFoundError
from overpaint.core.task import Task, TaskState
from overpaint.service.tasks import TaskQuery

router = APIRouter(prefix="/api/v1/tasks", tags=["dashscope"], responses=ERRORS)
NOT_PENDING = "Failed to cancel the task, please confirm if the task is in PENDING status."
TIME = "%Y%m%d%H%M%S"


@router.get("", operation_id="dashscope_tasks")
async def list_tasks(call: CallDep, query: Annotated[TaskFilter, Query()]) -> dict[str, Any]:
    """The key's tasks, newest first: in `data` as documented, in `tasks` as the 2.x client reads them."""
    asked = _query(call, query)
    is_empty = query.status is not None and not asked.states  # a status that no task here ever has
    tasks, total = ((), 0) if is_empty else await numbered_page(call.service, call.caller, asked, query.page_no)
    return {
        "request_id": request_id(),
        "data": [row(task) for task in tasks],
        "tasks": [to_output(task, call.links) for task in tasks],
        "total": total,
        "total_page": -(-total // query.page_size),
        "page_no": query.page_no,
        "page_size": query.page_size,
    }


@router.get("/{task_id}", operation_id="dashscope_task")
async def fetch(task_id: str, call: CallDep) -> dict[str, Any]:
    """A task as it is now; what is not there has the status UNKNOWN."""
    try:
        task = await _find(call, task_id)
    except TaskNotFoundError:
        return unknown(task_id)
    return snapshot(task, call.links)


@router.post("/{task_id}/cancel", operation_id="dashscope_cancel")
async def cancel(task_id: str, call: CallDep) -> dict[str, Any]:
    """Stop a task that still waits; a body is ignored."""
    try:
        task = await _find(call, task_id)
    except TaskNotFoundError as exc:
        raise TaskError(NOT_PENDING) from exc
    if task.state is not TaskState.QUEUED:
        raise TaskError(NOT_PENDING)
    await call.service.tasks.cancel(call.caller, task.id)
    return {"request_id": request_id()}


async def _find(call: Call, task_id: str) -> Task:
    task = await call.service.tasks.get(call.caller, undashed(task_id))
    note_task(call.request, task)
    return task


def _query(call: Call, query: TaskFilter) -> TaskQuery:
    asked = TaskQuery(
        states=tuple(state for state, status in STATUS_OF.items() if status == query.status),
        created_after=_moment(query.start_time, "start_time"),
        created_before=_moment(query.end_time, "end_time"),
        limit=query.page_size,
    )
    if not query.model_name:
        return asked
    names = call.service.catalogue.names()
    family_name = f"{FAMILY}{query.model_name}"
    return replace(asked, model=family_name if family_name in names else query.model_name)


def _moment(text: str | None, field: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, TIME).replace(tzinfo=UTC)
    except ValueError as exc:
        raise RequestError(field, text, "must be a time such as 20260101000000") from exc
