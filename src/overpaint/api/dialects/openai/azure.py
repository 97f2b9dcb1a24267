"""The same calls as Azure has them: a deployment in the path, which is the model. ``api-version`` changes nothing."""

from typing import Any

from fastapi import APIRouter, Response

from overpaint.api.dialects.openai.access import OpenAICallDep
from overpaint.api.dialects.openai.answers import ERRORS, PAINTED
from overpaint.api.dialects.openai.painting import SentDep, answer
from overpaint.api.dialects.openai.request_body import EDIT, GENERATION
from overpaint.api.dialects.openai.schemas import ImagesAnswer

router = APIRouter(prefix="/deployments/{deployment}/images", tags=["openai"], responses=ERRORS)


@router.post(
    "/generations",
    operation_id="azure_generate",
    response_model=ImagesAnswer,
    response_model_exclude_none=True,
    responses=PAINTED,
    openapi_extra=GENERATION,
)
async def generate(deployment: str, call: OpenAICallDep, sent: SentDep, response: Response) -> Any:
    """Paint pictures from words."""
    return await answer(call, sent, response, "generation", deployment)


@router.post(
    "/edits",
    operation_id="azure_edit",
    response_model=ImagesAnswer,
    response_model_exclude_none=True,
    responses=PAINTED,
    openapi_extra=EDIT,
)
async def edit(deployment: str, call: OpenAICallDep, sent: SentDep, response: Response) -> Any:
    """Change pictures by an instruction; with a mask, only where it is transparent."""
    return await answer(call, sent, response, "edit", deployment)
