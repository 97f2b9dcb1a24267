"""The tables. What they hold is said in `core` (`task`, `account`, `session`); here is how it is found and kept whole.

The database refuses rows that no legal history leads to (a running task without a lease, a final one without its end).
Which change may follow which is decided by the `WHERE` of every change, in `transitions.py`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from overpaint.store.columns import Document, UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# The conditions of partial indexes. A query that says the very same finds its index on SQLite, which does not see it in
# a list of bound values, and on PostgreSQL in a prepared plan, too.
IS_QUEUED = text("state = 'queued'")
IS_RUNNING = text("state = 'running'")
IS_OPEN = text("state IN ('queued', 'running')")
IS_FRUITLESS = text("state IN ('failed', 'cancelled')")
_FINISHED = text("finished_at IS NOT NULL")
_HAS_IDEMPOTENCY_KEY = text("idempotency_key IS NOT NULL")
_IS_VALID = text("revoked_at IS NULL")
_IS_PENDING = text("next_attempt_at IS NOT NULL")


def _partial(name: str, *columns: str, where: object, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


tasks = Table(
    "tasks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("spec", Document, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("webhook_url", Text),
    Column("price_microusd", BigInteger, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    # The lease. `worker` and `token` stay when it ends, so that a repeated `succeed` is recognised.
    Column("worker", Text),
    Column("token", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("leased_at", UtcTime),
    Column("lease_expires_at", UtcTime),
    Column("outputs", Document),
    Column("failure", Document),
    Column("timings", Document),
    # Leases that ran out because whoever held them was gone; `attempt` does not count them.
    Column("losses", Integer, nullable=False, server_default=text("0")),
    CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="state"),
    CheckConstraint("(state = 'running') = (lease_expires_at IS NOT NULL)", name="lease"),
    CheckConstraint("(state IN ('queued', 'running')) = (finished_at IS NULL)", name="end"),
    CheckConstraint("(state = 'succeeded') = (outputs IS NOT NULL)", name="outputs"),
    CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failure"),
    Index("ix_tasks_created", "created_at", "id"),
    Index("ix_tasks_key_created", "key_id", "created_at", "id"),
    Index("ix_tasks_model", "model", "created_at", "id"),
    Index("ix_tasks_model_key", "model", "key_id", "created_at", "id"),
    _partial("ix_tasks_queue", "priority", "created_at", "id", where=IS_QUEUED),
    _partial("ix_tasks_leases", "lease_expires_at", where=IS_RUNNING),
    _partial("ix_tasks_open", "created_at", "id", where=IS_OPEN),
    _partial("ix_tasks_key_open", "key_id", "created_at", "id", where=IS_OPEN),
    _partial("ix_tasks_fruitless", "created_at", "id", where=IS_FRUITLESS),
    _partial("ix_tasks_key_fruitless", "key_id", "created_at", "id", where=IS_FRUITLESS),
    _partial("ix_tasks_finished", "finished_at", where=_FINISHED),
    _partial("uq_tasks_idempotency", "key_id", "idempotency_key", where=_HAS_IDEMPOTENCY_KEY, unique=True),
)

task_files = Table(
    "task_files",
    metadata,
    Column("task_id", String(64), ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("file_key", Text, primary_key=True),
    Index("ix_task_files_file_key", "file_key"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("is_admin", Boolean, nullable=False),
    Column("requests_per_minute", Integer),
    Column("max_open_tasks", Integer),
    Column("monthly_budget_microusd", BigInteger),
    Column("max_upload_mib", Integer),
    Column("webhook_secret", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    _partial("uq_api_keys_name", "name", where=_IS_VALID, unique=True),
)

# No foreign key: a usage row outlives its task.
usage = Table(
    "usage",
    metadata,
    Column("task_id", String(64), primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("num_images", Integer, nullable=False),
    Column("price_microusd", BigInteger, nullable=False),
    Column("engine_ms", BigInteger, nullable=False),
    Column("finished_at", UtcTime, nullable=False),
    Index("ix_usage_finished", "finished_at", "task_id"),
    # The price is in it so that a month is added up without looking at its rows.
    Index("ix_usage_key_finished", "key_id", "finished_at", "task_id", "price_microusd"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("task_id", String(64), ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("key_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("next_attempt_at", UtcTime),
    Column("delivered_at", UtcTime),
    Column("last_error", Text),
    Index("ix_webhooks_created", "created_at", "id"),
    _partial("ix_webhooks_due", "next_attempt_at", where=_IS_PENDING),
)

# One row, rewritten to see whether the database takes writes.
probe = Table(
    "probe",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("checked_at", UtcTime, nullable=False),
)

# Trees of tasks, for the page. A node goes with its task; what grew from it begins anew.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("touched_at", UtcTime, nullable=False),
    Index("ix_sessions_key_touched", "key_id", "touched_at", "id"),
)

session_nodes = Table(
    "session_nodes",
    metadata,
    Column("task_id", String(64), ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("session_id", String(64), ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", String(64), ForeignKey("session_nodes.task_id", ondelete="SET NULL")),
    Column("parent_index", Integer, nullable=False),
    Column("added_at", UtcTime, nullable=False),
    Index("ix_session_nodes_session", "session_id", "added_at", "task_id"),
    Index("ix_session_nodes_parent", "parent_id"),
)
