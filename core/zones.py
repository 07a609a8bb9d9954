"""From a wall clock in a time zone to the instant that it means, once, whatever the clocks do, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

SECOND = timedelta(seconds=1)


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC, whole seconds) at which a clock in the zone shows `wall` (naive) or later.

    The clock shows a repeated hour twice: the first counts. It skips a gap: the first instant after it counts.
    """
    late = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if wall_clock(late, zone) == wall:
        return late
    # In a gap fold 0 counts with the offset before it and so lands after it; fold 1 the other way round.
    late = late.replace(microsecond=0)
    early = wall.replace(tzinfo=zone, fold=1, microsecond=0).astimezone(UTC)
    while late - early > SECOND:
        middle = early + (late - early) // SECOND // 2 * SECOND
        if wall_clock(middle, zone) < wall:
            early = middle
        else:
            late = middle
    return late


def wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what a clock in the zone shows at an (aware) instant, as a naive date and time."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)
