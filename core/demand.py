"""Over- and under-production: what is missing, who could make it, and who might show whom how."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, func, select

from core.allocation import apportion
from core.members import active_since
from core.rounds.gather import made_units, pledged_units
from core.rounds.hold import is_large, preview
from core.rounds.inputs import GoodResult
from core.rounds.kept import Kept
from core.tables import Batch, Good, Product, Project
from core.timing import current_round, last_round

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

    from core.tables import Pool

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


def shortfalls(session: Session, pool: Pool, now: datetime) -> list[tuple[int, int]]:
    """Return the goods that are short and by how many units: as if the round were now.

    In a large pool it is what the last round left short, less what was made and promised since.
    """
    if not is_large(session, pool.id):
        return [(one.good_id, one.shortfall) for one in preview(session, pool, now).outcome.goods if one.shortfall]
    last = last_round(session, pool.id)
    results = [] if last is None or last.outcome is None else Kept(last.outcome).rows("goods")
    pledged, made = pledged_units(session, pool.id), made_units(session, pool.id, last.due_at if last else None)
    there = defaultdict[int, int](int)
    for product_id, good_id in session.exec(select(Product.id, Product.good_id).where(Product.pool_id == pool.id)):
        there[good_id] += pledged[product_id] + made[product_id]
    found = map(GoodResult._make, results)
    missing = ((one.good_id, one.unmet - one.left - there[one.good_id]) for one in found)
    return [(good_id, count) for good_id, count in missing if count > 0]


def is_made_by_nobody(session: Session, good: Good, result: GoodResult) -> bool:
    """Tell whether units of a good are wanted whose makers are all gone; every project is told."""
    return result.wanted > 0 and not makers(session, good)


def all_far_apart(session: Session, pool_id: int) -> dict[int, tuple[Product, Product]]:
    """Return by good the products with the least and the most effort per unit, where they differ by more than 25 %."""
    average = col(Product.last_average)
    many = (
        select(Product.good_id)
        .where(Product.pool_id == pool_id)
        .group_by(col(Product.good_id))
        .having(func.max(average) * 100 > func.min(average) * DIFFERENCE_PERCENT)
    )
    query = (
        select(Product)
        .join(Project, (col(Project.pool_id) == Product.pool_id) & (col(Project.id) == Product.project_id))
        .where(Product.pool_id == pool_id, col(Project.archived_at).is_(None), average.is_not(None))
        .where(col(Product.good_id).in_(many))
    )
    known = defaultdict[int, list[Product]](list)
    for product in session.exec(query.order_by(average, col(Product.id))):
        known[product.good_id].append(product)
    ends = {good_id: (found[0], found[-1]) for good_id, found in known.items()}
    return {good_id: pair for good_id, pair in ends.items() if _differ(*pair)}


def _differ(least: Product, most: Product) -> bool:
    return (most.last_average or 0) * 100 > (least.last_average or 0) * DIFFERENCE_PERCENT
