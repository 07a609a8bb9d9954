"""Dates, times and periods as people type them, and moments as they read them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PastMomentError, Refusal
from core.moments import (
    CalendarWords,
    FarMomentError,
    UnreadableMomentError,
    is_moment,
    read_moment,
    show_moment,
)
from core.periods import COUNT_MAX, Period, Unit, UnreadablePeriodError, find_period, read_period

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 5, 6, 10, 0, tzinfo=UTC)  # a Wednesday, 12:00 in Berlin
GERMAN = CalendarWords(
    days=("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
    months=("Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sep.", "Okt.", "Nov.", "Dez."),
    far="{day} {date}. {month}",
    other_year="{day} {date}. {month} {year}",
)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fri", "2026-05-08 23:59"), ("Friday", "2026-05-08 23:59"), ("FR", "2026-05-08 23:59"), ("sat 18:00",
        "2026-05-09 18:00"),
        ("wed", "2026-05-06 23:59"), ("wed 12:01", "2026-05-06 12:01"), ("wed 12:00", "2026-05-13 12:00"),
        ("mi 9:00", "2026-05-13 09:00"),
        ("tue", "2026-05-12 23:59"), ("mo", "2026-05-11 23:59"), ("sonnabend", "2026-05-09 23:59"),
        ("today", "2026-05-06 23:59"), ("heute 17:00", "2026-05-06 17:00"), ("tomorrow", "2026-05-07 23:59"),
        ("morgen 08:00", "2026-05-07 08:00"), ("Übermorgen", "2026-05-08 23:59"),
        ("18:00", "2026-05-06 18:00"), ("11:00", "2026-05-07 11:00"), ("7:30", "2026-05-07 07:30"),
        ("2026-05-08", "2026-05-08 23:59"), ("2026-05-08 18:00", "2026-05-08 18:00"), ("2026-5-8", "2026-05-08 23:59"),
        ("8.5.", "2026-05-08 23:59"), ("8.5. 18:00", "2026-05-08 18:00"), ("08.05.2027", "2027-05-08 23:59"),
        ("5.5.", "2027-05-05 23:59"),
        ("3d", "2026-05-09 23:59"), ("2w", "2026-05-20 23:59"), ("2 weeks", "2026-05-20 23:59"), ("3d 18:00",
        "2026-05-09 18:00"),
        ("1 month", "2026-06-06 23:59"), ("  sat   18:00 ", "2026-05-09 18:00"), ("2027-03-28 02:30",
        "2027-03-28 03:00"),
    ],
)  # fmt: skip
def test_moments_are_read(text: str, expected: str) -> None:
    assert read_moment(text, NOW, BERLIN) == local(expected)
    assert is_moment(text)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "soon", "fri sat", "fri 24:00", "fri 18", "18", "18:00 fri", "2026-02-30", "2026-13-01",
        "2026-00-10", "2026-05-00",
        "0001-01-01", "0000-01-01", "29.2.", "31.4.2026", "8.5", "0d", "999d", "99999999999d", "week", "fri\u200b",
        "\u0662\u0660\u0662\u0666-\u0660\u0665-\u0660\u0668", "²d",
        "1h", "-3d", "next week", "a" * 20_000, "9" * 20_000, "fri " * 5_000, "\x00",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(UnreadableMomentError) as refused:
        read_moment(text, NOW, BERLIN)
    assert len(refused.value.word) <= 40
    assert read_moment(refused.value.example, NOW, BERLIN) > NOW


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("today 12:00", "2026-05-06 12:00"),
        ("2026-05-05", "2026-05-05 23:59"),
        ("1970-01-01", "1970-01-01 23:59"),
        ("5.5.2026", "2026-05-05 23:59"),
    ],
)
def test_past_moments_are_refused(text: str, moment: str) -> None:
    with pytest.raises(PastMomentError) as refused:
        read_moment(text, NOW, BERLIN)
    assert refused.value.moment == local(moment)


@pytest.mark.parametrize("text", ["2037-01-01", "9999-12-31", "31.12.9999 23:59"])
def test_moments_far_away_are_refused(text: str) -> None:
    with pytest.raises(FarMomentError) as refused:
        read_moment(text, NOW, BERLIN)
    assert refused.value.word == text


def test_today_is_over_in_its_last_minute() -> None:
    with pytest.raises(PastMomentError):
        read_moment("today", local("2026-05-06 23:59"), BERLIN)
    assert read_moment("wed", local("2026-05-06 23:59"), BERLIN) == local("2026-05-13 23:59")


def test_a_date_of_leap_years_is_the_coming_one_if_it_is_this_or_next_year() -> None:
    assert read_moment("29.2.", local("2027-05-06 12:00"), BERLIN) == local("2028-02-29 23:59")


@given(
    st.text(max_size=20) | st.from_regex(r"[0-9a-z.:\- ]{1,16}", fullmatch=True),
    st.integers(600_000_000, 3_800_000_000),
)
def test_a_moment_is_ahead_or_refused(text: str, now: int) -> None:
    aware = datetime.fromtimestamp(now, tz=UTC)
    try:
        assert read_moment(text, aware, BERLIN) > aware
    except Refusal:
        return


@pytest.mark.parametrize(
    ("instant", "shown", "german"),
    [
        ("2026-05-06 18:00", "Wed 18:00", "Mi 18:00"), ("2026-05-10 18:00", "Sun 18:00", "So 18:00"),
        ("2026-05-12 23:59", "Tue 23:59", "Di 23:59"),
        ("2026-05-13 00:00", "Wed 13 May 00:00", "Mi 13. Mai 00:00"), ("2026-05-05 23:00", "Tue 5 May 23:00",
        "Di 5. Mai 23:00"),
        ("2027-01-01 07:30", "Fri 1 Jan 2027 07:30", "Fr 1. Jan. 2027 07:30"), ("2025-12-31 07:30",
        "Wed 31 Dec 2025 07:30", "Mi 31. Dez. 2025 07:30"),
    ],
)  # fmt: skip
def test_moments_are_shown_as_short_as_they_are_clear(instant: str, shown: str, german: str) -> None:
    assert show_moment(local(instant), BERLIN, NOW) == shown
    assert show_moment(local(instant), BERLIN, NOW, GERMAN) == german


def test_the_days_of_the_reader_count_not_those_of_utc() -> None:
    assert show_moment(local("2026-05-13 00:30"), BERLIN, local("2026-05-07 00:30")) == "Wed 00:30"


@pytest.mark.parametrize(
    ("text", "count", "unit", "shown"),
    [
        ("3d", 3, Unit.DAY, "3 days"), ("2w", 2, Unit.WEEK, "2 weeks"), ("week", 1, Unit.WEEK, "week"),
        ("Day", 1, Unit.DAY, "day"),
        ("month", 1, Unit.MONTH, "month"), ("2 weeks", 2, Unit.WEEK, "2 weeks"), ("1w", 1, Unit.WEEK, "week"),
        ("weekly", 1, Unit.WEEK, "week"),
        ("2 Wochen", 2, Unit.WEEK, "2 weeks"), ("täglich", 1, Unit.DAY, "day"),
        ("12 months", 12, Unit.MONTH, "12 months"), ("007d", 7, Unit.DAY, "7 days"),
    ],
)  # fmt: skip
def test_periods_are_read(text: str, count: int, unit: Unit, shown: str) -> None:
    period = read_period(text)
    assert (period.count, period.unit, str(period)) == (count, unit, shown)
    assert read_period(shown) == period


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0d",
        "-1w",
        "1.5w",
        "53w",
        "13 months",
        "367d",
        "2m",
        "2  weeks",
        "round",
        "\u0662w",
        "9" * 20_000 + "w",
        "w" * 20_000,
    ],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    assert find_period(text) is None
    with pytest.raises(UnreadablePeriodError) as refused:
        read_period(text)
    assert len(refused.value.word) <= 40
    assert read_period(refused.value.example).count == 2


@given(st.sampled_from(Unit).flatmap(lambda unit: st.builds(Period, st.integers(1, COUNT_MAX[unit]), st.just(unit))))
def test_a_period_reads_back_as_it_is_shown(period: Period) -> None:
    assert read_period(str(period)) == period


@pytest.mark.parametrize(
    ("period", "times", "expected"),
    [("3d", 1, "2026-02-03"), ("2w", 2, "2026-02-28"), ("month", 1, "2026-02-28"), ("month", 2, "2026-03-31"),
    ("month", 12, "2027-01-31"),
     ("12 months", 1, "2027-01-31"), ("month", 25, "2028-02-29")],
)  # fmt: skip
def test_days_a_period_later(period: str, times: int, expected: str) -> None:
    assert read_period(period).after_day(date(2026, 1, 31), times) == date.fromisoformat(expected)


def test_a_period_keeps_the_time_of_day_when_clocks_change() -> None:
    assert read_period("week").after(local("2026-03-25 18:00"), BERLIN) == local("2026-04-01 18:00")
    assert read_period("day").after(local("2026-03-28 02:30"), BERLIN) == local("2026-03-29 03:00")
    assert read_period("day").after(local("2026-03-28 02:30"), BERLIN, times=2) == local("2026-03-30 02:30")
