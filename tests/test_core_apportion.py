"""Sharing out an amount: cases, exactness, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.allocation import apportion
from tests.cases import integers, table

# what it shows | total | shares | parts
APPORTIONED = """
    exactly                             | 6  | 1 2 3   | 1 2 3
    the largest remainder first         | 10 | 3 3 1   | 4 4 2
    ties to the earlier index           | 2  | 1 1 1 1 | 1 1 0 0
    all-zero shares: evenly             | 5  | 0 0 0   | 2 2 1
    nothing for a share of nothing      | 5  | 0 7 0   | 0 5 0
    a negative total is the mirror      | -5 | 0 0 0   | -2 -2 -1
    nothing                             | 0  | 4 5     | 0 0
    nothing for nobody                  | 0  |         |
    shares whose sum is beyond int64    | 1  | 4611686018427387903 4611686018427387904 4611686018427387904 | 0 1 0
"""


@pytest.mark.parametrize(("total", "shares", "parts"), table(APPORTIONED))
def test_apportion_cases(total: str, shares: str, parts: str) -> None:
    assert apportion(int(total), integers(shares)).tolist() == integers(parts).tolist()


@given(
    st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 20),
    st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 5), min_size=1, max_size=6),
)
def test_apportion_is_exact_and_within_one(total: int, shares: list[int]) -> None:
    parts = apportion(total, np.array(shares, np.int64)).tolist()
    weights = shares if any(shares) else [1] * len(shares)
    assert sum(parts) == total
    assert all(abs(part * sum(weights) - total * w) < sum(weights) for part, w in zip(parts, weights, strict=True))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"total": 1, "shares": []}, "total without shares must be at most 0, not 1"),
        ({"total": 2**63, "shares": [1]}, f"total must be at most {2**63 - 1}, not {2**63}"),
        ({"total": 1.0, "shares": [1]}, "total must be an integer, not float"),
        ({"total": 1, "shares": [1, -1]}, "shares must be at least 0, not -1"),
    ],
)
def test_apportion_says_which_input_is_bad(case: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        apportion(**case)
