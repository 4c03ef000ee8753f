"""How Alembic reaches the database: by the connection that it is given, in the transaction of that."""

from __future__ import annotations

from alembic import context

from serving.state.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()
