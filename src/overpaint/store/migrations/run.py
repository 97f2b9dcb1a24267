"""Bringing a database up to date at start, one process at a time. Blocking; knows no event loop."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from overpaint.core.errors import BackendError, ConfigError
from overpaint.core.trouble import Trouble
from overpaint.store.failures import mapped_failures
from overpaint.store.pooler import KEEPS_NOTHING, without

LOCK_TIMEOUT_S = 60
_LOCK_POLL_S = 0.02
#: Limits that an administrator set for the role are meant for requests: an index of many rows takes its time.
_LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
_WITHOUT_HASTE = "; ".join(f"SET LOCAL {limit} = 0" for limit in _LIMITS)
#: Any number that is ours: who migrates a PostgreSQL database holds this advisory lock.
ADVISORY_LOCK = 0x0FE4_9A17
_log = logging.getLogger(__name__)


def migrate(url: URL) -> None:
    """Apply the revisions that are missing, all or none; others who try meanwhile wait.

    Raises:
        ConfigError: a newer Overpaint wrote this database.
        BackendError: the database is out of reach.
    """
    with mapped_failures(Trouble("database", _log)), _locked(url) as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.attributes["connection"] = connection
        before = _revision(connection)
        try:
            command.upgrade(config, "head")
        except CommandError as exc:
            raise ConfigError(
                f"database: a newer Overpaint has changed its tables (to revision {before}), and this one cannot use "
                "them; install that version again, or restore the copy of the database from before it"
            ) from exc
        if (now := _revision(connection)) != before:
            _log.info("the database's tables were brought from revision %s to %s", before or "none", now)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _make_file(name: str) -> None:
    """An empty database where there is none, closed to other users: prompts and secrets of webhooks come into it.

    SQLite gives the files that it keeps beside it the same permissions.
    """
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not name.startswith("file:") and not path.exists():
        path.touch(mode=0o600)


@contextmanager
def _locked(url: URL) -> Iterator[Connection]:
    """A transaction that no other migration runs beside."""
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite:
        _make_file(url.database or "")
        engine = create_engine(
            url.set(drivername="sqlite"),
            poolclass=NullPool,
            connect_args={"timeout": LOCK_TIMEOUT_S, "isolation_level": None},
        )
        event.listen(engine, "connect", _keep_a_write_ahead_log)
        event.listen(engine, "begin", _begin_immediate)
    else:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args=without(url, KEEPS_NOTHING),
        )
    with engine.begin() as connection:
        if not is_sqlite:
            connection.execute(text(_WITHOUT_HASTE))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        yield connection


def _keep_a_write_ahead_log(driver_connection: Any, _record: Any) -> None:
    """Readers and the writer then never wait for each other; the file remembers it.

    Where others have the file open, SQLite says no at once where it would wait for any other lock. Here it waits too.

    Raises:
        BackendError: they never let go of it, or it lies where there can be no such log.
    """
    until = time.monotonic() + LOCK_TIMEOUT_S
    while not _has_write_ahead_log(driver_connection):
        if time.monotonic() > until:
            raise BackendError("the database's write-ahead log cannot be turned on: it is in use or on a network drive")
        time.sleep(_LOCK_POLL_S)


def _has_write_ahead_log(driver_connection: Any) -> bool:
    try:
        return driver_connection.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
