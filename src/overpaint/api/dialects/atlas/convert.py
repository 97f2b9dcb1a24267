"""AtlasCloud's words to the service's and back. Pure: pictures and links arrive as values."""

from datetime import UTC

from overpaint.api.dialects.atlas.schemas import GenerateInput, Prediction, PredictionAnswer, Status, Urls
from overpaint.api.errors import MissingFieldError, why_unpainted
from overpaint.api.json_lists import listed
from overpaint.api.models import vendor_name
from overpaint.api.named_sizes import size_of_sides
from overpaint.api.names import pick_format
from overpaint.api.public_url import Links
from overpaint.core.request import RANDOM_SEED, OutputSpec
from overpaint.core.sizes import Size
from overpaint.core.task import Task, TaskState
from overpaint.service.draft import Draft, picture_source

NAME = "atlas"
FAMILY = "atlas/"
BASE64 = {"output": "base64"}
"""As tasks carry it, so that every later answer about one is in the form that was asked for."""
NO_NEGATIVE = " "

STATUS_OF: dict[TaskState, Status] = {
    TaskState.QUEUED: "processing",
    TaskState.RUNNING: "processing",
    TaskState.SUCCEEDED: "completed",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "failed",
}


def to_draft(body: GenerateInput, model: str) -> Draft:
    """What was asked.

    Args:
        body: as it was sent.
        model: its id in the catalogue.

    Raises:
        RequestError: a field is missing or cannot be understood.
    """
    if body.prompt is None:
        raise MissingFieldError("prompt")
    images = [*([("image", body.image)] if body.image else []), *listed("images", body.images)]
    scale, count = body.guidance_scale, _first(body.num_images, body.n)
    return Draft(
        model=model,
        prompt=body.prompt,
        dialect=NAME,
        wording=BASE64 if body.enable_base64_output else {},
        negative_prompt=body.negative_prompt or (NO_NEGATIVE if (scale or 0) > 1 else None),
        pictures=tuple(picture_source(text, field) for field, text in images),
        size=_size(body),
        seed=RANDOM_SEED if body.seed is None else body.seed,
        num_images=1 if count is None else count,
        steps=_first(body.steps, body.num_inference_steps),
        true_cfg_scale=None if scale is None else max(1.0, scale),
        output=OutputSpec(pick_format("output_format", body.output_format or "png")),
        enhance=body.enable_prompt_expansion,
    )


def to_answer(task: Task, links: Links, outputs: list[str]) -> PredictionAnswer:
    """A task in all shapes at once.

    Args:
        task: any.
        links: makes URLs.
        outputs: what to put for its pictures, URLs or base64.
    """
    urls = Urls(get=links.route(f"/api/v1/model/prediction/{task.id}"))
    prediction = Prediction(
        id=task.id,
        model=vendor_name(task.spec.model, FAMILY),
        status=STATUS_OF[task.state],
        outputs=outputs or None,
        urls=urls,
        created_at=task.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        has_nsfw_contents=[bool(output.has_nsfw) for output in task.outputs],
        error=why_unpainted(task) or "",
    )
    return PredictionAnswer(
        data=prediction,
        id=task.id,
        predictionId=task.id,
        status=prediction.status,
        outputs=prediction.outputs,
        urls=urls,
        url=urls.get,
        error=prediction.error,
    )


def _size(body: GenerateInput) -> Size | str | None:
    return size_of_sides(body.width, body.height) or body.size or body.aspect_ratio or None


def _first(one: int | None, other: int | None) -> int | None:
    return other if one is None else one
