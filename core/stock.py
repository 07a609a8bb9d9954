"""What there is of a good right now, and what a unit of it costs at least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import and_, col, select

from core import sharing
from core.settings import PoolSettings
from core.store import pool_of
from core.tables import Batch, Good, Product, Project
from core.units import round_half_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

OFFERED = and_(
    Batch.pool_id == Product.pool_id,
    Batch.product_id == Product.id,
    Batch.left > 0,
    col(Batch.offered_at).is_not(None),
)
OFFERS = (  # every card of a good asks for it, so it is built once
    select(Product, Project, Batch)
    .join(Project, (col(Project.pool_id) == Product.pool_id) & (col(Project.id) == Product.project_id))
    .outerjoin(Batch, OFFERED)
    .where(Product.pool_id == bindparam("pool_id"), col(Product.good_id).in_(bindparam("good_ids", expanding=True)))
    .order_by(col(Product.id), col(Batch.id))
)


@dataclass(slots=True)
class Offer:
    """A product with what is on offer of it: units, the effort that is not yet due in them, the reserve per unit."""

    product: Product
    project: Project
    units: int = 0
    effort_left: int = 0
    reserve: int = 0

    def add(self, batch: Batch) -> None:
        """Count what is left of a batch."""
        self.units += batch.left
        self.effort_left += effort_left(batch.effort, batch.units, batch.given)


def effort_left(effort: int, units: int, given: int) -> int:
    """Return the effort in what is left of a batch."""
    return effort - round_half_up(effort * given, units)


def rule_of(session: Session, good: Good) -> sharing.Rule:
    """Return the rule by which a good is shared: its own, else the pool's."""
    return sharing.Rule(good.rule) if good.rule else PoolSettings(pool_of(session, good).settings).rule


def offers(session: Session, good: Good) -> list[Offer]:
    """Return every product of a good with what is on offer, in the order in which they came to the pool."""
    return offers_of_all(session, [good])[good.id]


def offers_of_all(session: Session, goods: Sequence[Good]) -> dict[int, list[Offer]]:
    """Return the same for several goods of a pool, by the goods' ids."""
    offered: dict[int, dict[int, Offer]] = {good.id: {} for good in goods}
    params = {"pool_id": goods[0].pool_id, "good_ids": list(offered)}
    for product, project, batch in session.exec(OFFERS, params=params):
        offer = offered[product.good_id].setdefault(product.id, Offer(product, project))
        if batch is not None:
            offer.add(batch)
    found = {good_id: list(by_product.values()) for good_id, by_product in offered.items()}
    for good in goods:
        set_reserves(rule_of(session, good), found[good.id])
    return found


def set_reserves(rule: sharing.Rule, found: list[Offer]) -> None:
    """Set the reserve of each product by the rule."""
    asked = sharing.asked(rule, [(offer.effort_left, offer.units, offer.product.leftover_rounds) for offer in found])
    for offer, reserve in zip(found, asked, strict=True):
        offer.reserve = reserve


def maximum_shown(session: Session, good: Good, product_id: int | None) -> int | None:
    """Return the reserve that a want at cost is shown; None if the good was never made.

    In stock: the reserve of the product, or for any product what such a want would bid. Else the last average effort.
    """
    found = [offer for offer in offers(session, good) if product_id in {None, offer.product.id}]
    shown = [offer.reserve for offer in found if offer.units]
    if not shown and rule_of(session, good) is sharing.Rule.FLAT_RATE:
        shown = [0 for offer in found if offer.product.last_average is not None]
    elif not shown:
        shown = [offer.product.last_average for offer in found if offer.product.last_average is not None]
    return sharing.at_cost_bid(shown) if shown else None
