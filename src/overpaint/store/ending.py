"""The ends of tasks: each one transaction with everything that hangs on it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select

from overpaint.core.errors import TaskError, TaskNotFoundError
from overpaint.core.result import Timings
from overpaint.core.task import Lease, Task, TaskFailure, TaskOutput, TaskState
from overpaint.store.access import TaskAccess
from overpaint.store.aftermath import cancelled_row, charge, charge_late, success_row, tell_webhooks
from overpaint.store.codec import failure_to_json, outputs_to_json, timings_to_json
from overpaint.store.rows import Values, task_of
from overpaint.store.schema import task_files, tasks
from overpaint.store.transitions import IS_LEASE, Change, end, end_leased, values_of_lease

_SUCCEED = end_leased(TaskState.SUCCEEDED).values(outputs=bindparam("made"), timings=bindparam("took")).returning(tasks)
_FAIL = end_leased(TaskState.FAILED).values(failure=bindparam("reason")).returning(tasks)
_CANCEL = end(TaskState.CANCELLED).where(tasks.c.id == bindparam("task_id")).returning(tasks)
#: When an open task was leased; its row is then ours until the commit, so that it stays so.
_LEASED_AT = select(tasks.c.leased_at).where(tasks.c.id == bindparam("task_id"), tasks.c.finished_at.is_(None))
_LOCK_OPEN = _LEASED_AT.with_for_update()
_ENDED_BY = select(tasks).where(IS_LEASE, tasks.c.state == bindparam("ended_as"))
_FINAL = [state.value for state in TaskState if state.is_final]


class TaskEnding(TaskAccess):
    """The ending half of `TaskStore`."""

    async def succeed(self, lease: Lease, outputs: Sequence[TaskOutput], timings: Timings) -> Task | None:
        """Task done + files + usage row + webhook, at once; see `TaskStore.succeed`."""
        now = self._now()
        values = {**values_of_lease(lease), "made": outputs_to_json(outputs), "took": timings_to_json(timings)}

        def work(connection: Connection) -> Task | None:
            task = self._end(connection, _SUCCEED, values, now)
            if task is None:
                return _ended_before(connection, lease, TaskState.SUCCEEDED)
            charge(connection, success_row(task, len(outputs), timings, now))
            if files := [{"task_id": task.id, "file_key": key} for key in {output.file.key for output in outputs}]:
                connection.execute(self._database.insert_missing(task_files), files)
            return task

        return await self._database.write(work)

    async def fail(self, lease: Lease, failure: TaskFailure) -> Task | None:
        """Task failed + webhook, at once; see `TaskStore.fail`."""
        now = self._now()
        values = {**values_of_lease(lease), "reason": failure_to_json(failure)}

        def work(connection: Connection) -> Task | None:
            return self._end(connection, _FAIL, values, now) or _ended_before(connection, lease, TaskState.FAILED)

        return await self._database.write(work)

    async def cancel(self, task_id: str, *, charge_microusd: int = 0) -> Task:
        """Make an open task cancelled + webhook; see `TaskStore.cancel`."""
        now, values = self._now(), {"task_id": task_id}

        def work(connection: Connection) -> Task:
            leased_at = connection.execute(_LOCK_OPEN, values).scalar()
            task = self._end(connection, _CANCEL, values, now)
            if task is None:
                return _find(connection, task_id)
            if leased_at is not None:
                charge(connection, cancelled_row(task, charge_microusd, leased_at, now))
            return task

        return await self._database.write(work)

    async def charge_cancelled(self, lease: Lease, charge_microusd: int) -> None:
        """Charge a task that somebody else cancelled; see `TaskStore.charge_cancelled`."""

        def work(connection: Connection) -> None:
            if _ended_before(connection, lease, TaskState.CANCELLED):
                charge_late(connection, lease.task.id, charge_microusd)

        await self._database.write(work)

    async def delete(self, task_id: str) -> None:
        """Forget a final task; see `TaskStore.delete`."""
        forgetting = delete(tasks).where(tasks.c.id == task_id, tasks.c.state.in_(_FINAL)).returning(tasks.c.id)

        def work(connection: Connection) -> None:
            if connection.execute(forgetting).first() is None:
                task = _find(connection, task_id)
                raise TaskError(f"task {task_id} is {task.state}; cancel it first")

        await self._database.write(work)

    async def expire(self, *, finished_before: datetime, limit: int = 500) -> list[Task]:
        """Forget tasks that ended before; see `TaskStore.expire`."""
        old = select(tasks.c.id).where(tasks.c.finished_at < finished_before).order_by(tasks.c.finished_at)
        some = old.limit(limit).with_for_update(skip_locked=True)

        def work(connection: Connection) -> list[Task]:
            ids = list(connection.execute(some).scalars())
            rows = connection.execute(delete(tasks).where(tasks.c.id.in_(ids)).returning(tasks))
            return [task_of(row) for row in rows.mappings()]

        return await self._database.write(work)

    def _end(self, connection: Connection, ending: Change, values: Values, now: datetime) -> Task | None:
        """The task as it ended now, or None when it was in no state to."""
        row = connection.execute(ending, {**values, "now": now}).mappings().first()
        if row is None:
            return None
        task = task_of(row)
        tell_webhooks(connection, self._database, [task], now)
        return task


def _ended_before(connection: Connection, lease: Lease, state: TaskState) -> Task | None:
    """The task that this very lease ended so before: its answer was lost, and the caller repeats itself."""
    row = connection.execute(_ENDED_BY, {**values_of_lease(lease), "ended_as": state.value}).mappings().first()
    return task_of(row) if row else None


def _find(connection: Connection, task_id: str) -> Task:
    row = connection.execute(select(tasks).where(tasks.c.id == task_id)).mappings().first()
    if row is None:
        raise TaskNotFoundError(f"there is no task {task_id}")
    return task_of(row)
