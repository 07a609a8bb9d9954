"""Pledges: a project's promise to make units by a date, and how well it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import FreeGoodError
from core.events import Pledged
from core.store import add, pool_of
from core.tables import Good, Member, Pledge, Product
from core.tasks import check_bounds
from core.units import BATCH_UNITS_MAX

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


def pledge(
    session: Session, good: Good, product: Product, member: Member, units: int, by_at: datetime | None, now: datetime
) -> Pledged:
    """Promise units of a product, by the next round unless another date is given."""
    if good.free:
        raise FreeGoodError(good.name)
    check_bounds("units", units, 1, BATCH_UNITS_MAX)
    by_at = by_at or pool_of(session, product).round_due_at or now
    row = Pledge(pool_id=product.pool_id, product_id=product.id, member_id=member.id, units=units, by_at=by_at, at=now)
    return Pledged(good, product, add(session, row))
