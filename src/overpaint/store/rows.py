"""Rows to and from the plain values of `core`."""

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from overpaint.core.account import ApiKey, KeyLimits, UsageRow, WebhookDelivery
from overpaint.core.task import Lease, NewTask, Priority, Task, TaskState
from overpaint.store.codec import (
    failure_from_json,
    failure_to_json,
    outputs_from_json,
    spec_from_json,
    spec_to_json,
    timings_from_json,
)

Values = dict[str, Any]


def values_of_new_task(task: NewTask, created_at: datetime) -> Values:
    """The row of a task that was just accepted."""
    return {
        "id": task.id,
        "key_id": task.key_id,
        "dialect": task.dialect,
        "model": task.spec.model,
        "spec": spec_to_json(task.spec),
        "fingerprint": task.fingerprint,
        "idempotency_key": task.idempotency_key,
        "webhook_url": task.webhook_url,
        "price_microusd": task.price_microusd,
        "priority": int(task.priority),
        "state": _first_state(task).value,
        "created_at": created_at,
        "finished_at": created_at if task.failure else None,
        "failure": failure_to_json(task.failure) if task.failure else None,
        "token": 0,
        "attempt": 0,
    }


def accepted_task(task: NewTask, created_at: datetime) -> Task:
    """A task that was just accepted, without asking the database again."""
    return Task(
        id=task.id,
        key_id=task.key_id,
        dialect=task.dialect,
        spec=task.spec,
        state=_first_state(task),
        priority=task.priority,
        price_microusd=task.price_microusd,
        attempt=0,
        created_at=created_at,
        finished_at=created_at if task.failure else None,
        failure=task.failure,
        webhook_url=task.webhook_url,
        idempotency_key=task.idempotency_key,
    )


def _first_state(task: NewTask) -> TaskState:
    return TaskState.FAILED if task.failure else TaskState.QUEUED


def task_of(row: RowMapping) -> Task:
    """The task in a row of `tasks`."""
    return Task(
        id=row["id"],
        key_id=row["key_id"],
        dialect=row["dialect"],
        spec=spec_from_json(row["spec"]),
        state=TaskState(row["state"]),
        priority=Priority(row["priority"]),
        price_microusd=row["price_microusd"],
        attempt=row["attempt"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        outputs=outputs_from_json(row["outputs"]),
        failure=failure_from_json(row["failure"]),
        timings=timings_from_json(row["timings"]),
        webhook_url=row["webhook_url"],
        idempotency_key=row["idempotency_key"],
    )


def lease_of(row: RowMapping) -> Lease:
    """The lease in a row of a running task."""
    return Lease(task=task_of(row), worker=row["worker"], expires_at=row["lease_expires_at"], token=row["token"])


def values_of_key(key: ApiKey) -> Values:
    """The row of a key."""
    return {
        "id": key.id,
        "name": key.name,
        "secret_hash": key.secret_hash,
        "is_admin": key.is_admin,
        "webhook_secret": key.webhook_secret,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
        **values_of_limits(key.limits),
    }


def values_of_limits(limits: KeyLimits) -> Values:
    """The columns of a key's limits."""
    return {
        "requests_per_minute": limits.requests_per_minute,
        "max_open_tasks": limits.max_open_tasks,
        "monthly_budget_microusd": limits.monthly_budget_microusd,
        "max_upload_mib": limits.max_upload_mib,
    }


def key_of(row: RowMapping) -> ApiKey:
    """The key in a row of `api_keys`."""
    return ApiKey(
        id=row["id"],
        name=row["name"],
        secret_hash=row["secret_hash"],
        is_admin=row["is_admin"],
        limits=KeyLimits(
            requests_per_minute=row["requests_per_minute"],
            max_open_tasks=row["max_open_tasks"],
            monthly_budget_microusd=row["monthly_budget_microusd"],
            max_upload_mib=row["max_upload_mib"],
        ),
        webhook_secret=row["webhook_secret"],
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
    )


def usage_of(row: RowMapping) -> UsageRow:
    """The row of `usage`."""
    return UsageRow(**row)


def delivery_of(row: RowMapping) -> WebhookDelivery:
    """The delivery in a row of `webhooks`."""
    return WebhookDelivery(**row)
