"""Periods: `3d`, `2w`, `week`, `2 weeks`, `month`, and the same time of day that much later."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING

from core.clean import shorten
from core.errors import Refusal
from core.zones import first_instant, wall_clock

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MONTHS_A_YEAR = 12


class Unit(StrEnum):
    """What a period counts."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


COUNT_MAX = {Unit.DAY: 366, Unit.WEEK: 52, Unit.MONTH: 12}
DAYS_MAX = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 31}
UNIT_NAMES = {
    name: unit
    for unit, names in {
        Unit.DAY: "d day days daily tag tage tagen täglich",
        Unit.WEEK: "w week weeks weekly woche wochen wöchentlich",
        Unit.MONTH: "month months monthly monat monate monaten monatlich",
    }.items()
    for name in names.split()
}
# "m" is a minute elsewhere, so it is no month here.
PERIOD = re.compile(r"(?:([0-9]{1,9}) ?)?([^\W\d_]{1,12})")


@dataclass(eq=False)
class UnreadablePeriodError(Refusal):
    """The text is no period, or one of more than a year."""

    word: str
    example: str = "2w"


@dataclass(frozen=True, slots=True)
class Period:
    """So many days, weeks or months."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        """Return the normalised text, which reads back as this period: `week`, `2 weeks`."""
        return self.unit.value if self.count == 1 else f"{self.count} {self.unit}s"

    def after_day(self, day: date, times: int = 1) -> date:
        """Return the day `times` periods later; in a month without that day its last one."""
        count = self.count * times
        if self.unit is not Unit.MONTH:
            return day + timedelta(days=count if self.unit is Unit.DAY else 7 * count)
        years, month = divmod(day.month - 1 + count, MONTHS_A_YEAR)
        year = day.year + years
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))

    def after(self, instant: datetime, zone: ZoneInfo, times: int = 1) -> datetime:
        """Return the instant (UTC) when clocks in the zone show the same time, `times` periods later.

        Count from a fixed start (`times` = 1, 2, 3 …), else a 31st becomes a 28th for good.
        """
        wall = wall_clock(instant, zone)
        return first_instant(datetime.combine(self.after_day(wall.date(), times), wall.time()), zone)

    def first_after(self, start: datetime, zone: ZoneInfo, now: datetime) -> datetime:
        """Return the first instant after `now` that is one or more whole periods after `start`."""
        passed = (now - start).days // (self.count * DAYS_MAX[self.unit])  # surely no more than have passed
        moments = (self.after(start, zone, times) for times in count(max(1, passed)))
        return next(moment for moment in moments if moment > now)


def read_period(text: str) -> Period:
    """Read a period of at most a year."""
    period = find_period(text)
    if period is None:
        raise UnreadablePeriodError(shorten(text))
    return period


def find_period(text: str) -> Period | None:
    """Read a period of at most a year; None if it is none."""
    match = PERIOD.fullmatch(text.casefold())
    unit = UNIT_NAMES.get(match[2]) if match else None
    if match is None or unit is None:
        return None
    count = int(match[1] or 1)
    return Period(count, unit) if 0 < count <= COUNT_MAX[unit] else None
