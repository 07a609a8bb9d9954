"""Stores that are refused, untouched, in one line each; and one process at a time."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from core import schema
from core.schema import StoreError, claim_exclusively, open_store, prepare
from core.store import Store
from core.tables_chat import Person
from tests.conftest import NOW
from tests.test_core_schema import contents, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534


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


def test_what_a_crash_left_in_the_journal_counts(filled: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with closing(sqlite3.connect(filled, isolation_level=None)) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
        for ending in ("", "-wal"):
            shutil.copyfile(f"{filled}{ending}", crashed / f"dpool.db{ending}")
    before = contents(crashed)
    with pytest.raises(schema.NewerStoreError):
        open_store(url_of(crashed / "dpool.db"), NOW)
    assert {**contents(crashed), "dpool.db-shm": b""} == {**before, "dpool.db-shm": b""}


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
    shown = "postgresql://ana:***@127.0.0.1:1/dpool"
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
