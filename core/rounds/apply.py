"""Write down what a round decided: rows that were made ready before (`prepare`), by bulk statements.

A large round is written before its pool is locked, so nothing here is read or written by way of objects.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, or_, select, update

from core import bulk
from core.bulk import stored
from core.ledger import TransferKind
from core.tables import (
    Backing,
    Batch,
    Bid,
    Claim,
    Contribution,
    GivenUnit,
    Good,
    Product,
    Round,
    Task,
    Transfer,
    Want,
)
from core.tasks import deadline

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlmodel import Session

    from core.bulk import Values
    from core.rounds.inputs import Inputs, Outcome

WANT_ROUNDS_MAX = 8
PART_ROWS = 10_000
COMMONS = None
GIVEN = ("round_number", "at", "want_id", "member_id", "batch_id", "product_id", "cost")
CLAIMS = ("task_id", "member_id", "weight", "how", "rose", "claimed_at", "stage", "deadline_at")
TRANSFERS = ("round_number", "at", "key", "kind", "from_id", "to_id", "amount", "subject")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a round decided from, what it decided, and what is written of it: packed, and as rows for `core.bulk`."""

    inputs: Inputs
    outcome: Outcome
    packed_inputs: bytes
    packed_outcome: bytes
    given: list[Values]
    transfers: list[Values]
    batches: list[Values]
    contributions: list[Values]
    products: list[Values]
    goods: list[Values]

    @property
    def booked_rows(self) -> int:
        """How many rows `book` writes."""
        return len(self.given) + len(self.transfers) + sum(len(one.winners) for one in self.outcome.tasks)


def prepare(inputs: Inputs, outcome: Outcome) -> Prepared:
    """Make ready what a round writes."""
    given = [
        (row.want_id, row.member_id, row.batch_id, row.product_id, row.cost)
        for row in outcome.given
        for _unit in range(row.units)
    ]
    return Prepared(
        inputs=inputs,
        outcome=outcome,
        packed_inputs=inputs.pack(),
        packed_outcome=outcome.pack(),
        given=given,
        transfers=_transfers(inputs.number, outcome),
        batches=_batches(inputs, outcome),
        contributions=_contributions(inputs, outcome),
        products=_products(inputs, outcome),
        goods=_goods(inputs, outcome),
    )


def book(session: Session, pool_id: int, first_id: int, prepared: Prepared, now: datetime) -> None:
    """Write what only adds rows, numbered from `first_id`: units given, transfers and claims of a round."""
    number, at = prepared.inputs.number, stored(now)
    bulk.insert_from(session, (pool_id, first_id), GivenUnit, GIVEN, prepared.given, number, at)
    next_id = first_id + len(prepared.given)
    bulk.insert_from(session, (pool_id, next_id), Transfer, TRANSFERS, prepared.transfers, number, at)
    next_id += len(prepared.transfers)
    bulk.insert_from(session, (pool_id, next_id), Claim, CLAIMS, _claims(session, pool_id, prepared.outcome, now))


def apply(
    session: Session,
    pool_id: int,
    prepared: Prepared,
    now: datetime,
    pause: Callable[[Session], None] = lambda _session: None,
) -> None:
    """Write what a round changes in rows that are there: all of its outcome but for what `book` does.

    Wants, of which there are most, are changed in parts; `pause` is called before each.
    """
    at = stored(now)
    _apply_tasks(session, pool_id, prepared.outcome, at)
    bulk.update(session, pool_id, Batch, ("left", "given"), prepared.batches)
    bulk.update(session, pool_id, Contribution, ("due", "recognised"), prepared.contributions)
    bulk.update(session, pool_id, Product, ("leftover_rounds",), prepared.products)
    bulk.update(session, pool_id, Good, ("last_cost",), prepared.goods)
    _apply_wants(session, pool_id, prepared.inputs, prepared.outcome, at, pause)
    held = update(Round).where(col(Round.pool_id) == pool_id, col(Round.number) == prepared.inputs.number)
    values = {"state": "done", "ran_at": now, "inputs": prepared.packed_inputs, "outcome": prepared.packed_outcome}
    session.connection().execute(held.values(values))


def _apply_tasks(session: Session, pool_id: int, outcome: Outcome, at: int) -> None:
    """Raise weights and open what took bids. Who won a slot bids and backs no more."""
    raised = [(one.task_id, one.weight, 1) for one in outcome.tasks if one.weight != one.old_weight]
    bulk.update(session, pool_id, Task, ("weight", "rose"), raised)
    decided = {one.task_id for one in outcome.tasks}
    bidding = select(Task.id).where(
        Task.pool_id == pool_id, col(Task.closed_at).is_(None), col(Task.opened_at).is_(None)
    )
    opened = [(one, at) for one in session.exec(bidding) if one in decided]
    bulk.update(session, pool_id, Task, ("opened_at",), opened)
    won = [(one.task_id, winner) for one in outcome.tasks for winner in one.winners]
    for table in (Bid, Backing):
        bulk.delete(session, pool_id, table, ("task_id", "member_id"), won)


def _claims(session: Session, pool_id: int, outcome: Outcome, now: datetime) -> list[Values]:
    """Return the claims of those who won slots. A weight that rises now counts as risen."""
    won = [one for one in outcome.tasks if one.winners]
    query = select(Task.id, Task.due_at, Task.rose).where(Task.pool_id == pool_id, col(Task.closed_at).is_(None))
    known = {one: (due_at, rose) for one, due_at, rose in session.exec(query)} if won else {}
    claims = []
    for result in won:
        due_at, rose = known[result.task_id]
        stage, moment = deadline(due_at, now, now)
        how = "competed" if result.eligible > len(result.winners) else "won"
        attention = stored(moment) if moment else None
        has_risen = int(rose or result.weight != result.old_weight)
        claims += [
            (result.task_id, winner, result.cleared, how, has_risen, stored(now), stage, attention)
            for winner in result.winners
        ]
    return claims


def _apply_wants(
    session: Session, pool_id: int, inputs: Inputs, outcome: Outcome, at: int, pause: Callable[[Session], None]
) -> None:
    """Take what was given off the wants, and count the rounds they waited; after eight they run out."""
    ends = Want.first_round <= first_round_of_ended(inputs.number)
    query = select(Want.id, Want.every_round, Want.units_each_round).where(
        Want.pool_id == pool_id, col(Want.ended_at).is_(None), or_(Want.every_round == 1, ends)
    )
    listed = session.exec(query).all()
    renewing = {number: units for number, every_round, units in listed if every_round}
    before = {want.id: want for want in inputs.wants}
    changed = []
    for result in outcome.wants:
        if result.got or result.lost:
            want, renews = before[result.want_id], result.want_id in renewing
            units, got = want.units - result.got, want.got + result.got
            waited = 0 if renews and result.got else want.waited + result.lost
            changed.append((want.id, units, got, waited, at if units == 0 and not renews else None))
    for begin in range(0, len(changed), PART_ROWS):
        pause(session)
        part = changed[begin : begin + PART_ROWS]
        bulk.update(session, pool_id, Want, ("units", "got", "waited", "ended_at"), part)
    bulk.update(session, pool_id, Want, ("units", "got"), [(number, units, 0) for number, units in renewing.items()])
    ended = [(number, at) for number, every_round, _units in listed if not every_round]
    bulk.update(session, pool_id, Want, ("ended_at",), ended)


def first_round_of_ended(number: int) -> int:
    """Return the first round of the wants that this round ends: they have stood in eight."""
    return number - WANT_ROUNDS_MAX + 1


def _transfers(number: int, outcome: Outcome) -> list[Values]:
    """Return the transfers of a round: costs in, recognised effort out, the rest shared."""
    cost, effort, settle = TransferKind.COST.value, TransferKind.EFFORT.value, TransferKind.SETTLE.value
    rows: list[Values] = [
        (f"cost:{number}:{n}", cost, row.member_id, COMMONS, row.units * row.cost, f"want:{row.want_id}")
        for n, row in enumerate(outcome.given)
        if row.cost
    ]
    rows += [
        (
            f"effort:{number}:{row.contribution_id}",
            effort,
            COMMONS,
            row.member_id,
            row.credited,
            f"contribution:{row.contribution_id}",
        )
        for row in outcome.credits
        if row.credited
    ]
    for row in (one for one in outcome.shares if one.amount):
        sides = (COMMONS, row.member_id) if row.amount > 0 else (row.member_id, COMMONS)
        rows.append((f"settle:{number}:{row.member_id}", settle, *sides, abs(row.amount), ""))
    return rows


def _batches(inputs: Inputs, outcome: Outcome) -> list[Values]:
    counts = defaultdict[int, int](int)
    for row in outcome.given:
        counts[row.batch_id] += row.units
    return [
        (batch.id, batch.left - counts[batch.id], batch.given + counts[batch.id])
        for batch in inputs.batches
        if batch.id in counts
    ]


def _contributions(inputs: Inputs, outcome: Outcome) -> list[Values]:
    recognised = {row.id: row.recognised for row in inputs.contributions}
    return [(row.contribution_id, row.due, recognised[row.contribution_id] + row.credited) for row in outcome.credits]


def _products(inputs: Inputs, outcome: Outcome) -> list[Values]:
    """Count the rounds a product ended with units left."""
    before = {row.id: row.leftover_rounds for row in inputs.products}
    after = [(row.product_id, before[row.product_id] + 1 if row.offered > row.given else 0) for row in outcome.products]
    return [row for row in after if row[1] != before[row[0]]]


def _goods(inputs: Inputs, outcome: Outcome) -> list[Values]:
    """Keep each good's last cost."""
    good_of = {row.id: row.good_id for row in inputs.products}
    costs: dict[int, int] = {}
    for row in outcome.products:
        if row.offered:
            good_id = good_of[row.product_id]
            costs[good_id] = min(row.cost, costs.get(good_id, row.cost))
    return list(costs.items())
