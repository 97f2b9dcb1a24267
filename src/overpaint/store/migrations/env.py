"""Alembic's entry: runs the revisions on the connection that `run.py` holds, inside its transaction."""

from alembic import context

from overpaint.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
