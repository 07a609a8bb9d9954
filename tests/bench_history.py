"""A pool after 30 and after 365 days of work, and the same against the bare engine on PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import reports, tasks
from core.chat.commands.lists import Filter, open_tasks
from core.rounds.hold import decide_outside, hold
from core.schema import open_store
from core.store import lock_pool
from core.tables import Claim, Member, Pool, Task
from core.tables_chat import Person
from tests import postgres
from tests.bench_rows import Row, middle, ratio, seconds
from tests.history import make_history
from tests.large import NOW
from tests.talk import Talk
from tests.village import entropy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from core.store import Store

REPEATS = 12
COMMITS = 200
MANY_STATEMENTS = "three transactions of 23 statements take 8 ms, of which 5 are Python's, and a single commit 0.7"
PLACE = "project 1"
CHAIN = ("/claim {}", "/done {}", "/confirm {}")


@contextmanager
def past(days: int) -> Iterator[tuple[Store, datetime]]:
    """Make a pool with a past in a file."""
    with TemporaryDirectory(prefix="dpool-history-") as folder:
        store = open_store(f"sqlite:///{folder}/history.db", NOW)
        yield store, make_history(store, days)
        store.close()


def rows() -> Iterator[Row]:
    """Compare a year with a month, and PostgreSQL's own commits with ours."""
    with past(30) as (young, young_now), past(365) as (old, old_now):
        talks = Talk(young, young_now), Talk(old, old_now)
        found = [_commands(*talks), _rounds((young, old))]
        for name, (month, year) in {**found[0], **found[1]}.items():
            yield ratio(f"history: {name}, 365 days ÷ 30", year, month, 1.2)
    yield from _server()


def _free(store: Store) -> list[int]:
    """Return the numbers of open tasks that nobody holds."""
    with store.read() as session:
        taken = select(Claim.id).where(
            Claim.pool_id == Task.pool_id, Claim.task_id == Task.id, col(Claim.ended_at).is_(None)
        )
        query = select(Task.number).where(col(Task.closed_at).is_(None), col(Task.opened_at).is_not(None))
        return list(session.exec(query.where(~taken.exists()).order_by(col(Task.number))).all())


def _commands(young: Talk, old: Talk) -> dict[str, tuple[float, float]]:
    """Return the medians of each command in both pools, taken in turns."""
    times: dict[str, tuple[list[float], list[float]]] = {}
    for talk in (young, old):
        talk.say(1, "/tasks", PLACE)
    for numbers in list(zip(_free(young.store), _free(old.store), strict=False))[:REPEATS]:
        for text in ("/tasks", *CHAIN):
            for place, (talk, number) in enumerate(zip((young, old), numbers, strict=True)):
                talk.receive(2 if text.startswith("/confirm") else 1, text.format(number), PLACE)
                name = text.partition(" ")[0]
                times.setdefault(name, ([], []))[place].append(seconds(talk.dispatch))
    return {name: (middle(month), middle(year)) for name, (month, year) in times.items()}


def _rounds(stores: tuple[Store, Store]) -> dict[str, tuple[float, float]]:
    """Return the medians of the next rounds in both pools, held in turns; the first of them warm up."""
    times = [[_round_seconds(store) for store in stores] for _ in range(REPEATS)][1:]
    month, year = zip(*times, strict=True)
    return {"a round": (middle(list(month)), middle(list(year)))}


def _round_seconds(store: Store) -> float:
    with store.read() as session:
        due_at = session.exec(select(Pool.round_due_at)).one()
    assert due_at is not None
    return seconds(lambda: _hold(store, due_at))


def _hold(store: Store, due_at: datetime) -> None:
    decided = decide_outside(store, 1, due_at)
    assert decided is not None
    with store.write() as session:
        assert hold(session, 1, decided, due_at, entropy) is not None


def _server() -> Iterator[Row]:
    """Compare what the rules do with single-row commits of the same server, which waits for its disk."""
    with postgres.running(settings=()) as server:
        store = open_store(server.create("history"), NOW)
        now = make_history(store, 365)
        with store.write() as session:
            session.connection().exec_driver_sql("ANALYZE")
        _list(store)
        commits = COMMITS / seconds(lambda: _commit(store))
        listed = 1 / middle([seconds(partial(_list, store)) for _ in range(REPEATS)])
        chains = 1 / middle([seconds(partial(_chain, store, number, now)) for number in _free(store)[:REPEATS]])
        store.close()
    yield ratio("PostgreSQL: /tasks ÷ insert-commits", listed, commits, 0.2, at_least=True, unit="rate")
    title = "PostgreSQL: claim–done–confirm ÷ insert-commits"
    yield ratio(title, chains, commits, 0.1, at_least=True, unit="rate", because=MANY_STATEMENTS)


def _commit(store: Store) -> None:
    for _ in range(COMMITS):
        with store.write() as session:
            session.add(Person())


def _list(store: Store) -> None:
    with store.read() as session:
        member = session.exec(select(Member).where(Member.pool_id == 1).limit(1)).one()
        assert open_tasks(session, member, Filter(), 5)[0]


def _chain(store: Store, number: int, now: datetime) -> None:
    """Claim a task, report it and have it confirmed, in a transaction each, under the lock of the pool."""
    for step in range(len(CHAIN)):
        with store.write() as session:
            lock_pool(session, 1)
            doer, other = session.exec(select(Member).where(Member.pool_id == 1).order_by(col(Member.id)).limit(2))
            task = tasks.find_task(session, 1, number)
            if step == 0:
                tasks.claim(session, task, doer, now)
            elif step == 1:
                tasks.report(session, task, tasks.claim_of(session, task, doer), doer, None, "", now)
            else:
                reports.confirm(session, task, reports.waiting(session, task, but=other), other, now)
