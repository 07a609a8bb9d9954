"""What a command reads does not grow with the pool: as many statements, and each of them by an index."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlmodel import col, select

from core import demand, goods, members
from core.audit import check
from core.chat.commands.lists import Filter, open_tasks
from core.names import find
from core.rounds.gather import gather
from core.rounds.hold import decide_outside, hold, is_large
from core.schema import open_store
from core.tables import Claim, Good, Member, Pool, Project, Task
from core.timing import current_round
from tests.history import make_history
from tests.large import NOW, Size, make_large
from tests.stage import act, on_stage
from tests.talk import Talk
from tests.village import entropy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlmodel import Session

    from core.store import Store

SMALL, LARGER = Size(200, 160, 20, 4), Size(1200, 960, 120, 4)
PLACE = "project 1"
COMMANDS = (
    "/tasks",
    "/tasks mend",
    "/tasks mine",
    "/goods",
    "/goods bread",
    "/goods bred",
    "/want bread 1",
    "/bid bread 0.7",
    "/unwant bread",
    "/me",
    "/wants",
    "/why",
    "/members",
    "/project",
    "/pool",
    "/history",
    "/rounds",
    "/handover",
    "/claim {task}",
    "/done {task} 1h",
    "/confirm {task}",
)
# What may be gone through as a whole: nothing that grows with members, tasks, wants or what was done.
SHORT = frozenset({"project", "inbox", "outbox", "chat", "delivery", "pool"})


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """Note every statement."""
    noted: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        noted.append((arguments[2], arguments[3]))

    event.listen(store.engine, "before_cursor_execute", note)
    yield noted
    event.remove(store.engine, "before_cursor_execute", note)


def held(store: Store) -> None:
    """Hold the first round, and count anew how the rows are spread."""
    with store.read() as session:
        due_at = session.exec(select(Pool.round_due_at)).one()
    assert due_at is not None
    decided = decide_outside(store, 1, due_at)
    assert decided is not None
    with store.write() as session:
        assert hold(session, 1, decided, due_at, entropy) is not None
    store.analyse()


def counts(store: Store, size: Size) -> dict[str, int]:
    """Return how many statements each command takes in a pool of a size, a day after its first round."""
    make_large(store, size)
    held(store)
    talk = Talk(store, NOW + timedelta(days=8))
    with store.read() as session:
        taken = select(Claim.id).where(Claim.pool_id == Task.pool_id, Claim.task_id == Task.id)
        query = select(Task.number).where(col(Task.closed_at).is_(None), ~taken.exists())
        number = session.exec(query.order_by(col(Task.number)).limit(1)).one()
    talk.say(1, "/me", PLACE)
    found = {}
    for text in COMMANDS:
        talk.receive(2 if text.startswith("/confirm") else 1, text.format(task=number), PLACE)
        with statements(store) as noted:
            talk.dispatch()
        found[text] = len(noted)
    return found


@pytest.fixture(scope="module")
def large_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('large')}/large.db", NOW)
    make_large(store, LARGER)
    held(store)
    yield store
    store.close()


def test_no_command_asks_more_often_in_a_larger_pool(file_store: Store, tmp_path: Path) -> None:
    larger = open_store(f"sqlite:///{tmp_path}/larger.db", NOW)
    small, large = counts(file_store, SMALL), counts(larger, LARGER)
    larger.close()
    # A page that is fuller takes a few more.
    assert {text: (small[text], large[text]) for text in COMMANDS if large[text] > small[text] + 10} == {}
    assert max(large.values()) < 100


def test_a_large_pool_is_as_it_must_be(large_store: Store) -> None:
    with large_store.read() as session:
        assert check(session, session.exec(select(Pool)).one()) == []


FEW = re.compile("member_steward|member_merged")  # indices of a few rows of their tables
HOT: dict[str, Callable[[Session], object]] = {
    "a name": lambda session: goods.find_good(session, 1, "bread"),
    "the beginning of a name": lambda session: find(
        session, Member, "Foba B", [col(Member.pool_id) == 1, col(Member.left_at).is_(None)]
    ),
    "maintainers": lambda session: members.maintainers(session, session.get_one(Project, (1, 3))),
    "stewards": lambda session: members.stewards(session, session.get_one(Pool, 1)),
    "makers": lambda session: demand.makers(session, session.exec(select(Good).limit(1)).one()),
    "own tasks": lambda session: open_tasks(session, session.exec(select(Member).limit(1)).one(), Filter(mine=True), 5),
    "who gets what": lambda session: goods.handover(session, session.get_one(Project, (1, 3)), 0, 5),
    "linked accounts": lambda session: members.selves(session, session.exec(select(Member).limit(1)).one()),
}


@pytest.mark.parametrize("name", HOT)
def test_hot_queries_are_answered_by_an_index(large_store: Store, name: str) -> None:
    with large_store.read() as session:
        session.exec(select(Project)).all()
        with statements(large_store) as noted:
            HOT[name](session)
        driver: Any = session.connection().connection.dbapi_connection
        plans = [row[3] for sql, values in noted for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    gone_through = {match[1] for plan in plans if (match := re.match(r"SCAN (\w+)$", plan))}
    assert gone_through <= {"good", "member", *SHORT}  # of which one is taken here, to have one
    whole = [plan for plan in plans if re.match(r"SEARCH (member|transfer|want|task|given\w*) .*\(pool_id=\?\)$", plan)]
    assert [plan for plan in whole if not FEW.search(plan)] == []


# What a round goes through as a whole in a pool: what is there now, and each transfer there ever was, for the balances.
PRESENT = frozenset({"good", "product", "member", "bid", "freetaking", "membership", "want_standing", "batch_left"})
EVER = frozenset({"transfer_to", "transfer_from"})
NEWEST_ROUND = "sqlite_autoindex_round_3"  # gone through from its end, to the first


def test_a_round_goes_through_what_is_there_and_not_through_what_was(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/past.db", NOW)
    make_history(store, 120)
    with store.read() as session, statements(store) as noted:
        pool = session.exec(select(Pool)).one()
        assert pool.round_due_at is not None
        inputs = gather(session, pool, current_round(session, pool.id), pool.round_due_at)
        driver: Any = session.connection().connection.dbapi_connection
        plans = [row[3] for sql, values in noted for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    store.close()
    assert inputs.contributions
    assert {match[1] for plan in plans if (match := re.match(r"SCAN (\w+)", plan))} <= {"pool", "project", *PRESENT}
    whole = [re.match(r"SEARCH (\w+) USING (?:COVERING )?INDEX (\w+) \(pool_id=\?\)", plan) for plan in plans]
    gone_through = {match[1] if match[1] in PRESENT else match[2] for match in whole if match}
    assert gone_through <= {*PRESENT, *EVER, "contribution_owed", "pledge_by_product", NEWEST_ROUND}


def test_a_page_of_tasks_reads_no_more_than_it_shows(large_store: Store) -> None:
    with large_store.read() as session:
        member = session.exec(select(Member).limit(1)).one()
        session.expunge_all()
        found, has_more = open_tasks(session, member, Filter(), 5)
        read = [row for row in session.identity_map.values() if isinstance(row, Task)]
    assert has_more
    assert len(read) == len(found) + 1


def test_a_full_page_of_goods_asks_no_more_often_than_a_single_line(file_store: Store) -> None:
    make_large(file_store, Size(members=60, tasks=10, goods=6, projects=4))
    talk, asked = Talk(file_store, NOW), []
    for text in ("/goods", "/goods page:2"):
        talk.receive(1, text, PLACE)
        with statements(file_store) as noted:
            talk.dispatch()
        asked.append([sql for sql, _values in noted if sql.startswith("SELECT")])
    assert len(asked[0]) <= len(asked[1])


def test_what_a_large_pool_is_short_of_is_not_decided_anew(large_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.rounds.hold.PREVIEWED_MAX", 10)
    with large_store.read() as session:
        pool = session.exec(select(Pool)).one()
        assert is_large(session, pool.id)
        with statements(large_store) as noted:
            short = demand.shortfalls(session, pool, NOW + timedelta(days=8))
        inputs = gather(session, pool, current_round(session, pool.id), NOW + timedelta(days=8))
    assert len(noted) < 12
    assert {good_id for good_id, _count in short} <= {good.id for good in inputs.goods}


def test_a_pool_too_large_to_try_a_round_out_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.chat.commands.pool.is_large", lambda *_arguments: True)
    act(on_stage(store), "bo@bakery: /round\n> too large to try a round out")
