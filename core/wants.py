"""Wants: standing wishes for units of a good, with the most that each unit may be charged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import col, select

from core.errors import FreeGoodError, NotEnoughFreeError, NoWantError
from core.events import Unwanted, Wanted
from core.ledger import standing
from core.sharing import at_cost_maximum
from core.stock import maximum_shown
from core.store import add
from core.tables import FreeTaking, Good, Member, Product, Want
from core.tasks import check_bounds
from core.timing import newest_number
from core.units import HOURS_MAX, WANT_UNITS_MAX

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

# Everybody asks for these again and again, so they are built once.
STANDING = select(Want).where(
    Want.pool_id == bindparam("pool_id"),
    Want.member_id == bindparam("member_id"),
    Want.good_id == bindparam("good_id"),
    col(Want.ended_at).is_(None),
)
WANTS_OF = (
    select(Want, Good)
    .join(Good, (col(Good.pool_id) == Want.pool_id) & (col(Good.id) == Want.good_id))
    .where(Want.pool_id == bindparam("pool_id"), Want.member_id == bindparam("member_id"))
    .where(col(Want.ended_at).is_(None))
    .order_by(col(Want.id))
)


@dataclass(frozen=True, slots=True)
class WantDraft:
    """A want as it was typed; `bid` in thousandths per unit, None: at cost; `product` None: from any."""

    units: int = 1
    bid: int | None = None
    product: Product | None = None
    every_round: bool = False


def standing_want(session: Session, good: Good, member: Member) -> Want | None:
    """Return the member's standing want for a good."""
    params = {"pool_id": good.pool_id, "good_id": good.id, "member_id": member.id}
    return session.exec(STANDING, params=params).first()


def wants_of(session: Session, member: Member) -> list[Want]:
    """Return the member's standing wants, the oldest first."""
    found = session.exec(WANTS_OF, params={"pool_id": member.pool_id, "member_id": member.id})
    return [one for one, _good in found]


def want(session: Session, good: Good, member: Member, old: Want | None, draft: WantDraft, now: datetime) -> Wanted:
    """Place a want, or replace the one that stands. Refused with the figures if it does not fit in what is free.

    A want that replaces another keeps its place: what it has got and how long it has waited.
    """
    if good.free:
        raise FreeGoodError(good.name)
    check_bounds("count", draft.units, 1, WANT_UNITS_MAX)
    if draft.bid is not None:
        check_bounds("bid", draft.bid, 0, HOURS_MAX)
    product_id = draft.product.id if draft.product else None
    maximum = _maximum(session, good, product_id, draft.bid)
    free = standing(session, member, but_good_id=good.id).free
    if draft.units * (maximum or 0) > free:
        raise NotEnoughFreeError(
            free, draft.units, maximum or 0, good.name, good.units if draft.units > 1 else good.unit
        )
    first_round = newest_number(session, good.pool_id)
    row = old or add(session, Want(pool_id=good.pool_id, good_id=good.id, member_id=member.id, units=0))
    row.units, row.bid, row.maximum, row.product_id, row.at = draft.units, draft.bid, maximum, product_id, now
    row.every_round, row.units_each_round = int(draft.every_round), draft.units
    row.first_round = first_round
    return Wanted(good, row)


def _maximum(session: Session, good: Good, product_id: int | None, bid: int | None) -> int | None:
    if bid is not None:
        return bid
    shown = maximum_shown(session, good, product_id)
    return None if shown is None else at_cost_maximum(shown)


def unwant(session: Session, good: Good, member: Member, now: datetime) -> Unwanted:
    """Take a want back."""
    row = standing_want(session, good, member)
    if row is None:
        raise NoWantError(good.name)
    row.ended_at = now
    return Unwanted(good, row)


def take_free(session: Session, good: Good, member: Member, now: datetime) -> str:
    """Hand a free good over at once: return its link or text. It counts once for everybody who wants it."""
    if session.get(FreeTaking, (good.pool_id, good.id, member.id)) is None:
        add(session, FreeTaking(pool_id=good.pool_id, good_id=good.id, member_id=member.id, at=now))
    return good.free
