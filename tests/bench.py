"""Measure how quick dpool is: `python -m tests.bench [--write]`; a figure on the wrong side of its bound fails.

Only ratios of times taken in the same run count, so that a slow or busy machine changes little. `--write` keeps the
table in docs/benchmarks.md, with the machine it was measured on. Names behind it choose modules: `large flow`.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from core.allocation import clear_goods
from tests.bench_rows import Row, ratio, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REPEATS = 7
ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs" / "benchmarks.md"
MODULES = ("clearing", "flow", "telegram", "matrix", "history", "large")
HEAD = """# Benchmarks

Written by `make bench` (`python -m tests.bench --write`), not by hand. What is held against a bound is the figure: a
ratio of two times of the same run, or what was measured as a part of what it may be.

"""


def clear_a_million_wants(*, auction: bool, units: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """1,000,000 wants, half of them flexible, on 8 products; bids in tenths of an hour, so that many are equal."""
    random = np.random.default_rng(1)
    products, wants = 8, 1_000_000
    product = np.where(random.random(wants) < 0.5, -1, random.integers(0, products, wants))
    bid = random.integers(0, 50, wants) * 100
    rank = random.permutation(wants)
    reserve = random.integers(0, 2_000, products)
    offered = np.full(products, units)
    return (
        partial(clear_goods, offered, reserve, product, bid, rank, auction=auction),
        lambda: np.lexsort((rank, -bid)),
    )


def clearing() -> Iterator[Row]:
    """Compare the clearing of a market with sorting it, in turns."""
    for units in (10_000, 60_000):
        for how in ("auction", "no auction"):
            runs = clear_a_million_wants(auction=how == "auction", units=units)
            taken = [[seconds(run) for run in runs] for _ in range(REPEATS)]
            own, baseline = (median(column) for column in zip(*taken, strict=True))
            yield ratio(f"clear 1,000,000 wants, 8 x {units:,} units, {how} ÷ lexsort", own, baseline, 3)


def rows(names: Sequence[str]) -> Iterator[Row]:
    """Run the benchmarks of these modules that are there."""
    for name in names:
        if name == "clearing":
            yield from clearing()
        elif find_spec(f"tests.bench_{name}") is not None:
            yield from import_module(f"tests.bench_{name}").rows()


def shown(row: Row) -> str:
    """Show a row of the table."""
    sign = "≥" if row.at_least else "≤"
    verdict = " **missed**" if row.is_missed else ""
    return f"| {row.name} | {row.measured} | {row.against} | {row.figure:.2f} | {sign} {row.bound:g}{verdict} |"


def explained(found: Sequence[Row]) -> str:
    """Say of what is missed by how much, and why."""
    missed = [row for row in found if row.is_missed]
    lines = [
        f"- {row.name}: {max(row.figure / row.bound, row.bound / row.figure):.1f} times beside its bound"
        f"{', because ' if row.because else ''}{row.because}.\n"
        for row in missed
    ]
    return "".join(["\n## Missed\n\n", *lines]) if lines else ""


def machine() -> str:
    """Describe the machine."""
    names = [line for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")]
    cores, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = names[0].partition(":")[2].strip() if names else platform.machine()
    load = os.getloadavg()[0]
    parts = (
        f"{cores} x {model}, {memory:.0f} GB",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        f"load when it began: {load:.1f}",
    )
    return ", ".join(parts)


def main(arguments: Sequence[str]) -> int:
    """Print the table as it comes; return 1 if a bound is missed."""
    names = [one for one in arguments if not one.startswith("--")] or MODULES
    lines = ["| what | measured | against | figure | bound |", "|---|---|---|---|---|"]
    described, found = machine(), list[Row]()
    sys.stdout.write("\n".join(lines) + "\n")
    for row in rows(names):
        lines.append(shown(row))
        found.append(row)
        sys.stdout.write(f"{lines[-1]}\n")
        sys.stdout.flush()
    if "--write" in arguments:
        table = "\n".join(lines)
        KEPT.write_text(f"{HEAD}Measured on {described}.\n\n{table}\n{explained(found)}", "utf-8")
    return int(any(row.is_missed for row in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
