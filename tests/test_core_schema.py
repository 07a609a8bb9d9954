"""Opening stores: made, left alone, migrated after a backup; and revisions that make what the code says."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import SQLModel

from core import schema
from core.migrations import VERSIONS, config_of
from core.schema import claim_exclusively, open_store, prepare
from core.store import Store
from core.tables_chat import Person
from tests.conftest import NOW

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = ScriptDirectory.from_config(config_of())
REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "test", "{head}", None, None

def upgrade():
    {body}
"""
ADD = 'op.add_column("person", sa.Column("place", sa.Text(), nullable=False, server_default="here"))'
REBUILD = 'with op.batch_alter_table("person") as table: table.drop_column("language")'
BREAK = 'op.execute("UPDATE person SET place = nothing")'
ORPHAN = 'op.execute("DELETE FROM person")'


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def revision(folder: Path, *bodies: str) -> tuple[Path, Path]:
    """Folders of revisions in which one follows our newest."""
    folder.mkdir(exist_ok=True)
    (folder / "second.py").write_text(REVISION.format(head=SCRIPTS.get_current_head(), body="; ".join(bodies)), "utf-8")
    return VERSIONS, folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def statements(path: Path) -> dict[str, list[str]]:
    """Every CREATE statement of a database by name; the order in which it says things does not matter."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {name: sorted(line.strip(" \n\t,") for line in sql.splitlines()) for name, sql in rows}


def people(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM person").fetchall()


# Tables and revisions


def test_the_revisions_make_the_tables_of_the_code(empty_database: Path, tmp_path: Path) -> None:
    made = Store(url_of(tmp_path / "made.db"))
    SQLModel.metadata.create_all(made.engine)
    made.close()
    migrated = statements(empty_database)
    migrated.pop("alembic_version")
    assert migrated == statements(tmp_path / "made.db"), "run `python -m core.migrations`"


def test_alembic_finds_nothing_to_change(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_every_table_is_strict_and_its_references_wait_for_the_end(empty_database: Path) -> None:
    found = statements(empty_database)
    tables = {name: lines for name, lines in found.items() if any("CREATE TABLE" in line for line in lines)}
    lax = {name for name, lines in tables.items() if not any("STRICT" in line for line in lines)}
    assert lax == {"alembic_version", "sqlite_sequence"}
    references = [line for lines in tables.values() for line in lines if "REFERENCES" in line]
    assert len(references) > 30
    assert [line for line in references if "DEFERRABLE INITIALLY DEFERRED" not in line] == []


def test_postgresql_is_given_the_same_tables() -> None:
    written = io.StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written})
    with Operations.context(context):
        for one in reversed(list(SCRIPTS.walk_revisions())):
            one.module.upgrade()
    dialect = Store("postgresql://localhost/dpool").engine.dialect
    tables = SQLModel.metadata.sorted_tables
    wanted = [CreateTable(table).compile(dialect=dialect) for table in tables]
    indexes = [CreateIndex(index).compile(dialect=dialect) for table in tables for index in table.indexes]
    assert lines_of(written.getvalue()) == lines_of(";".join(map(str, wanted + indexes)))


def lines_of(script: str) -> list[str]:
    return sorted(line.strip(" \t,") for one in script.split(";") for line in one.splitlines() if line.strip(" \t,()"))


# Made, left alone, migrated


def test_a_new_database_is_made_without_a_word(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store = open_store(url_of(tmp_path / "new.db"), NOW)
    with store.write() as session:
        session.add(Person())
    store.close()
    assert capfd.readouterr() == ("", "")
    assert list(contents(tmp_path)) == ["new.db"]


def test_an_empty_file_counts_as_new(tmp_path: Path) -> None:
    (tmp_path / "new.db").touch()
    open_store(url_of(tmp_path / "new.db"), NOW).close()
    assert people(tmp_path / "new.db") == []


def test_a_database_in_memory_is_made() -> None:
    store = open_store("sqlite://", NOW)
    assert store.path is None
    assert "person" in inspect(store.engine).get_table_names()
    with claim_exclusively(store):
        store.close()


def test_a_current_database_is_left_as_it_is(filled: Path) -> None:
    before = contents(filled.parent)
    open_store(url_of(filled), NOW).close()
    assert contents(filled.parent) == before


@pytest.mark.parametrize(("body", "columns"), [(ADD, (1, "de", None, "here")), (REBUILD, (1, None))])
def test_an_older_database_is_migrated_after_a_backup(
    filled: Path, tmp_path: Path, body: str, columns: tuple[object, ...]
) -> None:
    filled.chmod(0o640)
    before = people(filled)
    # A folder's name may hold what separates things elsewhere.
    open_store(url_of(filled), NOW, versions=revision(tmp_path / "50% a:b", body)).close()
    assert people(filled) == [columns]
    backup = filled.with_name(f"dpool.db.{SCRIPTS.get_current_head()}.20260504T090000Z.backup")
    assert people(backup) == before
    assert backup.stat().st_mode == filled.stat().st_mode
    assert set(contents(tmp_path)) == {filled.name, backup.name}
    open_store(url_of(backup), NOW).close()


def test_references_count_again_after_a_migration(filled: Path, tmp_path: Path) -> None:
    store = open_store(url_of(filled), NOW, versions=revision(tmp_path / "versions", ADD))
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    store.close()


@pytest.mark.parametrize(("body", "cause"), [(BREAK, "nothing"), (ORPHAN, "account refers to none of person")])
def test_a_migration_that_fails_is_undone(filled: Path, tmp_path: Path, body: str, cause: str) -> None:
    before, rows, head = statements(filled), people(filled), SCRIPTS.get_current_head()
    with pytest.raises(schema.MigrationFailedError) as failed:
        open_store(url_of(filled), NOW, versions=revision(tmp_path / "versions", ADD, body))
    assert cause in str(failed.value.__cause__)
    assert (statements(filled), people(filled)) == (before, rows)
    assert people(filled.with_name(f"dpool.db.{head}.20260504T090000Z.backup")) == rows
    backup = failed.value.backup
    assert str(failed.value) == (
        f"The database {filled} could not be migrated from revision {head}, and is as it was. A backup is in {backup}."
    )
    open_store(url_of(filled), NOW).close()


def test_an_empty_database_that_cannot_be_made_needs_no_backup(tmp_path: Path) -> None:
    with pytest.raises(schema.MigrationFailedError) as failed:
        open_store(url_of(tmp_path / "new.db"), NOW, versions=revision(tmp_path / "versions", ADD, BREAK))
    assert (failed.value.backup, "backup" in str(failed.value)) == ("", False)
    assert statements(tmp_path / "new.db") == {}


def test_without_a_backup_nothing_is_migrated(filled: Path, tmp_path: Path) -> None:
    before, backup = contents(filled.parent), f"{filled}.{SCRIPTS.get_current_head()}.20260504T090000Z.backup"
    (tmp_path / backup).mkdir()
    with pytest.raises(schema.BackupFailedError) as failed:
        open_store(url_of(filled), NOW, versions=revision(tmp_path / "versions", ADD))
    assert contents(filled.parent) == before
    expected = f"The backup {backup} could not be written, so the database {filled} was left as it was."
    assert str(failed.value) == expected


def test_a_server_is_asked_for_a_lock_before_its_tables_are_looked_at(tmp_path: Path) -> None:
    """Plays the server with SQLite: what is asked first, and that nothing is taken for a file."""
    store = Store(url_of(tmp_path / "server.db"))
    store.is_sqlite, store.path = False, None
    asked: list[object] = []
    event.listen(store.engine, "connect", lambda one, _: one.create_function("pg_advisory_xact_lock", 1, asked.append))
    event.listen(store.engine, "before_cursor_execute", lambda *arguments: asked.append(str(arguments[2])))
    prepare(store, NOW)
    store.close()
    assert asked[2] == f"SELECT pg_advisory_xact_lock({schema.MIGRATION_LOCK})"
    assert asked[3] == schema.MIGRATION_LOCK
    assert people(tmp_path / "server.db") == []
