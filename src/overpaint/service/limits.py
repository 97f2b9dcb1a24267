"""What a key may use: requests a minute, open tasks, a monthly budget.

Rates are counted in this process (a token bucket per key); open tasks and money are asked from the store, so they
survive a restart. Knows no HTTP: `LimitState` holds what the `RateLimit-*` headers are made of.
"""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from overpaint.core.errors import BudgetError, RateLimitError
from overpaint.core.store_ports import AccountStore, TaskStore
from overpaint.core.task import TaskState
from overpaint.service.caller import Caller
from overpaint.service.clock import ServiceClock

MINUTE_S = 60.0
OPEN_STATES = (TaskState.QUEUED, TaskState.RUNNING)
OPEN_TASKS_RETRY_S = 5.0


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
        tasks: counts open tasks.
        accounts: knows what was spent.
        clock: tells the time.
    """

    def __init__(self, tasks: TaskStore, accounts: AccountStore, clock: ServiceClock) -> None:
        self._tasks = tasks
        self._accounts = accounts
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._locks: dict[str, asyncio.Lock] = {}

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

    @asynccontextmanager
    async def room_for(self, caller: Caller, price_microusd: int) -> AsyncGenerator[None]:
        """Hold the caller's place while a task is stored, so that two at once do not both take the last one.

        Raises:
            RateLimitError: too many open tasks.
            BudgetError: the price does not fit in what is left of this month.
        """
        if caller.limits.max_open_tasks is None and caller.limits.monthly_budget_microusd is None:
            yield
            return
        async with self._locks.setdefault(caller.key_id, asyncio.Lock()):
            await self._check_open_tasks(caller)
            await self._check_budget(caller, price_microusd)
            yield

    async def balance_microusd(self, caller: Caller) -> int | None:
        """What is left of this month's budget, never below 0; None when there is no budget."""
        budget = caller.limits.monthly_budget_microusd
        return None if budget is None else max(0, budget - await self._spent(caller))

    async def _check_open_tasks(self, caller: Caller) -> None:
        limit = caller.limits.max_open_tasks
        if limit is None:
            return
        if await self._tasks.count(key_id=caller.key_id, states=OPEN_STATES) >= limit:
            raise RateLimitError(f"this key has {limit} open tasks, which is all it may have", OPEN_TASKS_RETRY_S)

    async def _check_budget(self, caller: Caller, price_microusd: int) -> None:
        budget = caller.limits.monthly_budget_microusd
        if budget is None:
            return
        spent = await self._spent(caller)
        if spent + price_microusd > budget:
            raise BudgetError(
                f"this costs {_dollars(price_microusd)}, and {_dollars(spent)} of this month's {_dollars(budget)} "
                "are spent or reserved"
            )

    async def _spent(self, caller: Caller) -> int:
        return await self._accounts.spent_microusd(caller.key_id, since=month_start(self._clock.now()))

    def _bucket(self, key_id: str, limit: int) -> _Bucket:
        now_s = self._clock.now_s()
        bucket = self._buckets.setdefault(key_id, _Bucket(float(limit), now_s))
        bucket.refill(limit, now_s)
        return bucket


def month_start(now: datetime) -> datetime:
    """The first moment of the calendar month (UTC)."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _dollars(microusd: int) -> str:
    return f"${microusd / 1_000_000:.2f}"
