"""Changes of state: the only statements that write `state`, each guarded by the table of legal transitions.

Statements are made once and take their values when they are executed: making one costs more than executing it.
"""

from typing import Any

from sqlalchemy import Update, bindparam, update
from sqlalchemy.sql.dml import ReturningUpdate

from overpaint.core.task import LEGAL_TRANSITIONS, Lease, TaskState
from overpaint.store.schema import tasks

#: A change of tasks that answers with their rows.
Change = ReturningUpdate[Any]
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


def end(target: TaskState) -> Update:
    """Make tasks final; takes `now`."""
    return move(target).values(finished_at=bindparam("now"), **_NO_LEASE)


def end_leased(target: TaskState) -> Update:
    """Make a leased task final, if it is still this very lease; takes `now` and `values_of_lease`."""
    return end(target).where(IS_LEASE, tasks.c.state == TaskState.RUNNING.value)


#: The very lease of `values_of_lease`, under way or ended.
IS_LEASE = (
    (tasks.c.id == bindparam("task_id"))
    & (tasks.c.worker == bindparam("lease_worker"))
    & (tasks.c.token == bindparam("lease_token"))
)


def values_of_lease(lease: Lease) -> dict[str, Any]:
    """What tells a lease from all others."""
    return {"task_id": lease.task.id, "lease_worker": lease.worker, "lease_token": lease.token}
