"""Native bodies to the service's vocabulary and back. Pure; what it needs of the request arrives as `Links`."""

from overpaint.api.names import pick
from overpaint.api.native.schemas import (
    DeliveryOut,
    FailureOut,
    FileOut,
    ImageOut,
    TaskIn,
    TaskLinks,
    TaskOut,
    TimingsOut,
)
from overpaint.api.public_url import Links
from overpaint.core.account import MICRO, WebhookDelivery
from overpaint.core.request import ACCELERATIONS, BACKGROUNDS, OUTPUT_FORMATS, AdapterRef, OutputSpec
from overpaint.core.result import Timings
from overpaint.core.task import Priority, StoredFile, Task, TaskOutput
from overpaint.service.draft import Draft, PictureSource, picture_source

_PRIORITIES = {"interactive": Priority.INTERACTIVE, "batch": Priority.BATCH}


def to_draft(
    body: TaskIn,
    default_model: str,
    *,
    idempotency_key: str | None = None,
    pictures: tuple[PictureSource, ...] = (),
    mask: PictureSource | None = None,
) -> Draft:
    """What was asked.

    Args:
        body: as it was parsed.
        default_model: when it names none.
        idempotency_key: the header's.
        pictures: sent as parts of a form; they come after those named in the body.
        mask: sent as a part of a form.

    Raises:
        RequestError: a field cannot be understood.
    """
    named = tuple(picture_source(text, f"images[{index}]") for index, text in enumerate(body.images))
    return Draft(
        model=body.model or default_model,
        prompt=body.prompt,
        dialect="native",
        negative_prompt=body.negative_prompt,
        pictures=named + pictures,
        mask=picture_source(body.mask, "mask") if body.mask else mask,
        size=body.size,
        seed=body.seed,
        num_images=body.num_images,
        steps=body.steps,
        true_cfg_scale=body.true_cfg_scale,
        acceleration=pick("acceleration", body.acceleration, ACCELERATIONS),
        adapters=tuple(AdapterRef(one.source, one.scale, one.weight_name) for one in body.adapters),
        output=to_output(body.output.format, body.output.quality, body.output.background),
        priority=_PRIORITIES[body.priority],
        webhook_url=body.webhook_url,
        idempotency_key=idempotency_key,
        enhance=body.enhance,
    )


def to_output(file_format: str, quality: int, background: str) -> OutputSpec:
    """How the pictures are written.

    Raises:
        RequestError: a value is none of those that can be named.
    """
    return OutputSpec(
        pick("output.format", file_format, OUTPUT_FORMATS), quality, pick("output.background", background, BACKGROUNDS)
    )


def from_task(task: Task, links: Links) -> TaskOut:
    """A task as the native API shows it."""
    failure = task.failure
    return TaskOut(
        id=task.id,
        state=task.state.value,
        model=task.spec.model,
        prompt=task.spec.prompt,
        enhanced_prompt=task.spec.enhanced_prompt,
        seed=task.spec.seed,
        num_images=task.spec.num_images,
        priority="batch" if task.priority is Priority.BATCH else "interactive",
        dialect=task.dialect,
        attempt=task.attempt,
        price_usd=task.price_microusd / MICRO,
        created_at=task.created_at,
        started_at=task.started_at,
        finished_at=task.finished_at,
        images=[_from_output(output, links) for output in task.outputs],
        error=FailureOut(code=failure.code, message=failure.message) if failure else None,
        timings=_from_timings(task.timings) if task.timings else None,
        urls=task_links(task.id, links),
    )


def task_links(task_id: str, links: Links) -> TaskLinks:
    """Where to go from a task."""
    base = links.route(f"/tasks/{task_id}")
    return TaskLinks(get=base, events=f"{base}/events", cancel=f"{base}/cancel")


def from_file(file: StoredFile, links: Links) -> FileOut:
    """A stored picture as the native API shows it."""
    return FileOut(
        url=links.file(file),
        media_type=file.media_type,
        width=file.width,
        height=file.height,
        num_bytes=file.num_bytes,
    )


def from_delivery(delivery: WebhookDelivery) -> DeliveryOut:
    """A webhook message as the native API shows it."""
    return DeliveryOut(
        id=delivery.id,
        url=delivery.url,
        attempts=delivery.attempts,
        created_at=delivery.created_at,
        next_attempt_at=delivery.next_attempt_at,
        delivered_at=delivery.delivered_at,
        last_error=delivery.last_error,
    )


def _from_output(output: TaskOutput, links: Links) -> ImageOut:
    file = from_file(output.file, links)
    return ImageOut(**file.model_dump(), seed=output.seed, has_nsfw=output.has_nsfw)


def _from_timings(timings: Timings) -> TimingsOut:
    return TimingsOut(
        queue_ms=round(timings.queue_s * 1000),
        condition_ms=round(timings.condition_s * 1000),
        prefill_ms=round(timings.prefill_s * 1000),
        denoise_ms=round(timings.denoise_s * 1000),
        decode_ms=round(timings.decode_s * 1000),
        total_ms=round(timings.total_s * 1000),
    )
