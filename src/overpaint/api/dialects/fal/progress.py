"""A request's way through the queue as fal shows it: IN_QUEUE, IN_PROGRESS, COMPLETED, with its log.

What failed and what was cancelled is COMPLETED too, with an error: fal's client knows no fourth status.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from overpaint.api.dialects.fal.endings import ending_error
from overpaint.api.dialects.fal.errors import refusal_of
from overpaint.api.dialects.fal.schemas import LogLine, Status
from overpaint.api.task_ids import dashed
from overpaint.core.events import Progress
from overpaint.core.task import Task, TaskState
from overpaint.service.watch import TaskEvent


def log_of(events: Iterable[TaskEvent]) -> list[LogLine]:
    """What the engine told, a line for each step."""
    return [
        LogLine(
            message=f"{event.what.stage}: step {event.what.step} of {event.what.num_steps}", timestamp=_time(event.at)
        )
        for event in events
        if isinstance(event.what, Progress)
    ]


def in_queue(task: Task, url: str, position: int) -> Status:
    """A request that waits."""
    return _status("IN_QUEUE", task, url).model_copy(update={"queue_position": position})


def in_progress(task: Task, url: str, logs: list[LogLine] | None) -> Status:
    """A request that is being painted."""
    return _status("IN_PROGRESS", task, url).model_copy(update={"logs": logs})


def completed(task: Task, url: str, logs: list[LogLine] | None) -> Status:
    """A request that has ended, well or not."""
    status = _status("COMPLETED", task, url).model_copy(update={"logs": logs})
    error = ending_error(task)
    if error is None:
        seconds = task.timings.work_s if task.timings else 0.0
        return status.model_copy(update={"metrics": {"inference_time": seconds}})
    refusal = refusal_of(error)
    return status.model_copy(update={"metrics": {}, "error": refusal.text, "error_type": refusal.error_type})


def status_of(task: Task, url: str, position: int, logs: list[LogLine] | None) -> Status:
    """A request as it is now."""
    if task.state.is_final:
        return completed(task, url, logs)
    return in_queue(task, url, position) if task.state is TaskState.QUEUED else in_progress(task, url, logs)


def _status(name: str, task: Task, url: str) -> Status:
    return Status.model_validate(
        {
            "status": name,
            "request_id": dashed(task.id),
            "response_url": url,
            "status_url": f"{url}/status",
            "cancel_url": f"{url}/cancel",
        }
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
