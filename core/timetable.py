"""A pool's clock: its zone, its timetable (`sun 18:00`, `mon,thu 07:30`, `daily 18:00`), and hours of quiet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo, available_timezones

from core.clean import shorten
from core.errors import Refusal
from core.zones import first_instant, wall_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_LENGTH_MAX = 100
ZONE_NAME_LENGTH_MAX = 64
DAY = timedelta(days=1)
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKDAYS = {
    name: weekday
    for weekday, names in enumerate(
        (
            "mon monday mo montag",
            "tue tues tuesday di dienstag",
            "wed weds wednesday mi mittwoch",
            "thu thur thurs thursday do donnerstag",
            "fri friday fr freitag",
            "sat saturday sa samstag sonnabend",
            "sun sunday so sonntag",
        ),
    )
    for name in names.split()
}
EVERY_DAY = frozenset({"daily", "täglich"})
LINKING = frozenset({"and", "und", "&"})
TIME_RANGE = re.compile(r"([0-9:]+)\s*[-\u2010-\u2015]\s*([0-9:]+)")
TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


@dataclass(eq=False)
class UnreadableTimetableError(Refusal):
    """The text is no timetable."""

    word: str
    example: str = "sun 18:00"


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """One due moment: `wall`, what the pool's clock was to show (naive, unique), and the instant it falls on (UTC)."""

    wall: datetime
    instant: datetime

    @property
    def key(self) -> str:
        """The wall clock as text, `2026-05-10 18:00`: what makes the moment happen once."""
        return f"{self.wall:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Timetable:
    """Weekdays (0 is Monday; sorted, at least one) and a time of day."""

    weekdays: tuple[int, ...]
    at: time

    @classmethod
    def read(cls, text: str) -> Self:
        """Read days (English or German, short or long) or `daily`, then a time. Raises UnreadableTimetableError."""
        words = text.casefold().replace(",", " ").split() if len(text) <= TEXT_LENGTH_MAX else []
        at = read_time(words[-1]) if words else None
        days = [word for word in words[:-1] if word not in LINKING]
        if at is None or not days:
            raise UnreadableTimetableError(shorten(text))
        if len(days) == 1 and days[0] in EVERY_DAY:
            return cls(tuple(range(len(DAY_NAMES))), at)
        for day in days:
            if day not in WEEKDAYS:
                raise UnreadableTimetableError(shorten(day))
        return cls(tuple(sorted({WEEKDAYS[day] for day in days})), at)

    def __str__(self) -> str:
        """Return the normalised text, which reads back as this timetable."""
        days = "daily" if len(self.weekdays) == len(DAY_NAMES) else ",".join(DAY_NAMES[day] for day in self.weekdays)
        return f"{days} {self.at:%H:%M}"

    def next_after(self, after: datetime | Moment, zone: ZoneInfo) -> Moment:
        """Return the first moment later than an instant (aware), or than another moment."""
        return next(self._after(after, zone))

    def between(self, after: datetime | Moment, until: datetime, zone: ZoneInfo) -> Iterator[Moment]:
        """Yield the moments later than `after` up to and including `until`, in order.

        Where a whole day is skipped two moments may fall on one instant: `after` a Moment still gives the second.
        """
        return takewhile(lambda moment: moment.instant <= until, self._after(after, zone))

    def _after(self, after: datetime | Moment, zone: ZoneInfo) -> Iterator[Moment]:
        # What a clock has shown is over, whatever it shows next: no day before today's can still have its moment.
        start = after.wall if isinstance(after, Moment) else wall_clock(after, zone)
        day = start.date() - DAY
        while True:
            day += DAY
            if day.weekday() not in self.weekdays:
                continue
            wall = datetime.combine(day, self.at)
            moment = Moment(wall, first_instant(wall, zone))
            if (wall > after.wall) if isinstance(after, Moment) else (moment.instant > after):
                yield moment


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours of every day without notices, past midnight if they end before they begin."""

    begin: time
    end: time

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `22:00-07:00`, or in whole hours `22-7`. Raises UnreadableTimetableError."""
        match = TIME_RANGE.fullmatch(text.strip()) if len(text) <= TEXT_LENGTH_MAX else None
        begin, end = (_read_hour(match[1]), _read_hour(match[2])) if match else (None, None)
        if begin is None or end is None or begin == end:
            raise UnreadableTimetableError(shorten(text), "22:00-07:00")
        return cls(begin, end)

    def __str__(self) -> str:
        """Return the normalised text, which reads back as these hours."""
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"

    def quiet_until(self, instant: datetime, zone: ZoneInfo) -> datetime | None:
        """Return when the quiet around an instant ends; None if it is not quiet then."""
        wall = wall_clock(instant, zone)
        if self.begin < self.end:
            is_quiet = self.begin <= wall.time() < self.end
        else:
            is_quiet = not self.end <= wall.time() < self.begin
        if not is_quiet:
            return None
        day = wall.date() if wall.time() < self.end else wall.date() + DAY
        until = first_instant(datetime.combine(day, self.end), zone)
        return until if until > instant else None  # over already, when the clock shows these hours a second time


def _read_hour(word: str) -> time | None:
    return read_time(word if ":" in word else f"{word}:00")


def read_time(word: str) -> time | None:
    """Read a time of day, `7:30` or `18:00`; None if it is none."""
    match = TIME.fullmatch(word)
    return time(int(match[1]), int(match[2])) if match else None


@dataclass(eq=False)
class UnknownZoneError(Refusal):
    """No time zone has this name."""

    name: str
    example: str = "Europe/Berlin"


def read_zone(name: str) -> ZoneInfo:
    """Find a zone by its name, in any case, or by its city alone (`berlin`) if only one has it."""
    # Only names from the list are opened: a name is a path to zoneinfo, and directories or `..` are none.
    wanted = "_".join(name.split()).casefold()
    if len(wanted) > ZONE_NAME_LENGTH_MAX or wanted not in _zone_names():
        raise UnknownZoneError(shorten(name))
    return ZoneInfo(_zone_names()[wanted])


@cache
def _zone_names() -> dict[str, str]:
    names = sorted(available_timezones())
    by_city: dict[str, list[str]] = {}
    for name in names:
        by_city.setdefault(name.rsplit("/", 1)[-1].casefold(), []).append(name)
    cities = {city: found[0] for city, found in by_city.items() if len(found) == 1}
    return cities | {name.casefold(): name for name in names}
