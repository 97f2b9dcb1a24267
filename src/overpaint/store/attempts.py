"""What is said of a task that was lost too often. Shared by all adapters, so that they say the same."""

from overpaint.core.errors import BackendError
from overpaint.core.task import TaskFailure


def lost_for_good(max_losses: int) -> TaskFailure:
    """Why a task is not tried again."""
    times = "once" if max_losses == 1 else f"{max_losses} times"
    return TaskFailure(BackendError.code, f"the server that worked on this went away {times}")
