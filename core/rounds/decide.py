"""Decide a round: pure, from its inputs alone, so that anybody can do it again.

Order: tasks clear, goods clear, costs are charged, effort is recognised, and what the commons holds is shared.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from core import sharing
from core.allocation import apportion, clear_task
from core.labour import rise
from core.rounds.goods import GoodClearing, clear_good
from core.rounds.inputs import CreditRow, GivenRow, Outcome, ShareRow, TaskResult, TaskRow, WantRow

if TYPE_CHECKING:
    from core.rounds.inputs import BatchRow, BidRow, ContributionRow, Inputs, ProductRow


def decide(inputs: Inputs) -> Outcome:
    """Return what the round decides."""
    tasks = _decide_tasks(inputs)
    clearings = _decide_goods(inputs)
    given = [row for clearing in clearings for row in clearing.given]
    wanted = sorted((row for clearing in clearings for row in clearing.wants), key=lambda row: row.want_id)
    credited, waiting = _recognise(inputs, given)
    charged = sum(row.units * row.cost for row in given)
    surplus = inputs.commons + charged - sum(row.credited for row in credited)
    shares = _settle(inputs, surplus, given, credited)
    return Outcome(
        tasks=tasks,
        products=[row for clearing in clearings for row in clearing.products],
        goods=[clearing.good for clearing in clearings],
        wants=wanted,
        given=given,
        credits=credited,
        shares=shares,
        surplus=surplus,
        waiting=waiting,
        kept=surplus - sum(row.amount for row in shares),
    )


def _decide_tasks(inputs: Inputs) -> list[TaskResult]:
    bids: dict[int, list[BidRow]] = defaultdict(list)
    for bid in inputs.bids:
        bids[bid.task_id].append(bid)
    hours_left = {cap.member_id: cap.hours for cap in inputs.caps}
    return [_decide_task(inputs, task, bids[task.id], hours_left) for task in inputs.tasks]


def _decide_task(inputs: Inputs, task: TaskRow, bids: list[BidRow], hours_left: dict[int, int]) -> TaskResult:
    weight = task.weight
    if task.rises:
        weight = rise(weight, inputs.elapsed_seconds, inputs.growth, max(inputs.max_weight, weight))
    eligible = [b for b in bids if b.weight <= weight and hours_left.get(b.member_id, task.hours) >= task.hours]
    secret = bytes.fromhex(inputs.secret)
    bidders = [bid.member_id for bid in eligible]
    lots = dict(zip(bidders, sharing.lots(secret, inputs.number, f"#{task.number}", bidders), strict=True))
    eligible.sort(key=lambda bid: lots[bid.member_id])
    clearing = clear_task(
        task.free,
        weight,
        np.array([bid.weight for bid in eligible], np.int64),
        np.arange(len(eligible), dtype=np.int64),
    )
    winners = [eligible[index].member_id for index in clearing.winners.tolist()]
    for winner in winners:
        if winner in hours_left:
            hours_left[winner] -= task.hours
    return TaskResult(task.id, task.number, task.weight, weight, clearing.weight, len(eligible), winners)


def _decide_goods(inputs: Inputs) -> list[GoodClearing]:
    products: dict[int, list[ProductRow]] = defaultdict(list)
    batches: dict[int, list[BatchRow]] = defaultdict(list)
    wants: dict[int, list[tuple[WantRow, int]]] = defaultdict(list)
    for product in inputs.products:
        products[product.good_id].append(product)
    for batch in sorted(inputs.batches):
        batches[batch.product_id].append(batch)
    for want, covered in zip(inputs.wants, coverage(inputs), strict=True):
        wants[want.good_id].append((want, covered))
    return [clear_good(inputs, good, products[good.id], batches, wants[good.id]) for good in inputs.goods]


def coverage(inputs: Inputs) -> list[int]:
    """Return how many units of each want its member can pay at most for: oldest first, while the most it costs fits."""
    budgets = {member.id: member.balance + member.limit for member in inputs.members}
    covered = []
    for want in inputs.wants:
        units, most, budget = want.units, want.maximum, budgets[want.member_id]
        if most > 0 and units * most > budget:
            units, budgets[want.member_id] = max(0, budget) // most, 0
        elif most > 0:
            budgets[want.member_id] = budget - units * most
        covered.append(units)
    return covered


def _recognise(inputs: Inputs, given: list[GivenRow]) -> tuple[list[CreditRow], int]:
    """Return what is due and what is credited of it, and what has to wait because the levy cannot carry it.

    Costs carry the effort in the units of the good they were charged for. The rest (common work, free goods, costs
    below effort) is carried by the commons, the oldest first, up to the levy from everybody who shares. Whom it
    credits shares as well. What the work of somebody who left is worth stays in the commons.
    """
    due = {row.id: row.due for row in inputs.contributions}
    funded = _fund(inputs, given, due)
    staying = {member.id for member in inputs.members}
    work = [row for row in inputs.contributions if row.member_id in staying]
    sharing_now = {member.id for member in inputs.members if member.shares} | {row.member_id for row in given}
    sharing_now |= {row.member_id for row in work if funded[row.id]}
    left = inputs.levy * len(sharing_now)
    result, waiting = [], 0
    for row in work:
        owed = due[row.id] - row.recognised - funded[row.id]
        left += inputs.levy if owed and row.member_id not in sharing_now else 0
        extra = min(owed, left)
        left -= extra
        waiting += owed - extra
        if extra:
            sharing_now.add(row.member_id)
        if due[row.id] > row.due or funded[row.id] + extra:
            result.append(CreditRow(row.id, row.member_id, due[row.id], funded[row.id] + extra))
    return result, waiting


def _fund(inputs: Inputs, given: list[GivenRow], due: dict[int, int]) -> dict[int, int]:
    """Raise `due` by the effort in the units given; return what of each contribution's increase the costs carry."""
    good_of = {product.id: product.good_id for product in inputs.products}
    units, costs = defaultdict[int, int](int), defaultdict[int, int](int)
    for one in given:
        units[one.batch_id] += one.units
        costs[good_of[one.product_id]] += one.units * one.cost
    work: dict[int, list[ContributionRow]] = defaultdict(list)
    for row in inputs.contributions:
        work[row.batch_id].append(row)
    increases: dict[int, dict[int, int]] = defaultdict(dict)
    for batch in inputs.batches:
        if units[batch.id]:
            increases[good_of[batch.product_id]] |= _raise_due(batch, work[batch.id], units[batch.id], due)
    funded = {row.id: 0 for row in inputs.contributions}
    for good_id, found in increases.items():
        raised = dict(sorted(found.items()))
        paid = apportion(min(sum(raised.values()), costs[good_id]), list(raised.values())).tolist()
        funded |= zip(raised, paid, strict=True)
    return funded


def _raise_due(batch: BatchRow, work: list[ContributionRow], units: int, due: dict[int, int]) -> dict[int, int]:
    """Raise what is due to the contributors of a batch when `units` more of it are given; return by how much."""
    shares = [row.effort for row in work]
    parts = sharing.recognised(batch.effort, batch.units, 0, batch.given + units, shares).tolist()
    for row, part in zip(work, parts, strict=True):
        due[row.id] = max(row.due, part)
    return {row.id: due[row.id] - row.due for row in work}


def _settle(inputs: Inputs, surplus: int, given: list[GivenRow], credited: list[CreditRow]) -> list[ShareRow]:
    balances = {member.id: member.balance for member in inputs.members}
    getting: set[int] = set()
    for row in given:
        balances[row.member_id] -= row.units * row.cost
        getting.add(row.member_id)
    for credit in credited:
        balances[credit.member_id] = balances.get(credit.member_id, 0) + credit.credited
        if credit.credited:
            getting.add(credit.member_id)
    sharers = [member for member in inputs.members if member.shares or member.id in getting]
    secret = bytes.fromhex(inputs.secret)
    ids = [member.id for member in sharers]
    lots = dict(zip(ids, sharing.lots(secret, inputs.number, "commons", ids), strict=True))
    sharers.sort(key=lambda member: lots[member.id])
    amounts = sharing.settle(
        surplus, [balances[member.id] for member in sharers], [member.limit for member in sharers]
    ).tolist()
    rows = [ShareRow(member.id, amount) for member, amount in zip(sharers, amounts, strict=True) if amount]
    return sorted(rows)
