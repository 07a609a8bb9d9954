"""Over- and under-production: what is missing, who could make it, and who might show whom how."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, func, select

from core.allocation import apportion
from core.members import active_since
from core.tables import Batch, Good, Product, Project
from core.timing import current_round

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.rounds.inputs import GoodResult

# Products of one good that differ by more than this in effort per unit are worth a talk between their makers.
DIFFERENCE_PERCENT = 125


@dataclass(frozen=True, slots=True)
class Part:
    """What one project could make of what is missing."""

    product: Product
    units: int


def makers(session: Session, good: Good) -> list[Product]:
    """Return the products of a good whose projects go on."""
    query = (
        select(Product)
        .join(Project, (col(Project.pool_id) == Product.pool_id) & (col(Project.id) == Product.project_id))
        .where(Product.pool_id == good.pool_id, Product.good_id == good.id, col(Project.archived_at).is_(None))
    )
    return list(session.exec(query.order_by(col(Product.id))).all())


def made_lately(session: Session, good: Good) -> dict[int, int]:
    """Return the units made of each product over the last four rounds."""
    since = active_since(session, good.pool_id, current_round(session, good.pool_id).number or 0)
    query = (
        select(Batch.product_id, func.sum(Batch.units))
        .join(Product, (col(Product.pool_id) == Batch.pool_id) & (col(Product.id) == Batch.product_id))
        .where(Batch.pool_id == good.pool_id, Product.good_id == good.id)
    )
    if since is not None:
        query = query.where(Batch.made_at > since)
    made = defaultdict[int, int](int)
    for product_id, units in session.exec(query.group_by(col(Batch.product_id))):
        made[product_id] = int(units)
    return made


def split(session: Session, good: Good, missing: int) -> list[Part]:
    """Return who could make how much of what is missing: in proportion to what they made lately, else evenly."""
    found = makers(session, good)
    if not found:
        return []
    made = made_lately(session, good)
    units = apportion(missing, [made[product.id] for product in found]).tolist()
    return [Part(product, count) for product, count in zip(found, units, strict=True)]


def is_made_by_nobody(session: Session, good: Good, result: GoodResult) -> bool:
    """Tell whether units of a good are wanted whose makers are all gone; every project is told."""
    return result.wanted > 0 and not makers(session, good)


def far_apart(session: Session, good: Good) -> tuple[Product, Product] | None:
    """Return the products of a good with the least and the most effort per unit, if they differ by more than 25 %."""
    known = [(one.last_average, one.id, one) for one in makers(session, good) if one.last_average is not None]
    if len(known) <= 1:
        return None
    (least, _id, cheapest), (most, _other_id, dearest) = min(known), max(known)
    return (cheapest, dearest) if most * 100 > least * DIFFERENCE_PERCENT else None
