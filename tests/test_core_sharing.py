"""The sharing rules, recognition, settlement and the lottery: cases, properties, refusals."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.allocation import apportion
from core.sharing import (
    Rule,
    at_cost_bid,
    at_cost_maximum,
    lottery,
    recognised,
    reserves,
    settle,
    take_units,
)
from tests.cases import integers, table

if TYPE_CHECKING:
    from collections.abc import Callable

HUGE = 2**62

# what it shows | rule | effort left | units left | leftover rounds | reserves
RESERVES = """
    no products                      | preference      |           |       |       |
    the average effort of a unit     | preference      | 3000 500  | 2 1   | 0 0   | 1500 500
    rounded up                       | preference      | 1000 999  | 3 2   | 0 0   | 334 500
    a tenth less for each round left | preference      | 1000 1000 | 1 1   | 1 2   | 900 800
    but not below 80 %               | preference      | 1000 1000 | 1 1   | 3 99  | 800 800
    rounded up only once             | preference      | 1001 10   | 10 3  | 1 2   | 91 3
    nothing without units            | preference      | 0 700     | 0 0   | 0 3   | 0 0
    the effort whatever was left     | effort          | 1000 1000 | 3 1   | 0 9   | 334 1000
    nothing without units            | effort          | 1000 0    | 3 0   | 0 0   | 334 0
    the same for all                 | flat-allocation | 1000 3000 | 2 1   | 5 0   | 1334 1334
    also for those without units     | flat-allocation | 1000 500  | 2 0   | 0 0   | 500 500
    nothing if nobody has any        | flat-allocation | 0 500     | 0 0   | 0 0   | 0 0
    nothing                          | flat-rate       | 1000 3000 | 2 1   | 0 1   | 0 0
"""


@pytest.mark.parametrize(("rule", "effort", "units", "rounds", "expected"), table(RESERVES))
def test_reserves(rule: str, effort: str, units: str, rounds: str, expected: str) -> None:
    assert (
        reserves(Rule(rule), integers(effort), integers(units), integers(rounds)).tolist()
        == integers(expected).tolist()
    )


def test_reserves_of_the_largest_efforts_do_not_overflow() -> None:
    many = np.array([HUGE, HUGE])
    for rule, expected in {"preference": HUGE * 9 // 10 + 1, "flat-allocation": HUGE, "flat-rate": 0}.items():
        assert reserves(Rule(rule), many, np.array([1, 1]), np.array([1, 1])).tolist() == [expected, expected]


def test_only_one_rule_auctions() -> None:
    assert [rule for rule in Rule if rule.auctions] == [Rule.PREFERENCE]


@pytest.mark.parametrize(
    ("reserve", "most"), [(0, 0), (1, 1), (3, 3), (4, 5), (1000, 1250), (999, 1248), (HUGE, HUGE * 5 // 4)]
)
def test_at_cost_maximum(reserve: int, most: int) -> None:
    assert at_cost_maximum(reserve) == most


@pytest.mark.parametrize(
    ("in_stock", "bid"), [("7", 7), ("1000 1250", 1250), ("1251 1000", 1000), ("3 0 1", 0), ("4 5 6 5", 5)]
)
def test_at_cost_bid(in_stock: str, bid: int) -> None:
    assert at_cost_bid(integers(in_stock)) == bid


def test_the_lottery_can_be_drawn_again_from_its_description() -> None:
    assert lottery(b"\x5e\xc2\xe7", 17, "bread", 4) == sha256(b"5ec2e7:17:bread:4").digest()
    assert lottery(b"", 1, 12, 4) == lottery(b"", 1, "12", 4) == sha256(b":1:12:4").digest()
    assert lottery(b"s", 1, "Brötchen", 4) == sha256("73:1:Brötchen:4".encode()).digest()


def test_every_member_good_and_round_draws_another_lot() -> None:
    lots = {lottery(b"s", number, good, member) for number in (1, 11) for good in (1, "a") for member in (1, 11)}
    assert len(lots) == 8


@pytest.mark.parametrize(
    ("left", "count", "taken"),
    [("", 0, ""), ("3 0", 0, "0 0"), ("10 5", 3, "2 1"), ("10 5", 4, "3 1"), ("1 1", 1, "1 0"), ("4 7", 11, "4 7")],
)
def test_take_units(left: str, count: int, taken: str) -> None:
    assert take_units(integers(left), count).tolist() == integers(taken).tolist()


@given(st.lists(st.integers(0, 9) | st.integers(0, HUGE), max_size=5), st.data())
def test_units_are_never_taken_where_there_are_none(left: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, min(sum(left), HUGE)))
    taken = take_units(np.array(left, np.int64), count).tolist()
    assert sum(taken) == count
    assert all(0 <= part <= there for part, there in zip(taken, left, strict=True))


@pytest.mark.parametrize(
    ("effort", "units", "before", "now", "shares", "credited"),
    [
        pytest.param(1000, 10, 0, 3, "1000", "300", id="alone"),
        pytest.param(1000, 3, 0, 1, "1000", "333", id="a third"),
        pytest.param(1000, 3, 1, 1, "1000", "334", id="the next third, cumulative"),
        pytest.param(1000, 3, 2, 1, "1000", "333", id="the last third"),
        pytest.param(3, 2, 0, 1, "3", "2", id="a half rounds up"),
        pytest.param(3000, 10, 0, 1, "2000 1000", "200 100", id="in proportion"),
        pytest.param(4, 4, 0, 1, "2 2", "1 0", id="the odd thousandth to the earlier"),
        pytest.param(4, 4, 1, 1, "2 2", "0 1", id="and then to the later"),
        pytest.param(110, 9, 0, 1, "5 5 100", "1 0 11", id="by largest remainder"),
        pytest.param(10, 10, 0, 3, "6 3 1", "2 1 0", id="tiny efforts as well"),
        pytest.param(12, 12, 0, 7, "8 3 1", "4 2 1", id="to take nothing back, who is furthest above yields"),
        pytest.param(1000, 10, 10, 0, "700 300", "0 0", id="nothing more was given"),
        pytest.param(1000, 2, 0, 2, "1 2", "333 667", id="shares may be any figures"),
        pytest.param(1000, 2, 0, 1, "0 5 0", "0 500 0", id="who did nothing"),
        pytest.param(0, 2, 0, 1, "0 0", "0 0", id="no effort"),
        pytest.param(0, 2, 0, 1, "", "", id="nobody"),
    ],
)
def test_recognised(effort: int, units: int, before: int, now: int, shares: str, credited: str) -> None:
    assert recognised(effort, units, before, now, integers(shares)).tolist() == integers(credited).tolist()


efforts = st.lists(st.integers(0, 9) | st.integers(0, 5000) | st.integers(0, HUGE // 8), min_size=1, max_size=7)


@given(efforts, st.integers(1, 60), st.data())
def test_recognition_is_exact_cumulative_and_never_taken_back(
    shares: list[int], units: int, data: st.DataObject
) -> None:
    effort = sum(shares)
    stops = data.draw(st.lists(st.integers(0, units), max_size=12).map(sorted))
    total = [0] * len(shares)
    for before, after in pairwise([0, *stops, units]):
        credited = recognised(effort, units, before, after - before, np.array(shares)).tolist()
        assert min(credited) >= 0
        total = [sum(parts) for parts in zip(total, credited, strict=True)]
        assert sum(total) == (2 * effort * after + units) // (2 * units)
    assert total == shares


@given(efforts, st.integers(1, 30))
def test_recognition_is_by_largest_remainder_unless_that_takes_back(shares: list[int], units: int) -> None:
    effort, parts = sum(shares), np.array(shares)
    fair = [apportion((2 * effort * so_far + units) // (2 * units), parts) for so_far in range(units + 1)]
    credited = [recognised(effort, units, 0, so_far, parts) for so_far in range(units + 1)]
    if all((after >= before).all() for before, after in pairwise(fair)) and effort:
        assert [amounts.tolist() for amounts in credited] == [amounts.tolist() for amounts in fair]
    for amounts, so_far in zip(credited, fair, strict=True):
        ceiling = [-(-share * int(so_far.sum()) // max(1, effort)) for share in shares]
        assert all(amount <= most for amount, most in zip(amounts.tolist(), ceiling, strict=True))


def test_nothing_is_taken_back_where_largest_remainders_would() -> None:
    shares = integers("3 3 1")
    assert [apportion(credit, shares).tolist() for credit in (3, 4)] == [[1, 1, 1], [2, 2, 0]]
    assert [recognised(7, 7, 0, units, shares).tolist() for units in (3, 4, 5)] == [[1, 1, 1], [1, 2, 1], [2, 2, 1]]


# what it shows | held | balances | limits | amounts
SETTLED = """
    nobody to share with                 | 7  |             |       |
    nobody to share with                 | -7 |             |       |
    nothing                              | 0  | 3 -5        | 9 5   | 0 0
    evenly                               | 8  | 0 90        | 0 9   | 4 4
    the odd ones to the earlier          | 8  | 0 0 0       | 0 0 0 | 3 3 2
    also to who is at the limit          | 4  | -5 0        | 5 0   | 2 2
    a levy evenly                        | -8 | 9 9         | 0 0   | -4 -4
    the odd ones from the earlier        | -8 | 9 9 9       | 0 0 0 | -3 -3 -2
    down to the limit                    | -8 | -4 9        | 5 0   | -1 -7
    the others share the rest            | -9 | 1 9 2 9     | 0 0 0 0 | -1 -3 -2 -3
    the odd ones from those who can      | -9 | 2 9 9       | 0 0 0 | -2 -4 -3
    nor from those who just can          | -10 | 3 9 9      | 0 0 0 | -3 -4 -3
    what nobody can bear stays           | -9 | 1 2         | 1 0   | -2 -2
    who is below the limit pays nothing  | -9 | -7 9 9      | 5 0 0 | 0 -5 -4
    nobody can pay                       | -9 | -5 0        | 5 0   | 0 0
"""


@pytest.mark.parametrize(("held", "balances", "limits", "amounts"), table(SETTLED))
def test_settle(held: str, balances: str, limits: str, amounts: str) -> None:
    assert settle(int(held), integers(balances), integers(limits)).tolist() == integers(amounts).tolist()


members = st.lists(st.tuples(st.integers(-12, 12), st.integers(0, 10)), max_size=6)


@given(st.integers(-60, 60), members)
def test_settling_is_going_round_with_one_thousandth_at_a_time(held: int, members: list[tuple[int, int]]) -> None:
    amounts = [0] * len(members)
    step = 1 if held > 0 else -1
    left, before = abs(held), -1
    while left != before:
        before = left
        for member, (balance, limit) in enumerate(members):
            if left and (held > 0 or balance + amounts[member] > -limit):
                amounts[member] += step
                left -= 1
    balances, limits = (np.array([member[column] for member in members], np.int64) for column in (0, 1))
    assert settle(held, balances, limits).tolist() == amounts


def test_settling_the_largest_amounts_does_not_overflow() -> None:
    most = 2**63 - 1
    rich = np.array([most, most])
    assert settle(-most - 1, rich, rich).tolist() == [-HUGE, -HUGE]
    assert settle(most, rich, rich).tolist() == [HUGE, HUGE - 1]


@pytest.mark.parametrize(
    ("refuse", "message"),
    [
        (lambda: Rule("barter"), "'barter' is not a valid Rule"),
        (
            lambda: reserves(Rule.EFFORT, integers("-1"), integers("1"), integers("0")),
            "effort_left must be at least 0, not -1",
        ),
        (
            lambda: reserves(Rule.EFFORT, integers("1"), integers("-1"), integers("0")),
            "units_left must be at least 0, not -1",
        ),
        (
            lambda: reserves(Rule.EFFORT, integers("1"), integers("1"), integers("-1")),
            "leftover_rounds must be at least 0, not -1",
        ),
        (
            lambda: reserves(Rule.EFFORT, integers("1"), integers(""), integers("0")),
            "units_left must be as long as effort_left: 0 is not 1",
        ),
        (lambda: at_cost_maximum(-1), "reserve must be at least 0, not -1"),
        (lambda: at_cost_bid(integers("3 -1")), "reserves_in_stock must be at least 0, not -1"),
        (lambda: at_cost_bid(integers("")), "reserves_in_stock must not be empty"),
        (lambda: take_units(integers("1 -1"), 0), "left must be at least 0, not -1"),
        (lambda: take_units(integers("1 2"), 4), "count must be at most 3, not 4"),
        (lambda: take_units(integers("1 2"), -1), "count must be at least 0, not -1"),
        (lambda: recognised(-1, 1, 0, 1, integers("1")), "effort must be at least 0, not -1"),
        (lambda: recognised(1, 0, 0, 0, integers("1")), "units must be at least 1, not 0"),
        (lambda: recognised(1, 2, 3, 0, integers("1")), "given_before must be at most 2, not 3"),
        (lambda: recognised(1, 2, 1, 2, integers("1")), "given_now must be at most 1, not 2"),
        (lambda: recognised(1, 2, 1, 1, integers("-1")), "shares must be at least 0, not -1"),
        (lambda: recognised(1, 2, 1, 1, integers("")), "total without shares must be at most 0, not 1"),
        (lambda: settle(1, integers("1 2"), integers("1")), "limits must be as long as balances: 1 is not 2"),
        (lambda: settle(1, integers("1"), integers("-1")), "limits must be at least 0, not -1"),
    ],
)
def test_bad_input_is_named(refuse: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        refuse()
