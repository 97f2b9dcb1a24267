"""`WebhookStore` over SQLAlchemy: deliveries. They are queued in `aftermath.py`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Update, bindparam, select, update

from overpaint.core.account import WebhookDelivery
from overpaint.store.access import StoreAccess
from overpaint.store.rows import delivery_of
from overpaint.store.schema import webhooks

_IDS = webhooks.c.id.in_(bindparam("ids", expanding=True))


class SqlWebhookStore(StoreAccess):
    """Deliveries in a database."""

    async def due(self, *, limit: int, duration: timedelta, except_keys: Sequence[str] = ()) -> list[WebhookDelivery]:
        """Take deliveries whose time has come; see `WebhookStore.due`."""
        now = self._now()
        is_wanted = webhooks.c.key_id.not_in(except_keys)
        waiting = select(webhooks.c.id).where(webhooks.c.next_attempt_at <= now, is_wanted)
        pick = waiting.order_by(webhooks.c.next_attempt_at).limit(limit).with_for_update(skip_locked=True)
        take = update(webhooks).where(_IDS).values(next_attempt_at=now + duration).returning(webhooks)

        def work(connection: Connection) -> list[WebhookDelivery]:
            ids = list(connection.execute(pick).scalars())
            if not ids:
                return []
            rows = connection.execute(take, {"ids": ids}).mappings()
            taken = {row["id"]: delivery_of(row) for row in rows}
            return [taken[delivery_id] for delivery_id in ids]

        return await self._database.write(work)

    async def delivered(self, delivery_id: str) -> None:
        """Note a success."""
        await self._note(delivery_id, update(webhooks).values(delivered_at=self._now(), next_attempt_at=None))

    async def failed(self, delivery_id: str, *, error: str, next_attempt_at: datetime | None) -> None:
        """Note a failed try; see `WebhookStore.failed`."""
        await self._note(delivery_id, update(webhooks).values(last_error=error, next_attempt_at=next_attempt_at))

    async def deliveries(self, *, task_id: str | None = None, limit: int = 100) -> list[WebhookDelivery]:
        """Newest first, for people."""
        query = select(webhooks).order_by(webhooks.c.created_at.desc(), webhooks.c.id.desc()).limit(limit)
        if task_id is not None:
            query = query.where(webhooks.c.task_id == task_id)
        return [delivery_of(row) for row in await self._database.read(query)]

    async def _note(self, delivery_id: str, noting: Update) -> None:
        # What was delivered stays so: a slower try of the same message cannot undo it.
        is_open = (webhooks.c.id == delivery_id) & webhooks.c.delivered_at.is_(None)
        noting = noting.where(is_open).values(attempts=webhooks.c.attempts + 1)

        def work(connection: Connection) -> None:
            connection.execute(noting)

        await self._database.write(work)
