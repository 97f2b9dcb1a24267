"""SQLite: one writer whose concurrent transactions share a commit, and readers that never wait for it.

A commit costs one flush of the disk (milliseconds). Writes that arrive during one are therefore done together in the
next transaction, each inside a savepoint of its own, and every caller is answered after the commit. Other processes
(the command line) may write between two commits. Knows no table.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from sqlalchemy import Table, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.sql.dml import Insert

from overpaint.core.errors import BackendError, OverpaintError
from overpaint.store.coalesce import Coalescer
from overpaint.store.failures import REFUSALS, mapped_failures

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[Any]]

NUM_READERS = 4
BUSY_TIMEOUT_S = 10
WRITER_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
READER_PRAGMAS = ("query_only=ON",)


class SqliteDatabase:
    """A SQLite file.

    Args:
        url: ``sqlite:///path``; its folder must exist.
    """

    def __init__(self, url: URL) -> None:
        url = url.set(drivername="sqlite+aiosqlite")
        driver = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
        self._writer = create_async_engine(url, pool_size=1, max_overflow=0, connect_args=driver)
        self._reader = create_async_engine(
            url,
            pool_size=NUM_READERS,
            max_overflow=0,
            connect_args=driver,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )
        event.listen(self._writer.sync_engine, "connect", _setting(WRITER_PRAGMAS))
        event.listen(self._writer.sync_engine, "begin", _begin_immediate)
        event.listen(self._reader.sync_engine, "connect", _setting(READER_PRAGMAS))
        self._commit = Coalescer[Work, Any](self._commit_together)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose every statement sees the last commit."""
        with mapped_failures():
            async with self._reader.connect() as connection:
                yield connection

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do `work` in the next commit."""
        return cast(T, await self._commit(work))

    def insert_missing(self, table: Table) -> Insert:
        """`INSERT ... ON CONFLICT DO NOTHING`."""
        return sqlite.insert(table).on_conflict_do_nothing()

    async def close(self) -> None:
        """Close the file."""
        with mapped_failures():
            await self._reader.dispose()
            await self._writer.dispose()

    async def _commit_together(self, works: Sequence[Work]) -> list[Any]:
        with mapped_failures():
            async with self._writer.begin() as connection:
                if len(works) == 1:
                    return [await works[0](connection)]
                return [await _in_savepoint(connection, work) for work in works]


async def _in_savepoint(connection: AsyncConnection, work: Work) -> Any:
    """The result of `work`, or the error that is its own: what the others wrote stays."""
    try:
        async with connection.begin_nested():
            return await work(connection)
    except OverpaintError as exc:
        return exc
    except REFUSALS as exc:
        try:
            with mapped_failures():
                raise exc
        except BackendError as mapped:
            return mapped


def _setting(pragmas: Sequence[str]) -> Callable[[Any, Any], None]:
    def set_pragmas(driver_connection: Any, _record: Any) -> None:
        cursor = driver_connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return set_pragmas


def _begin_immediate(connection: Connection) -> None:
    # Python's driver would begin late and without the write lock: two such transactions can only fail each other.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
