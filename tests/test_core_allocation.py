"""Clearing a good and a task: cases, the seven properties, extremes, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given as example
from hypothesis import settings
from hypothesis import strategies as st

from core.allocation import clear_goods, clear_task
from tests.cases import integers, table
from tests.market import (
    Market,
    given_by_rank,
    markets,
    read_market,
    served_at,
    smallest_clearing_costs,
    spread_at,
)

if TYPE_CHECKING:
    from random import Random

HUGE = 2**62

# what it shows | products: units@reserve | wants in rank order: product:bid>given | cost
AUCTIONED = """
    nothing at all                      |             |                                    |
    no wants                            | 2@5 0@3     |                                    | 5 3
    no products                         |             | any:5>-                            |
    no units                            | 0@5 0@3     | any:9>- 0:9>-                      | 5 3
    enough for all costs the reserve    | 3@2         | 0:5>0 0:2>0                        | 2
    the highest losing bid              | 2@0         | 0:3>- 0:5>0 0:9>0 0:4>-            | 4
    below the reserve nobody gets one   | 2@6         | 0:5>- 0:6>0                        | 6
    a losing bid below the reserve      | 1@6         | 0:5>- 0:9>0                        | 6
    a tie goes to the first in rank     | 1@0         | 0:4>0 0:4>-                        | 4
    above the cost beats the rank       | 2@0         | 0:4>0 0:4>- 0:5>0                  | 4
    a bid of nothing may win            | 2@0         | 0:0>0 any:0>0 0:0>-                | 0
    any takes the cheaper product       | 1@4 1@2     | any:9>1                            | 4 2
    any lifts the cheap to the dear     | 1@4 1@2     | any:9>0 any:8>1                    | 4 4
    any fills what may not be left over | 2@4 1@2     | any:9>0 any:8>1                    | 4 4
    any moves to make room              | 1@0 1@0     | any:5>1 0:5>0                      | 0 0
    any moves for a tie                 | 1@5 1@5     | any:5>1 0:5>0 any:5>-              | 5 5
    a tie that cannot be made room for  | 1@5 1@5     | 0:5>0 0:5>- any:5>1                | 5 5
    a full product is left alone        | 1@0 2@1     | 0:9>0 0:8>- any:3>1 any:2>1        | 8 1
    the losing any sets all costs       | 1@0 1@0     | any:5>- any:6>0 1:7>1              | 5 5
    both kinds compete                  | 1@0 2@0     | 0:9>0 any:8>1 any:3>- 1:4>1        | 3 3
    a product without units helps none  | 0@0 1@3     | any:5>1 0:9>- any:4>-              | 0 4
    lowest index among equally cheap    | 2@1 2@1     | any:3>0 any:2>0 any:9>1            | 1 1
"""

BY_RANK = """
    nothing at all                      |             |                                    |
    no wants                            | 2@5 0@3     |                                    | 5 3
    no units                            | 0@5 0@3     | any:9>- 0:9>-                      | 5 3
    the bid does not matter             | 1@2         | 0:3>0 0:9>-                        | 2
    but it must reach the cost          | 1@4         | 0:3>- 0:4>0                        | 4
    any takes the cheapest              | 1@4 1@2     | any:9>1 any:9>0 any:9>-            | 4 2
    the cheapest left may cost too much | 1@4 1@2     | any:9>1 any:3>- any:4>0            | 4 2
    lowest index among equally cheap    | 1@3 1@3     | any:9>0 1:9>1                      | 3 3
    nobody moves to make room           | 1@3 1@3     | any:9>0 0:9>-                      | 3 3
    nothing costs nothing               | 1@0 1@0     | 1:0>1 any:0>0 any:0>-              | 0 0
"""


@pytest.mark.parametrize(("products", "wants", "cost"), table(AUCTIONED))
def test_auction_cases(products: str, wants: str, cost: str) -> None:
    market, given = read_market(products, wants)
    clearing = market.clear()
    assert clearing.cost.tolist() == integers(cost).tolist()
    assert clearing.given.tolist() == given


@pytest.mark.parametrize(("products", "wants", "cost"), table(BY_RANK))
def test_cases_without_an_auction(products: str, wants: str, cost: str) -> None:
    market, given = read_market(products, wants)
    clearing = market.clear(auction=False)
    assert clearing.cost.tolist() == integers(cost).tolist()
    assert clearing.given.tolist() == given


@example(market=markets(), auction=st.booleans())
def test_no_more_units_are_given_than_there_are(market: Market, *, auction: bool) -> None:
    given = market.clear(auction=auction).given.tolist()
    assert all(given.count(product) <= units for product, units in enumerate(market.units))


@example(markets())
def test_1_nobody_gets_what_costs_more_than_the_bid_or_was_not_accepted(market: Market) -> None:
    clearing = market.clear()
    for want, product in enumerate(clearing.given.tolist()):
        if product != -1:
            assert product in market.accepted(want)
            assert clearing.cost[product] <= market.bid[want]


@example(markets())
def test_2_who_bids_above_a_cost_gets_the_cheapest_accepted(market: Market) -> None:
    clearing = market.clear()
    for want, bid in enumerate(market.bid):
        costs = [clearing.cost[product] for product in market.accepted(want)]
        if any(bid > cost for cost in costs):
            assert clearing.cost[clearing.given[want]] == min(costs)
            assert clearing.given[want] != -1


@example(markets())
def test_3_a_product_with_units_left_over_costs_its_reserve(market: Market) -> None:
    clearing = market.clear()
    given = clearing.given.tolist()
    for product, units in enumerate(market.units):
        assert clearing.cost[product] >= market.reserve[product]
        if given.count(product) < units:
            assert clearing.cost[product] == market.reserve[product]


@example(markets())
def test_4_the_costs_are_the_smallest_that_clear(market: Market) -> None:
    assert market.clear().cost.tolist() == smallest_clearing_costs(market)


@example(markets())
def test_5_ties_are_served_in_rank_order_with_room_made(market: Market) -> None:
    clearing = market.clear()
    served = {want for want, product in enumerate(clearing.given.tolist()) if product != -1}
    assert served == served_at(market, clearing.cost.tolist())


@example(markets())
def test_6_no_unit_is_left_for_which_somebody_goes_without(market: Market) -> None:
    clearing = market.clear()
    given = clearing.given.tolist()
    for want, product in enumerate(given):
        if product == -1:
            enough = [p for p in market.accepted(want) if clearing.cost[p] <= market.bid[want]]
            assert all(given.count(p) == market.units[p] for p in enough)


@example(markets(products_max=3, wants_max=6), st.randoms(use_true_random=False))
def test_7_the_order_of_the_wants_does_not_matter(market: Market, random: Random) -> None:
    for auction in (True, False):
        clearing = market.clear(auction=auction)
        order = random.sample(range(len(market.bid)), len(market.bid))
        again = market.reordered(order).clear(auction=auction)
        assert again.cost.tolist() == clearing.cost.tolist()
        assert again.given.tolist() == clearing.given[order].tolist()


@example(markets(products_max=3, wants_max=6))
def test_7_flexible_wants_take_the_lowest_index_that_serves_everyone(market: Market) -> None:
    clearing = market.clear()
    cost = clearing.cost.tolist()
    assert clearing.given.tolist() == spread_at(market, cost, served_at(market, cost))


@example(markets())
def test_without_an_auction_one_after_the_other_chooses(market: Market) -> None:
    clearing = market.clear(auction=False)
    assert clearing.cost.tolist() == market.reserve
    assert clearing.given.tolist() == given_by_rank(market)


@example(markets(), st.permutations(range(12)))
@settings(max_examples=30)
def test_ranks_may_have_gaps_of_any_size(market: Market, ranks: list[int]) -> None:
    sparse = [(rank - 6) * (HUGE // 8) for rank in ranks[: len(market.rank)]]
    dense = [sorted(sparse).index(rank) for rank in sparse]
    for auction in (True, False):
        spaced = Market(market.units, market.reserve, market.product, market.bid, sparse).clear(auction=auction)
        packed = Market(market.units, market.reserve, market.product, market.bid, dense).clear(auction=auction)
        assert spaced.given.tolist() == packed.given.tolist()
        assert spaced.cost.tolist() == packed.cost.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_larger_goods_agree_with_the_oracle(seed: int) -> None:
    random = np.random.default_rng(seed)
    products, wants = 12, 120
    market = Market(
        units=random.integers(0, 8, products).tolist(),
        reserve=random.integers(0, 30, products).tolist(),
        product=np.where(random.random(wants) < 0.5, -1, random.integers(0, products, wants)).tolist(),
        bid=random.integers(0, 60, wants).tolist(),
        rank=random.permutation(wants).tolist(),
    )
    clearing = market.clear()
    assert clearing.cost.tolist() == smallest_clearing_costs(market)
    served = {want for want, product in enumerate(clearing.given.tolist()) if product != -1}
    assert served == served_at(market, clearing.cost.tolist())
    assert market.clear(auction=False).given.tolist() == given_by_rank(market)


def test_many_flexible_wants_queue_for_many_products() -> None:
    random = np.random.default_rng(5)
    market = Market(
        units=random.integers(0, 12, 300).tolist(),
        reserve=random.integers(0, 100, 300).tolist(),
        product=random.integers(-300, 300, 6000).clip(-1).tolist(),
        bid=random.integers(0, 100, 6000).tolist(),
        rank=random.permutation(6000).tolist(),
    )
    assert market.clear(auction=False).given.tolist() == given_by_rank(market)


def test_the_largest_amounts_do_not_overflow() -> None:
    market = Market(
        [HUGE, HUGE, 1], [HUGE - 1, HUGE, HUGE - 2], [-1, 0, 2, 2], [HUGE, HUGE, HUGE, HUGE - 1], [3, 1, 2, 0]
    )
    assert [values.tolist() for values in market.clear()] == [[HUGE - 1, HUGE, HUGE - 1], [0, 0, 2, -1]]
    assert [values.tolist() for values in market.clear(auction=False)] == [market.reserve, [0, 0, -1, 2]]
    everything = Market([HUGE] * 4, [0] * 4, [-1, -1, 3], [0, 5, 5], [2, 1, 0])
    assert everything.clear().given.tolist() == everything.clear(auction=False).given.tolist() == [0, 0, 3]
    most = 2**63 - 1
    assert Market([1], [most], [0, -1], [most, most], [most, -most]).clear().given.tolist() == [-1, 0]


def test_the_input_is_not_changed() -> None:
    arrays = [np.array(values) for values in ([1, 1], [2, 3], [0, -1, 0, -1], [9, 8, 7, 6], [3, 2, 1, 0])]
    before = [array.copy() for array in arrays]
    for auction in (True, False):
        clearing = clear_goods(*arrays, auction=auction)
        clearing.cost[:] = -1
        assert all((array == old).all() for array, old in zip(arrays, before, strict=True))


GOOD: dict[str, Any] = {"units": [1, 1], "reserve": [0, 0], "product": [0, -1], "bid": [5, 5], "rank": [0, 1]}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("units", [1, -1], "units must be at least 0, not -1"),
        ("units", [1], "reserve must be as long as units: 2 is not 1"),
        ("units", [[1, 1]], "units must have one dimension, not 2"),
        ("reserve", [-1, 0], "reserve must be at least 0, not -1"),
        ("reserve", [0.0, 1.0], "reserve must be integers that fit into int64, not float64"),
        ("product", [0, 2], "product must be at most 1, not 2"),
        ("product", [0, -2], "product must be at least -1, not -2"),
        ("product", [0], "bid must be as long as product: 2 is not 1"),
        ("bid", [5, -5], "bid must be at least 0, not -5"),
        ("bid", [True, False], "bid must be integers that fit into int64, not bool"),
        ("bid", np.array([1, 2], np.uint64), "bid must be integers that fit into int64, not uint64"),
        ("rank", [0, 1, 2], "rank must be as long as product: 3 is not 2"),
        ("rank", [7, 7], "rank must be all different"),
        ("rank", 7, "rank must have one dimension, not 0"),
    ],
)
def test_clear_goods_says_which_input_is_bad(name: str, value: object, message: str) -> None:
    arrays = {key: np.asarray(values) for key, values in {**GOOD, name: value}.items()}
    with pytest.raises(ValueError, match=f"^{message}$"):
        clear_goods(**arrays, auction=True)


def test_equal_ranks_far_from_the_others_are_found() -> None:
    with pytest.raises(ValueError, match="rank must be all different"):
        Market([1], [0], [0, 0, 0], [1, 1, 1], [HUGE, -HUGE, HUGE]).clear()


# what it shows | slots | posted weight | bids in rank order | weight | winners in order of win
TASKS = """
    no bids                             | 2 | 100 |             | 100 |
    no competition keeps the weight     | 2 | 100 | 90 80       | 100 | 1 0
    a bid of just the weight            | 1 | 100 | 100         | 100 | 0
    a bid above it is not eligible      | 2 | 100 | 101 90      | 100 | 1
    the lowest losing bid is for all    | 2 | 100 | 90 70 80    | 90  | 1 2
    a losing bid above it does not count | 1 | 100 | 90 120     | 100 | 0
    ties go by rank                     | 1 | 100 | 80 80       | 80  | 0
    a tie among the losers              | 2 | 100 | 80 95 95 95 | 95  | 0 1
    no slots                            | 0 | 100 | 80 90       | 100 |
    bids of nothing                     | 1 | 0   | 0 1         | 0   | 0
"""


@pytest.mark.parametrize(("slots", "posted", "bids", "weight", "winners"), table(TASKS))
def test_task_cases(slots: str, posted: str, bids: str, weight: str, winners: str) -> None:
    bid = integers(bids)
    clearing = clear_task(int(slots), int(posted), bid, np.arange(bid.size))
    assert clearing.weight == int(weight)
    assert clearing.winners.tolist() == integers(winners).tolist()
    reversed_clearing = clear_task(int(slots), int(posted), bid[::-1], np.arange(bid.size)[::-1])
    assert (bid.size - 1 - reversed_clearing.winners).tolist() == clearing.winners.tolist()


TASK: dict[str, Any] = {"slots": 1, "weight": 100, "bid": [90, 80], "rank": [0, 1]}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("slots", -1, "slots must be at least 0, not -1"),
        ("slots", 1.5, "slots must be an integer, not float"),
        ("weight", -1, "weight must be at least 0, not -1"),
        ("bid", [-1, 0], "bid must be at least 0, not -1"),
        ("rank", [1], "rank must be as long as bid: 1 is not 2"),
        ("rank", [3, 3], "rank must be all different"),
    ],
)
def test_clear_task_says_which_input_is_bad(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        clear_task(**{**TASK, name: value})
