"""The auction of one good: smallest market-clearing costs at or above the reserves, and who is served at them.

Demange, Gale & Sotomayor, "Multi-Item Auctions" (1986). Every want is for one product or for any at all, and that makes
the costs simple. Alone, the single wants of a product bring its cost to its *base*: its highest losing single bid, or
its reserve. Flexible wants all buy at one *level*, the cheapest; they lift every product below the level up to it and
leave the others alone. So cost = max(base, level), and only the level has to be found.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.arrays import Integers, Truths, filled_in_order, grouped, place_in_group

ANY = -1


class Wants(NamedTuple):
    """Single wants in rank order: the position of a want is its rank."""

    product: Integers  # (n,) index of the one product accepted, ANY: any
    bid: Integers  # (n,) thousandths of an hour, at least 0


def cleared_by_auction(stock: Integers, reserve: Integers, wants: Wants) -> tuple[Integers, Integers]:
    """Return (cost, given), as `core.allocation.clear_goods`; stock (m,) holds at most n units of each product."""
    base, level = _base_and_level(stock, reserve, wants)
    cost = np.maximum(base, level)
    served = _served(stock, cost, level, wants)
    given = np.full(wants.bid.size, ANY, np.int64)
    single = served & (wants.product != ANY)
    given[single] = wants.product[single]
    flexible = np.flatnonzero(served & (wants.product == ANY))
    left = stock - np.bincount(given[single], minlength=stock.size)
    given[flexible] = _spread(np.where(cost == level, left, 0), cost > reserve, flexible.size)
    return np.where(stock > 0, cost, reserve), given


def _base_and_level(stock: Integers, reserve: Integers, wants: Wants) -> tuple[Integers, int]:
    """Return what each product would cost without flexible wants, (m,), and the level the flexible wants bring.

    At the level no more flexible wants bid above it than there are units for them. While it rises from zero, this
    comes closer by one whenever it reaches the bid of a flexible want (which drops out), the bid of a single want above
    its product's base (which leaves its unit) or, for each unit its single wants leave, the base of a product (which
    opens to flexible wants). So of all these, the level is the f-th smallest for f flexible wants. (Below every base
    nobody can buy: then it is of no account.)
    """
    order, start = grouped(wants.product + 1, stock.size + 1)
    bid = wants.bid[order]
    flexible = bid[: start[1]]
    base = reserve.copy()
    left = stock.copy()
    steps = [flexible]
    for product in range(stock.size):
        own = bid[start[product + 1] : start[product + 2]]
        base[product], above = _base(own, int(stock[product]), int(reserve[product]))
        left[product] -= above.size
        steps.append(above)
    if flexible.size == 0:
        return base, 0
    ascending = np.argsort(base)
    steps.append(np.repeat(base[ascending], filled_in_order(left[ascending], flexible.size)))
    last = flexible.size - 1
    return base, int(np.partition(np.concatenate(steps), last)[last])


def _base(bid: Integers, units: int, reserve: int) -> tuple[int, Integers]:
    """Return what one product costs its single wants alone, and the bids above that; reorders `bid`."""
    if bid.size > units:
        loser = bid.size - 1 - units
        bid.partition(loser)
        reserve = max(reserve, int(bid[loser]))
        bid = bid[loser:]
    return reserve, bid[bid > reserve]


def _served(stock: Integers, cost: Integers, level: int, wants: Wants) -> Truths:
    """Return which wants get a unit, (n,): all that bid above their cost and, of those that bid it, the first.

    Flexible wants can always move between the products at the level, so a set of wants has room there if each
    product has room for its single wants and all together have room for all.
    """
    # ANY is the last index: what is appended here and below holds for flexible wants.
    own_cost = np.append(cost, level)[wants.product]
    served = wants.bid > own_cost
    tied = np.flatnonzero(wants.bid == own_cost)
    counts = np.bincount(wants.product[served] + 1, minlength=stock.size + 1)
    left = stock - counts[1:]
    at_level = np.append(cost, level) == level
    left_at_level = int(left[at_level[:-1]].sum() - counts[0])
    product = wants.product[tied]
    place = place_in_group(product + 1, stock.size + 1)
    fits = place < np.append(left, tied.size)[product]
    competing = fits & at_level[product]
    fits &= ~competing | (np.cumsum(competing) <= left_at_level)
    served[tied[fits]] = True
    return served


def _spread(left: Integers, must_sell: Truths, flexible: int) -> Integers:
    """Return the products that so many flexible wants take, in rank order: the lowest index first.

    A product above its reserve must sell all its units, so what may go to the others is what remains after that.
    """
    spare = flexible - int(left[must_sell].sum())
    taken = np.where(must_sell, left, filled_in_order(np.where(must_sell, 0, left), spare))
    return np.repeat(np.arange(left.size), taken)
