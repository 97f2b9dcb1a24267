"""Open tasks of a key, and of all, in the order of listings; a month's charges without a look at their rows."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_IS_OPEN = sa.text("state IN ('queued', 'running')")


def upgrade() -> None:
    """Change the indexes."""
    op.drop_index("ix_tasks_open", "tasks")
    _make_open("ix_tasks_open", "created_at", "id")
    _make_open("ix_tasks_key_open", "key_id", "created_at", "id")
    op.drop_index("ix_usage_key_finished", "usage")
    columns = ["key_id", "finished_at", "task_id", "price_microusd"]
    op.create_index("ix_usage_key_finished", "usage", columns, unique=False)


def _make_open(name: str, *columns: str) -> None:
    op.create_index(name, "tasks", columns, unique=False, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN)
