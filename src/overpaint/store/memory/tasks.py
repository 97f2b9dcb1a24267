"""`TaskStore` in memory. Every method runs without a pause, and so is one transaction by itself."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Unpack

from overpaint.core.account import UNLIMITED, KeyLimits, month_start
from overpaint.core.errors import TaskError, TaskNotFoundError
from overpaint.core.store_ports import TaskFilter
from overpaint.core.task import Backlog, NewTask, Task, TaskState
from overpaint.store.codec import files_of
from overpaint.store.cursor import read_cursor, write_cursor
from overpaint.store.memory.leasing import MemoryLeasing, queue_key
from overpaint.store.memory.tables import Record
from overpaint.store.rows import accepted_task


class MemoryTaskStore(MemoryLeasing):
    """Tasks in memory."""

    async def create(self, task: NewTask, limits: KeyLimits = UNLIMITED) -> tuple[Task, bool]:
        """Store a task; see `TaskStore.create`."""
        earlier = self._earlier(task)
        if earlier is None:
            limits.check_room(self._tables.standing(task.key_id, month_start(self._now())), task.price_microusd)
            record = Record(accepted_task(task, self._now()), task.fingerprint)
            self._tables.tasks[task.id] = record
            if task.failure:
                self._tell_webhook(record.task)
            return record.task, True
        return _require_same(earlier, task.fingerprint), False

    async def find_repeated(self, key_id: str, idempotency_key: str, fingerprint: str) -> Task | None:
        """The task that an idempotency key made; see `TaskStore.find_repeated`."""
        earlier = self._made_with(key_id, idempotency_key)
        return _require_same(earlier, fingerprint) if earlier else None

    async def get(self, task_id: str) -> Task:
        """One task; see `TaskStore.get`."""
        return self._find(task_id).task

    async def list_tasks(
        self,
        *,
        cursor: str | None = None,
        skip: int = 0,
        limit: int = 50,
        **wanted: Unpack[TaskFilter],
    ) -> tuple[list[Task], str | None]:
        """Newest first, and the cursor of the next page; see `TaskStore.list_tasks`."""
        end = read_cursor(cursor) if cursor is not None else None
        found = [task for task in self._filtered(wanted) if end is None or (task.created_at, task.id) < end]
        found.sort(key=lambda task: (task.created_at, task.id), reverse=True)
        rest = found[skip:]
        page = rest[:limit]
        return page, write_cursor(page[-1].created_at, page[-1].id) if len(rest) > limit else None

    async def count(self, **wanted: Unpack[TaskFilter]) -> int:
        """How many tasks there are."""
        return sum(1 for _ in self._filtered(wanted))

    async def position(self, task_id: str) -> int:
        """How many queued tasks go before this one; see `TaskStore.position`."""
        record = self._tables.tasks.get(task_id)
        if record is None or record.task.state is not TaskState.QUEUED:
            return 0
        return sum(queue_key(other) < queue_key(record) for other in self._in(TaskState.QUEUED))

    async def backlog(self) -> Backlog:
        """What is queued; see `TaskStore.backlog`."""
        queued = [record.task.created_at for record in self._in(TaskState.QUEUED)]
        return Backlog(len(queued), min(queued, default=None))

    async def cancel(self, task_id: str, *, charge_microusd: int = 0) -> Task:
        """Make an open task cancelled + webhook; see `TaskStore.cancel`."""
        record = self._find(task_id)
        if not record.can_become(TaskState.CANCELLED):
            return record.task
        return self._cancel(record, charge_microusd)

    async def delete(self, task_id: str) -> None:
        """Forget a final task; see `TaskStore.delete`."""
        record = self._find(task_id)
        if not record.task.state.is_final:
            raise TaskError(f"task {task_id} is {record.task.state}; cancel it first")
        self._forget(task_id)

    async def expire(self, *, finished_before: datetime, limit: int = 500) -> list[Task]:
        """Forget tasks that ended before; see `TaskStore.expire`."""
        ended = ((record.task.finished_at, record.task) for record in self._tables.tasks.values())
        old = sorted(
            ((at, task) for at, task in ended if at is not None and at < finished_before), key=lambda pair: pair[0]
        )
        for _, task in old[:limit]:
            self._forget(task.id)
        return [task for _, task in old[:limit]]

    async def referenced_files(self, keys: Sequence[str]) -> set[str]:
        """Those of the given file keys that some task still names."""
        return set(keys) & {key for record in self._tables.tasks.values() for key in _names_in(record.task)}

    async def check(self) -> None:
        """Memory always takes another one."""

    def _find(self, task_id: str) -> Record:
        if task_id not in self._tables.tasks:
            raise TaskNotFoundError(f"there is no task {task_id}")
        return self._tables.tasks[task_id]

    def _earlier(self, task: NewTask) -> Record | None:
        made = self._made_with(task.key_id, task.idempotency_key) if task.idempotency_key is not None else None
        return made or self._tables.tasks.get(task.id)

    def _made_with(self, key_id: str, idempotency_key: str) -> Record | None:
        key, records = (key_id, idempotency_key), self._tables.tasks.values()
        return next((record for record in records if (record.task.key_id, record.task.idempotency_key) == key), None)

    def _filtered(self, wanted: TaskFilter) -> Iterable[Task]:
        key_id, states, model = wanted.get("key_id"), wanted.get("states"), wanted.get("model")
        created_after, created_before = wanted.get("created_after"), wanted.get("created_before")
        for record in self._tables.tasks.values():
            task = record.task
            if (
                (key_id is None or task.key_id == key_id)
                and (not states or task.state in states)
                and (model is None or task.spec.model == model)
                and (created_after is None or task.created_at >= created_after)
                and (created_before is None or task.created_at < created_before)
            ):
                yield task

    def _forget(self, task_id: str) -> None:
        del self._tables.tasks[task_id]
        for name, delivery in list(self._tables.webhooks.items()):
            if delivery.task_id == task_id:
                del self._tables.webhooks[name]


def _require_same(record: Record, fingerprint: str) -> Task:
    if record.fingerprint != fingerprint:
        raise TaskError("this idempotency key was used for another request")
    return record.task


def _names_in(task: Task) -> set[str]:
    return files_of(task.spec) | {output.file.key for output in task.outputs}
