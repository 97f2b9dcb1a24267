"""Failed and cancelled tasks of a key, and of all, in the order of listings: there are few of them among the others."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_IS_FRUITLESS = sa.text("state IN ('failed', 'cancelled')")


def upgrade() -> None:
    """Add the indexes."""
    _make("ix_tasks_fruitless", "created_at", "id")
    _make("ix_tasks_key_fruitless", "key_id", "created_at", "id")


def _make(name: str, *columns: str) -> None:
    op.create_index(name, "tasks", columns, unique=False, sqlite_where=_IS_FRUITLESS, postgresql_where=_IS_FRUITLESS)
