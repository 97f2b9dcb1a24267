"""The first tables."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from overpaint.store.columns import Document, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _make_tasks()
    _make_files()
    _make_webhooks()
    _make_accounts()


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _make_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("spec", Document, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("price_microusd", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=True),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("leased_at", UtcTime(), nullable=True),
        sa.Column("lease_expires_at", UtcTime(), nullable=True),
        sa.Column("outputs", Document, nullable=True),
        sa.Column("failure", Document, nullable=True),
        sa.Column("timings", Document, nullable=True),
        sa.CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name=op.f("ck_tasks_failure")),
        sa.CheckConstraint("(state = 'running') = (lease_expires_at IS NOT NULL)", name=op.f("ck_tasks_lease")),
        sa.CheckConstraint("(state = 'succeeded') = (outputs IS NOT NULL)", name=op.f("ck_tasks_outputs")),
        sa.CheckConstraint("(state IN ('queued', 'running')) = (finished_at IS NULL)", name=op.f("ck_tasks_end")),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name=op.f("ck_tasks_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    op.create_index("ix_tasks_created", "tasks", ["created_at", "id"], unique=False)
    op.create_index("ix_tasks_finished", "tasks", ["finished_at"], unique=False, **_where("finished_at IS NOT NULL"))
    op.create_index("ix_tasks_key_created", "tasks", ["key_id", "created_at", "id"], unique=False)
    op.create_index("ix_tasks_leases", "tasks", ["lease_expires_at"], unique=False, **_where("state = 'running'"))
    op.create_index("ix_tasks_open", "tasks", ["key_id"], unique=False, **_where("state IN ('queued', 'running')"))
    op.create_index(
        "ix_tasks_queue", "tasks", ["priority", "created_at", "id"], unique=False, **_where("state = 'queued'")
    )
    op.create_index(
        "uq_tasks_idempotency",
        "tasks",
        ["key_id", "idempotency_key"],
        unique=True,
        **_where("idempotency_key IS NOT NULL"),
    )


def _make_files() -> None:
    op.create_table(
        "task_files",
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("file_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_files_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "file_key", name=op.f("pk_task_files")),
    )
    op.create_index("ix_task_files_file_key", "task_files", ["file_key"], unique=False)


def _make_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("next_attempt_at", UtcTime(), nullable=True),
        sa.Column("delivered_at", UtcTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_webhooks_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("task_id", name=op.f("uq_webhooks_task_id")),
    )
    op.create_index("ix_webhooks_created", "webhooks", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_webhooks_due", "webhooks", ["next_attempt_at"], unique=False, **_where("next_attempt_at IS NOT NULL")
    )


def _make_accounts() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True),
        sa.Column("max_open_tasks", sa.Integer(), nullable=True),
        sa.Column("monthly_budget_microusd", sa.BigInteger(), nullable=True),
        sa.Column("webhook_secret", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_keys_secret_hash")),
    )
    op.create_index("uq_api_keys_name", "api_keys", ["name"], unique=True, **_where("revoked_at IS NULL"))
    probe = op.create_table(
        "probe",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("checked_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_probe")),
    )
    op.create_table(
        "usage",
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("num_images", sa.Integer(), nullable=False),
        sa.Column("price_microusd", sa.BigInteger(), nullable=False),
        sa.Column("engine_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_usage")),
    )
    op.create_index("ix_usage_finished", "usage", ["finished_at", "task_id"], unique=False)
    op.create_index("ix_usage_key_finished", "usage", ["key_id", "finished_at", "task_id"], unique=False)
    op.bulk_insert(probe, [{"id": 1, "checked_at": datetime(1970, 1, 1, tzinfo=UTC)}])
