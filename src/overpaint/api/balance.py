"""What is left of a key's budget, in dollars. Knows no dialect."""

from overpaint.core.account import MICRO
from overpaint.service.caller import Caller
from overpaint.service.service import Service

UNLIMITED_USD = 1_000_000.0
"""The balance of a key without a budget: callers compare it with a price."""


async def balance_usd(service: Service, caller: Caller) -> float:
    """What is left of this month's budget."""
    left = await service.limits.balance_microusd(caller)
    return UNLIMITED_USD if left is None else left / MICRO
