"""Units: how effort is rounded, and how hours and weights are shown."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.units import ceil_divide, effort, round_half_up, show_hours, show_weight

NUMERATORS = st.integers(min_value=-(2**70), max_value=2**70)
DENOMINATORS = st.integers(min_value=1, max_value=2**40)


@given(NUMERATORS, DENOMINATORS)
def test_rounding_goes_to_the_nearest_and_is_its_own_mirror(numerator: int, denominator: int) -> None:
    rounded = round_half_up(numerator, denominator)
    error = abs(Fraction(numerator, denominator)) - abs(rounded)
    assert Fraction(-1, 2) <= error < Fraction(1, 2)
    assert rounded == -round_half_up(-numerator, denominator)


@given(NUMERATORS, DENOMINATORS)
def test_ceiling_is_the_next_whole_number(numerator: int, denominator: int) -> None:
    assert 0 <= ceil_divide(numerator, denominator) - Fraction(numerator, denominator) < 1


@pytest.mark.parametrize("denominator", [0, -1])
def test_a_denominator_is_positive(denominator: int) -> None:
    with pytest.raises(ValueError, match="denominator"):
        round_half_up(1, denominator)
    with pytest.raises(ValueError, match="denominator"):
        ceil_divide(1, denominator)


@pytest.mark.parametrize(
    ("hours", "weight", "expected"),
    [(1500, 100, 1500), (2000, 121, 2420), (1, 50, 1), (1, 49, 0), (-1, 50, -1), (1_000_000, 400, 4_000_000)],
)
def test_effort_is_hours_times_weight(hours: int, weight: int, expected: int) -> None:
    assert effort(hours, weight) == expected


@pytest.mark.parametrize(
    ("thousandths", "shown"),
    [
        (0, "0 h"), (1500, "1.5 h"), (1000, "1 h"), (10_000, "10 h"), (1_000_000, "1000 h"), (700, "0.7 h"),
        (50, "0.05 h"), (-580, "-0.58 h"), (-583, "-0.58 h"), (-585, "-0.59 h"), (585, "0.59 h"), (4, "0 h"),
        (-4, "0 h"), (-5, "-0.01 h"), (1995, "2 h"), (-1999, "-2 h"), (1010, "1.01 h"),
    ],
)  # fmt: skip
def test_hours_are_shown_with_at_most_two_decimals(thousandths: int, shown: str) -> None:
    assert show_hours(thousandths) == shown
    assert show_hours(thousandths, ",") == shown.replace(".", ",")


@pytest.mark.parametrize(("hundredths", "shown"), [(100, "×1"), (110, "×1.1"), (25, "×0.25"), (121, "×1.21")])
def test_weights_are_shown_with_a_cross(hundredths: int, shown: str) -> None:
    assert show_weight(hundredths) == shown
    assert show_weight(hundredths, ",") == shown.replace(".", ",")
