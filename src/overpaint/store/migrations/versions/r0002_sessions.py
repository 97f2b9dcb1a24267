"""Sessions of the page: named trees of tasks."""

import sqlalchemy as sa
from alembic import op

from overpaint.store.columns import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("touched_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_key_touched", "sessions", ["key_id", "touched_at", "id"], unique=False)
    op.create_table(
        "session_nodes",
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("parent_index", sa.Integer(), nullable=False),
        sa.Column("added_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_session_nodes_task_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_session_nodes_session_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["session_nodes.task_id"], name=op.f("fk_session_nodes_parent_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_session_nodes")),
    )
    op.create_index("ix_session_nodes_parent", "session_nodes", ["parent_id"], unique=False)
    op.create_index("ix_session_nodes_session", "session_nodes", ["session_id", "added_at", "task_id"], unique=False)
