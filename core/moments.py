"""Dates and times as people type them (`fri`, `sat 18:00`, `morgen`, `2026-05-08`, `3d`) and as they read them."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from core.clean import shorten
from core.errors import PastMomentError, Refusal
from core.periods import MONTHS_A_YEAR, find_period
from core.timetable import WEEKDAYS, read_time
from core.zones import first_instant, wall_clock

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

END_OF_DAY = time(23, 59)  # a day without a time: work due on Friday may be done on Friday
DAYS_AHEAD_MAX = 3_660
YEAR_MIN = 1970  # no moment of a pool is older, and the first years of the calendar have no UTC everywhere
DAYS_NAMED = 6  # up to so many days ahead the weekday alone says which day is meant
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
SOME_LEAP_DAY = date(2000, 2, 29)
NEAR_DAYS = {"today": 0, "heute": 0, "tomorrow": 1, "morgen": 1, "übermorgen": 2}
DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
GERMAN_DATE = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})?")


@dataclass(eq=False)
class UnreadableMomentError(Refusal):
    """The text is no date or time."""

    word: str
    example: str = "fri 18:00"


@dataclass(eq=False)
class FarMomentError(Refusal):
    """The moment is more than ten years away."""

    word: str


@dataclass(frozen=True, slots=True)
class CalendarWords:
    """What a language calls days (Monday first) and months, and the order in which it says them."""

    days: tuple[str, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months: tuple[str, ...] = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    near: str = "{day}"
    far: str = "{day} {date} {month}"
    other_year: str = "{day} {date} {month} {year}"


ENGLISH = CalendarWords()


def read_moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Read a moment later than `now` (aware), as an instant (UTC).

    Raises UnreadableMomentError, FarMomentError or, when it is over, PastMomentError.
    A day without a time means its end (23:59); a weekday, a time or a date without a year the coming one.
    """
    today = wall_clock(now, zone).date()
    days, at = _parts(text, today)
    if not days:
        raise UnreadableMomentError(shorten(text))
    if days[0] > today + DAYS_AHEAD_MAX * DAY:
        raise FarMomentError(shorten(text))
    instants = [first_instant(datetime.combine(day, at), zone) for day in days]
    coming = next((instant for instant in instants if instant > now), None)
    if coming is None:
        raise PastMomentError(instants[-1])
    return coming


def is_moment(text: str) -> bool:
    """Say whether a text reads as a moment, past or not."""
    days, _ = _parts(text, SOME_LEAP_DAY)
    return bool(days)


def show_moment(instant: datetime, zone: ZoneInfo, now: datetime, words: CalendarWords = ENGLISH) -> str:
    """Show an instant as `Sun 18:00`, `Sun 10 May 18:00` if not within six days, with its year if it is another."""
    return f"{show_day(instant, zone, now, words)} {wall_clock(instant, zone):%H:%M}"


def is_whole_day(instant: datetime, zone: ZoneInfo) -> bool:
    """Say whether an instant is the end of a day: what a day without a time is read as."""
    return wall_clock(instant, zone).time() == END_OF_DAY


def show_day(instant: datetime, zone: ZoneInfo, now: datetime, words: CalendarWords = ENGLISH) -> str:
    """Show the day of an instant, as `show_moment` does."""
    wall, today = wall_clock(instant, zone), wall_clock(now, zone).date()
    if timedelta(0) <= wall.date() - today <= DAYS_NAMED * DAY:
        pattern = words.near
    else:
        pattern = words.far if wall.year == today.year else words.other_year
    return pattern.format(
        day=words.days[wall.weekday()],
        date=wall.day,
        month=words.months[wall.month - 1],
        year=wall.year,
    )


def _parts(text: str, today: date) -> tuple[list[date], time]:
    """Return the days that can be meant, the earliest first (none: unreadable), and the time of day."""
    words = text.casefold().split()
    at = read_time(words[-1]) if words else None
    if at is None:
        return _days(words, today), END_OF_DAY
    return (_days(words[:-1], today) if words[1:] else [today, today + DAY]), at


def _days(words: list[str], today: date) -> list[date]:
    if not words:
        return []
    if words[0][0].isdigit() and (period := find_period(" ".join(words))):
        return [period.after_day(today)]
    if words[1:]:
        return []
    if words[0] in WEEKDAYS:
        coming = today + (WEEKDAYS[words[0]] - today.weekday()) % 7 * DAY
        return [coming, coming + WEEK]
    if words[0] in NEAR_DAYS:
        return [today + NEAR_DAYS[words[0]] * DAY]
    return _dates(words[0], today)


def _dates(word: str, today: date) -> list[date]:
    if match := DATE.fullmatch(word):
        found = [(int(match[1]), int(match[2]), int(match[3]))]
    elif match := GERMAN_DATE.fullmatch(word):
        years = [int(match[3])] if match[3] else [today.year, today.year + 1]
        found = [(year, int(match[2]), int(match[1])) for year in years]
    else:
        return []
    return [date(*parts) for parts in found if _is_date(*parts)]


def _is_date(year: int, month: int, day: int) -> bool:
    return year >= YEAR_MIN and 1 <= month <= MONTHS_A_YEAR and 1 <= day <= monthrange(year, month)[1]
