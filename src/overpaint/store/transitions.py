"""Changes of state: the only statements that write `state`, each guarded by the table of legal transitions."""

from datetime import datetime

from sqlalchemy import Update, update

from overpaint.core.task import LEGAL_TRANSITIONS, Lease, TaskState
from overpaint.store.schema import tasks

_NO_LEASE = {"lease_expires_at": None}


def origins_of(target: TaskState) -> list[str]:
    """The states from which a task may become `target`."""
    return [state.value for state, targets in LEGAL_TRANSITIONS.items() if target in targets]


def move(target: TaskState) -> Update:
    """Make tasks `target`, those only that legally can; the caller says which."""
    return update(tasks).where(tasks.c.state.in_(origins_of(target))).values(state=target.value)


def requeue() -> Update:
    """Give tasks back to the queue."""
    return move(TaskState.QUEUED).values(worker=None, leased_at=None, **_NO_LEASE)


def end(target: TaskState, *, at: datetime) -> Update:
    """Make tasks final."""
    return move(target).values(finished_at=at, **_NO_LEASE)


def end_leased(target: TaskState, lease: Lease, *, at: datetime) -> Update:
    """Make a leased task final, if it is still this very lease."""
    return end(target, at=at).where(
        tasks.c.id == lease.task.id,
        tasks.c.state == TaskState.RUNNING.value,
        tasks.c.worker == lease.worker,
        tasks.c.token == lease.token,
    )
