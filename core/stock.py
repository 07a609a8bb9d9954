"""What there is of a good right now, and what a unit of it costs at least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import col, select

from core import sharing
from core.settings import PoolSettings
from core.store import pool_of
from core.tables import Batch, Good, Product
from core.units import round_half_up

if TYPE_CHECKING:
    from sqlmodel import Session

# Every card of a good asks for these, so they are built once.
PRODUCTS = (
    select(Product)
    .where(Product.pool_id == bindparam("pool_id"), Product.good_id == bindparam("good_id"))
    .order_by(col(Product.id))
)
BATCHES = (
    select(Batch)
    .where(
        Batch.pool_id == bindparam("pool_id"),
        col(Batch.product_id).in_(bindparam("product_ids", expanding=True)),
        Batch.left > 0,
        col(Batch.offered_at).is_not(None),
    )
    .order_by(col(Batch.id))
)


@dataclass(slots=True)
class Offer:
    """A product with what is on offer of it: units, the effort that is not yet due in them, the reserve per unit."""

    product: Product
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
    products = session.exec(PRODUCTS, params={"pool_id": good.pool_id, "good_id": good.id})
    found = {product.id: Offer(product) for product in products}
    for batch in session.exec(BATCHES, params={"pool_id": good.pool_id, "product_ids": list(found)}):
        found[batch.product_id].add(batch)
    result = list(found.values())
    set_reserves(rule_of(session, good), result)
    return result


def set_reserves(rule: sharing.Rule, found: list[Offer]) -> None:
    """Set the reserve of each product by the rule."""
    reserves = sharing.reserves(
        rule,
        [offer.effort_left for offer in found],
        [offer.units for offer in found],
        [offer.product.leftover_rounds for offer in found],
    )
    for offer, reserve in zip(found, reserves.tolist(), strict=True):
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
