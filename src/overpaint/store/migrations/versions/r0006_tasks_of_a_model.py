"""Tasks of a model, of a key and of all, in the order of listings."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes. The model comes first, so that they are not taken for a key's tasks of every model."""
    op.create_index("ix_tasks_model", "tasks", ["model", "created_at", "id"], unique=False)
    op.create_index("ix_tasks_model_key", "tasks", ["model", "key_id", "created_at", "id"], unique=False)
