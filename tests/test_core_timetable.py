"""Timetables: every moment once, whatever the clocks of twelve zones did in ten years; zones; quiet hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.timetable import (
    DAY_NAMES,
    Moment,
    QuietHours,
    Timetable,
    UnknownZoneError,
    UnreadableTimetableError,
    read_zone,
)
from core.zones import first_instant, wall_clock

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe",
    "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca", "America/Caracas", "Asia/Gaza", "Antarctica/Troll",
)  # fmt: skip
YEARS = (2008, 2018)  # with Samoa's lost day, Caracas's half hours, and Brazil's and Gaza's gaps at midnight
WEEK = timedelta(days=7)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def segments(zone: ZoneInfo, start: datetime, end: datetime) -> list[tuple[datetime, timedelta]]:
    """When each offset of a zone begins: found by walking, in steps of an hour and then of a minute."""
    found = [(start, wall_clock(start, zone) - start.replace(tzinfo=None))]
    instant = start
    while instant < end:
        instant += timedelta(hours=1)
        if wall_clock(instant, zone) - instant.replace(tzinfo=None) != found[-1][1]:
            minute = instant - timedelta(hours=1)
            while wall_clock(minute, zone) - minute.replace(tzinfo=None) == found[-1][1]:
                minute += timedelta(minutes=1)
            found.append((minute, wall_clock(minute, zone) - minute.replace(tzinfo=None)))
    return found


def oracle(wall: datetime, parts: list[tuple[datetime, timedelta]]) -> datetime:
    """The first instant at which a clock shows `wall` or later, part by part."""
    far = parts[-1][0] + timedelta(days=10_000)
    for (start, offset), (end, _) in pairwise([*parts, (far, timedelta())]):
        reached = max(start, wall.replace(tzinfo=UTC) - offset)
        if reached < end:
            return reached
    raise AssertionError(wall)


@pytest.mark.parametrize("name", ZONES)
def test_every_local_moment_of_ten_years_happens_once(name: str) -> None:
    zone, start, end = ZoneInfo(name), datetime(YEARS[0], 1, 1, tzinfo=UTC), datetime(YEARS[1], 1, 1, tzinfo=UTC)
    parts = segments(zone, start - WEEK, end + WEEK)
    days = [date(YEARS[0] - 1, 12, 30) + timedelta(days=number) for number in range(3660)]
    for at in (time(0, 0), time(1, 59), time(2, 30), time(18, 0)):
        found = list(Timetable(tuple(range(7)), at).between(start, end, zone))
        expected = [(datetime.combine(day, at), oracle(datetime.combine(day, at), parts)) for day in days]
        assert [(moment.wall, moment.instant) for moment in found] == [
            (wall, instant) for wall, instant in expected if start < instant <= end
        ]


@pytest.mark.parametrize(
    ("zone", "text", "after", "key", "instant"),
    [
        ("UTC", "sun 18:00", "2026-05-04 09:00", "2026-05-10 18:00", "2026-05-10 18:00"),
        ("UTC", "sun 18:00", "2026-05-10 18:00", "2026-05-17 18:00", "2026-05-17 18:00"),
        ("UTC", "mon,thu 07:30", "2026-05-04 07:29", "2026-05-04 07:30", "2026-05-04 07:30"),
        ("UTC", "mon,thu 07:30", "2026-05-04 07:30", "2026-05-07 07:30", "2026-05-07 07:30"),
        ("Europe/Berlin", "sun 18:00", "2026-05-04 09:00", "2026-05-10 18:00", "2026-05-10 16:00"),
        ("Europe/Berlin", "sun 02:30", "2026-03-28 12:00", "2026-03-29 02:30", "2026-03-29 01:00"),
        ("Europe/Berlin", "daily 02:30", "2026-03-29 01:00", "2026-03-30 02:30", "2026-03-30 00:30"),
        ("Europe/Berlin", "sun 02:30", "2026-10-24 12:00", "2026-10-25 02:30", "2026-10-25 00:30"),
        ("Europe/Berlin", "daily 02:30", "2026-10-25 00:30", "2026-10-26 02:30", "2026-10-26 01:30"),
        ("Europe/Berlin", "daily 02:30", "2026-10-25 01:10", "2026-10-26 02:30", "2026-10-26 01:30"),
        ("Australia/Lord_Howe", "sun 02:15", "2026-10-03 00:00", "2026-10-04 02:15", "2026-10-03 15:30"),
        ("Pacific/Apia", "fri 18:00", "2011-12-29 00:00", "2011-12-30 18:00", "2011-12-30 10:00"),
        ("America/Sao_Paulo", "sun 00:00", "2017-10-14 12:00", "2017-10-15 00:00", "2017-10-15 03:00"),
    ],
)
def test_the_next_moment(zone: str, text: str, after: str, key: str, instant: str) -> None:
    moment = Timetable.read(text).next_after(utc(after), ZoneInfo(zone))
    assert (moment.key, moment.instant) == (key, utc(instant))


def test_two_moments_on_one_instant_are_both_found_after_each_other() -> None:
    apia, timetable = ZoneInfo("Pacific/Apia"), Timetable.read("daily 00:00")
    skipped = timetable.next_after(utc("2011-12-30 09:00"), apia)
    assert skipped == Moment(datetime.fromisoformat("2011-12-30 00:00"), utc("2011-12-30 10:00"))
    assert timetable.next_after(skipped, apia).instant == skipped.instant
    assert [moment.key for moment in timetable.between(skipped, utc("2011-12-31 10:00"), apia)] == [
        "2011-12-31 00:00", "2012-01-01 00:00",
    ]  # fmt: skip


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**6),
    st.sampled_from(ZONES),
    st.sets(st.integers(0, 6), min_size=1),
    st.times(),
)
def test_moments_do_not_depend_on_where_one_begins_to_look(
    start: int,
    length: int,
    name: str,
    days: set[int],
    at: time,
) -> None:
    timetable, zone = Timetable(tuple(sorted(days)), at.replace(second=0, microsecond=0)), ZoneInfo(name)
    after = datetime.fromtimestamp(start, tz=UTC)
    middle, until = after + timedelta(seconds=length), after + timedelta(seconds=2 * length)
    whole = list(timetable.between(after, until, zone))
    assert whole == [*timetable.between(after, middle, zone), *timetable.between(middle, until, zone)]
    assert len({moment.key for moment in whole}) == len(whole)
    if whole:
        assert whole[0] == timetable.next_after(after, zone)


@given(st.sets(st.integers(0, 6), min_size=1), st.times())
def test_a_timetable_reads_back_as_it_is_shown(days: set[int], at: time) -> None:
    timetable = Timetable(tuple(sorted(days)), at.replace(second=0, microsecond=0))
    assert Timetable.read(str(timetable)) == timetable


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("sun 18:00", "sun 18:00"), (" SUN  18:00 ", "sun 18:00"), ("mon,thu 07:30", "mon,thu 07:30"),
        ("Daily 18:00", "daily 18:00"),
        ("thu, mon 7:30", "mon,thu 07:30"), ("sunday,sun 18:00", "sun 18:00"), ("So 18:00", "sun 18:00"),
        ("täglich 08:00", "daily 08:00"),
        ("Montag und Mittwoch 09:05", "mon,wed 09:05"), (",".join(DAY_NAMES) + " 00:00", "daily 00:00"),
    ],
)  # fmt: skip
def test_timetables_are_read(text: str, normalised: str) -> None:
    assert str(Timetable.read(text)) == normalised


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", ""), ("sun", "sun"), ("18:00", "18:00"), ("sun 24:00", "sun 24:00"), ("sun 18:60", "sun 18:60"),
        ("sol 18:00", "sol"),
        ("sun \u0661\u0668:\u0660\u0660", "sun \u0661\u0668:\u0660\u0660"), ("and 18:00", "and 18:00"),
        ("daily,mon 18:00", "daily"), ("x" * 20_000, "x" * 39 + "…"),
        ("sun 18:00 19:00", "18:00"),
    ],
)  # fmt: skip
def test_what_is_no_timetable_is_refused(text: str, word: str) -> None:
    with pytest.raises(UnreadableTimetableError) as refused:
        Timetable.read(text)
    assert (refused.value.word, refused.value.example) == (word, "sun 18:00")


@pytest.mark.parametrize(
    ("name", "key"),
    [("Europe/Berlin", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), (" berlin ", "Europe/Berlin"), ("utc",
    "UTC"),
     ("America/New York", "America/New_York"), ("new york", "America/New_York")],
)  # fmt: skip
def test_zones_are_found(name: str, key: str) -> None:
    assert read_zone(name).key == key


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "Europe", "../etc/passwd", "/etc/localtime", "a\x00b", "x" * 20_000, "\ud800"]
)
def test_unknown_zones_are_refused(name: str) -> None:
    with pytest.raises(UnknownZoneError) as refused:
        read_zone(name)
    assert len(refused.value.name) <= 40
    assert read_zone(refused.value.example).key == "Europe/Berlin"


def test_an_instant_in_a_gap_is_whole_seconds() -> None:
    wall = datetime.fromisoformat("2026-03-29 02:30:10.500000")
    assert first_instant(wall, BERLIN) == utc("2026-03-29 01:00")


@pytest.mark.parametrize(
    ("text", "at", "until"),
    [
        ("22:00-07:00", "2026-05-04 19:59", None), ("22:00-07:00", "2026-05-04 20:00", "2026-05-05 05:00"),
        ("22:00-07:00", "2026-05-04 23:00", "2026-05-05 05:00"), ("22:00-07:00", "2026-05-05 04:59",
        "2026-05-05 05:00"),
        ("22:00-07:00", "2026-05-05 05:00", None), ("12:00 – 13:30", "2026-05-05 10:15", "2026-05-05 11:30"),
        ("22-7", "2026-05-04 20:00", "2026-05-05 05:00"),
        ("12:00-13:30", "2026-05-05 09:00", None), ("12:00-13:30", "2026-05-05 11:30", None),
        ("01:00-02:45", "2026-10-25 01:35", None),
    ],
)  # fmt: skip
def test_quiet_hours_end(text: str, at: str, until: str | None) -> None:
    quiet = QuietHours.read(text)
    assert quiet.quiet_until(utc(at), BERLIN) == (utc(until) if until else None)
    assert QuietHours.read(str(quiet)) == quiet


@pytest.mark.parametrize(
    "text", ["", "22:00", "22:00-22:00", "22:00-25:00", "24:00-07:00", "22-24", "nights", "1" * 20_000]
)
def test_what_is_no_quiet_is_refused(text: str) -> None:
    with pytest.raises(UnreadableTimetableError) as refused:
        QuietHours.read(text)
    assert str(QuietHours.read(refused.value.example)) == "22:00-07:00"
