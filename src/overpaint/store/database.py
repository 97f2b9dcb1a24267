"""A database by URL: connections, transactions, and what differs between SQLite and PostgreSQL. Knows no table."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, ExceptionContext, Executable, RowMapping, Table, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.sql.dml import Insert

from overpaint.core.errors import ConfigError
from overpaint.core.trouble import Trouble
from overpaint.store.failures import mapped_failures
from overpaint.store.pooler import CONNECT_TIMEOUT_S, KEEPS_NOTHING, without
from overpaint.store.sqlite import SqliteDatabase

T = TypeVar("T")
_log = logging.getLogger(__name__)
POOL_SIZE = 8
STATEMENT_TIMEOUT_MS = 30_000
TCP_USER_TIMEOUT_MS = 10_000
_SETTINGS = {"statement_timeout": str(STATEMENT_TIMEOUT_MS), "synchronous_commit": "on"}
_ON_A_CONNECTION = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
_IN_A_TRANSACTION = "; ".join(f"SET LOCAL {name} = {value}" for name, value in _SETTINGS.items())
_SEVERAL_HOSTS = re.compile(r"(postgres(?:ql)?://(?:[^/@]*@)?)([^/?@]+,[^/?@]+)(/[^?]*)?(?:\?(.*))?")
_READ_ONLY = "25006"


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
        is_pooled: the connections are a pooler's: what is asked of one is asked anew in every write.
    """

    def __init__(self, url: URL, *, is_pooled: bool = False) -> None:
        ours = {"tcp_user_timeout": TCP_USER_TIMEOUT_MS, "application_name": "overpaint"}
        ours |= KEEPS_NOTHING if is_pooled else {"connect_timeout": CONNECT_TIMEOUT_S, "options": _ON_A_CONNECTION}
        self._engine = create_async_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT_S,
            hide_parameters=True,  # prompts are among them, and what went wrong may end up in the log
            pool_pre_ping=True,  # a server that was restarted costs no caller an error
            connect_args=without(url, ours),
        )
        event.listen(self._engine.sync_engine, "handle_error", _give_up_what_only_reads)
        self._is_pooled = is_pooled
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
                if self._is_pooled:
                    await connection.exec_driver_sql(_IN_A_TRANSACTION)
                return await connection.run_sync(work)

    def insert_missing(self, table: Table) -> Insert:
        """`INSERT ... ON CONFLICT DO NOTHING`."""
        return postgresql.insert(table).on_conflict_do_nothing()

    async def close(self) -> None:
        """Close the pool."""
        with mapped_failures(self._trouble):
            await self._engine.dispose()


def _give_up_what_only_reads(failure: ExceptionContext) -> None:
    """Behind a failover a connection may lead to what is a standby now; the next one finds who takes writes."""
    if getattr(failure.original_exception, "sqlstate", None) == _READ_ONLY:
        failure.is_disconnect = True


def parse_url(text: str) -> URL:
    """Read a database URL.

    Raises:
        ConfigError: it is none that Overpaint can store in.
    """
    try:
        url = make_url(_with_hosts_named(text))
    except (ArgumentError, ValueError) as exc:
        raise _unusable(text) from exc
    kind = url.get_backend_name()
    if kind == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ConfigError(f"database: {text!r} needs a file: sqlite:///PATH")
    if kind == "sqlite":
        return url
    if kind in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql")
    raise _unusable(text)


def _with_hosts_named(text: str) -> str:
    """``//A:5432,B:5432/x`` as it is written for libpq, in the way that SQLAlchemy reads: ``///x?host=A:5432&...``."""
    found = _SEVERAL_HOSTS.fullmatch(text)
    if found is None:
        return text
    user, hosts, name, query = found.groups(default="")
    return f"{user}{name}?" + "&".join([f"host={host}" for host in hosts.split(",")] + ([query] if query else []))


def _unusable(text: str) -> ConfigError:
    """Shows what was given, but for what may be a password."""
    _, at, host = text.rpartition("@")
    return ConfigError(f"database: {'...@' + host if at else text!r} must be like sqlite:///PATH or postgresql://...")


def connect(url: URL, *, is_pooled: bool = False) -> Database:
    """The database at `url`, behind a pooler or not; nothing is opened yet."""
    return SqliteDatabase(url) if url.get_backend_name() == "sqlite" else PostgresDatabase(url, is_pooled=is_pooled)
