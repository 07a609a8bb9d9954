"""What would have been enough: the same clearing, asked again with another bid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.rounds.decide import coverage
from core.rounds.goods import clear_good
from core.units import HOURS_MAX

if TYPE_CHECKING:
    from core.rounds.inputs import Inputs, WantResult

STEP = 10  # thousandths: bids are explained to the hundredth of an hour


def enough_bid(inputs: Inputs, own: WantResult) -> int | None:
    """Return the lowest bid, in steps of 0.01 h, that would have got one unit more; None if none would have.

    Only the bid changes: everybody else's wants, and whether it could be covered, stay as they were.
    """
    low, high = own.bid // STEP, HOURS_MAX // STEP
    if _units_with(inputs, own, high * STEP) <= own.got:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _units_with(inputs, own, middle * STEP) > own.got:
            high = middle
        else:
            low = middle
    return high * STEP


def _units_with(inputs: Inputs, own: WantResult, bid: int) -> int:
    good = next(one for one in inputs.goods if one.id == own.good_id)
    wants = [
        (want._replace(bid=bid) if want.id == own.want_id else want, covered)
        for want, covered in zip(inputs.wants, coverage(inputs), strict=True)
        if want.good_id == good.id
    ]
    products = [product for product in inputs.products if product.good_id == good.id]
    batches = {
        product.id: [batch for batch in inputs.batches if batch.product_id == product.id] for product in products
    }
    clearing = clear_good(inputs, good, products, batches, wants)
    return next(result.got for result in clearing.wants if result.want_id == own.want_id)
