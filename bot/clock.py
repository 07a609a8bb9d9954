"""The clock: the only place that reads the time; the console may be ahead of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time in UTC, `ahead` of the real one by so much."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def __call__(self) -> datetime:
        """Return what time it is."""
        return datetime.now(UTC) + self.ahead

    def set(self, now: datetime) -> timedelta:
        """Let it be this time now; return how far ahead that is."""
        self.ahead = now - datetime.now(UTC)
        return self.ahead
