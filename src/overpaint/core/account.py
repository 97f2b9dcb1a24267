"""API keys, what they may do, and what they used. Plain values; knows no database and no HTTP."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What a key may do; None is no limit.

    Args:
        requests_per_minute: submissions.
        max_open_tasks: queued and running together.
        monthly_budget_microusd: spent and reserved in the calendar month (UTC), in millionths of a dollar.
    """

    requests_per_minute: int | None = None
    max_open_tasks: int | None = None
    monthly_budget_microusd: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored: only its hash.

    Args:
        id: short public name of the key, safe to log.
        name: given by the operator; unique among keys that are not revoked.
        secret_hash: SHA-256 hex of the secret.
        is_admin: may see and change everything.
        webhook_secret: signs this key's webhooks (``"whsec_..."``).
    """

    id: str
    name: str
    secret_hash: str
    is_admin: bool
    limits: KeyLimits
    webhook_secret: str
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One charged task; there is exactly one for each task that succeeded, or was cancelled after work was done."""

    task_id: str
    key_id: str
    model: str
    num_images: int
    price_microusd: int
    engine_ms: int
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """A message to be delivered at least once.

    Args:
        id: stays the same over all attempts, so that the receiver can drop doubles.
        task_id: which task became final.
        key_id: whose secret signs it.
        url: where to.
        attempts: tries so far.
        next_attempt_at: when to try next; None when delivered or given up.
        delivered_at: when it was taken with a 2xx.
        last_error: of the last try, for people.
    """

    id: str
    task_id: str
    key_id: str
    url: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None = None
    last_error: str | None = None
