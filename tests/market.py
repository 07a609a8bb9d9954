"""One good to clear in tests: drawn by hypothesis or read from a line of text, and the oracle that knows the answer.

The oracle shares nothing with `core.allocation`: costs come from scipy's assignment solver, who is served from a search
for augmenting paths, who takes what from trying everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product as every

import numpy as np
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from core.allocation import GoodsClearing, clear_goods


@dataclass(frozen=True)
class Market:
    """A good's products and single wants, as lists."""

    units: list[int]
    reserve: list[int]
    product: list[int]
    bid: list[int]
    rank: list[int]

    def clear(self, *, auction: bool = True) -> GoodsClearing:
        wants = (np.array(values, np.int64) for values in (self.product, self.bid, self.rank))
        return clear_goods(np.array(self.units, np.int64), np.array(self.reserve, np.int64), *wants, auction=auction)

    def accepted(self, want: int) -> list[int]:
        """Return the products with units that a want accepts."""
        return [p for p, units in enumerate(self.units) if units and self.product[want] in {-1, p}]

    def by_rank(self) -> list[int]:
        return sorted(range(len(self.rank)), key=lambda want: self.rank[want])

    def reordered(self, order: list[int]) -> Market:
        wants = ([values[want] for want in order] for values in (self.product, self.bid, self.rank))
        return Market(self.units, self.reserve, *wants)


@st.composite
def markets(draw: st.DrawFn, *, products_max: int = 4, wants_max: int = 12, amount_max: int = 6) -> Market:
    """Draw a small good; few different amounts, so that ties are the rule."""
    products = draw(st.integers(0, products_max))
    wants = draw(st.integers(0, wants_max))
    amounts = st.integers(0, amount_max)

    def some(count: int, values: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(values, min_size=count, max_size=count))

    return Market(
        units=some(products, st.integers(0, 4)),
        reserve=some(products, amounts),
        product=some(wants, st.integers(-1, products - 1)),
        bid=some(wants, amounts),
        rank=draw(st.permutations(range(wants))),
    )


def read_market(products: str, wants: str) -> tuple[Market, list[int]]:
    """Read `units@reserve ...` and, in rank order, `product:bid>given ...` with `any` and `-`; return it and given."""
    offers = [offer.split("@") for offer in products.split()]
    lines = [want.replace(">", ":").split(":") for want in wants.split()]
    market = Market(
        units=[int(units) for units, _ in offers],
        reserve=[int(reserve) for _, reserve in offers],
        product=[-1 if product == "any" else int(product) for product, _, _ in lines],
        bid=[int(bid) for _, bid, _ in lines],
        rank=list(range(len(lines))),
    )
    return market, [-1 if given == "-" else int(given) for _, _, given in lines]


def smallest_clearing_costs(market: Market) -> list[int]:
    """Return reserve + what one more unit of a product would be worth to all wants together, for each product."""
    now = _most_gain(market, market.units)
    costs = []
    for product, units in enumerate(market.units):
        more = [*market.units[:product], units + 1, *market.units[product + 1 :]]
        gain = _most_gain(market, more) - now if units else 0
        costs.append(market.reserve[product] + gain)
    return costs


def _most_gain(market: Market, units: list[int]) -> int:
    """Return the largest sum of (bid - reserve) over all ways to hand out the units."""
    column = [product for product, count in enumerate(units) for _ in range(count)]
    gain = np.zeros((len(market.bid), len(column)))
    for want, bid in enumerate(market.bid):
        for place, product in enumerate(column):
            if market.product[want] in {-1, product}:
                gain[want, place] = max(0, bid - market.reserve[product])
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return int(gain[rows, columns].sum())


def served_at(market: Market, cost: list[int]) -> set[int]:
    """Return who is served: first all that bid above their cost, then in rank order, rerouting to make room."""
    holder: dict[tuple[int, int], int] = {}

    def place(want: int, tried: set[tuple[int, int]]) -> bool:
        for unit in [(product, number) for product in cheapest(want) for number in range(market.units[product])]:
            if unit not in tried:
                tried.add(unit)
                if unit not in holder or place(holder[unit], tried):
                    holder[unit] = want
                    return True
        return False

    def cheapest(want: int) -> list[int]:
        lowest = min((cost[product] for product in market.accepted(want)), default=0)
        return [p for p in market.accepted(want) if cost[p] == lowest <= market.bid[want]]

    def tied(want: int) -> bool:
        return any(cost[product] == market.bid[want] for product in cheapest(want))

    for want in sorted(market.by_rank(), key=tied):
        place(want, set())
    return set(holder.values())


def spread_at(market: Market, cost: list[int], served: set[int]) -> list[int]:
    """Return given: the first of all ways, lowest index first in rank order, to serve these and sell what must be."""
    given = [market.product[want] if want in served else -1 for want in range(len(market.bid))]
    flexible = [want for want in market.by_rank() if want in served and market.product[want] == -1]
    stocked = [product for product, units in enumerate(market.units) if units]
    level = min((cost[product] for product in stocked), default=0)
    for way in every([p for p in stocked if cost[p] == level], repeat=len(flexible)):
        for want, product in zip(flexible, way, strict=True):
            given[want] = product
        left = [units - given.count(product) for product, units in enumerate(market.units)]
        if all(n == 0 or (n > 0 and cost[p] == market.reserve[p]) for p, n in enumerate(left)):
            return given
    raise AssertionError(market)


def given_by_rank(market: Market) -> list[int]:
    """Return given without an auction, one want after the other."""
    left = list(market.units)
    given = [-1] * len(market.bid)
    for want in market.by_rank():
        there = [p for p in market.accepted(want) if left[p] and market.reserve[p] <= market.bid[want]]
        if there:
            given[want] = min(there, key=lambda product: (market.reserve[product], product))
            left[given[want]] -= 1
    return given
