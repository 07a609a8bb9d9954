"""What a benchmark says: one row of a table, and how long something took."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Row:
    """A figure and its bound, with what it was made of; `at_least` turns the bound round.

    `because` says what stands in the way where the bound is known to be missed.
    """

    name: str
    measured: str
    against: str
    figure: float
    bound: float
    at_least: bool = False
    because: str = ""

    @property
    def is_missed(self) -> bool:
        """Tell whether the figure is on the wrong side of its bound."""
        return self.figure < self.bound if self.at_least else self.figure > self.bound


def seconds(run: Callable[[], object]) -> float:
    """Return how long something takes."""
    start = perf_counter()
    run()
    return perf_counter() - start


def milliseconds(value: float) -> str:
    """Show seconds as milliseconds."""
    return f"{value * 1000:.1f} ms"


def ratio(
    name: str,
    own: float,
    baseline: float,
    bound: float,
    *,
    at_least: bool = False,
    unit: str = "time",
    because: str = "",
) -> Row:
    """Compare two times, or with the unit `rate` two counts a second."""
    show = milliseconds if unit == "time" else lambda value: f"{value:.0f}/s"
    return Row(name, show(own), show(baseline), own / baseline, bound, at_least, because)


def limit(name: str, value: float, bound: float, unit: str, *, because: str = "") -> Row:
    """Hold a figure against a bound in its own unit."""
    return Row(name, f"{value:.1f} {unit}", f"{bound:g} {unit}", value / bound, 1, because=because)


def middle(runs: list[float]) -> float:
    """Return the median."""
    return median(runs)
