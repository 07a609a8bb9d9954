"""Holding a round: once, by whoever comes first, decided again if the pool has changed, and all of it or nothing."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from core import tasks
from core.audit import check, replay
from core.rounds import apply as applying
from core.rounds import hold as holding
from core.rounds.decide import decide
from core.rounds.hold import Decided, OutdatedError, decide_outside, hold, preview
from core.store import add, lock_pool
from core.tables import GivenUnit, Good, Member, Pool, Round, Task, Transfer, Want
from core.timing import current_round
from tests.conftest import NOW
from tests.test_core_scaling import statements
from tests.village import Village, entropy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlmodel import Session

    from core.rounds.inputs import Inputs, Outcome
    from core.store import Store


def prepared(store: Store) -> datetime:
    """Three loaves for 1.5 h, three wants, and a task with a bid; return when the round is due."""
    with store.write() as session:
        village = Village(session).garden()
        village.good()
        village.batch(3, 1500)
        village.want("Ana", 2, 900)
        village.want("Eve", 2, 700)
        village.bid(village.post(), "Bo", 80)
        assert village.pool.round_due_at is not None
        return village.pool.round_due_at


def held(store: Store, now: datetime) -> int:
    """Hold every round that is due; return how many there were."""
    with store.read() as session:
        pools = list(session.exec(select(Pool.id)))
    count = 0
    for pool_id in pools:
        decided = decide_outside(store, pool_id, now)
        if decided is None:
            continue
        with store.write() as session:
            count += hold(session, pool_id, decided, now, entropy) is not None
    return count


def audited(store: Store) -> None:
    with store.read() as session:
        pool = session.exec(select(Pool)).one()
        assert check(session, pool) == []
        assert replay(session, pool) == []


def rows(store: Store, table: type) -> int:
    with store.read() as session:
        return len(session.exec(select(table)).all())


def test_a_round_is_held_when_it_is_due_and_not_before(store: Store) -> None:
    due_at = prepared(store)
    assert held(store, due_at - timedelta(seconds=1)) == 0
    assert decide_outside(store, 1, due_at - timedelta(seconds=1)) is None
    assert held(store, due_at) == 1
    assert held(store, due_at) == 0
    audited(store)
    with store.read() as session:
        done, following = session.exec(select(Round).order_by(col(Round.number))).all()
        assert (done.state, done.ran_at, following.state, following.opened_at) == ("done", due_at, "open", due_at)
        assert (following.number, following.due_at) == (2, due_at + timedelta(days=7))


@pytest.mark.parametrize("early_rows_min", [holding.EARLY_ROWS_MIN, 1])
def test_twice_is_once(store: Store, early_rows_min: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "EARLY_ROWS_MIN", early_rows_min)
    due_at = prepared(store)
    decisions = [decide_outside(store, 1, due_at, tries_left=1) for _process in range(2)]
    for decided in decisions:
        assert decided is not None
        with suppress(OutdatedError), store.write() as session:
            hold(session, 1, decided, due_at, entropy)
    assert (rows(store, Round), rows(store, GivenUnit)) == (2, 3)
    audited(store)


def early(store: Store, due_at: datetime, monkeypatch: pytest.MonkeyPatch) -> Decided:
    """Decide a round that is written before its pool is locked."""
    monkeypatch.setattr(holding, "EARLY_ROWS_MIN", 1)
    decided = decide_outside(store, 1, due_at, tries_left=1)
    assert decided is not None
    assert decided.early is not None
    return decided


def interrupting(monkeypatch: pytest.MonkeyPatch, interrupt: Callable[[], object], name: str = "lock_pool") -> None:
    """Let something happen once, just before a round does something."""
    done = vars(holding)[name]

    def interrupted(*arguments: Any) -> Any:
        monkeypatch.setattr(holding, name, done)
        interrupt()
        return done(*arguments)

    monkeypatch.setattr(holding, name, interrupted)


def test_a_large_round_is_written_before_its_pool_is_locked(
    server_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_at = prepared(server_store)
    decided = early(server_store, due_at, monkeypatch)
    waited = []

    def somebody_locks() -> None:
        with server_store.write() as other:
            waited.append(lock_pool(other, 1).revision)

    interrupting(monkeypatch, somebody_locks)
    with server_store.write() as session, statements(server_store) as noted:
        event = hold(session, 1, decided, due_at, entropy)
        assert event is not None
        assert event.outcome is decided.outcome
    texts = [text for text, _values in noted]
    own_lock = max(place for place, text in enumerate(texts) if "FOR UPDATE" in text)
    written = {
        match[1]
        for text in texts[own_lock:]
        if (match := re.match(r"(?:UPDATE|INSERT INTO|DELETE FROM) \"?(\w+)", text))
    }
    assert (waited, written) == ([decided.revision], {"pool", "round"})
    assert rows(server_store, GivenUnit) == 3
    audited(server_store)


@pytest.mark.parametrize("moment", ["book", "lock_pool"])
def test_a_large_round_whose_pool_has_changed_leaves_nothing_and_is_decided_anew(
    server_store: Store, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_at = prepared(server_store)
    decided = early(server_store, due_at, monkeypatch)

    def somebody_adds() -> None:
        with server_store.write() as other:
            add(other, Good(pool_id=1, name="jam", name_key="jam", unit="jar", units="jars", created_at=due_at))

    interrupting(monkeypatch, somebody_adds, moment)
    with pytest.raises(OutdatedError), server_store.write() as session:
        hold(session, 1, decided, due_at, entropy)
    assert (rows(server_store, GivenUnit), rows(server_store, Round)) == (0, 1)
    assert held(server_store, due_at) == 1
    audited(server_store)


@pytest.mark.parametrize("is_missing", [False, True])
def test_a_large_round_gives_way_to_who_holds_the_lock_of_its_pool_or_took_a_row_away(
    server_store: Store, *, is_missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_at = prepared(server_store)
    decided = early(server_store, due_at, monkeypatch)
    with server_store.write() as other:
        lock_pool(other, 1)
        if is_missing:
            (given, *_rest) = decided.prepared.given
            broken = [(0, *given[1:])]
            decided = replace(decided, prepared=replace(decided.prepared, given=broken))
        with pytest.raises(OutdatedError), server_store.write() as session:
            hold(session, 1, decided, due_at, entropy)
    assert held(server_store, due_at) == 1
    audited(server_store)


def test_a_large_round_gives_way_to_who_waits_for_one_of_its_rows(
    server_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "PART_ROWS", 1)
    due_at = prepared(server_store)
    decided = early(server_store, due_at, monkeypatch)
    give_way, parts, threads = vars(holding)["_give_way"], list[int](), list[Thread]()

    def take_back() -> None:
        with server_store.write() as other:
            lock_pool(other, 1)
            want = other.exec(select(Want).order_by(col(Want.id)).limit(1)).one()
            want.ended_at = due_at

    def give_way_second(session: Session) -> None:
        """Once the first want is changed, let its member take it back, and see them wait."""
        parts.append(len(parts))
        if len(parts) == 2:
            threads.append(Thread(target=take_back))
            threads[0].start()
            while not session.connection().exec_driver_sql(holding.WAITING).all():
                pass
        give_way(session)

    monkeypatch.setattr(holding, "_give_way", give_way_second)
    with pytest.raises(OutdatedError), server_store.write() as session:
        hold(session, 1, decided, due_at, entropy)
    threads[0].join()
    assert parts == [0, 1]
    assert held(server_store, due_at) == 1
    assert rows(server_store, GivenUnit) == 2
    audited(server_store)


def test_a_large_round_that_is_wrong_is_no_conflict(server_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    due_at = prepared(server_store)
    decided = early(server_store, due_at, monkeypatch)
    (batch, *_rest) = decided.prepared.batches
    wrong = replace(decided, prepared=replace(decided.prepared, batches=[(batch[0], -1, -1)]))
    with pytest.raises(IntegrityError), server_store.write() as session:
        hold(session, 1, wrong, due_at, entropy)
    assert held(server_store, due_at) == 1


def test_a_large_round_that_is_not_due_any_more_leaves_nothing(
    server_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_at = prepared(server_store)
    decided = early(server_store, due_at, monkeypatch)
    with server_store.write() as session:
        lock_pool(session, 1).round_due_at = due_at + timedelta(days=1)
    with server_store.write() as session:
        assert hold(session, 1, decided, due_at, entropy) is None
    assert (rows(server_store, GivenUnit), rows(server_store, Round)) == (0, 1)


def test_what_an_outage_swallowed_is_decided_under_the_lock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "EARLY_ROWS_MIN", 1)
    now = prepared(store) + timedelta(days=15)
    decided = decide_outside(store, 1, now, tries_left=3)
    assert decided is not None
    assert (decided.tries_left, decided.early) == (0, None)
    with store.write() as session:
        event = hold(session, 1, decided, now, entropy)
        assert event is not None
        assert len(event.skipped) == 2


def test_it_is_decided_outside_the_lock_and_only_then_again_if_the_pool_has_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_at = prepared(store)
    decided = decide_outside(store, 1, due_at)
    assert decided is not None
    count = 0

    def counted(inputs: Inputs) -> Outcome:
        nonlocal count
        count += 1
        return decide(inputs)

    monkeypatch.setattr(holding, "decide", counted)
    with store.write() as session:
        # somebody takes a want back while the round is being decided
        want = session.exec(select(Want).order_by(col(Want.id))).first()
        assert want is not None
        want.ended_at = due_at
    with store.write() as session:
        event = hold(session, 1, decided, due_at, entropy)
        assert event is not None
        assert count == 1
        assert event.outcome != decided.outcome
        assert sum(one.got for one in event.outcome.wants) == 2
    audited(store)
    later = decide_outside(store, 1, due_at + timedelta(days=7))
    assert later is not None
    with store.write() as session:
        event = hold(session, 1, later, due_at + timedelta(days=7), entropy)
        assert event is not None
        assert (count, event.outcome is later.outcome) == (2, True)


def test_after_an_outage_the_latest_missed_round_is_held_once_and_the_others_are_skipped(store: Store) -> None:
    due_at = prepared(store)
    now = due_at + timedelta(days=15)
    decided = decide_outside(store, 1, now)
    assert decided is not None
    with store.write() as session:
        event = hold(session, 1, decided, now, entropy)
        assert event is not None
        assert event.skipped == ("2026-05-10 18:00", "2026-05-17 18:00")
        assert (event.round.local, event.round.number) == ("2026-05-24 18:00", 1)
        assert current_round(session, 1).due_at == due_at + timedelta(days=21)
    assert held(store, now) == 0
    audited(store)
    with store.read() as session:
        states = session.exec(select(Round.local, Round.state, Round.number).order_by(col(Round.local))).all()
        assert [tuple(one) for one in states] == [
            ("2026-05-10 18:00", "skipped", None),
            ("2026-05-17 18:00", "skipped", None),
            ("2026-05-24 18:00", "done", 1),
            ("2026-05-31 18:00", "open", 2),
        ]


def test_a_crash_in_the_middle_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    due_at = prepared(store)

    def crash(*_args: object) -> None:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as broken:
        broken.setattr(holding, "open_round", crash)
        with pytest.raises(RuntimeError):
            held(store, due_at)
    assert (rows(store, GivenUnit), rows(store, Transfer), rows(store, Round)) == (0, 0, 1)
    assert held(store, due_at) == 1
    audited(store)


def test_a_preview_says_what_will_happen_and_changes_nothing(store: Store) -> None:
    due_at = prepared(store)
    with store.write() as session:
        shown = preview(session, session.exec(select(Pool)).one(), due_at)
    decided = decide_outside(store, 1, due_at)
    assert decided is not None
    assert decided.outcome == shown.outcome
    assert rows(store, GivenUnit) == 0


def test_a_pool_without_a_due_moment_is_left_alone(store: Store) -> None:
    due_at = prepared(store)
    decided = decide_outside(store, 1, due_at)
    assert decided is not None
    with store.write() as session:
        lock_pool(session, 1).round_due_at = None
    assert decide_outside(store, 1, due_at) is None
    with store.write() as session:
        assert hold(session, 1, decided, due_at, entropy) is None


def test_what_a_round_writes_down(store: Store) -> None:
    due_at = prepared(store)
    held(store, due_at)
    with store.read() as session:
        (task,) = session.exec(select(Task).where(Task.title == "Dishes")).all()
        (claim,) = tasks.claims_of(session, task)
        assert (task.opened_at, claim.weight, claim.how, claim.claimed_at) == (due_at, 100, "won", due_at)
        ana, eve = (session.exec(select(Member).where(Member.name == name)).one() for name in ("Ana", "Eve"))
        wants = {want.member_id: want for want in session.exec(select(Want))}
        assert (wants[ana.id].ended_at, wants[ana.id].got) == (due_at, 2)
        assert (wants[eve.id].ended_at, wants[eve.id].units, wants[eve.id].got, wants[eve.id].waited) == (None, 1, 1, 1)
        assert session.exec(select(Good)).one().last_cost == 700
        units = session.exec(select(GivenUnit)).all()
        assert [(one.cost, one.at, one.round_number) for one in units] == [(700, due_at, 1)] * 3


def test_a_preview_does_not_give_the_lottery_away(store: Store) -> None:
    with store.write() as session:
        village = Village(session)
        current = current_round(session, village.pool.id)
        shown = preview(session, village.pool, NOW)
        assert shown.inputs.secret == current.commitment != current.secret
