"""Predictions that exist: their result in both forms of the path, the list, and forgetting them.

Nothing here waits: the npm client gives up on a result after ten seconds.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from overpaint.api.body import read_body
from overpaint.api.config import ApiConfig
from overpaint.api.deps import CallerDep, ConfigDep, LinksDep, ServiceDep, note_task
from overpaint.api.dialects.wavespeed.answers import ERRORS, prediction_of, success
from overpaint.api.dialects.wavespeed.convert import to_input, to_query
from overpaint.api.dialects.wavespeed.schemas import DeleteInput, ListInput, PredictionAnswer
from overpaint.api.errors import MissingFieldError
from overpaint.api.json_body import described_body, parse_json, validated
from overpaint.api.paging import numbered_page
from overpaint.api.public_url import Links
from overpaint.service.caller import Caller
from overpaint.service.service import Service

router = APIRouter(tags=["wavespeed"], responses=ERRORS)


@router.post("/predictions", operation_id="wavespeed_list", openapi_extra=described_body(ListInput, {"page": 1}))
async def list_by_body(
    request: Request, service: ServiceDep, caller: CallerDep, config: ConfigDep, links: LinksDep
) -> dict[str, Any]:
    """The key's predictions, newest first."""
    query = validated(ListInput, parse_json(await read_body(request, config.max_body_bytes)))
    return await _list(query, service, caller, config, links)


@router.get("/predictions", operation_id="wavespeed_list_by_query")
async def list_by_query(
    query: Annotated[ListInput, Query()], service: ServiceDep, caller: CallerDep, config: ConfigDep, links: LinksDep
) -> dict[str, Any]:
    """The key's predictions, newest first."""
    return await _list(query, service, caller, config, links)


@router.post("/predictions/delete", operation_id="wavespeed_delete_many", openapi_extra=described_body(DeleteInput))
async def delete_by_body(request: Request, service: ServiceDep, caller: CallerDep, config: ConfigDep) -> dict[str, Any]:
    """Forget finished predictions and their files."""
    body = validated(DeleteInput, parse_json(await read_body(request, config.max_body_bytes)))
    ids = [*body.ids, *([body.id] if body.id else [])]
    if not ids:
        raise MissingFieldError("ids")
    for task_id in ids:
        await service.tasks.delete(caller, task_id)
    return success({"ids": ids})


@router.get("/predictions/{task_id}/result", operation_id="wavespeed_result")
@router.get("/predictions/{task_id}", operation_id="wavespeed_result_short")
async def result(
    task_id: str, request: Request, service: ServiceDep, caller: CallerDep, config: ConfigDep, links: LinksDep
) -> PredictionAnswer:
    """A prediction as it is now; also with 200 when it failed."""
    task = await service.tasks.get(caller, task_id)
    note_task(request, task)
    return PredictionAnswer(data=await prediction_of(task, service, links, config))


@router.delete("/predictions/{task_id}", operation_id="wavespeed_delete")
async def delete(task_id: str, service: ServiceDep, caller: CallerDep) -> dict[str, Any]:
    """Forget a finished prediction and its files."""
    await service.tasks.delete(caller, task_id)
    return success({"id": task_id})


async def _list(query: ListInput, service: Service, caller: Caller, config: ApiConfig, links: Links) -> dict[str, Any]:
    tasks, total = await numbered_page(service, caller, to_query(query), query.page)
    items: list[dict[str, Any]] = []
    for task in tasks:
        shown = await prediction_of(task, service, links, config)
        items.append(shown.model_dump() | {"input": to_input(task, links)})
    return success({"page": query.page, "total": total, "items": items})
