"""What the stores in memory share: tasks with their leases, keys, usage, deliveries. Nothing survives the process."""

from dataclasses import dataclass, field
from datetime import datetime

from overpaint.core.account import ApiKey, Standing, UsageRow, WebhookDelivery
from overpaint.core.task import LEGAL_TRANSITIONS, Task, TaskState


@dataclass(slots=True)
class Record:
    """A stored task, and who holds it."""

    task: Task
    fingerprint: str
    token: int = 0
    worker: str | None = None
    leased_at: datetime | None = None
    lease_expires_at: datetime | None = None
    losses: int = 0

    def can_become(self, state: TaskState) -> bool:
        """Whether the change is legal."""
        return state in LEGAL_TRANSITIONS[self.task.state]

    def release(self) -> None:
        """Nobody holds it; `worker` and `token` stay, so that a repeated ending is recognised."""
        self.leased_at = None
        self.lease_expires_at = None


@dataclass(slots=True)
class Tables:
    """Everything, by id."""

    tasks: dict[str, Record] = field(default_factory=dict[str, Record])
    keys: dict[str, ApiKey] = field(default_factory=dict[str, ApiKey])
    usage: dict[str, UsageRow] = field(default_factory=dict[str, UsageRow])
    webhooks: dict[str, WebhookDelivery] = field(default_factory=dict[str, WebhookDelivery])

    def standing(self, key_id: str, since: datetime | None) -> Standing:
        """A key's open tasks, and what was charged since then plus the price of what is open; see `AccountStore`."""
        tasks = (record.task for record in self.tasks.values())
        reserved = [task.price_microusd for task in tasks if task.key_id == key_id and not task.state.is_final]
        rows = (row for row in self.usage.values() if row.key_id == key_id and since and row.finished_at >= since)
        return Standing(len(reserved), sum(reserved) + sum(row.price_microusd for row in rows))
