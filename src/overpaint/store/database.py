"""A database by URL: connections, transactions, and what differs between SQLite and PostgreSQL. Knows no table."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Executable, RowMapping, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.sql.dml import Insert

from overpaint.core.errors import ConfigError
from overpaint.core.trouble import Trouble
from overpaint.store.failures import mapped_failures
from overpaint.store.sqlite import SqliteDatabase

T = TypeVar("T")
_log = logging.getLogger(__name__)
POOL_SIZE = 8
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 30_000
TCP_USER_TIMEOUT_MS = 10_000


class Database(Protocol):
    """What the stores need: reads that see the last commit, and writes that are durable when they return."""

    async def read(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """The rows that a query finds, as of the last commit.

        Raises:
            BackendError: the database is out of reach.
        """
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in one transaction, durable when this returns; when `work` raises, nothing happened.

        `work` may be done on another thread: it stands on plain values alone.

        Raises:
            BackendError: the database is out of reach, full, or refused a value.
        """
        ...

    def insert_missing(self, table: Table) -> Insert:
        """An `INSERT` that passes over rows which are there already."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


class PostgresDatabase:
    """PostgreSQL: every write is its own transaction on a pooled connection.

    Args:
        url: ``postgresql://user:password@host:port/name``, and whatever else libpq takes as a query, which goes before
            our own choice.
    """

    def __init__(self, url: URL) -> None:
        ours = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c synchronous_commit=on",
            "application_name": "overpaint",
        }
        self._engine = create_async_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT_S,
            hide_parameters=True,  # prompts are among them, and what went wrong may end up in the log
            pool_pre_ping=True,  # a server that was restarted costs no caller an error
            connect_args={name: value for name, value in ours.items() if name not in url.query},
        )
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._trouble = Trouble("database", _log)

    async def read(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """The rows that a query finds."""
        with mapped_failures(self._trouble):
            async with self._reader.connect() as connection:
                return (await connection.execute(query, values)).mappings().all()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction of its own."""
        with mapped_failures(self._trouble):
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)

    def insert_missing(self, table: Table) -> Insert:
        """`INSERT ... ON CONFLICT DO NOTHING`."""
        return postgresql.insert(table).on_conflict_do_nothing()

    async def close(self) -> None:
        """Close the pool."""
        with mapped_failures(self._trouble):
            await self._engine.dispose()


def parse_url(text: str) -> URL:
    """Read a database URL.

    Raises:
        ConfigError: it is none that Overpaint can store in.
    """
    try:
        url = make_url(text)
    except ArgumentError as exc:
        raise _unusable(text) from exc
    kind = url.get_backend_name()
    if kind == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ConfigError(f"database: {text!r} needs a file: sqlite:///PATH")
    if kind == "sqlite":
        return url
    if kind in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql")
    raise _unusable(text)


def _unusable(text: str) -> ConfigError:
    """Shows what was given, but for what may be a password."""
    _, at, host = text.rpartition("@")
    return ConfigError(f"database: {'...@' + host if at else text!r} must be like sqlite:///PATH or postgresql://...")


def connect(url: URL) -> Database:
    """The database at `url`; nothing is opened yet."""
    return SqliteDatabase(url) if url.get_backend_name() == "sqlite" else PostgresDatabase(url)
