"""Generations, edits and variations, the pictures of earlier calls, and the dialect's row."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from overpaint.api.deps import Call, CallDep
from overpaint.api.described import STREAM, picture_answer
from overpaint.api.dialect import Dialect, joined
from overpaint.api.dialects.openai import files, models
from overpaint.api.dialects.openai.answers import ERRORS, as_files, as_json
from overpaint.api.dialects.openai.body import read_image_body
from overpaint.api.dialects.openai.convert import Kind, to_draft, to_wanted
from overpaint.api.dialects.openai.errors import render_error
from overpaint.api.dialects.openai.request_body import image_body
from overpaint.api.dialects.openai.schemas import ImagesAnswer
from overpaint.api.dialects.openai.stream import told, watch
from overpaint.api.errors import raise_unless_painted
from overpaint.api.sse import event_stream
from overpaint.api.submission import accept, paint, stopped_before
from overpaint.core.errors import TaskNotFoundError

ROOT = "/v1"
PAINTED = picture_answer("The pictures: in JSON, as a file or a zip archive, or as events.", "application/zip", STREAM)
ONE = picture_answer("The picture.")
router = APIRouter(tags=["openai"], responses=ERRORS)


class Sent:
    """How a request was sent, beside its body."""

    def __init__(
        self,
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
        x_stainless_retry_count: Annotated[str | None, Header(description="Told by the clients.")] = None,
    ) -> None:
        self.idempotency_key = idempotency_key
        self.is_retry = (x_stainless_retry_count or "0") != "0"


SentDep = Annotated[Sent, Depends()]


@router.post(
    "/images/generations",
    operation_id="openai_generate",
    response_model=ImagesAnswer,
    responses=PAINTED,
    openapi_extra=image_body({"prompt": "a red apple", "size": "1024x1024"}),
)
async def generate(call: CallDep, sent: SentDep, response: Response) -> Any:
    """Paint pictures from words."""
    return await _answer(call, sent, response, "generation")


@router.post(
    "/images/edits",
    operation_id="openai_edit",
    response_model=ImagesAnswer,
    responses=PAINTED,
    openapi_extra=image_body({"prompt": "make it blue", "images": [{"image_url": "https://example.com/apple.png"}]}),
)
async def edit(call: CallDep, sent: SentDep, response: Response) -> Any:
    """Change pictures by an instruction; with a mask, only where it is transparent."""
    return await _answer(call, sent, response, "edit")


@router.post(
    "/images/variations",
    operation_id="openai_vary",
    response_model=ImagesAnswer,
    responses=PAINTED,
    openapi_extra=image_body({"image": "https://example.com/apple.png"}),
)
async def vary(call: CallDep, sent: SentDep, response: Response) -> Any:
    """Paint a picture again with small differences."""
    return await _answer(call, sent, response, "variation")


@router.get("/images/{image_id}/content", operation_id="openai_content", response_class=Response, responses=ONE)
async def content(image_id: str, call: CallDep, variant: Annotated[int, Query(ge=0)] = 0) -> Response:
    """A picture of an earlier call, by the `id` of its answer."""
    task = await call.service.tasks.get(call.caller, image_id)
    raise_unless_painted(task)
    if variant >= len(task.outputs):
        raise TaskNotFoundError(f"there is no picture {variant} of {len(task.outputs)}")
    found = await call.service.files.read(task.outputs[variant].file.key)
    return Response(found.data, media_type=found.media_type)


async def _answer(call: Call, sent: Sent, response: Response, kind: Kind) -> Any:
    whole = await read_image_body(call)
    body = whole.fields
    entry = models.find(call.service.catalogue, body.model)
    wanted = to_wanted(body, kind)
    draft = to_draft(body, entry, kind, whole.pictures, whole.mask, whole.mask_image)
    draft = replace(draft, idempotency_key=sent.idempotency_key, is_retry=sent.is_retry)
    if wanted.is_stream:
        task = await accept(call, draft)
        events = watch(call, task, wanted, kind)
        return event_stream(events, call.closing, retry_ms=None, farewell=[told(stopped_before())])
    task = await paint(call, draft)
    if wanted.response_format == "file":
        return await as_files(call, task)
    return await as_json(call, response, task, wanted)


OPENAI = Dialect(
    name="openai",
    prefix="/openai",
    router=joined(router, models.router, files.router, prefix=ROOT),
    render_error=render_error,
    native_paths=(f"{ROOT}/images/", f"{ROOT}/models", f"{ROOT}/files"),
    hosts=("api.openai.com",),
    models=Path(__file__).with_name("models.toml"),
)
