"""`AccountStore` in memory."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime

from overpaint.core.account import ApiKey, KeyLimits, Standing, UsageRow, UsageSum
from overpaint.core.errors import RequestError
from overpaint.store.memory.tables import Tables


class MemoryAccountStore:
    """Keys and usage in memory.

    Args:
        tables: shared with the other stores.
        now: tells the time of day, UTC.
    """

    def __init__(self, tables: Tables, now: Callable[[], datetime]) -> None:
        self._tables = tables
        self._now = now

    async def create_key(self, key: ApiKey) -> None:
        """Store a key; see `AccountStore.create_key`."""
        if self._in_force(key.name) is not None:
            raise RequestError("name", key.name, "is taken by another key")
        self._tables.keys[key.id] = key

    async def find_key(self, secret_hash: str) -> ApiKey | None:
        """The key with this hash, revoked or not."""
        return next((key for key in self._tables.keys.values() if key.secret_hash == secret_hash), None)

    async def list_keys(self) -> list[ApiKey]:
        """All keys, oldest first."""
        return sorted(self._tables.keys.values(), key=lambda key: (key.created_at, key.id))

    async def set_limits(self, name: str, limits: KeyLimits) -> ApiKey:
        """Change a key's limits; see `AccountStore.set_limits`."""
        return self._store(replace(self._known(name), limits=limits))

    async def revoke_key(self, name: str) -> ApiKey:
        """Make a key useless; see `AccountStore.revoke_key`."""
        return self._store(replace(self._known(name), revoked_at=self._now()))

    async def standing(self, key_id: str, *, since: datetime | None) -> Standing:
        """Open tasks, and what was charged and is reserved; see `AccountStore.standing`."""
        return self._tables.standing(key_id, since)

    async def usage(
        self, *, key_id: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[UsageRow]:
        """Usage rows, oldest first."""
        for row in self._rows(key_id, since, until):
            yield row

    async def usage_page(self, key_id: str, *, skip: int, limit: int) -> tuple[list[UsageRow], int]:
        """A key's usage rows, newest first; see `AccountStore.usage_page`."""
        rows = self._rows(key_id, None, None)[::-1]
        return rows[skip : skip + limit], len(rows)

    async def usage_sums(self, *, since: datetime | None = None, until: datetime | None = None) -> list[UsageSum]:
        """What was charged, by key and model; see `AccountStore.usage_sums`."""
        sums: defaultdict[tuple[str, str], list[UsageRow]] = defaultdict(list)
        for row in self._rows(None, since, until):
            sums[row.key_id, row.model].append(row)
        return [
            UsageSum(*of, len(rows), sum(row.num_images for row in rows), sum(row.price_microusd for row in rows))
            for of, rows in sorted(sums.items())
        ]

    def _rows(self, key_id: str | None, since: datetime | None, until: datetime | None) -> list[UsageRow]:
        rows = (
            row
            for row in self._tables.usage.values()
            if (key_id is None or row.key_id == key_id)
            and (since is None or row.finished_at >= since)
            and (until is None or row.finished_at < until)
        )
        return sorted(rows, key=lambda row: (row.finished_at, row.task_id))

    def _in_force(self, name: str) -> ApiKey | None:
        return next((key for key in self._tables.keys.values() if key.name == name and key.revoked_at is None), None)

    def _known(self, name: str) -> ApiKey:
        key = self._in_force(name)
        if key is None:
            raise RequestError("name", name, "is no key in force")
        return key

    def _store(self, key: ApiKey) -> ApiKey:
        self._tables.keys[key.id] = key
        return key
