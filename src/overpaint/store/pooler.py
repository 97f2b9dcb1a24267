"""Whether a pooler (PgBouncer and its like) stands before a PostgreSQL. Blocking; knows no table.

A pooler lends its connections for a session or for a transaction alone and does not say which. So nothing may be kept
on one behind a transaction: neither prepared statements nor settings.
"""

import logging
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from overpaint.core.trouble import Trouble
from overpaint.store.failures import mapped_failures

CONNECT_TIMEOUT_S = 5
#: For a connection that may be another one's in the next transaction.
KEEPS_NOTHING: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_S, "prepare_threshold": None}
_log = logging.getLogger(__name__)


def is_pooled(url: URL) -> bool:
    """Whether whoever answers at `url` is another process than the one that does the work.

    Raises:
        BackendError: the database is out of reach.
    """
    if url.get_backend_name() == "sqlite":
        return False
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), poolclass=NullPool, connect_args=without(url, KEEPS_NOTHING)
    )
    with mapped_failures(Trouble("database", _log)), engine.connect() as connection:
        greeted_by: int = connection.connection.driver_connection.info.backend_pid  # pyright: ignore[reportOptionalMemberAccess]
        return greeted_by != connection.execute(text("SELECT pg_backend_pid()")).scalar()


def without(url: URL, ours: dict[str, Any]) -> dict[str, Any]:
    """Of what we would ask of a connection, what its URL leaves to us."""
    return {name: value for name, value in ours.items() if name not in url.query}
