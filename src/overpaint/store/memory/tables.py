"""What the stores in memory share: tasks with their leases, keys, usage, deliveries. Nothing survives the process."""

from dataclasses import dataclass, field
from datetime import datetime

from overpaint.core.account import ApiKey, UsageRow, WebhookDelivery
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
