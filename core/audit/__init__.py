"""The audit of a pool: `check` looks at everything that must be true now, `replay` decides its rounds again.

Both only read, and know no time; the work is done by a fixed number of queries over whole tables.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from core.audit import accounts, calendar, rounds, stock
from core.audit.finding import Finding, Invariant

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.tables import Pool

__all__ = ["Finding", "Invariant", "check", "replay"]

CHECKS = (*accounts.CHECKS, *stock.CHECKS, *calendar.CHECKS, rounds.last)


def check(session: Session, pool: Pool) -> list[Finding]:
    """Return every invariant of a pool that does not hold now; of its rounds, only the last is looked into."""
    return sorted(chain.from_iterable(one(session, pool) for one in CHECKS))


def replay(session: Session, pool: Pool, number: int | None = None) -> list[Finding]:
    """Decide held rounds (or one) again from their kept inputs; return where outcome or bookings differ."""
    return sorted(rounds.replay(session, pool, number))
