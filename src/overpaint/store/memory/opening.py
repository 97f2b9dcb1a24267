"""The stores in memory, ready for use."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from overpaint.store.memory.accounts import MemoryAccountStore
from overpaint.store.memory.sessions import MemorySessionStore
from overpaint.store.memory.tables import Tables
from overpaint.store.memory.tasks import MemoryTaskStore
from overpaint.store.memory.webhooks import MemoryWebhookStore


@dataclass(frozen=True, slots=True)
class MemoryStores:
    """Tasks, accounts, webhooks and sessions that share one memory."""

    tasks: MemoryTaskStore
    accounts: MemoryAccountStore
    webhooks: MemoryWebhookStore
    sessions: MemorySessionStore

    async def close(self) -> None:
        """Nothing to give back."""


def open_memory_stores(now: Callable[[], datetime]) -> MemoryStores:
    """Empty stores; `now` tells the time of day, aware, UTC."""
    tables = Tables()
    return MemoryStores(
        MemoryTaskStore(tables, now),
        MemoryAccountStore(tables, now),
        MemoryWebhookStore(tables, now),
        MemorySessionStore(tables, now),
    )
