"""Segmind's words to the service's and back. Pure: pictures and links arrive as values."""

from overpaint.api.dialects.segmind.schemas import ModelInput, OutputImage, RequestState, Status, Submitted
from overpaint.api.errors import MissingFieldError, why_unpainted
from overpaint.api.models import vendor_name
from overpaint.api.names import pick_format
from overpaint.api.public_url import Links
from overpaint.api.task_ids import dashed
from overpaint.core.errors import RequestError
from overpaint.core.request import RANDOM_SEED, AdapterRef, OutputSpec
from overpaint.core.task import Task, TaskState
from overpaint.service.catalogue import ModelEntry
from overpaint.service.draft import Draft, picture_source

NAME = "segmind"
FAMILY = "segmind/"
MATCH = "match_input_image"
SHAPE = "16:9"
FORMATS = {"qwen-image-edit-plus": "webp"}
QUALITY = 90
MIN_QUALITY, MAX_QUALITY = 10, 100
MAX_GUIDANCE = 25.0
NO_NEGATIVE = " "

STATUS_OF: dict[TaskState, Status] = {
    TaskState.QUEUED: "QUEUED",
    TaskState.RUNNING: "PROCESSING",
    TaskState.SUCCEEDED: "COMPLETED",
    TaskState.FAILED: "FAILED",
    TaskState.CANCELLED: "FAILED",
}


def to_draft(body: ModelInput, entry: ModelEntry) -> Draft:
    """What was asked.

    Raises:
        RequestError: a field is missing or cannot be understood.
    """
    if body.prompt is None:
        raise MissingFieldError("prompt")
    guidance = _guidance(body)
    has_guidance = guidance is not None and guidance > 1
    return Draft(
        model=entry.id,
        prompt=body.prompt,
        dialect=NAME,
        negative_prompt=body.negative_prompt or (NO_NEGATIVE if has_guidance else None),
        pictures=tuple(picture_source(text, field) for field, text in _images(body, entry)),
        size=_shape(body, entry),
        seed=RANDOM_SEED if body.seed is None else body.seed,
        steps=body.num_inference_steps if body.steps is None else body.steps,
        true_cfg_scale=guidance,
        adapters=(AdapterRef(body.lora),) if body.lora else (),
        acceleration="regular" if body.go_fast else "none",
        output=_output(body, entry),
    )


def to_submitted(task: Task, links: Links) -> Submitted:
    """What a submission is told."""
    request_id = dashed(task.id)
    return Submitted(
        request_id=request_id,
        status=STATUS_OF[task.state],
        poll_url=links.route(f"/v1/requests/{request_id}"),
        status_url=links.route(f"/v2/requests/{request_id}/status"),
        response_url=links.route(f"/v2/requests/{request_id}"),
    )


def to_state(task: Task, links: Links, *, with_output: bool) -> RequestState:
    """Where a request is.

    Args:
        task: any.
        links: makes URLs.
        with_output: whether the answer names the picture; the status call does not.
    """
    accepted = to_submitted(task, links)
    images = [OutputImage(url=links.file(output.file), content_type=output.file.media_type) for output in task.outputs]
    is_shown = with_output and bool(images)
    return RequestState(
        status=accepted.status,
        request_id=accepted.request_id,
        status_url=accepted.status_url,
        response_url=accepted.response_url,
        output=images[0].url if is_shown else None,
        images=images if is_shown else None,
        error=why_unpainted(task),
        metrics={"inference_time": round(task.timings.work_s, 3)} if task.timings else {},
    )


def _images(body: ModelInput, entry: ModelEntry) -> list[tuple[str, str]]:
    named = [("image", body.image), ("image_1", body.image_1), ("image_2", body.image_2), ("image_3", body.image_3)]
    images = [(field, text) for field, text in named if text]
    if len(images) < entry.pictures.min_count:
        raise MissingFieldError("image")
    return images


def _guidance(body: ModelInput) -> float | None:
    field = "guidance_scale" if body.guidance is None else "guidance"
    value = body.guidance_scale if body.guidance is None else body.guidance
    if value is not None and not 1 <= value <= MAX_GUIDANCE:
        raise RequestError(field, value, f"must be 1 to {MAX_GUIDANCE:g}")
    return value


def _shape(body: ModelInput, entry: ModelEntry) -> str | None:
    """Pictures from words are wide unless told otherwise, as documented; edits keep the shape of what they edit."""
    if entry.pictures.max_count == 0:
        return body.aspect_ratio or SHAPE
    return None if body.aspect_ratio in (None, "", MATCH) else body.aspect_ratio


def _output(body: ModelInput, entry: ModelEntry) -> OutputSpec:
    quality = QUALITY if body.quality is None else body.quality
    if not MIN_QUALITY <= quality <= MAX_QUALITY:
        raise RequestError("quality", quality, f"must be {MIN_QUALITY} to {MAX_QUALITY}")
    asked = body.image_format or FORMATS.get(vendor_name(entry.id, FAMILY), "png")
    return OutputSpec(pick_format("image_format", asked), quality)
