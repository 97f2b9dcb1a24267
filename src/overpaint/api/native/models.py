"""``GET /models``: what can be asked for, within which limits, at which price."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from overpaint.api.deps import CallerDep, ServiceDep
from overpaint.api.native.envelope import ANSWERS
from overpaint.core.account import MICRO
from overpaint.core.errors import RequestError, TaskNotFoundError
from overpaint.service.catalogue import ModelEntry

router = APIRouter(tags=["models"], responses=ANSWERS)


class ModelOut(BaseModel):
    """A model of the catalogue."""

    id: str = Field(examples=["qwen-image-2.0"])
    title: str
    aliases: list[str]
    price_usd_per_image: float
    max_prompt_chars: int
    steps: int | None = Field(description="When a request names none; null is the checkpoint's own number.")
    is_enhanced: bool = Field(description="Whether prompts are enriched when a request does not say.")
    min_images: int = Field(description="References it needs.")
    max_images: int = Field(description="References it takes.")
    min_image_side_px: int
    max_image_side_px: int
    min_side_px: int = Field(description="Of an output of exact size.")
    max_side_px: int
    sizes: list[str] = Field(description="Shapes it knows by name.")
    max_num_images: int = Field(description="Pictures one task may ask for.")


class ModelListOut(BaseModel):
    """All models."""

    models: list[ModelOut]
    adapters: list[str] = Field(description="LoRA adapters that can be named with any of them.")


@router.get("/models", operation_id="list_models")
async def list_models(service: ServiceDep, _caller: CallerDep) -> ModelListOut:
    """All models; the first is taken when a task names none."""
    models = [_from_entry(entry) for entry in service.catalogue.models()]
    return ModelListOut(models=models, adapters=list(service.adapters.names()))


@router.get("/models/{model_id:path}", operation_id="get_model")
async def get_model(model_id: str, service: ServiceDep, _caller: CallerDep) -> ModelOut:
    """One model, by its id or an alias."""
    try:
        return _from_entry(service.catalogue.find(model_id))
    except RequestError as exc:
        raise TaskNotFoundError(exc.message) from exc


def _from_entry(entry: ModelEntry) -> ModelOut:
    return ModelOut(
        id=entry.id,
        title=entry.title,
        aliases=list(entry.aliases),
        price_usd_per_image=entry.price_microusd / MICRO,
        max_prompt_chars=entry.max_prompt_chars,
        steps=entry.steps,
        is_enhanced=entry.is_enhanced,
        min_images=entry.pictures.min_count,
        max_images=entry.pictures.max_count,
        min_image_side_px=entry.pictures.min_side_px,
        max_image_side_px=entry.pictures.max_side_px,
        min_side_px=entry.output.min_side_px,
        max_side_px=entry.output.max_side_px,
        sizes=list(entry.output.presets),
        max_num_images=entry.output.max_images,
    )
