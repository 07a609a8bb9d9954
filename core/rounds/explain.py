"""What a round decided about one thing or a page of them; and what would have been enough, by clearing once more."""

from __future__ import annotations

from core.rounds.goods import clear_good
from core.rounds.inputs import (
    BatchRow,
    GoodResult,
    GoodRow,
    Inputs,
    Outcome,
    ProductResult,
    ProductRow,
    TaskResult,
    TaskRow,
    WantResult,
    WantRow,
)
from core.rounds.kept import Kept
from core.units import HOURS_MAX

STEP = 10  # thousandths: bids are explained to the hundredth of an hour


def about_good(inputs_data: bytes, outcome_data: bytes, good_id: int) -> tuple[Inputs, Outcome]:
    """Read of a round what concerns one good: itself, its products, their batches, and its wants."""
    before, after = Kept(inputs_data), Kept(outcome_data)
    products = list(map(ProductRow._make, before.rows_of("products", good_id)))
    batches = [BatchRow._make(row) for one in products for row in before.rows_of("batches", one.id)]
    inputs = Inputs(
        **before.figures,
        goods=list(map(GoodRow._make, before.rows_of("goods", good_id))),
        products=products,
        batches=sorted(batches),
        wants=list(map(WantRow._make, before.rows_of("wants", good_id))),
    )
    outcome = Outcome(
        **after.figures,
        products=[ProductResult._make(row) for one in products for row in after.rows_of("products", one.id)],
        goods=list(map(GoodResult._make, after.rows_of("goods", good_id))),
        wants=list(map(WantResult._make, after.rows_of("wants", good_id))),
    )
    return inputs, outcome


def page_of(inputs_data: bytes, outcome_data: bytes, begin: int, end: int) -> tuple[Inputs, Outcome, bool]:
    """Read of a round the tasks and goods on a page, and what their lines are made of; tell whether there are more.

    Tasks come first, by their numbers, then goods.
    """
    before, after = Kept(inputs_data), Kept(outcome_data)
    count = after.count("tasks")
    told = [row for row in map(GoodResult._make, after.rows("goods")) if row.concerns] if end >= count else []
    goods = told[max(0, begin - count) : max(0, end - count)]
    products = [ProductRow._make(row) for one in goods for row in before.rows_of("products", one.good_id)]
    inputs = Inputs(
        **before.figures, tasks=list(map(TaskRow._make, before.page("tasks", begin, end))), products=products
    )
    outcome = Outcome(
        **after.figures,
        tasks=list(map(TaskResult._make, after.page("tasks", begin, end))),
        products=[ProductResult._make(row) for one in products for row in after.rows_of("products", one.id)],
        goods=goods,
    )
    return inputs, outcome, end < count + len(told)


def enough_bid(inputs: Inputs, outcome: Outcome, own: WantResult) -> int | None:
    """Return the lowest bid, in steps of 0.01 h, that would have got one unit more; None if none would have.

    Only the bid changes: everybody else's wants, and whether it could be covered, stay as they were.
    """
    low, high = own.bid // STEP, HOURS_MAX // STEP
    if _units_with(inputs, outcome, own, high * STEP) <= own.got:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _units_with(inputs, outcome, own, middle * STEP) > own.got:
            high = middle
        else:
            low = middle
    return high * STEP


def _units_with(inputs: Inputs, outcome: Outcome, own: WantResult, bid: int) -> int:
    good = next(one for one in inputs.goods if one.id == own.good_id)
    covered = {result.want_id: result.covered for result in outcome.wants}
    wants = [
        (want._replace(bid=bid) if want.id == own.want_id else want, covered[want.id])
        for want in inputs.wants
        if want.good_id == good.id
    ]
    products = [product for product in inputs.products if product.good_id == good.id]
    batches = {
        product.id: [batch for batch in inputs.batches if batch.product_id == product.id] for product in products
    }
    clearing = clear_good(inputs, good, products, batches, wants)
    return next(result.got for result in clearing.wants if result.want_id == own.want_id)
