"""The stores on one database, ready for use."""

import asyncio
from dataclasses import dataclass

from overpaint.store.access import TellTime
from overpaint.store.accounts import SqlAccountStore
from overpaint.store.database import Database, connect, parse_url
from overpaint.store.migrations.run import migrate
from overpaint.store.pooler import is_pooled
from overpaint.store.queue_order import QueueOrder, by_priority_and_age
from overpaint.store.sessions import SqlSessionStore
from overpaint.store.tasks import SqlTaskStore
from overpaint.store.webhooks import SqlWebhookStore


@dataclass(frozen=True, slots=True)
class Stores:
    """Tasks, accounts, webhooks and sessions on one database."""

    tasks: SqlTaskStore
    accounts: SqlAccountStore
    webhooks: SqlWebhookStore
    sessions: SqlSessionStore
    database: Database

    async def close(self) -> None:
        """Give the connections back."""
        await self.database.close()


async def open_stores(url: str, now: TellTime, order: QueueOrder = by_priority_and_age) -> Stores:
    """Bring the database at `url` up to date and open it.

    Args:
        url: ``sqlite:///PATH`` (made when missing) or ``postgresql://...``.
        now: tells the time of day, aware, UTC.
        order: who goes first in the queue.

    Raises:
        ConfigError: the URL cannot be used, or a newer Overpaint wrote this database.
        BackendError: the database is out of reach.
    """
    parsed = parse_url(url)
    await asyncio.to_thread(migrate, parsed)
    database = connect(parsed, is_pooled=await asyncio.to_thread(is_pooled, parsed))
    return Stores(
        SqlTaskStore(database, now, order),
        SqlAccountStore(database, now),
        SqlWebhookStore(database, now),
        SqlSessionStore(database, now),
        database,
    )
