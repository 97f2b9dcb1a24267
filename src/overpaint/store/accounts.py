"""`AccountStore` over SQLAlchemy: keys and usage."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Update, func, insert, literal, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from overpaint.core.account import ApiKey, KeyLimits, Standing, UsageRow, UsageSum
from overpaint.core.errors import RequestError
from overpaint.store.access import StoreAccess
from overpaint.store.rows import key_of, usage_of, values_of_key, values_of_limits
from overpaint.store.schema import api_keys, usage
from overpaint.store.standing import standing_of, standing_query

_USAGE_PAGE = 500
_SUMMED = ("num_tasks", "num_images", "price_microusd")
_SUM_COLUMNS: list[ColumnElement[Any]] = [
    usage.c.key_id,
    usage.c.model,
    func.count().label("num_tasks"),
    func.sum(usage.c.num_images).label("num_images"),
    func.sum(usage.c.price_microusd).label("price_microusd"),
]
_SUMS = select(*_SUM_COLUMNS).group_by(usage.c.key_id, usage.c.model)


class SqlAccountStore(StoreAccess):
    """Keys and usage in a database."""

    async def create_key(self, key: ApiKey) -> None:
        """Store a key; see `AccountStore.create_key`."""

        def work(connection: Connection) -> None:
            try:
                with connection.begin_nested():
                    connection.execute(insert(api_keys).values(values_of_key(key)))
            except IntegrityError as exc:
                raise RequestError("name", key.name, "is taken by another key") from exc

        await self._database.write(work)

    async def find_key(self, secret_hash: str) -> ApiKey | None:
        """The key with this hash, revoked or not."""
        rows = await self._database.read(select(api_keys).where(api_keys.c.secret_hash == secret_hash))
        return key_of(rows[0]) if rows else None

    async def list_keys(self) -> list[ApiKey]:
        """All keys, oldest first."""
        rows = await self._database.read(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))
        return [key_of(row) for row in rows]

    async def set_limits(self, name: str, limits: KeyLimits) -> ApiKey:
        """Change a key's limits; see `AccountStore.set_limits`."""
        return await self._change_key(name, update(api_keys).values(values_of_limits(limits)))

    async def revoke_key(self, name: str) -> ApiKey:
        """Make a key useless; see `AccountStore.revoke_key`."""
        return await self._change_key(name, update(api_keys).values(revoked_at=self._now()))

    async def standing(self, key_id: str, *, since: datetime | None) -> Standing:
        """Open tasks, and what was charged and is reserved, in one look; see `AccountStore.standing`."""
        (row,) = await self._database.read(*standing_query(key_id, since))
        return standing_of(row)

    async def usage(
        self, *, key_id: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[UsageRow]:
        """Usage rows, oldest first, read page by page."""
        query = select(usage).order_by(usage.c.finished_at, usage.c.task_id).limit(_USAGE_PAGE)
        if key_id is not None:
            query = query.where(usage.c.key_id == key_id)
        page = query = _between(query, since, until)
        while True:
            rows = [usage_of(row) for row in await self._database.read(page)]
            for row in rows:
                yield row
            if len(rows) < _USAGE_PAGE:
                return
            last = tuple_(literal(rows[-1].finished_at, usage.c.finished_at.type), literal(rows[-1].task_id))
            page = query.where(tuple_(usage.c.finished_at, usage.c.task_id) > last)

    async def usage_page(self, key_id: str, *, skip: int, limit: int) -> tuple[list[UsageRow], int]:
        """A key's usage rows, newest first; see `AccountStore.usage_page`."""
        newest = select(usage).where(usage.c.key_id == key_id)
        newest = newest.order_by(usage.c.finished_at.desc(), usage.c.task_id.desc()).offset(skip).limit(limit)
        number = select(func.count().label("number")).select_from(usage).where(usage.c.key_id == key_id)
        (counted,) = await self._database.read(number)
        return [usage_of(row) for row in await self._database.read(newest)], counted["number"]

    async def usage_sums(self, *, since: datetime | None = None, until: datetime | None = None) -> list[UsageSum]:
        """What was charged, by key and model; see `AccountStore.usage_sums`."""
        rows = await self._database.read(_between(_SUMS, since, until))
        sums = (UsageSum(row["key_id"], row["model"], *(int(row[name]) for name in _SUMMED)) for row in rows)
        return sorted(sums, key=lambda one: (one.key_id, one.model))

    async def _change_key(self, name: str, change: Update) -> ApiKey:
        changing = change.where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None)).returning(api_keys)

        def work(connection: Connection) -> ApiKey:
            row = connection.execute(changing).mappings().first()
            if row is None:
                raise RequestError("name", name, "is no key in force")
            return key_of(row)

        return await self._database.write(work)


def _between(query: Select[Any], since: datetime | None, until: datetime | None) -> Select[Any]:
    if since is not None:
        query = query.where(usage.c.finished_at >= since)
    return query if until is None else query.where(usage.c.finished_at < until)
