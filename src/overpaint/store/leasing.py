"""Handing queued tasks to workers, and taking them back from those that stopped answering."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Executable, RowMapping, bindparam, func, select, update

from overpaint.core.task import Lease, Task, TaskState
from overpaint.store.access import TaskAccess, TellTime
from overpaint.store.aftermath import tell_webhooks
from overpaint.store.attempts import lost_for_good
from overpaint.store.codec import failure_to_json
from overpaint.store.database import Database
from overpaint.store.queue_order import QueueOrder, by_priority_and_age
from overpaint.store.rows import lease_of, task_of
from overpaint.store.schema import IS_QUEUED, IS_RUNNING, tasks
from overpaint.store.transitions import end, move, requeue

_IDS_A_STATEMENT = 500
_IDS = tasks.c.id.in_(bindparam("ids", expanding=True))
_NOW = bindparam("now", type_=tasks.c.started_at.type)
_TAKE = (
    move(TaskState.RUNNING)
    .where(_IDS)
    .values(
        worker=bindparam("by"),
        token=tasks.c.token + 1,
        attempt=tasks.c.attempt + 1,
        started_at=func.coalesce(tasks.c.started_at, _NOW),
        leased_at=_NOW,
        lease_expires_at=bindparam("until"),
    )
    .returning(tasks)
)
_RENEW = (
    update(tasks)
    .where(_IDS, tasks.c.worker == bindparam("by"), tasks.c.state == TaskState.RUNNING.value)
    .values(lease_expires_at=bindparam("until"))
    .returning(tasks.c.id)
)
_LEASES = select(tasks).where(IS_RUNNING).order_by(tasks.c.lease_expires_at)
_LOCK_LEASES = (
    select(tasks.c.id, tasks.c.token, tasks.c.losses, tasks.c.lease_expires_at)
    .where(_IDS, tasks.c.state == TaskState.RUNNING.value)
    .with_for_update(skip_locked=True)
)
_LOSE = {"losses": tasks.c.losses + 1, "attempt": tasks.c.attempt - 1}
_REQUEUE = requeue().where(_IDS).values(_LOSE).returning(tasks)
_FAIL = end(TaskState.FAILED).where(_IDS).values(failure=bindparam("reason"), **_LOSE).returning(tasks)


class TaskLeasing(TaskAccess):
    """The lending half of `TaskStore`."""

    def __init__(self, database: Database, now: TellTime, order: QueueOrder = by_priority_and_age) -> None:
        super().__init__(database, now, order)
        # SKIP LOCKED has a meaning on PostgreSQL only; SQLite has one writer, so nothing is ever locked.
        queued = select(tasks.c.id).where(IS_QUEUED)
        self._pick = queued.order_by(*order(tasks)).limit(bindparam("limit")).with_for_update(skip_locked=True)

    async def lease(self, worker: str, *, limit: int, duration: timedelta) -> list[Lease]:
        """Take queued tasks; see `TaskStore.lease`."""
        now = self._now()
        values = {"by": worker, "now": now, "until": now + duration}

        def work(connection: Connection) -> list[Lease]:
            ids = list(connection.execute(self._pick, {"limit": limit}).scalars())
            rows = _change(connection, _TAKE, ids, values)
            return [lease_of(rows[task_id]) for task_id in ids]

        return await self._database.write(work)

    async def renew(self, worker: str, task_ids: Sequence[str], *, duration: timedelta) -> set[str]:
        """Prolong a worker's leases of these tasks; see `TaskStore.renew`."""
        values = {"by": worker, "until": self._now() + duration}

        def work(connection: Connection) -> set[str]:
            return set(_change(connection, _RENEW, list(task_ids), values))

        return await self._database.write(work)

    async def hand_back(self, worker: str, task_ids: Sequence[str], *, count_attempt: bool) -> None:
        """Return leased tasks to the queue; see `TaskStore.hand_back`."""
        returning = requeue().where(_IDS, tasks.c.worker == worker).returning(tasks)
        if not count_attempt:
            returning = returning.values(attempt=tasks.c.attempt - 1)

        def work(connection: Connection) -> None:
            _change(connection, returning, list(task_ids))

        await self._database.write(work)

    async def leases(self) -> list[Lease]:
        """All that there are; see `TaskStore.leases`."""
        return [lease_of(row) for row in await self._database.read(_LEASES)]

    async def reclaim(self, lost: Sequence[Lease], *, max_losses: int) -> tuple[list[Task], list[Task]]:
        """Requeue or fail the tasks of these leases; see `TaskStore.reclaim`."""
        now, seen = self._now(), {(lease.task.id, lease.token, lease.expires_at) for lease in lost}
        failing = {"now": now, "reason": failure_to_json(lost_for_good(max_losses))}

        def work(connection: Connection) -> tuple[list[Task], list[Task]]:
            held = _change(connection, _LOCK_LEASES, [lease.task.id for lease in lost]).values()
            over = [row for row in held if (row["id"], row["token"], row["lease_expires_at"]) in seen]
            again = [row["id"] for row in over if row["losses"] + 1 < max_losses]
            worn = [row["id"] for row in over if row["losses"] + 1 >= max_losses]
            requeued = _change(connection, _REQUEUE, again)
            failed = _change(connection, _FAIL, worn, failing)
            ended = [task_of(row) for row in failed.values()]
            tell_webhooks(connection, self._database, ended, now)
            return [task_of(row) for row in requeued.values()], ended

        return await self._database.write(work)


def _change(
    connection: Connection, change: Executable, ids: list[str], values: Mapping[str, Any] = {}
) -> dict[str, RowMapping]:
    """Change (or lock) the tasks with these ids, however many; answers those that were changed."""
    changed: dict[str, RowMapping] = {}
    for start in range(0, len(ids), _IDS_A_STATEMENT):
        some = ids[start : start + _IDS_A_STATEMENT]
        changed.update((row["id"], row) for row in connection.execute(change, {**values, "ids": some}).mappings())
    return changed
