"""The pool to play with: living, the same for the same seed, and made without touching a real one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col, func, select

from bot.chat import NEW
from bot.cli import main
from bot.demo import make, play_story, story
from core import audit
from core.store import Store
from core.tables import Bid, Claim, Good, Member, Pledge, Pool, Project, Round, Task, Want
from tests.clocks import NOON

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import ColumnElement
    from sqlmodel import SQLModel


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


NOW = NOON + timedelta(days=3, minutes=7)


def dump(path: Path) -> list[str]:
    """Return everything in a database."""
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "dpool.db"
    make(path, NOW, "Europe/Berlin", 1)
    return path


def test_it_is_living(made: Path) -> None:
    store = Store(f"sqlite:///{made}")
    with closing(store), store.read() as session:
        pool = session.exec(select(Pool)).one()

        def count(table: type[SQLModel], *where: ColumnElement[bool]) -> int:
            return session.exec(select(func.count()).select_from(table).where(*where)).one()

        assert (count(Project), count(Member), count(Good)) == (3, 8, 4)
        assert count(Pledge) == 1
        assert count(Want, col(Want.ended_at).is_(None)) > 3
        assert count(Bid) > 1
        tasks = session.exec(select(Task).where(col(Task.closed_at).is_(None))).all()
        assert {task.opened_at is None for task in tasks} == {True, False}
        claims = session.exec(select(Claim).where(col(Claim.ended_at).is_(None))).all()
        stages = {
            (one.reported_at is not None, one.disputed_at is not None, one.confirmed_at is not None) for one in claims
        }
        assert {(False, False, False), (True, False, False), (True, True, False)} <= stages
        done = session.exec(select(Round.due_at).where(Round.state == "done").order_by(col(Round.number))).all()
        berlin = [moment.astimezone(ZoneInfo("Europe/Berlin")) for moment in done if moment is not None]
        assert [f"{moment:%a %H:%M}" for moment in berlin] == ["Sun 18:00", "Sun 18:00"]
        assert berlin[1] <= NOW < berlin[1] + timedelta(days=7)
        assert pool.round_due_at is not None
        assert pool.round_due_at > NOW
        assert audit.check(session, pool) + audit.replay(session, pool) == []


def test_it_can_be_made_right_after_a_round(store: Store) -> None:
    play_story(store, datetime(2026, 5, 10, 18, tzinfo=UTC), "UTC", 2)
    with store.read() as session:
        assert session.exec(select(func.count()).where(Round.state == "done")).one() == 2


def test_it_is_the_same_for_a_seed(made: Path, tmp_path: Path) -> None:
    make(tmp_path / "again.db", NOW, "Europe/Berlin", 1)
    assert dump(tmp_path / "again.db") == dump(made)
    assert [path.name for path in tmp_path.iterdir()] == ["again.db"]


def test_it_differs_between_seeds() -> None:
    assert story(NOW, "UTC", 1) != story(NOW, "UTC", 2)


@pytest.fixture
def short_story(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Play only the beginning, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bot.demo.STORY", "now first-5d\nana@bakery: /pool new Valley\n> founded\nnow 100%\n")
    monkeypatch.setattr("bot.chat.set_up", lambda **_values: None)


@pytest.mark.usefixtures("short_story")
def test_it_is_made_anew_and_the_old_one_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("demo", "--seed", "5")) == 0
    assert capsys.readouterr().out == "dpool.db is made. To go there: dpool chat --database dpool.db\n"
    first = (tmp_path / "dpool.db").read_bytes()
    assert main(("demo", "--seed", "6")) == 0
    assert capsys.readouterr().out == "dpool.db is made anew; what was there is in dpool.db.backup.\n"
    assert (tmp_path / "dpool.db.backup").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dpool.db", "dpool.db.backup", "dpool.db.lock"]


@pytest.mark.usefixtures("short_story")
def test_a_first_chat_makes_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", iter(["/me\n"]))
    monkeypatch.setattr("bot.chat.is_terminal", lambda: False)
    assert main(("chat",)) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(NEW.format(path="dpool.db"))
    assert "Ana in Valley" in shown
