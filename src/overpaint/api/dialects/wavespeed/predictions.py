"""Predictions that exist: their result in both forms of the path, the list, and forgetting them.

Nothing here waits: the npm client gives up on a result after ten seconds.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from overpaint.api.deps import Call, CallDep, note_task
from overpaint.api.dialects.wavespeed.answers import ERRORS, prediction_of, success
from overpaint.api.dialects.wavespeed.convert import to_input, to_query
from overpaint.api.dialects.wavespeed.schemas import DeleteInput, ListInput, PredictionAnswer
from overpaint.api.errors import MissingFieldError
from overpaint.api.json_body import described_body
from overpaint.api.paging import numbered_page
from overpaint.api.submission import read_input

router = APIRouter(tags=["wavespeed"], responses=ERRORS)


@router.post("/predictions", operation_id="wavespeed_list", openapi_extra=described_body(ListInput, {"page": 1}))
async def list_by_body(call: CallDep) -> dict[str, Any]:
    """The key's predictions, newest first."""
    return await _list(await read_input(call, ListInput), call)


@router.get("/predictions", operation_id="wavespeed_list_by_query")
async def list_by_query(query: Annotated[ListInput, Query()], call: CallDep) -> dict[str, Any]:
    """The key's predictions, newest first."""
    return await _list(query, call)


@router.post("/predictions/delete", operation_id="wavespeed_delete_many", openapi_extra=described_body(DeleteInput))
async def delete_by_body(call: CallDep) -> dict[str, Any]:
    """Forget finished predictions and their files."""
    body = await read_input(call, DeleteInput)
    ids = [*body.ids, *([body.id] if body.id else [])]
    if not ids:
        raise MissingFieldError("ids")
    for task_id in ids:
        await call.service.tasks.delete(call.caller, task_id)
    return success({"ids": ids})


@router.get("/predictions/{task_id}/result", operation_id="wavespeed_result")
@router.get("/predictions/{task_id}", operation_id="wavespeed_result_short")
async def result(task_id: str, call: CallDep) -> PredictionAnswer:
    """A prediction as it is now; also with 200 when it failed."""
    task = await call.service.tasks.get(call.caller, task_id)
    note_task(call.request, task)
    return PredictionAnswer(data=await prediction_of(task, call))


@router.delete("/predictions/{task_id}", operation_id="wavespeed_delete")
async def delete(task_id: str, call: CallDep) -> dict[str, Any]:
    """Forget a finished prediction and its files."""
    await call.service.tasks.delete(call.caller, task_id)
    return success({"id": task_id})


async def _list(query: ListInput, call: Call) -> dict[str, Any]:
    tasks, total = await numbered_page(call.service, call.caller, to_query(query), query.page)
    items: list[dict[str, Any]] = []
    for task in tasks:
        shown = await prediction_of(task, call)
        items.append(shown.model_dump() | {"input": to_input(task, call.links)})
    return success({"page": query.page, "total": total, "items": items})
