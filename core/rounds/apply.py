"""Write down what a round decided, in the transaction that holds the pool's lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert
from sqlmodel import col, select

from core.ledger import Entry, TransferKind
from core.tables import Batch, Contribution, GivenUnit, Good, Member, Pool, Product, Round, Task, Transfer, Want
from core.tasks import take_slot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlmodel import Session

    from core.events import Claimed
    from core.rounds.inputs import Inputs, Outcome

WANT_ROUNDS_MAX = 8


@dataclass(frozen=True, slots=True)
class Applied:
    """What changed: slots won, and wants that ran out after eight rounds."""

    claimed: list[Claimed]
    ran_out: list[Want]


def apply(session: Session, pool: Pool, current: Round, inputs: Inputs, outcome: Outcome, now: datetime) -> Applied:
    """Write a round's outcome; `current` is the round's row."""
    claimed = _apply_tasks(session, pool, outcome, now)
    _apply_given(session, pool, current, outcome, now)
    _apply_batches(session, pool, outcome)
    ran_out = _apply_wants(session, pool, outcome, now)
    _apply_credits(session, pool, outcome)
    _transfer(session, pool, current, _entries(current, outcome), now)
    _apply_products(session, pool, outcome)
    current.state, current.ran_at = "done", now
    current.inputs, current.outcome = inputs.pack(), outcome.pack()
    pool.revision += 1
    return Applied(claimed, ran_out)


def _apply_tasks(session: Session, pool: Pool, outcome: Outcome, now: datetime) -> list[Claimed]:
    claimed = []
    for result in outcome.tasks:
        task = session.get_one(Task, (pool.id, result.task_id))
        if result.weight != result.old_weight:
            task.weight, task.rose = result.weight, 1
        how = "competed" if result.eligible > len(result.winners) else "won"
        for winner in result.winners:
            member = session.get_one(Member, (pool.id, winner))
            claimed.append(take_slot(session, task, member, result.cleared, how, now))
        task.opened_at = task.opened_at or now
    return claimed


def _apply_given(session: Session, pool: Pool, current: Round, outcome: Outcome, now: datetime) -> None:
    rows = [
        {
            "want_id": row.want_id,
            "member_id": row.member_id,
            "batch_id": row.batch_id,
            "product_id": row.product_id,
            "cost": row.cost,
            "round_number": current.number,
            "at": now,
        }
        for row in outcome.given
        for _unit in range(row.units)
    ]
    insert_rows(session, pool, GivenUnit, rows)


def insert_rows(session: Session, pool: Pool, table: type, rows: Sequence[dict[str, Any]]) -> None:
    """Insert many rows of a pool at once, numbered by it."""
    if not rows:
        return
    first = pool.last_id + 1
    pool.last_id += len(rows)
    session.flush()
    session.execute(insert(table), [{**row, "pool_id": pool.id, "id": first + n} for n, row in enumerate(rows)])


def _apply_batches(session: Session, pool: Pool, outcome: Outcome) -> None:
    counts: dict[int, int] = {}
    for row in outcome.given:
        counts[row.batch_id] = counts.get(row.batch_id, 0) + row.units
    for batch_id, count in counts.items():
        batch = session.get_one(Batch, (pool.id, batch_id))
        batch.left, batch.given = batch.left - count, batch.given + count


def _apply_wants(session: Session, pool: Pool, outcome: Outcome, now: datetime) -> list[Want]:
    """Take what was given off the wants, and count the rounds they stood and waited."""
    standing = select(Want).where(Want.pool_id == pool.id, col(Want.ended_at).is_(None))
    wants = {want.id: want for want in session.exec(standing)}
    ran_out = []
    for result in outcome.wants:
        want = wants[result.want_id]
        want.units, want.got = want.units - result.got, want.got + result.got
        want.waited += result.lost
        want.rounds += 1
        if want.every_round:
            _renew(want, result.got)
        elif want.units == 0:
            want.ended_at = now
        elif want.rounds >= WANT_ROUNDS_MAX:
            want.ended_at = now
            ran_out.append(want)
    return ran_out


def _renew(want: Want, got: int) -> None:
    want.units, want.rounds, want.got = want.units_each_round, 0, 0
    if got:
        want.waited = 0


def _apply_credits(session: Session, pool: Pool, outcome: Outcome) -> None:
    for row in outcome.credits:
        contribution = session.get_one(Contribution, (pool.id, row.contribution_id))
        contribution.due, contribution.recognised = row.due, contribution.recognised + row.credited


def _entries(current: Round, outcome: Outcome) -> list[Entry]:
    """Return the transfers of a round: costs in, recognised effort out, the rest shared."""
    number = current.number
    entries = [
        Entry(
            f"cost:{number}:{n}",
            TransferKind.COST,
            row.member_id,
            None,
            row.units * row.cost,
            f"want:{row.want_id}",
            number,
        )
        for n, row in enumerate(outcome.given)
    ]
    entries += [
        Entry(
            f"effort:{number}:{row.contribution_id}",
            TransferKind.EFFORT,
            None,
            row.member_id,
            row.credited,
            f"contribution:{row.contribution_id}",
            number,
        )
        for row in outcome.credits
    ]
    entries += [
        Entry(f"settle:{number}:{row.member_id}", TransferKind.SETTLE, None, row.member_id, row.amount, "", number)
        for row in outcome.shares
    ]
    return entries


def _transfer(session: Session, pool: Pool, current: Round, entries: list[Entry], now: datetime) -> None:
    rows = [
        {
            "key": entry.key,
            "kind": entry.kind,
            "from_id": entry.from_id if entry.amount > 0 else entry.to_id,
            "to_id": entry.to_id if entry.amount > 0 else entry.from_id,
            "amount": abs(entry.amount),
            "subject": entry.subject,
            "round_number": current.number,
            "at": now,
        }
        for entry in entries
        if entry.amount
    ]
    insert_rows(session, pool, Transfer, rows)


def _apply_products(session: Session, pool: Pool, outcome: Outcome) -> None:
    """Count the rounds a product ended with units left, and keep each good's last cost."""
    costs: dict[int, list[int]] = {}
    for row in outcome.products:
        product = session.get_one(Product, (pool.id, row.product_id))
        product.leftover_rounds = product.leftover_rounds + 1 if row.offered > row.given else 0
        if row.offered:
            costs.setdefault(product.good_id, []).append(row.cost)
    for good_id, found in costs.items():
        session.get_one(Good, (pool.id, good_id)).last_cost = min(found)
