"""How often a task was lost with its server, apart from the attempts that its engine did not survive."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("tasks", sa.Column("losses", sa.Integer(), server_default=sa.text("0"), nullable=False))
