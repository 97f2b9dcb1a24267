"""`WebhookStore` in memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from overpaint.core.account import WebhookDelivery
from overpaint.store.memory.tables import Tables


class MemoryWebhookStore:
    """Deliveries in memory.

    Args:
        tables: shared with the other stores.
        now: tells the time of day, UTC.
    """

    def __init__(self, tables: Tables, now: Callable[[], datetime]) -> None:
        self._tables = tables
        self._now = now

    async def due(self, *, limit: int, duration: timedelta, except_keys: Sequence[str] = ()) -> list[WebhookDelivery]:
        """Take deliveries whose time has come; see `WebhookStore.due`."""
        now = self._now()
        wanted = (delivery for delivery in self._tables.webhooks.values() if delivery.key_id not in except_keys)
        waiting = ((delivery.next_attempt_at, delivery) for delivery in wanted)
        ripe = sorted(((at, delivery) for at, delivery in waiting if at is not None and at <= now), key=lambda p: p[0])
        return [self._store(replace(delivery, next_attempt_at=now + duration)) for _, delivery in ripe[:limit]]

    async def delivered(self, delivery_id: str) -> None:
        """Note a success."""
        if delivery := self._open(delivery_id):
            attempts = delivery.attempts + 1
            self._store(replace(delivery, attempts=attempts, delivered_at=self._now(), next_attempt_at=None))

    async def failed(self, delivery_id: str, *, error: str, next_attempt_at: datetime | None) -> None:
        """Note a failed try; see `WebhookStore.failed`."""
        if delivery := self._open(delivery_id):
            attempts = delivery.attempts + 1
            self._store(replace(delivery, attempts=attempts, last_error=error, next_attempt_at=next_attempt_at))

    async def deliveries(self, *, task_id: str | None = None, limit: int = 100) -> list[WebhookDelivery]:
        """Newest first, for people."""
        found = [row for row in self._tables.webhooks.values() if task_id is None or row.task_id == task_id]
        return sorted(found, key=lambda row: (row.created_at, row.id), reverse=True)[:limit]

    def _open(self, delivery_id: str) -> WebhookDelivery | None:
        delivery = self._tables.webhooks.get(delivery_id)
        return delivery if delivery and delivery.delivered_at is None else None

    def _store(self, delivery: WebhookDelivery) -> WebhookDelivery:
        self._tables.webhooks[delivery.id] = delivery
        return delivery
