"""Generations, edits and variations, the pictures of earlier calls, and the dialect's row."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from overpaint.api.described import picture_answer
from overpaint.api.dialect import Dialect, joined
from overpaint.api.dialects.openai import azure, elsewhere, files, models
from overpaint.api.dialects.openai.access import OpenAICallDep
from overpaint.api.dialects.openai.answers import ERRORS, PAINTED
from overpaint.api.dialects.openai.errors import render_error
from overpaint.api.dialects.openai.painting import SentDep, answer
from overpaint.api.dialects.openai.request_body import EDIT, GENERATION, image_body
from overpaint.api.dialects.openai.schemas import ImagesAnswer
from overpaint.api.errors import raise_unless_painted
from overpaint.api.file_answer import FileAnswer
from overpaint.core.errors import TaskNotFoundError

ROOT = "/v1"
ONE = picture_answer("The picture.")
router = APIRouter(tags=["openai"], responses=ERRORS)


@router.post(
    "/images/generations",
    operation_id="openai_generate",
    response_model=ImagesAnswer,
    response_model_exclude_none=True,
    responses=PAINTED,
    openapi_extra=GENERATION,
)
async def generate(call: OpenAICallDep, sent: SentDep, response: Response) -> Any:
    """Paint pictures from words."""
    return await answer(call, sent, response, "generation")


@router.post(
    "/images/edits",
    operation_id="openai_edit",
    response_model=ImagesAnswer,
    response_model_exclude_none=True,
    responses=PAINTED,
    openapi_extra=EDIT,
)
async def edit(call: OpenAICallDep, sent: SentDep, response: Response) -> Any:
    """Change pictures by an instruction; with a mask, only where it is transparent."""
    return await answer(call, sent, response, "edit")


@router.post(
    "/images/variations",
    operation_id="openai_vary",
    response_model=ImagesAnswer,
    response_model_exclude_none=True,
    responses=PAINTED,
    openapi_extra=image_body({"image": "https://example.com/apple.png"}),
)
async def vary(call: OpenAICallDep, sent: SentDep, response: Response) -> Any:
    """Paint a picture again with small differences."""
    return await answer(call, sent, response, "variation")


@router.get("/images/{image_id}/content", operation_id="openai_content", response_class=Response, responses=ONE)
async def content(image_id: str, call: OpenAICallDep, variant: Annotated[int, Query(ge=0)] = 0) -> Response:
    """A picture of an earlier call, by the `id` of its answer."""
    task = await call.service.tasks.get(call.caller, image_id)
    raise_unless_painted(task)
    if variant >= len(task.outputs):
        raise TaskNotFoundError(f"there is no picture {variant} of {len(task.outputs)}")
    return FileAnswer(call.service.files, task.outputs[variant].file.key)


def _whole() -> APIRouter:
    calls, whole = joined(router, models.router, files.router, elsewhere.router), APIRouter()
    whole.include_router(calls, prefix=ROOT)
    whole.include_router(azure.router)
    whole.include_router(azure.router, prefix=ROOT, include_in_schema=False)  # who has both, its older client and v1
    whole.include_router(calls, include_in_schema=False)  # Azure's clients know no root
    return whole


OPENAI = Dialect(
    name="openai",
    prefix="/openai",
    router=_whole(),
    render_error=render_error,
    native_paths=tuple(f"{ROOT}{path}" for path in ("/images/", "/models", "/files", *elsewhere.PATHS)),
    hosts=("api.openai.com",),
    models=Path(__file__).with_name("models.toml"),
)
