"""Holding a round: once, by whoever comes first, decided again if the pool has changed, and all of it or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, select

from core import tasks
from core.audit import check, replay
from core.rounds import hold as holding
from core.rounds.decide import decide
from core.rounds.hold import decide_outside, hold, preview
from core.store import lock_pool
from core.tables import GivenUnit, Good, Member, Pool, Round, Task, Transfer, Want
from core.timing import current_round
from tests.conftest import NOW
from tests.village import Village, entropy

if TYPE_CHECKING:
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
    decisions = [decide_outside(store, 1, due_at) for _process in range(2)]
    for decided in decisions:
        assert decided is not None
        with store.write() as session:
            hold(session, 1, decided, due_at, entropy)
    assert (rows(store, Round), rows(store, GivenUnit)) == (2, 3)
    audited(store)


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_large_round_is_booked_before_its_pool_is_locked(
    server_store: Store, *, is_changed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "EARLY_ROWS_MIN", 1)
    due_at = prepared(server_store)
    decided = decide_outside(server_store, 1, due_at)
    assert decided is not None
    assert decided.early is not None

    def interrupted(session: Session, pool_id: int) -> Pool:
        """Let somebody else write now: the rows are there, and nobody waits."""
        monkeypatch.setattr(holding, "lock_pool", lock_pool)
        assert len(session.exec(select(GivenUnit)).all()) == 3
        with server_store.write() as other:
            lock_pool(other, pool_id)
            want = other.exec(select(Want).order_by(col(Want.id))).first()
            assert want is not None
            want.ended_at = due_at if is_changed else None
        return lock_pool(session, pool_id)

    monkeypatch.setattr(holding, "lock_pool", interrupted)
    with server_store.write() as session:
        event = hold(session, 1, decided, due_at, entropy)
        assert event is not None
        assert (event.outcome is decided.outcome) is not is_changed
    assert rows(server_store, GivenUnit) == (2 if is_changed else 3)
    audited(server_store)


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
