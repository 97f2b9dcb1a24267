"""What a key may use: requests a minute, open tasks, a monthly budget.

Rates are counted in this process (a token bucket per key). Open tasks and money are the store's to count, which does so
in the transaction that accepts a task: they hold over restarts and over all servers on one database. Knows no HTTP:
`LimitState` holds what the `RateLimit-*` headers are made of.
"""

import math
from dataclasses import dataclass
from datetime import datetime

from overpaint.core.account import month_start
from overpaint.core.errors import RateLimitError
from overpaint.core.store_ports import AccountStore
from overpaint.service.caller import Caller
from overpaint.service.clock import ServiceClock

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class LimitState:
    """Where a key stands with its rate.

    Args:
        limit: requests a minute.
        remaining: requests that would be taken now.
        reset_s: seconds until `remaining` is `limit` again.
    """

    limit: int
    remaining: int
    reset_s: float


@dataclass(slots=True)
class _Bucket:
    """Requests left at a moment; it refills to `limit` within a minute."""

    tokens: float
    at_s: float

    def refill(self, limit: int, now_s: float) -> None:
        self.tokens = min(float(limit), self.tokens + (now_s - self.at_s) * limit / MINUTE_S)
        self.at_s = now_s


class Limits:
    """Enforces `KeyLimits`.

    Args:
        accounts: knows what is open and what was spent.
        clock: tells the time.
    """

    def __init__(self, accounts: AccountStore, clock: ServiceClock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def state(self, caller: Caller) -> LimitState | None:
        """Where the caller stands; None when its rate has no limit."""
        limit = caller.limits.requests_per_minute
        if limit is None:
            return None
        bucket = self._bucket(caller.key_id, limit)
        return LimitState(limit, math.floor(bucket.tokens), (limit - bucket.tokens) * MINUTE_S / limit)

    def take_request(self, caller: Caller) -> None:
        """Count one submission.

        Raises:
            RateLimitError: too many; it names when to try again.
        """
        limit = caller.limits.requests_per_minute
        if limit is None:
            return
        bucket = self._bucket(caller.key_id, limit)
        if bucket.tokens < 1:
            wait_s = (1 - bucket.tokens) * MINUTE_S / limit
            raise RateLimitError(f"more than {limit} requests a minute; try again in {wait_s:.1f} s", wait_s)
        bucket.tokens -= 1

    async def check_room(self, caller: Caller, price_microusd: int) -> None:
        """See that a task would fit now, before work is put into it; what counts is `TaskStore.create`'s own look.

        Raises:
            RateLimitError: too many open tasks.
            BudgetError: the price does not fit in what is left of this month.
        """
        if caller.limits.bound_use:
            since = None if caller.limits.monthly_budget_microusd is None else self._month()
            standing = await self._accounts.standing(caller.key_id, since=since)
            caller.limits.check_room(standing, price_microusd)

    async def balance_microusd(self, caller: Caller) -> int | None:
        """What is left of this month's budget, never below 0; None when there is no budget."""
        budget = caller.limits.monthly_budget_microusd
        if budget is None:
            return None
        standing = await self._accounts.standing(caller.key_id, since=self._month())
        return max(0, budget - standing.spent_microusd)

    def _month(self) -> datetime:
        return month_start(self._clock.now())

    def _bucket(self, key_id: str, limit: int) -> _Bucket:
        now_s = self._clock.now_s()
        bucket = self._buckets.setdefault(key_id, _Bucket(float(limit), now_s))
        bucket.refill(limit, now_s)
        return bucket
