"""Rounds in twelve zones, while clocks are put forward and back, the machine's jumps, and outages last three days."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col, select

from core.chat.commands import table
from core.chat.due import run_due
from core.chat.handling import House
from core.projects import found_pool
from core.store import Store, add_now
from core.tables import Round
from core.tables_chat import Person
from core.timetable import Timetable
from core.zones import wall_clock
from tests.conftest import entropy
from tests.stage import hurried
from tests.test_core_timetable import ZONES

if TYPE_CHECKING:
    from collections.abc import Iterator

YEAR = datetime(2017, 1, 1, tzinfo=UTC)  # a year in which nine of the zones changed their clocks, both ways
DAY, HOUR, STEP = timedelta(days=1), timedelta(hours=1), timedelta(minutes=30)
BEFORE, AFTER, OUTAGE = 2 * DAY, 4 * DAY, 3 * DAY


def changes(zone: ZoneInfo) -> list[datetime]:
    """When the clocks of a zone were changed in that year; its middle where they were not."""
    hours = [YEAR + number * HOUR for number in range(365 * 24)]
    offsets = [wall_clock(hour, zone) - hour.replace(tzinfo=None) for hour in hours]
    found = [hour for hour, (before, after) in zip(hours[1:], pairwise(offsets), strict=True) if before != after]
    return found or [YEAR + 180 * DAY]


def clock(start: datetime, seed: int, *, outage_at: datetime | None) -> Iterator[datetime]:
    """What the machine's clock shows whenever something runs: now and then an hour wrong; right in the end."""
    drawn = random.Random(seed)
    wrong = timedelta()
    instant = start
    while instant < start + BEFORE + AFTER:
        if outage_at is not None and outage_at < instant < outage_at + OUTAGE:
            instant = outage_at + OUTAGE
        if drawn.random() < 0.1:
            wrong = drawn.choice((-HOUR, timedelta(), HOUR))
        yield instant + wrong
        instant += STEP
    yield instant


def test_clocks_were_changed_both_ways_in_most_zones() -> None:
    assert sum(len(changes(ZoneInfo(name))) >= 2 for name in ZONES) >= 8


@pytest.mark.parametrize("has_outage", [False, True], ids=["steps", "outage"])
@pytest.mark.parametrize("name", ZONES)
def test_there_is_one_round_for_every_local_moment(file_store: Store, name: str, has_outage: bool) -> None:
    zone, house = ZoneInfo(name), House(hurried(file_store), table(), entropy())
    for number, change in enumerate(changes(zone)[:2]):
        for timetable in ("daily 02:30", "daily 00:00"):
            start = change - BEFORE
            with file_store.write() as session:
                ana = add_now(session, Person())
                settings = {"rounds": timetable, "timezone": name}
                pool, _ana = found_pool(session, "Valley", settings, (ana.id, "Ana"), start, house.entropy)
            outage_at = change - DAY if has_outage else None
            end = wake(house, clock(start, number, outage_at=outage_at))
            with file_store.write() as session:
                query = select(Round).where(Round.pool_id == pool.id, Round.state != "open")
                rows = session.exec(query.order_by(col(Round.due_at))).all()
                expected = [one.key for one in Timetable.read(timetable).between(start, end, zone)]
                assert [row.local for row in rows] == expected
                assert len(rows) >= (BEFORE + AFTER) / DAY - 1
                assert [row.state for row in rows].count("skipped") <= (OUTAGE / DAY if has_outage else 0)
                session.merge(pool).round_due_at = None  # its time is over


def wake(house: House, moments: Iterator[datetime]) -> datetime:
    """Do what is due whenever it wants to be done; return the latest moment the machine's clock has shown."""
    due_at, shown = None, []
    for now in moments:
        shown.append(now)
        if due_at is None or due_at <= now:
            due_at = run_due(house, now)
    run_due(house, shown[-1])
    return max(shown)
