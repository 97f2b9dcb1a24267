"""Replicate's words to the service's and back. Pure: pictures arrive as sources, links and base64 as values."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from overpaint.api.dialects.replicate.pages import MATCH, OWNER, ModelPage, page_of, version_of
from overpaint.api.dialects.replicate.schemas import CreateInput, PaintingInput, Prediction, PredictionUrls, Status
from overpaint.api.errors import MissingFieldError, UnknownFieldError
from overpaint.api.json_body import validated
from overpaint.api.names import pick, pick_format
from overpaint.api.public_url import Links
from overpaint.core.errors import RequestError
from overpaint.core.events import Progress
from overpaint.core.request import MAX_SEED, RANDOM_SEED, AdapterRef, OutputSpec
from overpaint.core.sizes import Size
from overpaint.core.task import Task, TaskState
from overpaint.service.catalogue import ModelEntry
from overpaint.service.draft import Draft, PictureSource

NAME = "replicate"
FAMILY = "replicate/"
MAX_HOLD_S = 58.0
"""Of a call that waits: the clients give up on one after 60 s."""
SPEED_PX = 1024
BAR_CHARS = 10
NO_NEGATIVE = " "
IMAGE_SIZES = ("optimize_for_quality", "optimize_for_speed")
STATUS_OF: dict[TaskState, Status] = {
    TaskState.QUEUED: "starting",
    TaskState.RUNNING: "processing",
    TaskState.SUCCEEDED: "succeeded",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "canceled",
}
_FILE_PATH = re.compile(rf"(?:/{NAME})?/v1/files/([0-9a-f]{{32}})(?:/download)?/?(?:[?#].*)?")
_WAIT = re.compile(r"\bwait(?:\s*=\s*(\d{1,9}))?")


def to_input(given: Mapping[str, Any], name: str) -> PaintingInput:
    """An input with the defaults of the model's page.

    Raises:
        RequestError: it has an input that the model does not take, or one of the wrong type.
    """
    page = page_of(name)
    for key in given:
        if key not in page.inputs:
            raise UnknownFieldError(key, given[key], f"is no input of {name}; it has {', '.join(page.inputs)}")
    said = {key: value for key, value in given.items() if value is not None}
    return validated(PaintingInput, {**page.defaults, **said})


def to_draft(
    body: PaintingInput, name: str, entry: ModelEntry, pictures: tuple[PictureSource, ...], given: Mapping[str, Any]
) -> Draft:
    """What was asked.

    Args:
        body: with the page's defaults.
        name: of the model, ``owner/name``.
        entry: what the catalogue knows of it.
        pictures: in order.
        given: the input as it was sent, to be told again.

    Raises:
        RequestError: an input is missing or cannot be honoured.
    """
    if body.prompt is None:
        raise MissingFieldError("prompt")
    if len(pictures) < entry.pictures.min_count:
        raise MissingFieldError("image")
    if body.strength is not None:
        raise RequestError("strength", body.strength, "cannot be honoured: a picture is edited, not painted over")
    guidance = None if body.guidance is None else max(1.0, body.guidance)
    is_guided = guidance is not None and guidance > 1
    return Draft(
        model=entry.id,
        prompt=body.prompt,
        dialect=NAME,
        negative_prompt=body.negative_prompt or (NO_NEGATIVE if is_guided else None),
        pictures=pictures,
        size=_shape(body, page_of(name)),
        seed=_seed(body.seed),
        num_images=1 if body.num_outputs is None else body.num_outputs,
        steps=body.num_inference_steps,
        true_cfg_scale=guidance,
        acceleration="regular" if body.go_fast else "none",
        adapters=_adapters(body),
        output=_output(body),
        enhance=body.enhance_prompt if body.enable_prompt_expansion is None else body.enable_prompt_expansion,
        wording={"model": name, "input": _echo(given)},
    )


def to_webhook(body: CreateInput) -> str | None:
    """Where to tell of the end.

    Raises:
        RequestError: only of what this server does not tell.
    """
    url = body.webhook or body.webhook_completed
    events = body.webhook_events_filter
    if url and events is not None and "completed" not in events:
        raise RequestError("webhook_events_filter", ", ".join(events), "must have completed, which is all that is told")
    return url or None


def to_prediction(
    task: Task, links: Links, outputs: list[str], progress: Progress | None = None, *, is_held: bool = False
) -> Prediction:
    """A task as Replicate shows one.

    Args:
        task: any.
        links: makes URLs.
        outputs: what to put for its pictures.
        progress: how far it got, if that is known.
        is_held: whether this answers a call that was held in vain; clients go on to poll only what is `starting`.
    """
    name = name_of(task)
    page = page_of(name)
    is_open = is_held and not task.state.is_final
    url = links.route(f"/v1/predictions/{task.id}")
    return Prediction(
        id=task.id,
        model=name,
        version=version_of(name),
        input=told_input(task, links),
        logs=to_logs(task, progress),
        output=None if not outputs else outputs if page.gives_list else outputs[0],
        error=_error(task),
        status="starting" if is_open else STATUS_OF[task.state],
        metrics=_metrics(task),
        created_at=timestamp(task.created_at),
        started_at=timestamp(task.started_at) if task.started_at else None,
        completed_at=timestamp(task.finished_at) if task.finished_at else None,
        urls=PredictionUrls(get=url, cancel=f"{url}/cancel", stream=stream_url(task, links), web=url),
    )


def stream_url(task: Task, links: Links) -> str:
    """Where its events are; it needs no key, because the npm client sends none there."""
    query = links.files.link(stream_key(task.key_id, task.id), "stream").partition("?")[2]
    return links.route(f"/v1/predictions/{task.id}/stream?key={task.key_id}&{query}")


def stream_key(key_id: str, task_id: str) -> str:
    """What the signature of such a link is over."""
    return f"streams/{key_id}/{task_id}"


def told_input(task: Task, links: Links) -> dict[str, Any]:
    """The input as it was sent, its pictures as links to what was taken in."""
    spec = task.spec
    echo: dict[str, Any] = json.loads(spec.wording["input"]) if "input" in spec.wording else {"prompt": spec.prompt}
    if spec.pictures:
        urls = [links.file(file) for file in spec.pictures]
        echo["image"] = urls if page_of(name_of(task)).takes_list else urls[0]
    return echo


def to_logs(task: Task, progress: Progress | None) -> str:
    """The seed, and the last line of a progress bar, which clients read."""
    lines = [f"Using seed: {task.spec.seed}"]
    if progress is not None and progress.num_steps:
        lines.append(bar(progress))
    return "\n".join(lines) + "\n"


def bar(progress: Progress) -> str:
    """``" 40%|####      | 4/10"``."""
    done = progress.step * BAR_CHARS // progress.num_steps
    percent = progress.step * 100 // progress.num_steps
    return f"{percent:3d}%|{'#' * done}{' ' * (BAR_CHARS - done)}| {progress.step}/{progress.num_steps}"


def name_of(task: Task) -> str:
    """``owner/name`` of the model that was asked for, in whatever dialect."""
    return task.spec.wording.get("model") or f"{OWNER}/{task.spec.model}"


def upload_id_of(text: str, links: Links) -> str | None:
    """The upload that a URL of this server's own Files API names; None when it is none, or of somebody else's."""
    found = _FILE_PATH.fullmatch(text.removeprefix(links.base)) if text.startswith(links.base) else None
    return found[1] if found else None


def hold_s(prefer: str | None) -> float:
    """How long a call with this ``Prefer`` header is to be held, in seconds."""
    found = _WAIT.search(prefer or "")
    if found is None:
        return 0.0
    return min(MAX_HOLD_S, max(1.0, float(found[1]))) if found[1] else MAX_HOLD_S


def timestamp(time: datetime) -> str:
    """A time as Replicate writes it: UTC, microseconds, Z."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seed(asked: int | None) -> int:
    """Model pages name no largest seed: wider numbers are folded."""
    if asked is None:
        return RANDOM_SEED
    return asked if asked < 0 else asked % (MAX_SEED + 1)


def _shape(body: PaintingInput, page: ModelPage) -> Size | float | None:
    if body.match_input_image and body.image:
        return None
    if body.aspect_ratio is None or pick("aspect_ratio", body.aspect_ratio, page.shapes) == MATCH:
        return None
    width, height = (int(side) for side in body.aspect_ratio.split(":"))
    if pick("image_size", body.image_size or IMAGE_SIZES[0], IMAGE_SIZES) == IMAGE_SIZES[0]:
        return width / height
    scale = SPEED_PX / max(width, height)
    return Size(round(width * scale), round(height * scale))


def _adapters(body: PaintingInput) -> tuple[AdapterRef, ...]:
    scale = 1.0 if body.lora_scale is None else body.lora_scale
    first = [AdapterRef(source, scale) for source in (body.lora_weights, body.replicate_weights) if source]
    scales = [*body.extra_lora_scale, *[1.0] * len(body.extra_lora_weights)]
    return (*first, *(AdapterRef(source, scales[at]) for at, source in enumerate(body.extra_lora_weights) if source))


def _output(body: PaintingInput) -> OutputSpec:
    quality = 95 if body.output_quality is None else body.output_quality
    if not 0 <= quality <= 100:
        raise RequestError("output_quality", quality, "must be 0 to 100")
    return OutputSpec(pick_format("output_format", body.output_format or "png"), max(1, quality))


def _echo(given: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in given.items() if key != "image"}, sort_keys=True)


def _error(task: Task) -> str | None:
    if task.state is TaskState.CANCELLED:
        return None
    return task.failure.message if task.failure else None


def _metrics(task: Task) -> dict[str, float]:
    if task.timings is None:
        return {}
    return {"predict_time": round(task.timings.work_s, 6), "total_time": round(task.timings.total_s, 6)}
