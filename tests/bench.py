"""Measure a large pool: `python -m tests.bench`. Only ratios of times taken in the same run count; one too high fails.

Each benchmark returns two things to run: what is measured, and what it is measured against.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np

from core.allocation import clear_goods

REPEATS = 7

Run = Callable[[], object]


@dataclass(frozen=True)
class Benchmark:
    """A name, what makes the two runs, and how many times the second the first may take."""

    name: str
    prepare: Callable[[], tuple[Run, Run]]
    bound: float


def clear_a_million_wants(*, auction: bool, units: int) -> tuple[Run, Run]:
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


BENCHMARKS = [
    Benchmark(
        f"clear 1,000,000 wants, 8 x {units:,} units, {how} / lexsort",
        partial(clear_a_million_wants, auction=how == "auction", units=units),
        bound=3,
    )
    for units in (10_000, 60_000)
    for how in ("auction", "no auction")
]


def measured(benchmark: Benchmark) -> tuple[float, float]:
    """Return the median seconds of both runs, taken in turns so that a busy machine slows both."""
    runs = benchmark.prepare()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for run, taken in zip(runs, seconds, strict=True):
            start = perf_counter()
            run()
            taken.append(perf_counter() - start)
    return median(seconds[0]), median(seconds[1])


def main() -> int:
    """Print a line for each benchmark; return 1 if one is above its bound."""
    width = max(len(benchmark.name) for benchmark in BENCHMARKS)
    sys.stdout.write(f"{'':{width}}  measured  baseline  ratio  bound\n")
    failed = False
    for benchmark in BENCHMARKS:
        own, baseline = measured(benchmark)
        ratio = own / baseline
        failed |= ratio > benchmark.bound
        figures = f"{own * 1000:6.1f} ms {baseline * 1000:6.1f} ms {ratio:6.2f} {benchmark.bound:6.2f}"
        sys.stdout.write(f"{benchmark.name:{width}} {figures}{'  TOO SLOW' if ratio > benchmark.bound else ''}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
