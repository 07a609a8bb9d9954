"""What is always true of whatever a round decides, over small pools that chance made."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from core.rounds.decide import coverage, decide
from core.rounds.inputs import (
    Inputs,
    Outcome,
)
from tests.round_inputs import rounds

if TYPE_CHECKING:
    import random


@given(rounds())
@settings(max_examples=60, deadline=None)
def test_whatever_is_decided_adds_up(inputs: Inputs) -> None:
    outcome = decide(inputs)
    _amounts_hold(inputs, outcome)
    _units_hold(inputs, outcome)
    _work_holds(inputs, outcome)


def _amounts_hold(inputs: Inputs, outcome: Outcome) -> None:
    costs = Counter[int]()
    for row in outcome.given:
        costs[row.member_id] += row.units * row.cost
    credited = sum(row.credited for row in outcome.credits)
    shared = sum(row.amount for row in outcome.shares)
    assert outcome.surplus == inputs.commons + sum(costs.values()) - credited
    assert outcome.kept == outcome.surplus - shared
    after = {row.id: row.balance - costs[row.id] for row in inputs.members}
    for credit in outcome.credits:
        after[credit.member_id] += credit.credited
    paid = dict(after)
    for share in outcome.shares:
        after[share.member_id] += share.amount
    for member in inputs.members:
        assert after[member.id] >= min(-member.limit, member.balance)
        if paid[member.id] < 0:
            assert paid[member.id] >= min(-member.limit, member.balance)
    got = {row.member_id for row in outcome.given} | {row.member_id for row in outcome.credits if row.credited}
    sharers = {row.id for row in inputs.members if row.shares or row.id in got}
    assert {row.member_id for row in outcome.shares} <= sharers
    if outcome.surplus >= 0:
        assert outcome.kept == (0 if sharers else outcome.surplus)
    elif outcome.kept:
        assert all(after[member.id] <= -member.limit for member in inputs.members if member.id in sharers)
    _levy_holds(inputs, outcome, costs, len(sharers))


def _levy_holds(inputs: Inputs, outcome: Outcome, costs: Counter[int], sharers: int) -> None:
    credited = sum(row.credited for row in outcome.credits)
    assert credited - sum(costs.values()) <= inputs.levy * sharers
    rows = {row.contribution_id: row for row in outcome.credits}
    staying = {row.id for row in inputs.members}
    owed = 0
    for row in inputs.contributions:
        if row.member_id in staying:
            one = rows.get(row.id)
            owed += (one.due if one else row.due) - row.recognised - (one.credited if one else 0)
    assert owed == outcome.waiting


def _units_hold(inputs: Inputs, outcome: Outcome) -> None:
    given_of = Counter[int]()
    for row in outcome.given:
        given_of[row.batch_id] += row.units
        assert row.units > 0
    for batch in inputs.batches:
        assert given_of[batch.id] <= batch.left
    wants = {row.id: row for row in inputs.wants}
    covered = dict(zip(wants, coverage(inputs), strict=True))
    for result in outcome.wants:
        assert result.got <= covered[result.want_id] <= wants[result.want_id].units
    for row in outcome.given:
        want = wants[row.want_id]
        assert row.cost <= max(want.maximum, 0)
        assert want.product_id in {0, row.product_id}
    for good in outcome.goods:
        assert good.shortfall == max(0, good.unmet - good.left - good.pledged)


def _work_holds(inputs: Inputs, outcome: Outcome) -> None:
    work = {row.id: row for row in inputs.contributions}
    for row in outcome.credits:
        before = work[row.contribution_id]
        assert before.due <= row.due <= before.effort
        assert 0 <= row.credited <= row.due - before.recognised
    given_of = Counter[int]()
    for one in outcome.given:
        given_of[one.batch_id] += one.units
    dues = {row.contribution_id: row.due for row in outcome.credits}
    for batch in inputs.batches:
        own = [row for row in inputs.contributions if row.batch_id == batch.id]
        if all(row.member_id in {one.id for one in inputs.members} for row in own):
            due = sum(dues.get(row.id, row.due) for row in own)
            exact = 2 * batch.effort * (batch.given + given_of[batch.id])
            assert abs(2 * due * batch.units - exact) <= batch.units


@given(rounds(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_outcome_does_not_depend_on_the_order_of_rows_without_an_order(inputs: Inputs, rng: random.Random) -> None:
    """Tasks come by due date, wants and work by age; all else may come as it likes."""
    other = replace(inputs)
    for name in ("bids", "caps", "products", "batches", "members"):
        rows = list(getattr(other, name))
        rng.shuffle(rows)
        object.__setattr__(other, name, rows)
    assert decide(other) == decide(inputs)


@given(rounds())
@settings(max_examples=40, deadline=None)
def test_kept_inputs_decide_the_same_again(inputs: Inputs) -> None:
    assert Inputs.unpack(inputs.pack()) == inputs
    outcome = decide(inputs)
    assert Outcome.unpack(outcome.pack()) == outcome
    assert decide(Inputs.unpack(inputs.pack())) == outcome
