"""Handing out and ending tasks in memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from overpaint.core.account import UsageRow, WebhookDelivery
from overpaint.core.result import Timings
from overpaint.core.store_ports import RefusedValueError
from overpaint.core.task import Lease, Task, TaskFailure, TaskOutput, TaskState
from overpaint.store.aftermath import cancelled_row, success_row, webhook_id
from overpaint.store.attempts import lost_for_good
from overpaint.store.memory.tables import Record, Tables


class MemoryLeasing:
    """The changing half of the task store in memory.

    Args:
        tables: shared with the other stores.
        now: tells the time of day, UTC.
    """

    def __init__(self, tables: Tables, now: Callable[[], datetime]) -> None:
        self._tables = tables
        self._now = now

    async def lease(self, worker: str, *, limit: int, duration: timedelta) -> list[Lease]:
        """Take queued tasks; see `TaskStore.lease`."""
        queued = sorted((record for record in self._in(TaskState.QUEUED)), key=queue_key)
        return [self._lend(record, worker, self._now(), duration) for record in queued[:limit]]

    async def renew(self, worker: str, task_ids: Sequence[str], *, duration: timedelta) -> set[str]:
        """Prolong a worker's leases of these tasks; see `TaskStore.renew`."""
        asked = set(task_ids)
        held = [record for record in self._in(TaskState.RUNNING) if record.worker == worker and record.task.id in asked]
        for record in held:
            record.lease_expires_at = self._now() + duration
        return {record.task.id for record in held}

    async def hand_back(self, worker: str, task_ids: Sequence[str], *, count_attempt: bool) -> None:
        """Return leased tasks to the queue; see `TaskStore.hand_back`."""
        for record in self._in(TaskState.RUNNING):
            if record.worker == worker and record.task.id in task_ids:
                self._requeue(record, record.task.attempt - (not count_attempt))

    async def leases(self) -> list[Lease]:
        """All that there are; see `TaskStore.leases`."""
        return [_lease_of(record) for record in self._in(TaskState.RUNNING)]

    async def reclaim(self, lost: Sequence[Lease], *, max_losses: int) -> tuple[list[Task], list[Task]]:
        """Requeue or fail the tasks of these leases; see `TaskStore.reclaim`."""
        seen = {(lease.task.id, lease.token, lease.expires_at) for lease in lost}
        requeued: list[Task] = []
        failed: list[Task] = []
        for record in self._in(TaskState.RUNNING):
            if (record.task.id, record.token, record.lease_expires_at) not in seen:
                continue
            record.losses += 1
            attempt = record.task.attempt - 1
            if record.losses < max_losses:
                requeued.append(self._requeue(record, attempt))
            else:
                end = {"state": TaskState.FAILED, "attempt": attempt, "failure": lost_for_good(max_losses)}
                failed.append(self._end(record, replace(record.task, **end)))
        return requeued, failed

    async def succeed(self, lease: Lease, outputs: Sequence[TaskOutput], timings: Timings) -> Task | None:
        """Task done + usage row + webhook, at once; see `TaskStore.succeed`."""
        record = self._held(lease)
        if record is None:
            return self._ended_before(lease, TaskState.SUCCEEDED)
        done = replace(record.task, state=TaskState.SUCCEEDED, outputs=tuple(outputs), timings=timings)
        self._charge(success_row(done, len(outputs), timings, self._now()))
        return self._end(record, done)

    async def fail(self, lease: Lease, failure: TaskFailure) -> Task | None:
        """Task failed + webhook, at once; see `TaskStore.fail`."""
        record = self._held(lease)
        if record is None:
            return self._ended_before(lease, TaskState.FAILED)
        return self._end(record, replace(record.task, state=TaskState.FAILED, failure=failure))

    async def charge_cancelled(self, lease: Lease, charge_microusd: int) -> None:
        """Charge a task that somebody else cancelled; see `TaskStore.charge_cancelled`."""
        row = self._tables.usage.get(lease.task.id)
        if row and row.price_microusd == 0 and self._ended_before(lease, TaskState.CANCELLED):
            self._tables.usage[row.task_id] = replace(row, price_microusd=charge_microusd)

    def _in(self, state: TaskState) -> list[Record]:
        return [record for record in self._tables.tasks.values() if record.task.state is state]

    def _lend(self, record: Record, worker: str, now: datetime, duration: timedelta) -> Lease:
        task = record.task
        record.task = replace(
            task, state=TaskState.RUNNING, attempt=task.attempt + 1, started_at=task.started_at or now
        )
        record.token += 1
        record.worker, record.leased_at, record.lease_expires_at = worker, now, now + duration
        return _lease_of(record)

    def _requeue(self, record: Record, attempt: int) -> Task:
        record.release()
        record.worker = None
        record.task = replace(record.task, state=TaskState.QUEUED, attempt=attempt)
        return record.task

    def _end(self, record: Record, ended: Task) -> Task:
        record.task = replace(ended, finished_at=self._now())
        record.release()
        self._tell_webhook(record.task)
        return record.task

    def _cancel(self, record: Record, charge_microusd: int) -> Task:
        if record.leased_at is not None:
            self._charge(cancelled_row(record.task, charge_microusd, record.leased_at, self._now()))
        return self._end(record, replace(record.task, state=TaskState.CANCELLED))

    def _charge(self, row: UsageRow) -> None:
        if row.task_id in self._tables.usage:
            raise RefusedValueError(f"task {row.task_id} was charged before")
        self._tables.usage[row.task_id] = row

    def _tell_webhook(self, task: Task) -> None:
        if task.webhook_url:
            now = self._now()
            name = webhook_id(task.id)
            self._tables.webhooks.setdefault(
                name, WebhookDelivery(name, task.id, task.key_id, task.webhook_url, 0, now, now)
            )

    def _held(self, lease: Lease) -> Record | None:
        record = self._tables.tasks.get(lease.task.id)
        if record is None or record.task.state is not TaskState.RUNNING:
            return None
        return record if _is_same(record, lease) else None

    def _ended_before(self, lease: Lease, state: TaskState) -> Task | None:
        record = self._tables.tasks.get(lease.task.id)
        return record.task if record and record.task.state is state and _is_same(record, lease) else None


def queue_key(record: Record) -> tuple[int, datetime, str]:
    """Sorts the queue: most urgent first, then oldest first."""
    return int(record.task.priority), record.task.created_at, record.task.id


def _lease_of(record: Record) -> Lease:
    assert record.worker is not None
    assert record.lease_expires_at is not None
    return Lease(record.task, record.worker, record.lease_expires_at, record.token)


def _is_same(record: Record, lease: Lease) -> bool:
    return (record.worker, record.token) == (lease.worker, lease.token)
