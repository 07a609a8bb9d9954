"""What Alembic runs. The connection comes from `core.schema`, in a transaction that it commits or rolls back."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
