"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "${up_revision}"
down_revision = ${f'"{down_revision}"' if down_revision else None}
branch_labels = None
depends_on = None

# There is no way down: the backup that is made before a migration is the way back.
Integer64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
% for name in parts:
    ${name}()
% endfor
% for name, body in parts.items():


def ${name}() -> None:
    ${body}
% endfor
% if not down_revision:


def integers(*names: str, nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, Integer64, nullable=nullable) for name in names]


def texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def reference(column: str, table: str, name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name, deferrable=True, initially="DEFERRED")


def pool_reference(column: str, table: str, name: str) -> sa.ForeignKeyConstraint:
    keys = [f"{table}.pool_id", f"{table}.id"]
    return sa.ForeignKeyConstraint(["pool_id", column], keys, name=name, deferrable=True, initially="DEFERRED")
% endif
