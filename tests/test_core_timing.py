"""When rounds are: every local moment once, whatever becomes of the machine, the timetable, the zone and the clocks."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from core.projects import change_setting
from core.store import add
from core.tables import Pool, Round
from core.timing import current_round, last_round, open_round, record_missed, schedule
from tests.conftest import NOW, entropy, found

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.store import Store

SETTINGS = {"timetable": "rounds", "zone": "timezone", "levy": "levy"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hold(session: Session, pool: Pool, now: datetime) -> str:
    """Hold the round if it is due, as core.rounds does, deciding nothing."""
    if pool.round_due_at is None or pool.round_due_at > now:
        return "nothing"
    skipped = record_missed(session, pool, now)
    row = current_round(session, pool.id)
    assert row.due_at is not None
    row.state, row.ran_at = "done", now
    session.flush()
    open_round(session, pool, row.due_at, entropy())
    session.flush()
    schedule(session, pool, row.due_at)
    return " ".join([*(f"skip {local};" for local in skipped), f"hold {row.local}"])


def play(session: Session, pool: Pool, script: str) -> list[str]:
    """Play lines `moment | do | expected`; return what does not hold.

    `start` is as if the pool were new; `hold` holds what is due; the others change a setting. Expected is what was
    held, or when the next round is.
    """
    wrong = []
    for line in script.strip().splitlines():
        moment, action, expected = (part.strip() for part in line.split("|"))
        what, _, value = action.partition(" ")
        if what == "hold":
            happened = hold(session, pool, utc(moment))
        else:
            if what == "start":
                schedule(session, pool, utc(moment))
            else:
                change_setting(session, pool, SETTINGS[what], value, utc(moment))
            row = current_round(session, pool.id)
            happened = f"next {row.local}"
            assert row.due_at == pool.round_due_at
        session.flush()
        if happened != expected:
            wrong.append(f"{line.strip()}, but: {happened}")
    return wrong


SCRIPTS = {
    "a week after the other": """
        2026-05-10 17:59 | hold | nothing
        2026-05-10 18:00 | hold | hold 2026-05-10 18:00
        2026-05-10 18:00 | hold | nothing
        2026-05-17 17:59 | hold | nothing
        2026-05-17 18:01 | hold | hold 2026-05-17 18:00
    """,
    "an outage": """
        2026-05-10 18:00 | hold | hold 2026-05-10 18:00
        2026-06-01 09:00 | hold | skip 2026-05-17 18:00; skip 2026-05-24 18:00; hold 2026-05-31 18:00
        2026-06-01 09:00 | hold | nothing
        2026-06-07 18:00 | hold | hold 2026-06-07 18:00
    """,
    "an outage that ends on the moment": """
        2026-05-17 18:00 | hold | skip 2026-05-10 18:00; hold 2026-05-17 18:00
    """,
    "a clock that was wrong and goes back": """
        2026-05-17 18:00 | hold | skip 2026-05-10 18:00; hold 2026-05-17 18:00
        2026-05-10 18:00 | hold | nothing
        2026-05-24 18:00 | hold | hold 2026-05-24 18:00
    """,
    "another timetable": """
        2026-05-05 09:00 | timetable mon,thu 07:30 | next 2026-05-07 07:30
        2026-05-07 07:30 | hold | hold 2026-05-07 07:30
        2026-05-11 07:30 | hold | hold 2026-05-11 07:30
    """,
    "later on the day of a round": """
        2026-05-10 18:00 | hold | hold 2026-05-10 18:00
        2026-05-10 19:00 | timetable sun 20:00 | next 2026-05-10 20:00
        2026-05-10 19:30 | timetable sun 18:00 | next 2026-05-17 18:00
        2026-05-17 18:00 | hold | hold 2026-05-17 18:00
    """,
    "a setting that has nothing to do with it": """
        2026-05-09 09:00 | levy 2h | next 2026-05-10 18:00
        2026-05-10 18:00 | hold | hold 2026-05-10 18:00
        2026-05-10 18:01 | levy 1h | next 2026-05-17 18:00
    """,
    "changed while the round is due": """
        2026-05-10 18:01 | levy 2h | next 2026-05-10 18:00
        2026-05-10 18:01 | timetable mon 07:00 | next 2026-05-10 18:00
        2026-05-10 18:01 | zone Asia/Tokyo | next 2026-05-10 18:00
        2026-05-10 18:01 | hold | hold 2026-05-10 18:00
        2026-05-10 22:00 | hold | hold 2026-05-11 07:00
    """,
    "a zone where the same moment comes again": """
        2026-05-05 09:00 | zone Pacific/Kiritimati | next 2026-05-10 18:00
        2026-05-10 04:00 | hold | hold 2026-05-10 18:00
        2026-05-10 04:30 | zone America/New_York | next 2026-05-17 18:00
        2026-05-17 22:00 | hold | hold 2026-05-17 18:00
    """,
    "a zone ahead, where the moment is over": """
        2026-05-10 17:00 | zone Asia/Tokyo | next 2026-05-17 18:00
        2026-05-17 09:00 | hold | hold 2026-05-17 18:00
    """,
    "an outage over a moment that another zone has seen": """
        2026-05-05 09:00 | zone Pacific/Kiritimati | next 2026-05-10 18:00
        2026-05-10 04:00 | hold | hold 2026-05-10 18:00
        2026-05-10 04:30 | zone Pacific/Pago_Pago | next 2026-05-17 18:00
        2026-05-10 04:31 | timetable daily 18:00 | next 2026-05-09 18:00
        2026-05-13 06:00 | hold | skip 2026-05-09 18:00; skip 2026-05-11 18:00; hold 2026-05-12 18:00
    """,
    "spring: the hour is skipped": """
        2026-03-25 12:00 | start | next 2026-03-29 18:00
        2026-03-25 12:00 | zone Europe/Berlin | next 2026-03-29 18:00
        2026-03-25 12:00 | timetable sun 02:30 | next 2026-03-29 02:30
        2026-03-29 00:59 | hold | nothing
        2026-03-29 01:00 | hold | hold 2026-03-29 02:30
        2026-04-05 00:30 | hold | hold 2026-04-05 02:30
    """,
    "autumn: the hour comes twice": """
        2026-10-20 12:00 | start | next 2026-10-25 18:00
        2026-10-20 12:00 | zone Europe/Berlin | next 2026-10-25 18:00
        2026-10-20 12:00 | timetable daily 02:30 | next 2026-10-21 02:30
        2026-10-25 00:30 | hold | {skips} hold 2026-10-25 02:30
        2026-10-25 01:30 | hold | nothing
        2026-10-26 01:30 | hold | hold 2026-10-26 02:30
    """.format(skips=" ".join(f"skip 2026-10-{day} 02:30;" for day in range(21, 25))),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_rounds_come_when_they_should(store: Store, name: str) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        assert play(session, pool, SCRIPTS[name]) == []


def test_a_round_opens_with_a_lottery_that_can_be_checked(store: Store) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        first = current_round(session, pool.id)
        assert (first.number, first.state, first.opened_at) == (1, "open", NOW)
        assert hashlib.sha256(bytes.fromhex(first.secret)).hexdigest() == first.commitment
        assert len(bytes.fromhex(first.secret)) == 32
        assert last_round(session, pool.id) is None
        hold(session, pool, utc("2026-05-31 19:00"))
        second = current_round(session, pool.id)
        assert (second.number, second.opened_at) == (2, utc("2026-05-31 18:00"))
        assert last_round(session, pool.id) is first
        hold(session, pool, utc("2026-06-07 18:00"))
        assert last_round(session, pool.id) is second


def test_skipped_rounds_are_recorded_without_a_number(store: Store) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        hold(session, pool, utc("2026-05-25 09:00"))
        rows = session.exec(select(Round).where(Round.pool_id == pool.id).order_by(col(Round.local)))
        assert [(row.local, row.state, row.number, row.due_at) for row in rows] == [
            ("2026-05-10 18:00", "skipped", None, utc("2026-05-10 18:00")),
            ("2026-05-17 18:00", "skipped", None, utc("2026-05-17 18:00")),
            ("2026-05-24 18:00", "done", 1, utc("2026-05-24 18:00")),
            ("2026-05-31 18:00", "open", 2, utc("2026-05-31 18:00")),
        ]


@pytest.mark.parametrize(("due_at", "local"), [(None, "2026-05-10 18:00"), (NOW, None)])
def test_a_round_without_a_moment_has_missed_nothing(store: Store, due_at: datetime | None, local: str | None) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        row = current_round(session, pool.id)
        row.due_at, row.local = due_at, local
        assert record_missed(session, pool, utc("2027-01-01 00:00")) == ()
        assert (row.due_at, row.local) == (due_at, local)


def test_pools_have_clocks_of_their_own(store: Store) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        draw = entropy()
        draw(1)
        other, _ana = found(session, code_from=draw, rounds="daily 12:00", timezone="Asia/Tokyo")
        assert (pool.round_due_at, other.round_due_at) == (utc("2026-05-10 18:00"), utc("2026-05-05 03:00"))
        assert hold(session, other, utc("2026-05-05 03:00")) == "hold 2026-05-05 12:00"
        assert pool.round_due_at == utc("2026-05-10 18:00")


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
CHANGES = st.one_of(
    st.tuples(st.just("rounds"), st.sampled_from(["sun 18:00", "daily 02:30", "mon,thu 07:30", "daily 18:00"])),
    st.tuples(st.just("timezone"), st.sampled_from(ZONES)),
    st.tuples(st.just("hold"), st.just("")),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.datetimes(utc("2026-01-01").replace(tzinfo=None), utc("2026-12-01").replace(tzinfo=None)),
       st.lists(st.tuples(st.integers(0, 100), CHANGES), max_size=15))  # fmt: skip
def test_no_local_moment_ever_happens_twice(
    store: Store, start: datetime, steps: list[tuple[int, tuple[str, str]]]
) -> None:
    """The tables would refuse a second one; here nothing ever tries, and the next round always lies ahead."""
    now = start.replace(tzinfo=UTC)
    with store.write() as session, session.begin_nested() as savepoint:
        pool, _ana = found(session)
        schedule(session, pool, now)
        for hours, (what, value) in steps:
            now += timedelta(hours=hours)
            if what == "hold":
                hold(session, pool, now)
                assert pool.round_due_at is not None
                assert pool.round_due_at > now
            else:
                change_setting(session, pool, what, value, now)
            session.flush()
        held = session.exec(select(Round.local).where(Round.pool_id == pool.id)).all()
        assert len(set(held)) == len(held)
        savepoint.rollback()


def test_the_newest_number_counts_on(store: Store) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        other = add(session, Round(pool_id=pool.id, number=7, state="done", local="2026-01-01 00:00", opened_at=NOW))
        session.flush()
        assert open_round(session, pool, NOW, entropy()).number == 8
        assert last_round(session, pool.id) is other
