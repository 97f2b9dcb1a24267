"""What is stored together with the end of a task: what it cost, and whom to tell."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, update

from overpaint.core.account import UsageRow
from overpaint.core.result import Timings
from overpaint.core.task import Task
from overpaint.store.database import Database
from overpaint.store.schema import usage, webhooks

_CHARGE_LATE = (
    update(usage)
    .where(usage.c.task_id == bindparam("charged_task"), usage.c.price_microusd == 0)
    .values(price_microusd=bindparam("charge"))
)


def webhook_id(task_id: str) -> str:
    """The one id of a task's webhook, the same however often it is queued or sent."""
    return f"msg_{task_id}"


def engine_ms(timings: Timings) -> int:
    """Milliseconds the device was busy with a request."""
    return round(1000 * (timings.condition_s + timings.prefill_s + timings.denoise_s + timings.decode_s))


def success_row(task: Task, num_images: int, timings: Timings, at: datetime) -> UsageRow:
    """What a finished task cost."""
    return UsageRow(task.id, task.key_id, task.spec.model, num_images, task.price_microusd, engine_ms(timings), at)


def cancelled_row(task: Task, charge_microusd: int, leased_at: datetime, at: datetime) -> UsageRow:
    """What a task cost that was cancelled while it ran."""
    busy_ms = max(0, round(1000 * (at - leased_at).total_seconds()))
    return UsageRow(task.id, task.key_id, task.spec.model, 0, charge_microusd, busy_ms, at)


def charge(connection: Connection, row: UsageRow) -> None:
    """Store a usage row; the primary key refuses a second one for a task, and with it the whole transaction."""
    connection.execute(insert(usage), asdict(row))


def charge_late(connection: Connection, task_id: str, charge_microusd: int) -> None:
    """Charge for a usage row that was stored with a price of nothing; any other stays as it is."""
    connection.execute(_CHARGE_LATE, {"charged_task": task_id, "charge": charge_microusd})


def tell_webhooks(connection: Connection, database: Database, ended: Sequence[Task], now: datetime) -> None:
    """Queue one delivery for each task that wants one."""
    rows = [
        {
            "id": webhook_id(task.id),
            "task_id": task.id,
            "key_id": task.key_id,
            "url": task.webhook_url,
            "attempts": 0,
            "created_at": now,
            "next_attempt_at": now,
        }
        for task in ended
        if task.webhook_url
    ]
    if rows:
        connection.execute(database.insert_missing(webhooks), rows)
