"""Clocks for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)  # a Monday


class StillClock:
    """Stands still; `ahead` moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.start = now
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return self.start + self.ahead

    def set(self, now: datetime) -> timedelta:
        self.ahead = now - self.start
        return self.ahead
