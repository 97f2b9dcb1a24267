"""Predictions: made on three paths, read, listed, cancelled."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query

from overpaint.api.closing import wait_for
from overpaint.api.deps import Call, note_task
from overpaint.api.dialects.replicate.access import ReplicateCallDep
from overpaint.api.dialects.replicate.answers import ERRORS, prediction_of
from overpaint.api.dialects.replicate.catalogue import find, names
from overpaint.api.dialects.replicate.convert import hold_s, to_draft, to_input, to_webhook, upload_id_of
from overpaint.api.dialects.replicate.pages import name_of_version
from overpaint.api.dialects.replicate.schemas import CreateInput, Page, Prediction
from overpaint.api.dialects.replicate.tell import to_prediction
from overpaint.api.errors import MissingFieldError
from overpaint.api.json_body import described_body
from overpaint.api.json_lists import one_or_listed
from overpaint.api.submission import accept, read_input
from overpaint.core.errors import PictureError, RequestError, TaskNotFoundError
from overpaint.service.draft import PictureFile, PictureSource, picture_source
from overpaint.service.tasks import TaskQuery

router = APIRouter(tags=["replicate"], responses=ERRORS)
PAGE_SIZE = 100
EXAMPLE: dict[str, Any] = {"input": {"prompt": "make it blue", "image": "https://example.com/apple.png"}}
Prefer = Annotated[str | None, Header(description="`wait` or `wait=N`: hold the answer until it is done.")]


@router.post(
    "/predictions",
    status_code=201,
    operation_id="replicate_create",
    openapi_extra=described_body(CreateInput, EXAMPLE | {"version": "qwen/qwen-image-edit"}),
)
async def create(call: ReplicateCallDep, prefer: Prefer = None) -> Prediction:
    """Make a prediction with the version that the body names."""
    body = await read_input(call, CreateInput)
    if not body.version:
        raise MissingFieldError("version")
    name = name_of_version(body.version, names(call.service.catalogue))
    if name is None:
        raise RequestError(
            "version", body.version, "is invalid or not permitted; give owner/name, or an id of /versions"
        )
    return await _create(call, body, name, prefer)


@router.post(
    "/models/{owner}/{model}/predictions",
    status_code=201,
    operation_id="replicate_create_by_model",
    openapi_extra=described_body(CreateInput, EXAMPLE),
)
@router.post(
    "/deployments/{owner}/{model}/predictions",
    status_code=201,
    operation_id="replicate_create_by_deployment",
    openapi_extra=described_body(CreateInput, EXAMPLE),
)
async def create_by_name(owner: str, model: str, call: ReplicateCallDep, prefer: Prefer = None) -> Prediction:
    """Make a prediction with a model; each is a deployment, too, by the same name."""
    return await _create(call, await read_input(call, CreateInput), f"{owner}/{model}", prefer)


@router.get("/predictions", operation_id="replicate_list")
async def list_predictions(
    call: ReplicateCallDep, cursor: Annotated[str | None, Query(description="Of `next`.")] = None
) -> Page:
    """The key's predictions, newest first. Their pictures are links, whatever the scheme."""
    page = await call.service.tasks.list_tasks(call.caller, TaskQuery(cursor=cursor, limit=PAGE_SIZE))
    results = [
        to_prediction(task, call.links, [call.links.file(output.file) for output in task.outputs])
        for task in page.tasks
    ]
    following = call.links.route(f"/v1/predictions?{urlencode({'cursor': page.next_cursor})}")
    return Page(next=following if page.next_cursor else None, results=results)


@router.get("/predictions/{task_id}", operation_id="replicate_get")
async def get(task_id: str, call: ReplicateCallDep) -> Prediction:
    """A prediction as it is now."""
    task = await call.service.tasks.get(call.caller, task_id)
    note_task(call.request, task)
    return await prediction_of(call, task)


@router.post("/predictions/{task_id}/cancel", operation_id="replicate_cancel")
async def cancel(task_id: str, call: ReplicateCallDep) -> Prediction:
    """Stop a prediction; a final one comes back as it is."""
    task = await call.service.tasks.cancel(call.caller, task_id)
    note_task(call.request, task)
    return await prediction_of(call, task)


async def _create(call: Call, body: CreateInput, name: str, prefer: str | None) -> Prediction:
    entry = find(call.service.catalogue, name)
    webhook = to_webhook(body)
    given = body.input or {}
    painting = to_input(given, name)
    draft = to_draft(painting, name, entry, await _pictures(call, painting.image), given)
    task = await accept(call, replace(draft, webhook_url=webhook))
    seconds = min(hold_s(prefer), call.config.sync_timeout_s)
    if seconds:
        task = await wait_for(call.request, call.service, call.caller, task, seconds, call.closing)
    return await prediction_of(call, task, is_held=bool(seconds))


async def _pictures(call: Call, texts: Sequence[str]) -> tuple[PictureSource, ...]:
    return tuple([await _source(call, text, field) for field, text in one_or_listed("image", texts) if text])


async def _source(call: Call, text: str, field: str) -> PictureSource:
    """A file of this server's own is read where it is: its URL answers with its description, and needs a key."""
    upload_id = upload_id_of(text, call.links)
    if upload_id is None:
        return picture_source(text, field)
    try:
        return PictureFile((await call.service.uploads.get(call.caller, upload_id)).key, called=field)
    except TaskNotFoundError as exc:
        raise PictureError(field, text, "is not a file of this key (any more)") from exc
