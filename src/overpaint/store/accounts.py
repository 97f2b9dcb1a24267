"""`AccountStore` over SQLAlchemy: keys and usage."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy import Connection, Update, func, insert, literal, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from overpaint.core.account import ApiKey, KeyLimits, UsageRow
from overpaint.core.errors import RequestError
from overpaint.core.task import TaskState
from overpaint.store.access import StoreAccess
from overpaint.store.rows import key_of, usage_of, values_of_key, values_of_limits
from overpaint.store.schema import api_keys, tasks, usage

_USAGE_PAGE = 500
_OPEN = [state.value for state in TaskState if not state.is_final]


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

    async def spent_microusd(self, key_id: str, *, since: datetime) -> int:
        """Charged since then, plus the price of what is open, in one look."""
        charged = select(func.coalesce(func.sum(usage.c.price_microusd), 0)).where(
            usage.c.key_id == key_id, usage.c.finished_at >= since
        )
        reserved = select(func.coalesce(func.sum(tasks.c.price_microusd), 0)).where(
            tasks.c.key_id == key_id, tasks.c.state.in_(_OPEN)
        )
        query = select((charged.scalar_subquery() + reserved.scalar_subquery()).label("spent"))
        (row,) = await self._database.read(query)
        return int(row["spent"])

    async def usage(
        self, *, key_id: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[UsageRow]:
        """Usage rows, oldest first, read page by page."""
        query = select(usage).order_by(usage.c.finished_at, usage.c.task_id).limit(_USAGE_PAGE)
        if key_id is not None:
            query = query.where(usage.c.key_id == key_id)
        if since is not None:
            query = query.where(usage.c.finished_at >= since)
        if until is not None:
            query = query.where(usage.c.finished_at < until)
        page = query
        while True:
            rows = [usage_of(row) for row in await self._database.read(page)]
            for row in rows:
                yield row
            if len(rows) < _USAGE_PAGE:
                return
            last = tuple_(literal(rows[-1].finished_at, usage.c.finished_at.type), literal(rows[-1].task_id))
            page = query.where(tuple_(usage.c.finished_at, usage.c.task_id) > last)

    async def _change_key(self, name: str, change: Update) -> ApiKey:
        changing = change.where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None)).returning(api_keys)

        def work(connection: Connection) -> ApiKey:
            row = connection.execute(changing).mappings().first()
            if row is None:
                raise RequestError("name", name, "is no key in force")
            return key_of(row)

        return await self._database.write(work)
