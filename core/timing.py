"""When a pool's rounds are: the open round, its lottery's secret and the moment it is due."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, inspect
from sqlalchemy.orm import defer
from sqlmodel import col, func, select

from core.settings import PoolSettings
from core.store import add
from core.tables import Pool, Round
from core.timetable import Moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlmodel import Session

NEWEST = select(func.max(Round.number)).where(Round.pool_id == bindparam("pool_id"))  # every want asks: built once
SECRET_BYTES = 32
# What a round keeps of itself can be large: it is read only where it is asked for.
WITHOUT_RECORDS = tuple(defer(inspect(Round).attrs[name].class_attribute) for name in ("inputs", "outcome"))


def open_round(session: Session, pool: Pool, now: datetime, entropy: Callable[[int], bytes]) -> Round:
    """Open the pool's next round. The hash of its lottery's secret is known from now on, the secret at its end."""
    secret = entropy(SECRET_BYTES)
    last = newest_number(session, pool.id)
    commitment = hashlib.sha256(secret).hexdigest()
    row = Round(pool_id=pool.id, number=last + 1, secret=secret.hex(), commitment=commitment, opened_at=now)
    return add(session, row)


def newest_number(session: Session, pool_id: int) -> int:
    """Return the number of the pool's open round; 0 before the first."""
    return session.exec(NEWEST, params={"pool_id": pool_id}).one() or 0


def current_round(session: Session, pool_id: int) -> Round:
    """Return the pool's open round; there is always one."""
    query = select(Round).where(Round.pool_id == pool_id, Round.state == "open")
    return session.exec(query.order_by(col(Round.number).desc()).limit(1)).one()


def last_round(session: Session, pool_id: int) -> Round | None:
    """Return the pool's last round that was held."""
    query = select(Round).where(Round.pool_id == pool_id, Round.state == "done")
    return session.exec(query.options(*WITHOUT_RECORDS).order_by(col(Round.number).desc()).limit(1)).first()


def schedule(session: Session, pool: Pool, after: datetime | Moment) -> None:
    """Set when the open round is due: the timetable's first moment after `after` that has not happened yet.

    A moment is what the pool's clock shows. One that has happened does not come again, whatever becomes of the
    clock, the time zone or the timetable.
    """
    settings = PoolSettings(pool.settings)
    moment = settings.rounds.next_after(after, settings.timezone)
    while _has_happened(session, pool, moment.key):
        moment = settings.rounds.next_after(moment, settings.timezone)
    row = current_round(session, pool.id)
    row.local, row.due_at = moment.key, moment.instant
    pool.round_due_at = moment.instant


def _has_happened(session: Session, pool: Pool, key: str) -> bool:
    query = select(Round.id).where(Round.pool_id == pool.id, Round.local == key, Round.state != "open")
    return session.exec(query).first() is not None


def missed(session: Session, pool: Pool, now: datetime) -> list[Moment]:
    """Return the moments after that of the open round that have passed: those of an outage."""
    settings, row = PoolSettings(pool.settings), current_round(session, pool.id)
    if row.due_at is None or row.local is None:
        return []
    due = Moment(datetime.fromisoformat(row.local), row.due_at)
    passed = settings.rounds.between(due, now, settings.timezone)
    return [moment for moment in passed if not _has_happened(session, pool, moment.key)]


def record_missed(session: Session, pool: Pool, now: datetime) -> tuple[str, ...]:
    """After an outage, make the open round the latest moment that was missed and record the older ones as skipped."""
    row = current_round(session, pool.id)
    skipped: list[str] = []
    for moment in missed(session, pool, now):
        skipped.append(row.local or "")
        older = Round(pool_id=pool.id, state="skipped", local=row.local, due_at=row.due_at, opened_at=row.opened_at)
        row.local, row.due_at = moment.key, moment.instant
        session.flush()
        add(session, older)
    return tuple(skipped)
