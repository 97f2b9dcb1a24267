"""WaveSpeed's words to the service's and back. Pure: pictures and links arrive as values."""

from datetime import UTC, datetime
from typing import Any

from overpaint.api.dialects.wavespeed.errors import FAILED, OK, TIMED_OUT, code_of, error_text
from overpaint.api.dialects.wavespeed.schemas import ListInput, Prediction, Status, SubmitInput, Times, Urls
from overpaint.api.errors import MissingFieldError
from overpaint.api.named_sizes import size_of_sides
from overpaint.api.names import pick_format
from overpaint.api.public_url import Links
from overpaint.core.errors import RequestError
from overpaint.core.request import RANDOM_SEED, AdapterRef, OutputSpec
from overpaint.core.sizes import Size
from overpaint.core.task import Task, TaskState
from overpaint.service.catalogue import ModelEntry
from overpaint.service.draft import Draft, picture_source
from overpaint.service.tasks import TaskQuery

NAME = "wavespeed"
BASE64 = {"output": "base64"}
"""As tasks carry it, so that every later answer about one is in the form that was asked for."""

STATUS_OF: dict[TaskState, Status] = {
    TaskState.QUEUED: "created",
    TaskState.RUNNING: "processing",
    TaskState.SUCCEEDED: "completed",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "cancelled",
}
_JPEG_FAMILY = "wavespeed-ai/qwen-image/"


def to_draft(body: SubmitInput, entry: ModelEntry, webhook: str | None, idempotency_key: str | None) -> Draft:
    """What was asked.

    Raises:
        RequestError: a field is missing or cannot be understood.
    """
    if body.prompt is None:
        raise MissingFieldError("prompt")
    if len(body.all_images) < entry.pictures.min_count:
        raise MissingFieldError("images", body.all_images, f"must have at least {entry.pictures.min_count} item")
    return Draft(
        model=entry.id,
        prompt=body.prompt,
        dialect=NAME,
        wording=BASE64 if body.enable_base64_output else {},
        negative_prompt=body.negative_prompt,
        pictures=tuple(picture_source(text, field) for field, text in body.all_images),
        size=size_of_sides(body.width, body.height) or body.size or None,
        seed=RANDOM_SEED if body.seed is None else body.seed,
        adapters=tuple(AdapterRef(lora.path, lora.scale) for lora in body.loras or ()),
        output=_output(body, entry),
        webhook_url=webhook or body.webhook_url or None,
        idempotency_key=idempotency_key,
        enhance=body.enable_prompt_expansion,
    )


def to_prediction(task: Task, links: Links, outputs: list[str]) -> Prediction:
    """A task as WaveSpeed shows one.

    Args:
        task: any.
        links: makes URLs.
        outputs: what to put for its pictures, URLs or base64.
    """
    spent_ms = round(task.timings.work_s * 1000) if task.timings else 0
    return Prediction(
        id=task.id,
        model=task.spec.model,
        outputs=outputs,
        urls=Urls(get=links.route(f"/api/v3/predictions/{task.id}/result")),
        has_nsfw_contents=[bool(output.has_nsfw) for output in task.outputs],
        status=STATUS_OF[task.state],
        code=_code(task),
        created_at=timestamp(task.created_at),
        error=_error(task),
        executionTime=spent_ms,
        timings=Times(inference=spent_ms),
    )


def timed_out(prediction: Prediction, seconds: float) -> Prediction:
    """What a sync call is told when the task is not done in time; it goes on."""
    text = f"Sync mode timed out after {seconds:g} seconds; the task goes on, query the result later"
    return prediction.model_copy(update={"status": "processing", "code": TIMED_OUT, "error": text})


def to_input(task: Task, links: Links) -> dict[str, Any]:
    """The input as it was understood, for webhooks."""
    spec = task.spec
    echo: dict[str, Any] = {"prompt": spec.prompt, "seed": spec.seed, "output_format": spec.output.format}
    if spec.pictures:
        echo["images"] = [links.file(file) for file in spec.pictures]
    if isinstance(spec.size, Size):
        echo["size"] = f"{spec.size.width}*{spec.size.height}"
    if spec.negative_prompt is not None:
        echo["negative_prompt"] = spec.negative_prompt
    return echo


def to_query(body: ListInput) -> TaskQuery:
    """Which tasks to list.

    Raises:
        RequestError: a time cannot be read.
    """
    states = tuple(state for state, status in STATUS_OF.items() if status == body.status)
    return TaskQuery(
        states=states,
        model=body.model or None,
        created_after=moment(body.created_after, "created_after"),
        created_before=moment(body.created_before, "created_before"),
        limit=body.page_size,
    )


def moment(text: str | None, field: str) -> datetime | None:
    """Read a time; without a zone it is UTC.

    Raises:
        RequestError: it is no ISO time.
    """
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise RequestError(field, text, "must be a time such as 2026-01-01T12:34:56Z") from exc


def timestamp(time: datetime) -> str:
    """A time as WaveSpeed writes it: UTC, milliseconds, Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _output(body: SubmitInput, entry: ModelEntry) -> OutputSpec:
    """The older models answer with JPEG unless told otherwise; the others do not document it and stay lossless."""
    asked = body.output_format or ("jpeg" if entry.id.startswith(_JPEG_FAMILY) else "png")
    return OutputSpec(format=pick_format("output_format", asked))


def _code(task: Task) -> int:
    if task.state is TaskState.CANCELLED:
        return FAILED
    return code_of(task.failure.code) if task.failure else OK


def _error(task: Task) -> str:
    if task.state is TaskState.CANCELLED:
        return "the task was cancelled"
    return error_text(task.failure) if task.failure else ""
