"""`dpool migrate`, from outside: a pool moves from a file to a server and back; what is wrong is one line."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlmodel import update

from bot.cli import main
from core.copying import MARK
from core.schema import claim_exclusively, is_newest
from core.store import Store
from core.tables import Transfer
from core.tables_chat import Meta
from tests.operations import contents_of, empty_on, file_with_life, url_of
from tests.test_bot_cli import DPOOL, environment
from tests.test_core_schema import ADD, revision

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import Database

Told = pytest.CaptureFixture[str]


@pytest.fixture
def life(empty_database: Path, tmp_path: Path) -> Path:
    """A file with a pool in it."""
    return file_with_life(empty_database, tmp_path / "first" / "life.db")


@pytest.fixture
def new_url(server_database: Database) -> str:
    """A new, empty database on a server, without a table."""
    return server_database.server.create(f"new{os.urandom(4).hex()}")


def migrate(source: str | Path, target: str | Path) -> int:
    return main(("migrate", "--from", str(source), "--to", str(target)))


def test_a_pool_moves_to_a_server_and_back(life: Path, new_url: str, tmp_path: Path, capsys: Told) -> None:
    before = hashlib.sha256(life.read_bytes()).digest()
    assert migrate(url_of(life), new_url) == 0
    told = capsys.readouterr().out
    assert "member: 3 of 3" in told
    assert re.search(r"tables are the same, and so are the sums of the ledger \([1-9]\.\d{3} h transferred\)\.", told)
    assert "Valley: 3 members, 1 round" in told
    assert "The last message came 2026-05-10 18:00 UTC." in told
    assert told.endswith("Everything is as it must be.\n")
    assert hashlib.sha256(life.read_bytes()).digest() == before
    assert contents_of(new_url) == contents_of(url_of(life))
    assert main(("check", "--database", new_url)) == 0
    assert main(("replay", "--database", new_url, "--round", "1")) == 0
    assert capsys.readouterr().out.count("Valley: 1 round decided again") == 2
    assert migrate(new_url, tmp_path / "back.db") == 0
    assert contents_of(url_of(tmp_path / "back.db")) == contents_of(url_of(life))


def test_a_file_that_was_not_closed_is_read_with_its_journal(life: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(life)) as connection:
        connection.execute("INSERT INTO meta VALUES ('late', 'fact')")
        connection.commit()
        before = {path.name: path.read_bytes() for path in life.parent.iterdir()}
        assert "life.db-wal" in before
        assert migrate(life, tmp_path / "copy.db") == 0
        after = {path.name: path.read_bytes() for path in life.parent.iterdir()}
        assert {name: after[name] for name in ("life.db", "life.db-wal")} == {
            name: before[name] for name in ("life.db", "life.db-wal")
        }
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'late'").fetchone() == ("fact",)


def begun(life: Path, target: str) -> None:
    """Kill a migration in the middle."""
    with subprocess.Popen(
        [*DPOOL, "migrate", "--from", str(life), "--to", target],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("transfer"):
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL


def test_who_is_killed_in_the_middle_goes_on(life: Path, new_url: str, capsys: Told) -> None:
    begun(life, new_url)
    with closing(Store(new_url)) as store, store.read() as session:
        assert session.get(Meta, MARK) is not None
    for arguments in (("check", "--database", new_url), ("backup", f"{life}.backup", "--database", new_url)):
        assert main(arguments) == 2
        assert capsys.readouterr().err.count("is a half-done copy. Finish it:") == 1
    assert migrate(life, new_url) == 0
    told = capsys.readouterr().out
    assert "member:" not in told  # which were there already
    assert told.endswith("Everything is as it must be.\n")
    assert contents_of(new_url) == contents_of(url_of(life))


def test_a_source_that_is_not_as_it_must_be_is_copied_as_it_is(life: Path, tmp_path: Path, capsys: Told) -> None:
    with closing(Store(url_of(life))) as store, store.write() as session:
        session.exec(update(Transfer).values(kind="odd"))
    assert migrate(life, tmp_path / "copy.db") == 1
    assert "things are not as they must be, as in what was copied: see dpool check" in capsys.readouterr().out


def told_once(capsys: Told, part: str) -> None:
    written = capsys.readouterr()
    assert part in written.err
    assert len(written.err.splitlines()) == 1


def test_what_cannot_be_copied_is_one_line(life: Path, tmp_path: Path, server_database: Database, capsys: Told) -> None:
    (tmp_path / "text.db").write_text("This is no database, but it is long enough to be taken for one.\n" * 100)
    used = shutil.copyfile(life, tmp_path / "used.db")
    new = tmp_path / "new.db"
    for source, target, part in (
        (tmp_path / "missing.db", new, "There is no database"),
        ("mysql://a/b", new, "'mysql' is no kind of database"),
        (tmp_path / "text.db", new, "is no database, or a damaged one"),
        (server_database.server.url("nowhere"), new, "cannot be reached"),
        (life, life, "Both are the same database."),
        (life, url_of(life), "Both are the same database."),
        (life, used, "There is something in the database"),
        (life, tmp_path / "nowhere" / "a.db", "There is no folder for the database"),
        (life, tmp_path / "text.db", "is no database, or a damaged one"),
        (life, server_database.server.url("nowhere"), "cannot be reached"),
        (life, "postgresql://host", "needs the name of a database"),
    ):
        assert migrate(source, target) == 2
        told_once(capsys, part)
    assert not new.exists()
    assert not (tmp_path / "missing.db.lock").exists()


def test_what_is_in_use_is_left_alone(life: Path, new_url: str, tmp_path: Path, capsys: Told) -> None:
    with closing(Store(url_of(life))) as store, claim_exclusively(store):
        assert migrate(life, new_url) == 2
        told_once(capsys, "Another dpool is running on the database")
    assert migrate(life, new_url) == 0
    capsys.readouterr()
    with closing(Store(new_url)) as store, store.read():
        with store.read() as session:
            session.connection()
            assert migrate(new_url, tmp_path / "new.db") == 2
            told_once(capsys, "Others are connected to postgresql")
        assert not (tmp_path / "new.db").exists()


def test_a_target_in_use_is_left_alone(life: Path, server_database: Database, capsys: Told) -> None:
    url = empty_on(server_database.server)
    with closing(Store(url)) as store, store.read() as session:
        session.connection()
        assert migrate(life, url) == 2
        told_once(capsys, "Others are connected to postgresql")


def test_a_source_that_changed_since_is_no_source_any_more(life: Path, new_url: str, capsys: Told) -> None:
    begun(life, new_url)
    with closing(Store(url_of(life))) as store, store.write() as session:
        session.add(Meta(key="a", value="b"))
    assert migrate(life, new_url) == 2
    told_once(capsys, "holds a half-done copy of another database, or of one that has changed since")
    assert migrate(new_url, f"{life}.new") == 2
    told_once(capsys, "is a half-done copy")


def test_an_older_database_is_brought_up_to_date_first(
    life: Path, tmp_path: Path, capsys: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = partial(is_newest, versions=revision(tmp_path / "versions", ADD))
    monkeypatch.setattr("bot.database.is_newest", newer)
    assert migrate(life, tmp_path / "new.db") == 2
    told_once(capsys, "An older dpool has written")
    monkeypatch.undo()
    monkeypatch.setattr("bot.moving.is_newest", newer)
    old = shutil.copyfile(life, tmp_path / "old.db")
    assert migrate(life, old) == 2
    told_once(capsys, "There is something in the database")
