"""Inputs of rounds for tests: nothing, one market with one maker, and small pools that chance made."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import strategies as st

from core.recognition import due_with
from core.rounds.inputs import (
    NONE,
    BatchRow,
    BidRow,
    CapRow,
    ContributionRow,
    GoodRow,
    Inputs,
    MemberRow,
    ProductRow,
    TaskRow,
    WantRow,
)

WEEK = 7 * 24 * 3600
LOT = "5ec2e7"
EMPTY = Inputs(number=1, secret=LOT, elapsed_seconds=WEEK, growth=10, max_weight=400, levy=3000)
RULE_NAMES = ("preference", "effort", "flat-allocation", "flat-rate")


def market(units: int, wants: list[tuple[int, int]], rule: str = "preference", effort: int = 100) -> Inputs:
    """Members 1, 2, 3 ... want (units, bid), -1 at cost; one product with a batch of so many units, by member 99."""
    rows = [WantRow(n, 1, n, 0, count, 0, bid, max(bid, 125), 0) for n, (count, bid) in enumerate(wants, 1)]
    members = [MemberRow(n, 0, 10_000, 1) for n in (*range(1, len(wants) + 1), 99)]
    return replace(
        EMPTY,
        goods=[GoodRow(1, "bread", rule)],
        products=[ProductRow(5, 1, units, units * effort, 0, effort, 0, units)],
        batches=[BatchRow(6, 5, units, units, 0, units * effort)] if units else [],
        contributions=[ContributionRow(7, 99, 6, units * effort, 0, 0)] if units else [],
        wants=rows,
        members=members,
    )


@st.composite
def rounds(draw: st.DrawFn) -> Inputs:
    """Whole rounds of a small pool that hang together: efforts of batches are those of their contributions."""
    pick = random.Random(draw(st.integers(0, 2**32)))
    people = range(1, 7)
    tasks = [TaskRow(n, n, pick.randint(1, 3), pick.randint(25, 400), 1000, pick.randint(0, 1)) for n in (1, 2, 3)]
    goods = [GoodRow(good_id, f"good {good_id}", pick.choice(RULE_NAMES)) for good_id in (101, 102)]
    made = [_product(pick, good.id, good.id * 10 + n) for good in goods for n in (0, 1)]
    common = [_common(pick, n) for n in range(1, pick.randint(1, 5))]
    wants = [_want(pick, good.id, n) for good in goods for n in people if pick.random() < 0.7]
    return Inputs(
        number=pick.randint(1, 50),
        secret=pick.randbytes(32).hex(),
        elapsed_seconds=pick.randint(0, 3 * WEEK),
        growth=pick.randint(0, 30),
        max_weight=400,
        levy=pick.choice([0, 10, 3000]),
        commons=pick.randint(-500, 500),
        tasks=tasks,
        bids=[BidRow(task.id, n, pick.randint(1, 400)) for task in tasks for n in people if pick.random() < 0.6],
        caps=[CapRow(n, pick.randint(0, 3000)) for n in (1, 2)],
        goods=goods,
        products=[product for product, _batches, _work in made],
        batches=[batch for _product, batches, _work in made for batch in batches],
        wants=[want._replace(id=n) for n, want in enumerate(wants, 1)],
        members=[
            MemberRow(n, pick.randint(-3000, 3000), pick.choice([3000, 5000, 10_000]), pick.randint(0, 1))
            for n in people
        ],
        contributions=common + [row for _product, _batches, work in made for row in work],
    )


def _product(
    pick: random.Random, good_id: int, product_id: int
) -> tuple[ProductRow, list[BatchRow], list[ContributionRow]]:
    batches, work, effort_left = [], [], 0
    for batch_id in (product_id * 10, product_id * 10 + 1)[: pick.randint(0, 2)]:
        units = pick.randint(1, 5)
        given = pick.randint(0, units - 1)
        efforts = [pick.randint(1, 900) for _ in range(pick.randint(1, 3))]
        dues = due_with(sum(efforts), units, given, efforts)
        for n, (effort, due) in enumerate(zip(efforts, dues, strict=True)):
            credited = pick.choice([due, due, pick.randint(0, due)])
            # Member 7 has left.
            work.append(ContributionRow(batch_id * 10 + n, pick.randint(1, 7), batch_id, effort, due, credited))
        batches.append(BatchRow(batch_id, product_id, units, units - given, given, sum(efforts)))
        effort_left += sum(efforts) - sum(dues)
    left = sum(batch.left for batch in batches)
    leftover_rounds, pledged = pick.randint(0, 3), pick.randint(0, 2)
    return ProductRow(product_id, good_id, left, effort_left, leftover_rounds, 300, pledged, 0), batches, work


def _want(pick: random.Random, good_id: int, member_id: int) -> WantRow:
    bid = pick.choice([NONE, pick.randint(0, 900)])
    product_id = pick.choice([0, 0, good_id * 10, good_id * 10 + 1])
    most = pick.randint(0, 900) if bid == NONE else bid
    got, waited = pick.randint(0, 2), pick.randint(0, 3)
    return WantRow(0, good_id, member_id, product_id, pick.randint(1, 3), got, bid, most, waited)


def _common(pick: random.Random, number: int) -> ContributionRow:
    effort = pick.randint(1, 4000)
    return ContributionRow(number, pick.randint(1, 6), 0, effort, effort, pick.randint(0, effort))
