"""What is said of a task that was tried too often. Shared by all adapters, so that they say the same."""

from overpaint.core.errors import BackendError
from overpaint.core.task import TaskFailure


def worn_out(max_attempts: int) -> TaskFailure:
    """Why a task is not tried again."""
    times = "once" if max_attempts == 1 else f"{max_attempts} times"
    return TaskFailure(BackendError.code, f"the task was started {times} and its engine stopped answering each time")
