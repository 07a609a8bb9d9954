"""Recognition: effort counts when somebody wants the result.

A contribution's `due` is the part of its effort whose result is wanted, `recognised` what has been credited of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import ledger, sharing
from core.ledger import Entry, TransferKind
from core.tables import Batch, Contribution, Pool

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


def due_with(effort: int, units: int, given: int, shares: list[int]) -> list[int]:
    """Return what is due to each contributor of a batch once `given` of its units are given, in thousandths."""
    return [int(part) for part in sharing.recognised(effort, units, 0, given, shares)]


def take_back(session: Session, pool: Pool, batch: Batch, key: str, now: datetime) -> None:
    """Reverse what was recognised for units of a batch that are not given after all."""
    session.flush()
    query = select(Contribution).where(Contribution.pool_id == batch.pool_id, Contribution.batch_id == batch.id)
    contributions = list(session.exec(query.order_by(col(Contribution.id))).all())
    shares = [one.effort for one in contributions]
    for one, due in zip(contributions, due_with(batch.effort, batch.units, batch.given, shares), strict=True):
        excess = max(0, one.recognised - due)
        entry = Entry(f"{key}:{one.id}", TransferKind.RETURN, one.member_id, ledger.COMMONS, excess, "")
        ledger.transfer(session, pool, entry, now)
        one.due, one.recognised = due, one.recognised - excess
