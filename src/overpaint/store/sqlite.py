"""SQLite: one writer whose concurrent transactions share a commit, and readers that never wait for it.

A commit costs one flush of the disk (milliseconds). Writes that arrive during one are therefore done together in the
next transaction, each inside a savepoint of its own, and every caller is answered after the commit. Other processes
(the command line) may write between two commits. A whole transaction is one visit to a thread, as is a read: what a
statement costs here is little beside waking a thread. Knows no table.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from sqlalchemy import Executable, RowMapping, Table, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, Connection
from sqlalchemy.sql.dml import Insert

from overpaint.core.errors import OverpaintError
from overpaint.core.trouble import Trouble
from overpaint.store.coalesce import Coalescer
from overpaint.store.failures import mapped_failures, mapped_refusals

T = TypeVar("T")
Work = Callable[[Connection], Any]
_log = logging.getLogger(__name__)

NUM_READERS = 4
BUSY_TIMEOUT_S = 10
WRITER_PRAGMAS = ("synchronous=FULL", "foreign_keys=ON")
READER_PRAGMAS = ("query_only=ON",)


class SqliteDatabase:
    """A SQLite file.

    Args:
        url: ``sqlite:///path``; its folder must exist.
    """

    def __init__(self, url: URL) -> None:
        driver = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
        self._writer = create_engine(url, pool_size=1, max_overflow=0, connect_args=driver, hide_parameters=True)
        self._reader = create_engine(
            url,
            pool_size=NUM_READERS,
            max_overflow=0,
            connect_args=driver,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )
        event.listen(self._writer, "connect", _setting(WRITER_PRAGMAS))
        event.listen(self._writer, "begin", _begin_immediate)
        event.listen(self._reader, "connect", _setting(READER_PRAGMAS))
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="overpaint-writer")
        self._reading = ThreadPoolExecutor(NUM_READERS, thread_name_prefix="overpaint-reader")
        self._commit = Coalescer[Work, Any](self._commit_together)
        self._trouble = Trouble("database", _log)

    async def read(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """The rows that a query finds."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._look, query, values)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in the next commit."""
        return cast(T, await self._commit(work))

    def insert_missing(self, table: Table) -> Insert:
        """`INSERT ... ON CONFLICT DO NOTHING`."""
        return sqlite.insert(table).on_conflict_do_nothing()

    async def close(self) -> None:
        """Close the file."""
        for threads, engine in ((self._reading, self._reader), (self._writing, self._writer)):
            await asyncio.to_thread(threads.shutdown)
            with mapped_failures(self._trouble):
                engine.dispose()

    async def _commit_together(self, works: Sequence[Work]) -> list[Any]:
        return await asyncio.get_running_loop().run_in_executor(self._writing, self._transact, works)

    def _transact(self, works: Sequence[Work]) -> list[Any]:
        with mapped_failures(self._trouble), self._writer.begin() as connection:
            if len(works) == 1:
                return [works[0](connection)]
            return [_in_savepoint(connection, work) for work in works]

    def _look(self, query: Executable, values: Mapping[str, Any] | None) -> Sequence[RowMapping]:
        with mapped_failures(self._trouble), self._reader.connect() as connection:
            return connection.execute(query, values).mappings().all()


def _in_savepoint(connection: Connection, work: Work) -> Any:
    """The result of `work`, or the error that is its own: what the others wrote stays."""
    try:
        with mapped_refusals(), connection.begin_nested():
            return work(connection)
    except OverpaintError as exc:
        return exc


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
