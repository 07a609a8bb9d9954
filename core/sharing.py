"""The four sharing rules, what recognition and settlement move, and the lottery. Pure.

Amounts are thousandths of an hour, sums are made with Python's unbounded integers, never with floats. Bad input raises
a ValueError that says which.
"""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from core.allocation import apportion
from core.arrays import INTEGER_MAX, Figures, Integers, integers, same_length, whole
from core.units import ceil_divide, round_half_up

if TYPE_CHECKING:
    from collections.abc import Iterable

# A product nobody takes gets cheaper by this much a round, down to this much of its effort (rule `preference`).
LEFTOVER_PERCENT = 10
PREFERENCE_PERCENT_MIN = 80
# A want without a bid may be charged at most this much of the reserve it was shown.
AT_COST = Fraction(5, 4)


class Rule(StrEnum):
    """How a good is shared: it sets the reserves, and whether scarce units are auctioned."""

    PREFERENCE = "preference"
    EFFORT = "effort"
    FLAT_ALLOCATION = "flat-allocation"
    FLAT_RATE = "flat-rate"

    @property
    def auctions(self) -> bool:
        """Whether scarce units go to the highest bids; else they go to the longest waiting."""
        return self is Rule.PREFERENCE


def reserves(rule: Rule, effort_left: Figures, units_left: Figures, leftover_rounds: Figures) -> Integers:
    """Return the reserve of each of a good's m products, (m,) thousandths of an hour per unit, rounded up.

    effort_left (m,) of the units on offer, thousandths; units_left (m,); leftover_rounds (m,) consecutive rounds that
    ended with units left. A product without units has the reserve 0 (nothing of it can be given), but for
    flat-allocation, where all have the same.
    """
    effort_left = integers("effort_left", effort_left, 0)
    units_left = integers("units_left", units_left, 0)
    leftover_rounds = integers("leftover_rounds", leftover_rounds, 0)
    same_length(effort_left=effort_left, units_left=units_left, leftover_rounds=leftover_rounds)
    products = list(zip(effort_left.tolist(), units_left.tolist(), leftover_rounds.tolist(), strict=True))
    return np.array(asked(Rule(rule), products), np.int64)


def asked(rule: Rule, products: list[tuple[int, int, int]]) -> list[int]:
    """Return the reserves of a few products, each with its (effort left, units left, leftover rounds)."""
    if rule is Rule.PREFERENCE:
        return [_per_unit(effort * _preference_percent(rounds), units * 100) for effort, units, rounds in products]
    if rule is Rule.EFFORT:
        return [_per_unit(effort, units) for effort, units, _ in products]
    if rule is Rule.FLAT_ALLOCATION:
        offered = [(effort, units) for effort, units, _ in products if units]
        same = _per_unit(sum(effort for effort, _ in offered), sum(units for _, units in offered))
        return [same] * len(products)
    return [0] * len(products)


def _preference_percent(leftover_rounds: int) -> int:
    return max(PREFERENCE_PERCENT_MIN, 100 - LEFTOVER_PERCENT * leftover_rounds)


def _per_unit(effort: int, units: int) -> int:
    """Return effort per unit, rounded up; 0 without units."""
    return ceil_divide(effort, units) if units else 0


def at_cost_maximum(reserve: int) -> int:
    """Return the most a want without a bid may be charged a unit: 1.25 x the reserve it was shown, rounded down.

    Down, because "at most" is a promise to its owner.
    """
    return int(whole("reserve", reserve, 0) * AT_COST)


def at_cost_bid(reserves_in_stock: Figures) -> int:
    """Return what a want bids that takes any product at cost: the dearest reserve up to 1.25 x the cheapest.

    reserves_in_stock (k,) thousandths, of the products with units on offer; at least one.
    """
    in_stock = integers("reserves_in_stock", reserves_in_stock, 0)
    if in_stock.size == 0:
        raise ValueError("reserves_in_stock must not be empty")
    return int(in_stock[in_stock <= at_cost_maximum(int(in_stock.min()))].max())


def lottery(secret: bytes, round_number: int, good: str | int, member: int) -> bytes:
    """Return a member's lot, 32 bytes: the smaller lot goes first.

    It is the SHA-256 of the text `<secret in lower-case hex>:<round>:<good>:<member>` in UTF-8, numbers in decimal, so
    anybody can draw it again: `printf '%s' 5ec2e7:17:bread:4 | sha256sum`.
    """
    return lots(secret, round_number, good, [member])[0]


def lots(secret: bytes, round_number: int, good: str | int, members: Iterable[int]) -> list[bytes]:
    """Return the lots of several members, as `lottery` draws them: what their texts begin with is hashed once."""
    begun, found = sha256(f"{secret.hex()}:{round_number}:{good}:".encode()), []
    for member in members:
        one = begun.copy()
        one.update(b"%d" % member)
        found.append(one.digest())
    return found


def take_units(left: Figures, count: int) -> Integers:
    """Return how many of `count` units come from each batch, in proportion to what is `left` (n,) in each."""
    left = integers("left", left, 0)
    count = whole("count", count, 0, sum(left.tolist()))
    return apportion(count, left)


def recognised(effort: int, units: int, given_before: int, given_now: int, shares: Figures) -> Integers:
    """Return what each contributor of a batch is credited when `given_now` more of its units are given.

    effort of the batch, thousandths; units made; given_before this interval; shares (n,) contributors' efforts, or
    anything in proportion. All intervals of a batch add up to its effort; a contributor's to their part of it.
    """
    effort = whole("effort", effort, 0, INTEGER_MAX)
    units = whole("units", units, 1)
    given_before = whole("given_before", given_before, 0, units)
    given = given_before + whole("given_now", given_now, 0, units - given_before)
    parts = apportion(effort, shares)
    return _credited(parts, units, given) - _credited(parts, units, given_before)


def _credited(parts: Integers, units: int, given: int) -> Integers:
    """Return what contributors, whose efforts are `parts` (n,), are credited for the first `given` of a batch's units.

    Largest remainders. Where somebody has less than a thousandth in a unit, one more unit could take back what was
    credited before (the Alabama paradox), so there the units are gone through one by one.
    """
    efforts = parts.tolist()
    effort = sum(efforts)
    steady = min(filter(None, efforts), default=0) * (effort // units) >= effort
    steps = (round_half_up(effort * so_far, units) for so_far in ([given] if steady else range(1, given + 1)))
    credited = [0] * len(efforts)
    for credit in dict.fromkeys(steps):
        credited = _kept(credited, apportion(credit, parts).tolist(), efforts)
    return np.array(credited, np.int64)


def _kept(before: list[int], fair: list[int], efforts: list[int]) -> list[int]:
    """Return `fair` amounts with nothing taken back from `before`, and the same sum.

    What it takes comes from those who gain, always from the one furthest above their exact amount. So nobody is ever
    credited more than the exact amount rounded up, and in the end everybody has precisely their effort.
    """
    kept = [max(pair) for pair in zip(before, fair, strict=True)]
    credit, effort = sum(fair), sum(efforts)
    for _ in range(sum(kept) - credit):
        gaining = [index for index, amount in enumerate(kept) if amount > before[index]]
        kept[max(gaining, key=lambda index: kept[index] * effort - efforts[index] * credit)] -= 1
    return kept


def settle(held: int, balances: Figures, limits: Figures) -> Integers:
    """Return what each member gets from the commons (positive) or gives to it (negative), (n,) thousandths.

    held by the commons; balances and limits (n,), members in the lottery's order: odd thousandths go to, or come from,
    the earlier. All get the same. A levy is the same for all who can bear it; others give what they have above
    -limit. What nobody can bear stays, so the sum may fall short of a negative `held`, or of any without members.
    """
    held = whole("held", held)
    balances = integers("balances", balances)
    limits = integers("limits", limits, 0)
    same_length(balances=balances, limits=limits)
    if balances.size == 0:
        return balances
    if held >= 0:
        return apportion(held, np.zeros_like(balances))
    free = [max(0, balance + limit) for balance, limit in zip(balances.tolist(), limits.tolist(), strict=True)]
    levy = min(-held, sum(free))
    level = _levy_level(levy, free)
    odd = levy - sum(min(level, most) for most in free)
    able = [member for member, most in enumerate(free) if most > level]
    amounts = [-min(level, most) for most in free]
    for member in able[:odd]:
        amounts[member] -= 1
    return np.array(amounts, np.int64)


def _levy_level(levy: int, free: list[int]) -> int:
    """Return the most that all can give, those with less `free` all they have, without exceeding `levy`."""
    remaining = levy
    level = 0
    for poorer, most in enumerate(sorted(free)):
        level = remaining // (len(free) - poorer)
        if level < most:
            break
        remaining -= most
        level = most
    return level
