"""What a key may use: requests a minute, open tasks, a monthly budget.

Rates are counted in this process (a token bucket per key); open tasks and money are asked from the store, so they survive
a restart. Knows no HTTP: `LimitState` holds what the `RateLimit-*` headers are made of.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from overpaint.core.store_ports import AccountStore, TaskStore
from overpaint.service.caller import Caller
from overpaint.service.clock import ServiceClock


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


class Limits:
    """Enforces `KeyLimits`.

    Args:
        tasks: counts open tasks.
        accounts: knows what was spent.
        clock: tells the time.
    """

    def __init__(self, tasks: TaskStore, accounts: AccountStore, clock: ServiceClock) -> None:
        raise NotImplementedError

    def state(self, caller: Caller) -> LimitState | None:
        """Where the caller stands; None when its rate has no limit."""
        raise NotImplementedError

    def take_request(self, caller: Caller) -> None:
        """Count one submission.

        Raises:
            RateLimitError: too many; it names when to try again.
        """
        raise NotImplementedError

    @asynccontextmanager
    async def room_for(self, caller: Caller, price_microusd: int) -> AsyncGenerator[None]:
        """Hold the caller's place while a task is stored, so that two at once do not both take the last one.

        Raises:
            RateLimitError: too many open tasks.
            BudgetError: the price does not fit in what is left of this month.
        """
        raise NotImplementedError
        yield
