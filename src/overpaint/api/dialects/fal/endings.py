"""How a task ended: with pictures, or with which error. What only fal knows of it is in the task's wording."""

import json
from datetime import datetime, timedelta

from overpaint.api.errors import FailedTaskError, FindingsError, RouteError
from overpaint.core.errors import CancelledTaskError, OverpaintError
from overpaint.core.task import Task, TaskState

REFUSAL = "refusal"
START_WITHIN_S = "start_within_s"
"""Words that a request carries in its task's wording: why it was refused, and how soon it had to be started."""
USER_TIMEOUT = {"X-Fal-Request-Timeout-Type": "user"}


def ending_error(task: Task) -> OverpaintError | None:
    """Why a final task has no pictures; None when it has."""
    refusal = task.spec.wording.get(REFUSAL)
    if refusal is not None:
        return FindingsError(json.loads(refusal))
    if task.failure is not None:
        return FailedTaskError(task.failure)
    if task.state is not TaskState.CANCELLED:
        return None
    if _is_late(task):
        return RouteError(504, "the request was not started in the time it was given", USER_TIMEOUT)
    return CancelledTaskError("Request was cancelled")


def start_by(task: Task) -> datetime | None:
    """When a task has to be started at the latest; None is whenever."""
    within_s = task.spec.wording.get(START_WITHIN_S)
    return None if within_s is None else task.created_at + timedelta(seconds=float(within_s))


def _is_late(task: Task) -> bool:
    """Whether a task was cancelled because it was not started in time."""
    limit = start_by(task)
    if limit is None or task.finished_at is None:
        return False
    return task.started_at is None and task.finished_at >= limit
