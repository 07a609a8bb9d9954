"""Recognition: effort counts when somebody wants the result.

A contribution's `due` is the part of its effort whose result is wanted, `recognised` what has been credited of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import ledger, sharing
from core.batches import contributions_of
from core.ledger import Entry, TransferKind
from core.settings import PoolSettings
from core.store import pool_of
from core.tables import Batch, Member, Pool

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


def due_with(effort: int, units: int, given: int, shares: list[int]) -> list[int]:
    """Return what is due to each contributor of a batch once `given` of its units are given, in thousandths."""
    return [int(part) for part in sharing.recognised(effort, units, 0, given, shares)]


def most_to_take(session: Session, member: Member) -> int:
    """Return the most effort that can be taken back from a member without taking them below their limit.

    A newcomer's limit falls with every hour taken back, so each counts twice. Who left has no limit any more.
    """
    session.flush()
    balance = ledger.balance(session, member.pool_id, member.id)
    if member.left_at is not None:
        return max(0, balance)
    settings = PoolSettings(pool_of(session, member).settings)
    newcomer = settings.newcomer + ledger.recognised_of(session, member)
    return max(0, min(balance + settings.limit, (balance + newcomer) // 2))


def take_back(session: Session, pool: Pool, batch: Batch, key: str, now: datetime) -> None:
    """Reverse what was recognised for units of a batch that are not given after all.

    What a member cannot give back stays credited, and counts for the next units given.
    """
    contributions = contributions_of(session, batch)
    shares = [one.effort for one in contributions]
    for one, due in zip(contributions, due_with(batch.effort, batch.units, batch.given, shares), strict=True):
        most = most_to_take(session, session.get_one(Member, (one.pool_id, one.member_id)))
        excess = min(max(0, one.recognised - due), most)
        entry = Entry(f"{key}:{one.id}", TransferKind.RETURN, one.member_id, ledger.COMMONS, excess, "")
        ledger.transfer(session, pool, entry, now)
        one.recognised -= excess
        one.due = max(due, one.recognised)
