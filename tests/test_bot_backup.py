"""`dpool backup` and `dpool restore`: copies in one file, made while others write, put back into either kind."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from sqlmodel import func, select

from bot.cli import main
from core.copying import Content, copy_into
from core.schema import is_newest, prepare
from core.store import Store, add_now
from core.tables_chat import Inbox, Meta, Person
from tests.conftest import NOW
from tests.operations import contents_of, empty_on, file_with_life, url_of
from tests.test_core_schema import ADD, revision

if TYPE_CHECKING:
    from pathlib import Path

    from sqlmodel import Session

    from tests.postgres import Database

Told = pytest.CaptureFixture[str]


@pytest.fixture
def life(empty_database: Path, tmp_path: Path) -> Path:
    """A file with a pool in it."""
    return file_with_life(empty_database, tmp_path / "life.db")


@pytest.fixture(params=["file", "server"])
def database(request: pytest.FixtureRequest, life: Path) -> str:
    """A database of each kind with a pool in it."""
    if request.param == "file":
        return url_of(life)
    url = empty_on(request.getfixturevalue("server_database").server)
    with closing(Store(url_of(life))) as source, closing(Store(url)) as target, source.read() as session:
        copy_into(target, session)
    return url


def backup(path: Path, database: str | Path) -> int:
    return main(("backup", str(path), "--database", str(database)))


def restore(path: Path, database: str | Path) -> int:
    return main(("restore", str(path), "--database", str(database)))


def told_once(capsys: Told, part: str) -> None:
    written = capsys.readouterr()
    assert part in written.err
    assert len(written.err.splitlines()) == 1


def test_a_backup_goes_into_an_empty_database_of_either_kind(
    database: str, tmp_path: Path, server_database: Database, capsys: Told
) -> None:
    path = tmp_path / "backups" / "one.backup"
    path.parent.mkdir()
    assert backup(path, database) == 0
    told = capsys.readouterr().out
    assert "Everything is as it must be." in told
    assert re.search(r"one\.backup is written: [\d,]+ bytes\.\n$", told)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["one.backup"]  # nothing else belongs to it
    for target in (url_of(tmp_path / "new.db"), empty_on(server_database.server)):
        assert restore(path, target) == 0
        told = capsys.readouterr().out
        assert "Valley: 3 members, 1 round\nThe last message came" in told
        assert contents_of(target) == contents_of(database)
        assert main(("check", "--database", target)) == 0
        assert restore(path, target) == 2
        assert "There is something in the database" in capsys.readouterr().err


def test_a_backup_is_one_moment_while_others_write(database: str, tmp_path: Path) -> None:
    """Each transaction adds an event and a person, so that any moment has as many of both."""
    is_over, has_begun = Event(), Event()
    store = Store(database)
    with store.write() as session:
        for _number in range(count(session, Inbox)):
            add_now(session, Person())

    def write() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            with store.write() as session:
                session.add(Inbox(platform="console", event_id=f"new{number}", chat="room", received_at=NOW))
                session.add(Person())
            has_begun.set()

    writer = Thread(target=write)
    with store.read() as session:
        before = count(session, Inbox)
        extra = count(session, Person) - before
    writer.start()
    assert has_begun.wait(30)
    try:
        assert backup(tmp_path / "one.backup", database) == 0
    finally:
        is_over.set()
        writer.join()
    with closing(Store(url_of(tmp_path / "one.backup"))) as copy, copy.read() as session:
        assert count(session, Person) - count(session, Inbox) == extra
        assert count(session, Inbox) > before
    store.close()


def count(session: Session, table: type[Inbox | Person]) -> int:
    return session.exec(select(func.count()).select_from(table)).one()


def test_a_running_bot_is_backed_up(life: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(life, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # somebody is just writing
        other.execute("INSERT INTO meta VALUES ('half', 'done')")
        assert backup(tmp_path / "one.backup", life) == 0
        other.execute("COMMIT")
    with closing(Store(url_of(tmp_path / "one.backup"))) as copy, copy.read() as session:
        assert session.get(Meta, "half") is None


def test_what_cannot_be_backed_up_is_one_line(life: Path, tmp_path: Path, capsys: Told) -> None:
    there = tmp_path / "there.backup"
    there.write_text("something")
    (tmp_path / "text.db").write_text("This is no database, but it is long enough to be taken for one.\n" * 100)
    new = tmp_path / "new.backup"
    for path, database, part in (
        (there, life, "there.backup is there already"),
        (tmp_path / "nowhere" / "a", life, "There is no folder for"),
        (new, tmp_path / "missing.db", "There is no database"),
        (new, tmp_path / "text.db", "is no database, or a damaged one"),
        (new, "postgresql://127.0.0.1:1/x", "cannot be reached"),
    ):
        assert backup(path, database) == 2
        told_once(capsys, part)
    assert there.read_text() == "something"
    assert not new.exists()
    assert main(("backup", str(new), "--config", str(tmp_path / "missing.yaml"))) == 2
    told_once(capsys, "missing.yaml: can't be read")


def test_the_database_may_be_that_of_the_configuration(life: Path, tmp_path: Path, capsys: Told) -> None:
    (tmp_path / "c.yaml").write_text(f"database: {life}\n")
    assert main(("backup", str(tmp_path / "one.backup"), "--config", str(tmp_path / "c.yaml"))) == 0
    with pytest.raises(SystemExit):
        main(("check", "--config", "a", "--database", "b"))
    assert "not allowed with argument" in capsys.readouterr().err


def test_a_full_or_broken_disk_leaves_nothing_behind(
    life: Path, tmp_path: Path, capsys: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()

    def full(store: Store, now: object) -> None:
        del now
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.exec_driver_sql("CREATE TABLE a (b)")

    def fails(_path: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr("bot.backup.prepare", full)
        assert backup(folder / "one.backup", life) == 2
        told_once(capsys, "The backup could not be made: database or disk is full")
    with monkeypatch.context() as disk:
        disk.setattr("bot.backup._sync", fails)
        assert backup(folder / "one.backup", life) == 2
        told_once(capsys, "one.backup could not be written: Input/output error")
    assert list(folder.iterdir()) == []


def test_a_backup_that_came_out_damaged_is_thrown_away(
    life: Path, tmp_path: Path, capsys: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(store: Store, source: object) -> int:
        del source
        with closing(sqlite3.connect(store.path or "")) as connection:
            connection.execute("INSERT INTO account VALUES (1, 'console', 'x', 'x', 'x', 99, 0, NULL)")
            connection.commit()
        return 0

    monkeypatch.setattr("bot.backup.copied", damaged)
    assert backup(tmp_path / "one.backup", life) == 2
    told_once(capsys, "came out damaged")
    assert not (tmp_path / "one.backup").exists()


# Restoring


def test_what_is_no_backup_is_one_line(life: Path, tmp_path: Path, capsys: Told) -> None:
    text, empty, torn, used = (tmp_path / name for name in ("text", "empty", "torn", "used"))
    text.write_text("This is no database, but it is long enough to be taken for one.\n" * 100)
    empty.touch()
    torn.write_bytes(life.read_bytes())
    with torn.open("r+b") as file:
        file.seek(60_000)
        file.write(b"\0" * 30_000)
    shutil.copyfile(life, used)
    (tmp_path / "used-wal").write_bytes(b"something")
    new = tmp_path / "new.db"
    for path, part in (
        (tmp_path / "missing", "missing can't be restored: No such file"),
        (tmp_path, "can't be restored: Is a directory"),
        (text, "text is no database, or a damaged one"),
        (empty, "There is nothing in"),
        (torn, "torn is damaged. Take another backup."),
        (used, "used is a database in use, and no backup"),
    ):
        assert restore(path, new) == 2
        told_once(capsys, part)
    assert restore(life, life) == 2
    told_once(capsys, "are the same file")
    assert not new.exists()


def test_what_is_there_is_left_alone(life: Path, tmp_path: Path, capsys: Told) -> None:
    assert backup(tmp_path / "one.backup", life) == 0
    before = contents_of(url_of(life))
    capsys.readouterr()
    assert restore(tmp_path / "one.backup", life) == 2
    told_once(capsys, "There is something in the database")
    assert contents_of(url_of(life)) == before


def test_a_backup_of_an_older_dpool_is_brought_up_to_date(
    life: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backup(tmp_path / "one.backup", life) == 0
    before: dict[str, Content] = contents_of(url_of(life))
    versions = revision(tmp_path / "versions", ADD)
    for module in ("bot.restore", "bot.database"):
        monkeypatch.setattr(f"{module}.is_newest", partial(is_newest, versions=versions))
        monkeypatch.setattr(f"{module}.prepare", partial(prepare, versions=versions))
    monkeypatch.setattr("bot.moving.is_newest", partial(is_newest, versions=versions))
    kept = (tmp_path / "one.backup").read_bytes()
    assert restore(tmp_path / "one.backup", tmp_path / "new.db") == 0
    assert (tmp_path / "one.backup").read_bytes() == kept
    assert contents_of(url_of(tmp_path / "new.db")) == before
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        assert connection.execute("SELECT DISTINCT place FROM person").fetchall() == [("here",)]
