"""API keys, what they may do, and what they used. Plain values; knows no database and no HTTP."""

from dataclasses import dataclass
from datetime import datetime

from overpaint.core.errors import BudgetError, RateLimitError

OPEN_TASKS_RETRY_S = 5.0
MAX_COUNT = 2**31 - 1
"""Of what is counted in limits: the largest number that every database has room for."""
MICRO = 1_000_000
MAX_BUDGET_USD = 10**9


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of its limits a key uses.

    Args:
        num_open: queued and running tasks.
        spent_microusd: charged in the calendar month (UTC), and the price of what is open.
    """

    num_open: int = 0
    spent_microusd: int = 0

    def plus(self, num_tasks: int, price_microusd: int) -> "Standing":
        """With so many more tasks, at that price together."""
        return Standing(self.num_open + num_tasks, self.spent_microusd + price_microusd)


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What a key may do; None is no limit.

    Args:
        requests_per_minute: submissions.
        max_open_tasks: queued and running together.
        monthly_budget_microusd: spent and reserved in the calendar month (UTC), in millionths of a dollar.
        max_upload_mib: of uploads stored at once; None is what the server says for all keys.
    """

    requests_per_minute: int | None = None
    max_open_tasks: int | None = None
    monthly_budget_microusd: int | None = None
    max_upload_mib: int | None = None

    @property
    def bound_use(self) -> bool:
        """Whether open tasks or money are limited."""
        return self.max_open_tasks is not None or self.monthly_budget_microusd is not None

    def check_room(self, standing: Standing, price_microusd: int) -> None:
        """See that one more task at this price fits.

        Raises:
            RateLimitError: too many open tasks.
            BudgetError: the price does not fit in what is left of this month.
        """
        limit, budget = self.max_open_tasks, self.monthly_budget_microusd
        if limit is not None and standing.num_open >= limit:
            raise RateLimitError(f"this key has {limit} open tasks, which is all it may have", OPEN_TASKS_RETRY_S)
        if budget is not None and standing.spent_microusd + price_microusd > budget:
            raise BudgetError(
                f"this costs {_dollars(price_microusd)}, and {_dollars(standing.spent_microusd)} of this month's "
                f"{_dollars(budget)} are spent or reserved"
            )


UNLIMITED = KeyLimits()


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
class UsageSum:
    """What a key was charged for one model, over some time."""

    key_id: str
    model: str
    num_tasks: int
    num_images: int
    price_microusd: int


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


def month_start(now: datetime) -> datetime:
    """The first moment of the calendar month (UTC)."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _dollars(microusd: int) -> str:
    return f"${microusd / 1_000_000:.2f}"
