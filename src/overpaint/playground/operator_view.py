"""What the operator's view shows, as JSON values, counted over the last hour. Whoever asks is an admin."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any

from overpaint.core.account import ApiKey, UsageSum
from overpaint.core.task import Task, TaskState
from overpaint.playground.parts import PageParts
from overpaint.service.caller import Caller
from overpaint.service.limits import month_start
from overpaint.service.tasks import TaskQuery

MINUTES = 60
PAGES = 10
LISTED = 100
OPEN = (TaskState.QUEUED, TaskState.RUNNING)


async def operator_view(parts: PageParts, caller: Caller) -> dict[str, Any]:
    """Everything at once."""
    now = datetime.now(UTC)
    recent = await _all(parts, caller, TaskQuery(created_after=now - timedelta(minutes=MINUTES)))
    waiting = await _all(parts, caller, TaskQuery(states=OPEN))
    readiness = await parts.service.readiness()
    keys = await parts.service.keys.list_keys()
    names = {key.id: key.name for key in keys}
    sums = await parts.service.usage_sums(since=month_start(now))
    return {
        "refused": None,
        "problems": readiness.problems,
        "queued": sum(task.state is TaskState.QUEUED for task in waiting),
        "running": sum(task.state is TaskState.RUNNING for task in waiting),
        "open": [_open(task, names, now) for task in waiting[::-1][:LISTED]],
        "minutes": minutes_of(recent, now),
        "failures": Counter(task.failure.code for task in recent if task.failure).most_common(),
        "keys": _keys([key for key in keys if key.revoked_at is None], sums),
        "reused": _reused(parts),
        "log": parts.log.lines()[-80:],
    }


def minutes_of(tasks: Sequence[Task], now: datetime) -> list[dict[str, float]]:
    """For each of the last `MINUTES`, oldest first: pictures, and seconds from asking to having (p50, p95)."""
    waits: list[list[float]] = [[] for _ in range(MINUTES)]
    pictures = [0] * MINUTES
    for task in tasks:
        if task.state is not TaskState.SUCCEEDED or task.finished_at is None:
            continue
        ago = int((now - task.finished_at).total_seconds() // 60)
        if 0 <= ago < MINUTES:
            waits[MINUTES - 1 - ago].append((task.finished_at - task.created_at).total_seconds())
            pictures[MINUTES - 1 - ago] += len(task.outputs)
    return [
        {"pictures": count, "p50": round(_percentile(found, 50), 3), "p95": round(_percentile(found, 95), 3)}
        for count, found in zip(pictures, waits, strict=True)
    ]


async def _all(parts: PageParts, caller: Caller, query: TaskQuery) -> list[Task]:
    """Tasks of everybody, newest first, so many as fit in a few pages."""
    found: list[Task] = []
    cursor: str | None = None
    for _ in range(PAGES):
        page = await parts.service.tasks.list_tasks(caller, replace(query, cursor=cursor, limit=100))
        found += page.tasks
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _reused(parts: PageParts) -> str | None:
    """Share of the prefix tokens that had not to be computed; None before there were any."""
    stats = parts.service.ports.engine.stats
    return f"{stats.prefix_tokens_reused / stats.prefix_tokens:.0%}" if stats.prefix_tokens else None


def _open(task: Task, names: dict[str, str], now: datetime) -> dict[str, Any]:
    return {
        "id": task.id,
        "state": task.state.value,
        "key": names.get(task.key_id, task.key_id),
        "dialect": task.dialect,
        "model": task.spec.model,
        "age_s": round((now - task.created_at).total_seconds()),
    }


def _keys(keys: Sequence[ApiKey], sums: Sequence[UsageSum]) -> list[dict[str, Any]]:
    return [_key(key, [one for one in sums if one.key_id == key.id]) for key in keys]


def _key(key: ApiKey, sums: Sequence[UsageSum]) -> dict[str, Any]:
    limits = key.limits
    return {
        "name": key.name,
        "admin": key.is_admin,
        "pictures": sum(one.num_images for one in sums),
        "spent": sum(one.price_microusd for one in sums) / 1_000_000,
        "per_minute": limits.requests_per_minute,
        "open": limits.max_open_tasks,
        "budget": None if limits.monthly_budget_microusd is None else limits.monthly_budget_microusd / 1_000_000,
    }


def _percentile(values: list[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=100, method="inclusive")[percent - 1]
