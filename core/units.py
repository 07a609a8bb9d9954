"""Units: thousandths of a weighted hour, hundredths of a weight, and how both are rounded and shown."""

from __future__ import annotations

HOUR = 1_000  # thousandths of an hour
HOURS_MAX = 1_000_000  # thousandths of an hour: 1,000 hours
ORDINARY_WEIGHT = 100  # hundredths: ×1.00
WEIGHT_MAX = 10_000  # hundredths: ×100, what can be typed; a pool's own max_weight is far below
WANT_UNITS_MAX = 100
BATCH_UNITS_MAX = 10_000


def round_half_up(numerator: int, denominator: int) -> int:
    """Divide and round to the nearest whole number, halves away from zero (what is given mirrors what is taken)."""
    if denominator <= 0:
        msg = "denominator must be positive"
        raise ValueError(msg)
    rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
    return rounded if numerator >= 0 else -rounded


def ceil_divide(numerator: int, denominator: int) -> int:
    """Divide and round towards plus infinity."""
    if denominator <= 0:
        msg = "denominator must be positive"
        raise ValueError(msg)
    return -(-numerator // denominator)


def effort(hours: int, weight: int) -> int:
    """Thousandths of an hour × hundredths of a weight: thousandths of a weighted hour, half up."""
    return round_half_up(hours * weight, ORDINARY_WEIGHT)


def show_hours(thousandths: int, point: str = ".") -> str:
    """`1.5 h`: at most two decimals, no trailing zeros, an ASCII minus and never a minus before zero."""
    return f"{_show_hundredths(round_half_up(thousandths, HOUR // 100), point)} h"


def show_weight(hundredths: int, point: str = ".") -> str:
    """`×1.1`: at most two decimals, no trailing zeros."""
    return f"×{_show_hundredths(hundredths, point)}"


def _show_hundredths(hundredths: int, point: str) -> str:
    whole, fraction = divmod(abs(hundredths), 100)
    decimals = f"{fraction:02d}".rstrip("0")
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{whole}{point}{decimals}" if decimals else f"{sign}{whole}"
