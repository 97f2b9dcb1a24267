"""Accepting tasks: what is submitted at the same time is stored in one statement."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, and_, bindparam, insert, or_, select

from overpaint.core.account import UNLIMITED, KeyLimits
from overpaint.core.errors import BackendError, TaskError
from overpaint.core.store_ports import RefusedValueError
from overpaint.core.task import NewTask, Task
from overpaint.store.access import TaskAccess, TellTime
from overpaint.store.aftermath import tell_webhooks
from overpaint.store.coalesce import Coalescer
from overpaint.store.codec import files_of
from overpaint.store.database import Database
from overpaint.store.queue_order import QueueOrder, by_priority_and_age
from overpaint.store.rows import accepted_task, task_of, values_of_new_task
from overpaint.store.schema import task_files, tasks
from overpaint.store.standing import Asked, lock_keys, take_back_what_is_beyond

Accepted = tuple[Task, bool]
_MADE_WITH = select(tasks).where(tasks.c.key_id == bindparam("made_by"), tasks.c.idempotency_key == bindparam("once"))


class TaskIntake(TaskAccess):
    """The accepting half of `TaskStore`."""

    def __init__(self, database: Database, now: TellTime, order: QueueOrder = by_priority_and_age) -> None:
        super().__init__(database, now, order)
        self._accept = Coalescer[Asked, Accepted](self._accept_batch)

    async def create(self, task: NewTask, limits: KeyLimits = UNLIMITED) -> Accepted:
        """Store a task; see `TaskStore.create`."""
        return await self._accept(Asked(task, limits, self._now()))

    async def find_repeated(self, key_id: str, idempotency_key: str, fingerprint: str) -> Task | None:
        """The task that an idempotency key made; see `TaskStore.find_repeated`."""
        rows = await self._database.read(_MADE_WITH, {"made_by": key_id, "once": idempotency_key})
        return _require_same(rows[0], fingerprint) if rows else None

    async def _accept_batch(self, batch: Sequence[Asked]) -> list[Accepted | Exception]:
        try:
            return await self._database.write(lambda connection: self._insert(connection, batch))
        except RefusedValueError as refused:
            if len(batch) == 1:
                return [refused]
        # One value is unfit: find out whose, so that the others do not pay for it.
        found = await asyncio.gather(*(self._accept_batch([one]) for one in batch))
        return [outcome for outcomes in found for outcome in outcomes]

    def _insert(self, connection: Connection, batch: Sequence[Asked]) -> list[Accepted | Exception]:
        lock_keys(connection, batch)
        # Sorted, so that two processes that insert the same keys wait for each other and never in a circle.
        rows = [values_of_new_task(one.task, one.at) for one in sorted(batch, key=_lock_order)]
        statement = self._database.insert_missing(tasks).returning(tasks.c.id)
        new_ids = set(connection.execute(statement, rows).scalars())
        beyond = take_back_what_is_beyond(connection, [one for one in batch if one.task.id in new_ids])
        new = {one.task.id: accepted_task(one.task, one.at) for one in batch if one.task.id in new_ids - set(beyond)}
        if files := [{"task_id": task.id, "file_key": key} for task in new.values() for key in files_of(task.spec)]:
            connection.execute(insert(task_files), files)
        tell_webhooks(connection, self._database, [task for task in new.values() if task.failure], self._now())
        earlier = _find_earlier(connection, [one.task for one in batch if one.task.id not in new_ids])
        return [
            (new[task.id], True) if task.id in new else beyond.get(task.id) or _answer_again(task, earlier)
            for task in (one.task for one in batch)
        ]


def _find_earlier(connection: Connection, asked: Sequence[NewTask]) -> list[RowMapping]:
    if not asked:
        return []
    same = [
        or_(
            tasks.c.id == task.id,
            and_(tasks.c.key_id == task.key_id, tasks.c.idempotency_key == task.idempotency_key),
        )
        for task in asked
    ]
    return list(connection.execute(select(tasks).where(or_(*same))).mappings())


def _answer_again(task: NewTask, earlier: Sequence[RowMapping]) -> Accepted | Exception:
    for row in earlier:
        same_key = task.idempotency_key is not None and row["idempotency_key"] == task.idempotency_key
        if row["id"] != task.id and not (same_key and row["key_id"] == task.key_id):
            continue
        try:
            return _require_same(row, task.fingerprint), False
        except TaskError as error:
            return error
    return BackendError("an earlier task with this idempotency key was just deleted; try again")


def _require_same(row: RowMapping, fingerprint: str) -> Task:
    if row["fingerprint"] != fingerprint:
        raise TaskError("this idempotency key was used for another request")
    return task_of(row)


def _lock_order(one: Asked) -> tuple[str, str]:
    return one.task.key_id, one.task.idempotency_key or ""
