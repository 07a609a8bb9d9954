"""Opening stores: made, migrated, backed up, or refused untouched; and one process at a time."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import SQLModel, select

from core import schema
from core.migrations import VERSIONS, config_of
from core.schema import StoreError, claim_exclusively, open_store, prepare
from core.store import Store, add_now
from core.tables_chat import Account, Person
from tests.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPTS = ScriptDirectory.from_config(config_of())
NOBODY = 65534
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


@pytest.fixture
def filled(store: Store) -> Path:
    """A database of our newest revision with somebody in it, closed."""
    with store.write() as session:
        person = add_now(session, Person(language="de"))
        session.add(Account(platform="console", user_id="ana", person_id=person.id))
    store.close()
    assert store.path is not None
    return store.path


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


# Refused


def foreign(path: Path, script: str, *, mode: str = "DELETE") -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.executescript(script)


def make_garbage(path: Path) -> None:
    path.write_bytes(b"Dear diary, this is no database at all. " * 100)


def make_cut_off(path: Path) -> None:
    open_store(url_of(path), NOW).close()
    with path.open("r+b") as file:
        file.truncate(10_000)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_foreign(path: Path) -> None:
    foreign(path, "CREATE TABLE bookmark (title TEXT)")


def make_foreign_in_wal(path: Path) -> None:
    foreign(path, "CREATE TABLE bookmark (title TEXT)", mode="WAL")


def make_foreign_with_alembic(path: Path) -> None:
    foreign(path, "CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('0001');"
                  "CREATE TABLE bookmark (title TEXT)")  # fmt: skip


def make_foreign_with_our_names(path: Path) -> None:
    foreign(path, "CREATE TABLE alembic_version (number TEXT); CREATE TABLE pool (id INTEGER)")


def make_newer(path: Path) -> None:
    open_store(url_of(path), NOW).close()
    foreign(path, "UPDATE alembic_version SET version_num = '9999'", mode="WAL")


@pytest.mark.parametrize(
    ("make", "refusal", "text"),
    [
        (make_garbage, schema.NotADatabaseError, "{} is no database, or a damaged one."),
        (make_cut_off, schema.NotADatabaseError, "{} is no database, or a damaged one."),
        (make_folder, schema.NotADatabaseError, "{} is no database, or a damaged one."),
        (make_foreign, schema.ForeignStoreError, "The database {} belongs to another program."),
        (make_foreign_in_wal, schema.ForeignStoreError, "The database {} belongs to another program."),
        (make_foreign_with_alembic, schema.ForeignStoreError, "The database {} belongs to another program."),
        (make_foreign_with_our_names, schema.ForeignStoreError, "The database {} belongs to another program."),
        (make_newer, schema.NewerStoreError, "The database {} was written by a newer dpool (revision 9999)."),
    ],
)
def test_what_is_not_ours_is_refused_untouched(
    make: Callable[[Path], None], refusal: type[StoreError], text: str, tmp_path: Path
) -> None:
    path = tmp_path / "some 50%#.db"
    make(path)
    before = contents(tmp_path)
    with pytest.raises(refusal) as refused:
        open_store(url_of(path), NOW, busy_seconds=0)
    assert str(refused.value).startswith(text.format(path))
    assert "\n" not in str(refused.value)
    assert contents(tmp_path) == before


def test_what_another_program_is_writing_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE bookmark (title TEXT)")
        before = contents(tmp_path)
        with pytest.raises(schema.ForeignStoreError):
            open_store(url_of(path), NOW, busy_seconds=0)
        assert {**contents(tmp_path), "other.db-shm": b""} == {**before, "other.db-shm": b""}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    store = Store(url_of(tmp_path / "nowhere" / "dpool.db"))
    with pytest.raises(schema.NoFolderError) as refused:
        prepare(store, NOW)
    assert str(refused.value).startswith(f"There is no folder for the database {store.path}.")
    with pytest.raises(schema.NoFolderError), claim_exclusively(store):
        pass
    assert contents(tmp_path) == {}


def test_a_locked_database_is_refused(filled: Path) -> None:
    before = contents(filled.parent)
    with closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(schema.LockedStoreError) as refused:
            open_store(url_of(filled), NOW, busy_seconds=0)
        other.execute("ROLLBACK")
    assert str(refused.value).startswith(f"The database {filled} is locked by another program.")
    assert contents(filled.parent) == before


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody finds; pytest's own are private."""
    with TemporaryDirectory() as name:
        yield Path(name)
        Path(name).chmod(0o755)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's privilege of writing everywhere, if the tests run as root."""
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("file_mode", "folder_mode"),
    [(0o444, 0o777), (0o444, 0o555), (0o666, 0o555), (None, 0o555), (0o000, 0o777), (0o666, 0o000)],
)
def test_what_cannot_be_written_is_refused(
    empty_database: Path, public_folder: Path, file_mode: int | None, folder_mode: int
) -> None:
    folder = public_folder
    path = folder / "dpool.db"
    if file_mode is not None:
        path.write_bytes(empty_database.read_bytes())
        path.chmod(file_mode)
    folder.chmod(folder_mode)
    before = contents(folder)
    store = Store(url_of(path))
    with as_nobody(), pytest.raises(schema.ReadOnlyStoreError) as refused:
        prepare(store, NOW)
    store.close()
    assert str(refused.value).startswith(f"The database {path} or its folder cannot be written.")
    assert contents(folder) == before


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(schema.UnreachableStoreError) as refused:
        open_store("postgresql://ana:secret@127.0.0.1:1/dpool", NOW)
    shown = "postgresql+psycopg://ana:***@127.0.0.1:1/dpool"
    assert str(refused.value).startswith(f"The database {shown} cannot be reached.")


# One process at a time

CLAIM = """
import sys
from core.schema import claim_exclusively
from core.store import Store
with claim_exclusively(Store(sys.argv[1])):
    print("claimed", flush=True)
    sys.stdin.read()
"""


def test_one_process_claims_a_store_until_it_ends(filled: Path) -> None:
    store = Store(url_of(filled))
    with subprocess.Popen(
        [sys.executable, "-c", CLAIM, store.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"claimed\n"
        with pytest.raises(schema.StoreInUseError) as refused, claim_exclusively(store):
            pass
        assert str(refused.value) == f"Another dpool is running on the database {filled}. Stop that one first."
        with store.read() as session:
            assert len(session.exec(select(Person)).all()) == 1
        other.kill()
    with claim_exclusively(store):
        assert "dpool.db.lock" in contents(filled.parent)
    store.close()
    assert set(contents(filled.parent)) == {"dpool.db", "dpool.db.lock"}


def test_a_lock_that_cannot_be_written_is_no_second_process(tmp_path: Path) -> None:
    store = Store(url_of(tmp_path / "dpool.db"))
    (tmp_path / "dpool.db.lock").mkdir()
    with pytest.raises(schema.ReadOnlyStoreError), claim_exclusively(store):
        pass
    make_garbage(tmp_path / "other.db.lock")
    with pytest.raises(schema.NotADatabaseError), claim_exclusively(Store(url_of(tmp_path / "other.db"))):
        pass
