"""Tasks, keys and time for the store's contract."""

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from overpaint.core.account import ApiKey, KeyLimits
from overpaint.core.result import Timings
from overpaint.core.store_ports import AccountStore, SessionStore, TaskStore, WebhookStore
from overpaint.core.task import NewTask, Priority, StoredFile, TaskOutput, TaskSpec

LEASE = timedelta(seconds=30)
TIMINGS = Timings(queue_s=9.0, condition_s=0.1, prefill_s=0.2, denoise_s=0.3, decode_s=0.4, total_s=10.0)


@dataclass(frozen=True)
class StoreSet:
    """The ports over one place."""

    tasks: TaskStore
    accounts: AccountStore
    webhooks: WebhookStore
    sessions: SessionStore


class ManualClock:
    """Time that passes when told, and by a microsecond at every look."""

    def __init__(self) -> None:
        self._moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        self._moment += timedelta(microseconds=1)
        return self._moment

    def advance(self, duration: timedelta) -> None:
        self._moment += duration


class TaskMaker:
    """New tasks with ids of their own."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, *, prompt: str = "a fox", inputs: tuple[str, ...] = (), **changes: Any) -> NewTask:
        number = next(self._numbers)
        pictures = tuple(StoredFile(key, "image/png", 10, 64, 32) for key in inputs)
        spec = TaskSpec(model=changes.pop("model", "qwen-image-2.0"), prompt=prompt, seed=7, pictures=pictures)
        task = NewTask(
            id=f"{number:032x}",
            key_id="key-a",
            dialect="native",
            spec=spec,
            priority=Priority.INTERACTIVE,
            price_microusd=30_000,
            fingerprint=f"fingerprint-{number}",
        )
        return replace(task, **changes)


def output(key: str = "outputs/x/0.png") -> TaskOutput:
    return TaskOutput(StoredFile(key, "image/png", 99, 256, 256), seed=7, has_nsfw=False)


def api_key(name: str, clock: ManualClock, **changes: Any) -> ApiKey:
    key = ApiKey(
        id=f"id-{name}",
        name=name,
        secret_hash=f"{name:0>64}",
        is_admin=False,
        limits=KeyLimits(requests_per_minute=60),
        webhook_secret="whsec_x",
        created_at=clock.now(),
    )
    return replace(key, **changes)
