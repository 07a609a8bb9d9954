"""Clear one good of a round: from its products, batches and wants to who gets which units at which cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core import sharing
from core.allocation import clear_goods
from core.rounds.inputs import NONE, GivenRow, GoodResult, ProductResult, WantResult
from core.units import round_half_up

if TYPE_CHECKING:
    from core.allocation import GoodsClearing
    from core.rounds.inputs import BatchRow, GoodRow, Inputs, ProductRow, WantRow

TOO_DEAR = -2  # what a want at cost bids whose maximum is below the cost


@dataclass(frozen=True, slots=True)
class GoodClearing:
    """What a round decided about one good."""

    good: GoodResult
    products: list[ProductResult]
    wants: list[WantResult]
    given: list[GivenRow]


@dataclass(frozen=True, slots=True)
class Market:
    """A good's products in the lottery's order, with their reserves, and every single want that bids, in rank order.

    `bids` are those of the wants; `singles` are (want's position, bid); `accepted` are indices of products, -1: any.
    """

    products: list[ProductRow]
    reserves: list[int]
    bids: list[int]
    singles: list[tuple[int, int]]
    accepted: list[int]


def clear_good(
    inputs: Inputs,
    good: GoodRow,
    products: list[ProductRow],
    batches: dict[int, list[BatchRow]],
    wants: list[tuple[WantRow, int]],
) -> GoodClearing:
    """Clear a good; `wants` come with the units their member can cover."""
    market = open_market(inputs, good, products, [want for want, _covered in wants], [c for _want, c in wants])
    clearing = clear(market, auction=sharing.Rule(good.rule).auctions)
    costs, receivers = clearing.cost.tolist(), clearing.given.tolist()
    results = _results(market, wants, costs, receivers)
    product_results = [
        ProductResult(product.id, reserve, cost, product.units, receivers.count(index))
        for index, (product, reserve, cost) in enumerate(zip(market.products, market.reserves, costs, strict=True))
    ]
    return GoodClearing(
        _demand(good, products, wants, [result.got for result in results]),
        sorted(product_results),
        results,
        _hand_out(market, batches, wants, costs, receivers),
    )


def _results(
    market: Market, wants: list[tuple[WantRow, int]], costs: list[int], receivers: list[int]
) -> list[WantResult]:
    """Say what became of each want: it has waited a round if it bid enough, was covered and lost."""
    got, lost, lowest = [0] * len(wants), [0] * len(wants), _lowest_costs(market, costs)
    for (position, bid), accepted, product in zip(market.singles, market.accepted, receivers, strict=True):
        if product >= 0:
            got[position] += 1
        elif bid >= lowest[accepted]:
            lost[position] = 1
    return [
        WantResult(
            want.id,
            want.good_id,
            want.member_id,
            want.units,
            max(bid, NONE),
            covered,
            own_got,
            own_lost,
            int(bid < NONE),
        )
        for (want, covered), bid, own_got, own_lost in zip(wants, market.bids, got, lost, strict=True)
    ]


def open_market(
    inputs: Inputs, good: GoodRow, products: list[ProductRow], wants: list[WantRow], covered: list[int]
) -> Market:
    """Put products in the lottery's order and single wants in rank order.

    Rank: first units before second ones, then rounds waited, then the lottery.
    """
    secret = bytes.fromhex(inputs.secret)
    ordered = sorted(products, key=lambda product: sharing.lottery(secret, inputs.number, good.id, product.id))
    reserves = sharing.reserves(
        sharing.Rule(good.rule),
        [product.effort for product in ordered],
        [product.units for product in ordered],
        [product.leftover_rounds for product in ordered],
    ).tolist()
    bids = _bids(ordered, reserves, wants)
    market = Market(ordered, reserves, bids, [], [])
    index_of = {product.id: index for index, product in enumerate(ordered)}
    lots = sharing.lots(secret, inputs.number, good.id, (want.member_id for want in wants))
    ranked = []
    for position, (want, bid, units, lot) in enumerate(zip(wants, bids, covered, lots, strict=True)):
        if bid >= 0:
            ranked += [((want.got + unit, -want.waited, lot, want.id), position, bid) for unit in range(units)]
    ranked.sort()
    market.singles.extend((position, bid) for _rank, position, bid in ranked)
    market.accepted.extend(index_of.get(wants[position].product_id, NONE) for position, _bid in market.singles)
    return market


def _bids(products: list[ProductRow], reserves: list[int], wants: list[WantRow]) -> list[int]:
    """Return what each want bids a unit; -1: nothing it accepts is there, -2: at cost it would be above its maximum."""
    in_stock = {product.id: reserve for product, reserve in zip(products, reserves, strict=True) if product.units}
    if not in_stock:
        return [NONE] * len(wants)
    any_product = sharing.at_cost_bid(list(in_stock.values()))
    return [_bid(want, in_stock, any_product) for want in wants]


def _bid(want: WantRow, in_stock: dict[int, int], any_product: int) -> int:
    if want.product_id and want.product_id not in in_stock:
        return NONE
    if want.bid != NONE:
        return want.bid
    at_cost = in_stock[want.product_id] if want.product_id else any_product
    return at_cost if at_cost <= want.maximum else TOO_DEAR


def clear(market: Market, *, auction: bool) -> GoodsClearing:
    """Clear a market."""
    return clear_goods(
        np.array([product.units for product in market.products], np.int64),
        np.array(market.reserves, np.int64),
        np.array(market.accepted, np.int64),
        np.array([bid for _position, bid in market.singles], np.int64),
        np.arange(len(market.singles), dtype=np.int64),
        auction=auction,
    )


def _lowest_costs(market: Market, costs: list[int]) -> list[int]:
    """Return the costs of the products, and behind them the least of those in stock, for who takes any (-1)."""
    in_stock = [cost for cost, product in zip(costs, market.products, strict=True) if product.units]
    return [*costs, min(in_stock, default=0)]


def _hand_out(
    market: Market,
    batches: dict[int, list[BatchRow]],
    wants: list[tuple[WantRow, int]],
    costs: list[int],
    receivers: list[int],
) -> list[GivenRow]:
    """Say which batch each unit comes from: in proportion to what is left in each."""
    piles: list[list[int]] = []
    for index, product in enumerate(market.products):
        of_product = batches[product.id]
        taken = sharing.take_units([batch.left for batch in of_product], receivers.count(index)).tolist()
        pile = [batch.id for batch, count in zip(of_product, taken, strict=True) for _unit in range(count)]
        piles.append(pile[::-1])
    counts: dict[tuple[int, int, int], int] = {}
    for (position, _bid), receiver in zip(market.singles, receivers, strict=True):
        if receiver >= 0:
            unit = (position, piles[receiver].pop(), receiver)
            counts[unit] = counts.get(unit, 0) + 1
    return sorted(
        GivenRow(
            wants[position][0].id,
            wants[position][0].member_id,
            batch_id,
            market.products[index].id,
            count,
            costs[index],
        )
        for (position, batch_id, index), count in counts.items()
    )


def _demand(good: GoodRow, products: list[ProductRow], wants: list[tuple[WantRow, int]], got: list[int]) -> GoodResult:
    average = average_effort(products)
    unmet = sum(
        want.units - count
        for (want, _covered), count in zip(wants, got, strict=True)
        if NONE in {want.bid, average} or want.bid >= average
    )
    given, pledged = sum(got), sum(product.pledged for product in products)
    left = sum(product.units for product in products) - given
    return GoodResult(
        good_id=good.id,
        wanted=sum(want.units for want, _covered in wants),
        made=sum(product.made for product in products),
        given=given,
        left=left,
        pledged=pledged,
        unmet=unmet,
        shortfall=max(0, unmet - left - pledged),
        average=average,
    )


def average_effort(products: list[ProductRow]) -> int:
    """Return a good's effort per unit, of what is on offer or else was made last; -1 if it was never made."""
    units = sum(product.units for product in products)
    if units:
        return round_half_up(sum(product.effort for product in products), units)
    known = [product.last_average for product in products if product.last_average != NONE]
    return round_half_up(sum(known), len(known)) if known else NONE
