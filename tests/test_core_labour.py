"""Weights: how they rise, what a recurring task learns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.labour import SECONDS_PER_WEEK, learn, rise

WEEK = SECONDS_PER_WEEK
DAY = WEEK // 7


@pytest.mark.parametrize(
    ("weight", "elapsed", "percent", "most", "risen"),
    [
        pytest.param(100, WEEK, 10, 400, 110, id="10 % a week"),
        pytest.param(105, WEEK, 10, 400, 116, id="a half rounds up"),
        pytest.param(104, WEEK, 10, 400, 114, id="less than a half rounds down"),
        pytest.param(100, 2 * WEEK, 10, 400, 121, id="compounded"),
        pytest.param(125, 2 * WEEK, 20, 400, 180, id="exact over whole weeks"),
        pytest.param(400, DAY * 7 // 2, 21, 999, 440, id="half a week: the root"),
        pytest.param(100, DAY, 10, 400, 101, id="a day: 1.37 %"),
        pytest.param(200, DAY, 10, 400, 203, id="a day, twice the weight"),
        pytest.param(100, 60, 10, 400, 101, id="at least a hundredth"),
        pytest.param(25, WEEK, 1, 400, 26, id="at least a hundredth in a week"),
        pytest.param(100, 0, 10, 400, 101, id="even after no time"),
        pytest.param(0, WEEK, 10, 400, 1, id="even from nothing"),
        pytest.param(395, WEEK, 10, 400, 400, id="never above the maximum"),
        pytest.param(400, WEEK, 10, 400, 400, id="stays at the maximum"),
        pytest.param(500, WEEK, 10, 400, 400, id="a maximum that was lowered"),
        pytest.param(100, WEEK, 0, 400, 100, id="no growth"),
        pytest.param(500, WEEK, 0, 400, 400, id="no growth, a lowered maximum"),
        pytest.param(100, WEEK, Decimal("2.5"), 400, 103, id="parts of a per cent"),
        pytest.param(100, 10**15, 100, 400, 400, id="beyond all numbers"),
    ],
)
def test_rise(weight: int, elapsed: int, percent: Decimal | int, most: int, risen: int) -> None:
    assert rise(weight, elapsed, percent, most) == risen


@given(st.integers(0, 500), st.integers(0, 60 * WEEK), st.integers(0, 100), st.integers(0, 400))
@example(100, WEEK - 1, 10, 400)
def test_rise_never_falls_nor_leaves_its_bounds(weight: int, elapsed: int, percent: int, most: int) -> None:
    risen = rise(weight, elapsed, percent, most)
    assert risen <= most
    assert risen >= min(weight + (percent > 0), most)
    assert risen <= rise(weight, elapsed + DAY, percent, most)
    assert risen <= rise(weight + 1, elapsed, percent, most)


@pytest.mark.parametrize(
    ("filled_at", "least", "how", "start"),
    [
        pytest.param(90, 25, "competed", 90, id="after competition the clearing weight"),
        pytest.param(121, 25, "risen", 121, id="after a rise the weight that filled it"),
        pytest.param(90, 25, "competed risen", 90, id="competition after a rise"),
        pytest.param(100, 25, "", 98, id="else 2 % lower"),
        pytest.param(125, 25, "", 123, id="a half rounds up"),
        pytest.param(110, 25, "", 108, id="less than a half rounds down"),
        pytest.param(25, 25, "", 25, id="never below the minimum"),
        pytest.param(26, 26, "", 26, id="a higher minimum"),
        pytest.param(20, 25, "competed", 20, id="unless the bids were"),
        pytest.param(0, 0, "", 0, id="nothing"),
    ],
)
def test_learn(filled_at: int, least: int, how: str, start: int) -> None:
    assert learn(filled_at, least, competed="competed" in how, risen="risen" in how) == start


RISE: dict[str, Any] = {"weight": 100, "elapsed_seconds": 1, "growth_percent": 10, "max_weight": 400}
LEARN: dict[str, Any] = {"filled_at": 100, "min_weight": 25}


@pytest.mark.parametrize("name", RISE)
def test_rise_says_which_input_is_bad(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must not be negative, not -1$"):
        rise(**{**RISE, name: -1})


@pytest.mark.parametrize("name", LEARN)
def test_learn_says_which_input_is_bad(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must not be negative, not -1$"):
        learn(**{**LEARN, name: -1}, competed=False, risen=False)
