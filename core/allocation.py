"""Who gets what at which cost: clear one good, clear one task, share out one amount.

Pure: numpy arrays in, numpy arrays out, no clock and no store. Bad input raises a ValueError that says which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.arrays import INTEGER_MAX, INTEGER_MIN, Figures, Integers, grouped, integers, rank_order, same_length, whole
from core.auction import ANY, Wants, cleared_by_auction

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Fewer flexible wants at a time are not worth a look.
QUEUE_STEP_MIN = 1024


class GoodsClearing(NamedTuple):
    """What a good's products cost in this round, and who got which."""

    cost: Integers  # (m,) thousandths of an hour; the reserve where there were no units
    given: Integers  # (n,) index of the product got, -1: none


class TaskClearing(NamedTuple):
    """At which weight a task's slots were won, and by which bids."""

    weight: int  # hundredths
    winners: Integers  # (k,) indices into bid, in order of win


def clear_goods(
    units: Integers, reserve: Integers, product: Integers, bid: Integers, rank: Integers, *, auction: bool
) -> GoodsClearing:
    """Clear one good: n single wants for its m products, by auction or else in rank order at the reserves.

    units (m,) on offer; reserve (m,) and bid (n,) thousandths of an hour, at least 0; product (n,) index of the one
    product accepted, -1: any; rank (n,) all different, smaller goes first. In time about linear in n.
    """
    units = integers("units", units, 0)
    reserve = integers("reserve", reserve, 0)
    same_length(units=units, reserve=reserve)
    product = integers("product", product, ANY, units.size - 1)
    bid = integers("bid", bid, 0)
    rank = integers("rank", rank)
    same_length(product=product, bid=bid, rank=rank)
    order = rank_order(rank)
    # More units than wants change nothing, and sums of them cannot overflow.
    stock = np.minimum(units, bid.size)
    wants = Wants(product[order], bid[order])
    cost, given_by_rank = (cleared_by_auction if auction else _cleared_by_rank)(stock, reserve, wants)
    given = np.empty_like(given_by_rank)
    given[order] = given_by_rank
    return GoodsClearing(cost, given)


def _cleared_by_rank(stock: Integers, reserve: Integers, wants: Wants) -> tuple[Integers, Integers]:
    """Return (cost, given) without an auction: who comes first takes the cheapest unit left that they accept.

    A flexible want comes to a product only when all cheaper ones have run out before its turn, so the products can be
    handed out one by one, cheapest first, the flexible wants that found nothing moving on to the next.
    """
    given = np.full(wants.bid.size, ANY, np.int64)
    order, start = grouped(wants.product + 1, stock.size + 1)
    queue = _Queue(order[: start[1]], wants.bid)
    for product in np.argsort(reserve, kind="stable"):
        units, cost = int(stock[product]), int(reserve[product])
        own = order[start[product + 1] : start[product + 2]]
        own = own[wants.bid[own] >= cost][:units]
        comers = np.concatenate([own, queue.first(units, cost)])
        if comers.size > units:
            comers = np.partition(comers, units)[:units]
        given[comers] = product
        queue.leave(given)
    return reserve.copy(), given


class _Queue:
    """The flexible wants without a unit, in rank order. The cost asked never falls, so whose bid is too low may go.

    Looks at no more of them than it must: with many products, going through all for each would take too long.
    """

    def __init__(self, waiting: Integers, bid: Integers) -> None:
        """Queue up the positions `waiting`, ascending; `bid` (n,) is that of every position."""
        self._front = waiting[:0]
        self._rest = waiting
        self._bid = bid

    def first(self, count: int, cost: int) -> Integers:
        """Return the first `count` positions that bid at least `cost`, or as many as there are."""
        self._front = self._front[self._bid[self._front] >= cost]
        step = max(count, QUEUE_STEP_MIN)
        while self._front.size < count and self._rest.size > 0:
            seen, self._rest = self._rest[:step], self._rest[step:]
            self._front = np.concatenate([self._front, seen[self._bid[seen] >= cost]])
        return self._front[:count]

    def leave(self, given: Integers) -> None:
        """Drop those that were given a product."""
        self._front = self._front[given[self._front] == ANY]


def clear_task(slots: int, weight: int, bid: Integers, rank: Integers) -> TaskClearing:
    """Clear one task: `slots` free slots at the posted `weight` (hundredths); bid (n,) hundredths, rank (n,) as above.

    Bids up to the posted weight are eligible. More of them than slots: the lowest win, all at the lowest losing bid.
    Otherwise all win at the posted weight. Without slots nobody wins and the weight stays.
    """
    slots = whole("slots", slots, 0)
    weight = whole("weight", weight, 0)
    bid = integers("bid", bid, 0)
    rank = integers("rank", rank)
    same_length(bid=bid, rank=rank)
    order = rank_order(rank)
    eligible = order[bid[order] <= weight]
    eligible = eligible[np.argsort(bid[eligible], kind="stable")]
    if 0 < slots < eligible.size:
        weight = int(bid[eligible[slots]])
    return TaskClearing(weight, eligible[:slots])


def apportion(total: int, shares: Figures) -> Integers:
    """Split `total` in proportion to `shares` (n,), at least 0: (n,) int64 that adds up to `total` exactly.

    Largest remainder, ties to the earlier index; a negative total is the mirror image; all-zero shares: evenly.
    """
    total = whole("total", total, INTEGER_MIN, INTEGER_MAX)
    shares = integers("shares", shares, 0)
    if shares.size == 0:
        whole("total without shares", total, 0, 0)
        return shares
    if not shares.any():
        shares = np.ones_like(shares)
    # One product must fit as well as the sum of the shares; if not, numpy counts in Python's unbounded integers.
    largest = int(shares.max()) * max(abs(total), shares.size)
    exact: NDArray[Any] = shares.astype(np.int64 if largest <= INTEGER_MAX else object)
    amounts, shared = exact * abs(total), exact.sum()
    parts = amounts // shared
    missing = abs(total) - parts.sum()
    parts[np.argsort(-(amounts % shared), kind="stable")[:missing]] += 1
    signed: Integers = (parts if total >= 0 else -parts).astype(np.int64)
    return signed
