"""Weights of tasks: how they rise while nobody comes, and what a recurring task learns. Pure; weights in hundredths."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

from core.units import round_half_up

SECONDS_PER_WEEK = 7 * 24 * 60 * 60
# A task that went without competition starts lower the next time.
EASY_PERCENT_LOWER = 2
# Far more digits than a weight needs; overflow means "beyond every maximum" and must not raise.
_EXACT = Context(prec=50, rounding=ROUND_HALF_UP, traps=[])


def rise(weight: int, elapsed_seconds: int, growth_percent: Decimal | int, max_weight: int) -> int:
    """Return the weight of an open task after so many seconds: growth per week, compounded, rounded half up.

    At least a hundredth more, never above max_weight. No growth: as it was. ValueError on negative input.
    """
    _not_negative(weight=weight, elapsed_seconds=elapsed_seconds, growth_percent=growth_percent, max_weight=max_weight)
    if growth_percent == 0:
        return min(weight, max_weight)
    weekly = _EXACT.add(1, Decimal(growth_percent).scaleb(-2))
    secondly = _EXACT.power(weekly, _EXACT.power(SECONDS_PER_WEEK, -1))
    # Whole weeks on their own: their growth has no roots in it, so that a half is exactly a half.
    weeks, seconds = divmod(elapsed_seconds, SECONDS_PER_WEEK)
    growth = _EXACT.multiply(_EXACT.power(weekly, weeks), _EXACT.power(secondly, seconds))
    risen = min(_EXACT.multiply(weight, growth), Decimal(max_weight))
    return min(max(int(risen.to_integral_value(ROUND_HALF_UP)), weight + 1), max_weight)


def learn(filled_at: int, min_weight: int, *, competed: bool, risen: bool) -> int:
    """Return the weight at which the next occurrence of a recurring task starts, from a confirmed one.

    filled_at: the weight that filled it (after competition the clearing weight; several slots: the last one's).
    competed: more bid for it than it had slots; risen: its weight rose before it was filled. A ValueError if a weight
    is negative.
    """
    _not_negative(filled_at=filled_at, min_weight=min_weight)
    if competed or risen:
        return filled_at
    return max(round_half_up(filled_at * (100 - EASY_PERCENT_LOWER), 100), min_weight)


def _not_negative(**values: Decimal | int) -> None:
    for name, value in values.items():
        if value < 0:
            raise ValueError(f"{name} must not be negative, not {value}")
