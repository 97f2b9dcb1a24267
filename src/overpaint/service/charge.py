"""What a task costs that was cancelled while it was painted. Pure."""

from overpaint.core.events import Progress
from overpaint.core.task import Task


def share_done(task: Task, progress: Progress | None) -> int:
    """The share of a task's price for the steps that were taken, in millionths of a dollar.

    Args:
        task: it.
        progress: how far it got; None when nobody heard of any.
    """
    if progress is None or not progress.num_steps:
        return 0
    return task.price_microusd * progress.step // progress.num_steps
