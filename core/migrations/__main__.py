"""Draft a revision by comparing the tables of `core` with what the revisions so far make of an empty database.

    python -m core.migrations                 the first revision once more, before the first release
    python -m core.migrations "Add a place"   the next revision: read it, and see that it keeps what people wrote

Then `make format`. A test compares tables and revisions, so that neither changes without the other.
"""

from __future__ import annotations

import re
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from alembic import command
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, LargeBinary, Text, TypeDecorator, create_engine
from sqlmodel import SQLModel

import core.tables
import core.tables_chat
from core.migrations import VERSIONS, config_of

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

FIRST = "The first tables"
TYPES = {BigInteger: "Integer64", Text: "sa.Text()", LargeBinary: "sa.LargeBinary()"}
# What every revision says the long way, and how the first one, which says it often, says it.
SHORTER = (
    (r"\n +# ###.*|# ###.*\n +", ""),
    (r"op\.f\(('\w+')\)", r"\1"),
    (r", unique=False", ""),
    (
        r"sa\.ForeignKeyConstraint\(\['pool_id', ('\w+')\], \[('\w+)\.pool_id'.*?name=('\w+').*",
        r"pool_reference(\1, \2', \3),",
    ),
    (r"sa\.ForeignKeyConstraint\(\[('\w+')\], \[('\w+)\.id'.*?name=('\w+').*", r"reference(\1, \2', \3),"),
)
COLUMN = re.compile(r"sa\.Column\(('\w+'), (Integer64|sa\.Text\(\)), nullable=(True|False)\),")
GROUPS = {"Integer64": "integers", "sa.Text()": "texts"}


def render_type(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Write what a column is kept as: revisions must stay as they are when the types of `core.columns` change."""
    stored = item.impl if isinstance(item, TypeDecorator) else item
    return next((text for known, text in TYPES.items() if kind == "type" and isinstance(stored, known)), False)


def shorten(code: str) -> str:
    """Shorten what Alembic writes: one line for neighbouring columns of one kind, one for a reference."""
    for long, short in SHORTER:
        code = re.sub(long, short, code)
    lines: list[str] = []
    for kind, group in groupby(
        code.splitlines(), lambda line: (match := COLUMN.fullmatch(line.strip())) and match.groups()[1:]
    ):
        if kind is None:
            lines += group
        else:
            names = ", ".join(COLUMN.findall(line)[0][0] for line in group)
            lines.append(f"*{GROUPS[kind[0]]}({names}{', nullable=True' * (kind[1] == 'True')}),")
    return "\n".join(lines)


def draft(message: str) -> str:
    """Write the next revision and return its path."""
    scripts = ScriptDirectory.from_config(config_of())
    number = len(list(scripts.walk_revisions())) + 1
    with create_engine("sqlite://").connect() as connection:
        command.upgrade(config_of(connection=connection), "heads")
        context = MigrationContext.configure(connection, opts={"render_as_batch": number > 1})
        found = produce_migrations(context, SQLModel.metadata).upgrade_ops
        parts = {
            name: shorten(render_python_code(ops.UpgradeOps(part), render_item=render_type, migration_context=context))
            for name, part in in_parts(found.ops if found else []).items()
        }
    made = scripts.generate_revision(f"{number:04}", message, head="heads", parts=parts)
    return str(made.path) if made else ""


def in_parts(found: list[ops.MigrateOperation]) -> dict[str, list[ops.MigrateOperation]]:
    """Sort the changes by their kind and the module of their table: no function of a revision gets too long."""
    chat = {
        one.__tablename__
        for one in vars(core.tables_chat).values()
        if isinstance(one, type) and issubclass(one, SQLModel) and one.__module__ == core.tables_chat.__name__
    }
    parts: dict[str, list[ops.MigrateOperation]] = {"upgrade_pools": [], "upgrade_indices": [], "upgrade_chats": []}
    for one in found:
        changes = one.ops if isinstance(one, ops.ModifyTableOps) else [one]
        is_indexed = all(isinstance(change, ops.CreateIndexOp) for change in changes)
        of_pool = "upgrade_indices" if is_indexed else "upgrade_pools"
        parts["upgrade_chats" if getattr(one, "table_name", "") in chat else of_pool].append(one)
    return {name: part for name, part in parts.items() if part}


if __name__ == "__main__":
    for old in () if sys.argv[1:] else VERSIONS.glob("0001_*.py"):
        old.unlink()
    draft(" ".join(sys.argv[1:]) or FIRST)
