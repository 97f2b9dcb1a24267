"""Tasks as Replicate shows predictions: the task's state, its input as it was sent, and its log. Pure."""

import json
from datetime import datetime
from typing import Any

from overpaint.api.dialects.replicate.pages import OWNER, page_of, version_of
from overpaint.api.dialects.replicate.schemas import Prediction, PredictionUrls, Status
from overpaint.api.public_url import Links
from overpaint.core.events import Progress
from overpaint.core.task import Task, TaskState

BAR_CHARS = 10
STATUS_OF: dict[TaskState, Status] = {
    TaskState.QUEUED: "starting",
    TaskState.RUNNING: "processing",
    TaskState.SUCCEEDED: "succeeded",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "canceled",
}


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
    """What was no input of the model, the seed, and the last line of a progress bar, which clients read."""
    ignored: list[str] = json.loads(task.spec.wording.get("ignored", "[]"))
    lines = [f"Ignored {key}: it is no input of {name_of(task)}" for key in ignored]
    lines.append(f"Using seed: {task.spec.seed}")
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


def timestamp(time: datetime) -> str:
    """A time as Replicate writes it: UTC, microseconds, Z."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _error(task: Task) -> str | None:
    if task.state is TaskState.CANCELLED:
        return None
    return task.failure.message if task.failure else None


def _metrics(task: Task) -> dict[str, float]:
    if task.timings is None:
        return {}
    return {"predict_time": round(task.timings.work_s, 6), "total_time": round(task.timings.total_s, 6)}
