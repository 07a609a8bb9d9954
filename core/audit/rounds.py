"""Rounds looked into: decided again from what they kept, and compared with what was booked for them."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING

from sqlmodel import col, func, select

from core.audit.accounts import SIDES
from core.audit.finding import Finding, Invariant
from core.ledger import TransferKind
from core.rounds.decide import decide
from core.rounds.inputs import Inputs, Outcome
from core.tables import GivenUnit, Pool, Round, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlmodel import Session

# What reading or deciding raises when a row was tampered with.
UNREADABLE = (zlib.error, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


def last(session: Session, pool: Pool) -> Iterator[Finding]:
    """Look into the last round without deciding it again: the commons, and that it took nobody below their limit."""
    query = select(Round).where(Round.pool_id == pool.id, Round.state == "done")
    row = session.exec(query.order_by(col(Round.number).desc()).limit(1)).first()
    if row is None:
        return
    kept = _unpacked(row)
    if kept is None:
        yield _unkept(row)
        return
    yield from _commons(row, kept[1], commons_after(session, pool))
    yield from _limits(row, *kept)


def replay(session: Session, pool: Pool, number: int | None) -> Iterator[Finding]:
    """Decide every held round again, or one."""
    query = select(Round).where(Round.pool_id == pool.id, Round.state == "done").order_by(col(Round.number))
    if number is not None:
        query = query.where(Round.number == number)
    held = 0
    commons = commons_after(session, pool)
    for row in session.exec(query.execution_options(yield_per=1)):
        held += 1
        kept = _unpacked(row)
        if kept is None:
            yield _unkept(row)
            continue
        inputs, outcome = kept
        yield from _commons(row, outcome, commons)
        yield from _limits(row, inputs, outcome)
        yield from _decided_again(row, inputs, outcome)
        yield from _transfers(session, row, outcome)
        yield from _units(session, row, outcome)
    if number is not None and not held:
        yield Finding(Invariant.KEPT, f"round {number}", "not held", "held")


def _unpacked(row: Round) -> tuple[Inputs, Outcome] | None:
    """Return what a round kept; None if it cannot be read, or is not its own."""
    try:
        inputs, outcome = Inputs.unpack(row.inputs or b""), Outcome.unpack(row.outcome or b"")
    except UNREADABLE:
        return None
    return (inputs, outcome) if (inputs.number, inputs.secret) == (row.number, row.secret) else None


def _unkept(row: Round) -> Finding:
    return Finding(Invariant.KEPT, f"round {row.number}", "unreadable", "its inputs and outcome")


def _decided_again(row: Round, inputs: Inputs, outcome: Outcome) -> Iterator[Finding]:
    try:
        again = decide(inputs)
    except UNREADABLE:
        yield Finding(Invariant.OUTCOME, f"round {row.number}", "undecidable", "decided")
        return
    for one in fields(Outcome):
        found, expected = getattr(outcome, one.name), getattr(again, one.name)
        if found != expected:
            where = f"round {row.number} {one.name}"
            yield Finding(Invariant.OUTCOME, where, _first_other(found, expected), _first_other(expected, found))


def _first_other(rows: object, others: object) -> str:
    """Return the first row that stands elsewhere in the other list, or the figure itself."""
    if not isinstance(rows, list) or not isinstance(others, list):
        return str(rows)
    return next((str(tuple(row)) for place, row in enumerate(rows) if others[place : place + 1] != [row]), "")


def _limits(row: Round, inputs: Inputs, outcome: Outcome) -> Iterator[Finding]:
    """Costs and levies take nobody below their limit; who is there already gives nothing more."""
    change = Counter[int]()
    for (_kind, member_id), amount in _booked(outcome).items():
        change[member_id] += amount
    for member in inputs.members:
        after = member.balance + change[member.id]
        if after < -member.limit and change[member.id] < 0:
            yield Finding(Invariant.LIMIT, f"round {row.number} member {member.id}", after, -member.limit)


def _booked(outcome: Outcome) -> Counter[tuple[str, int]]:
    """Return what an outcome moves, by kind and member: positive to the member."""
    booked = Counter[tuple[str, int]]()
    for given in outcome.given:
        booked[TransferKind.COST, given.member_id] -= given.units * given.cost
    for credit in outcome.credits:
        booked[TransferKind.EFFORT, credit.member_id] += credit.credited
    for share in outcome.shares:
        booked[TransferKind.SETTLE, share.member_id] += share.amount
    return booked


def _transfers(session: Session, row: Round, outcome: Outcome) -> Iterator[Finding]:
    found = Counter[tuple[str, int]]()
    of_round = (Transfer.pool_id == row.pool_id, Transfer.round_number == row.number)
    for side, sign in SIDES:
        query = select(Transfer.kind, side, func.sum(Transfer.amount)).where(*of_round, col(side).is_not(None))
        for kind, member_id, amount in session.exec(query.group_by(col(Transfer.kind), col(side))):
            found[kind, member_id or 0] += sign * int(amount)
    expected = _booked(outcome)
    for kind, member_id in sorted(found.keys() | expected.keys()):
        amounts = found[kind, member_id], expected[kind, member_id]
        if amounts[0] != amounts[1]:
            yield Finding(Invariant.TRANSFERS, f"round {row.number} {kind} member {member_id}", *amounts)


def _units(session: Session, row: Round, outcome: Outcome) -> Iterator[Finding]:
    query = select(GivenUnit.want_id, GivenUnit.batch_id, GivenUnit.cost, func.count())
    query = query.where(GivenUnit.pool_id == row.pool_id, GivenUnit.round_number == row.number)
    grouped = query.group_by(col(GivenUnit.want_id), col(GivenUnit.batch_id), col(GivenUnit.cost))
    found = Counter({(want, batch, cost): count for want, batch, cost, count in session.exec(grouped)})
    expected = Counter[tuple[int, int, int]]()
    for given in outcome.given:
        expected[given.want_id, given.batch_id, given.cost] += given.units
    for key in sorted(found.keys() | expected.keys()):
        if found[key] != expected[key]:
            where = "round {} want {} batch {} cost {}".format(row.number, *key)
            yield Finding(Invariant.UNITS, where, found[key], expected[key])


def _commons(row: Round, outcome: Outcome, after: dict[int, int]) -> Iterator[Finding]:
    found = after[row.number or 0]
    if found != outcome.kept:
        yield Finding(Invariant.COMMONS, f"round {row.number}", found, outcome.kept)


def commons_after(session: Session, pool: Pool) -> dict[int, int]:
    """Return what the commons held after each round; what was moved since belongs to the next.

    A round's own transfers carry its number. Others were made before it if their number is below that of the row
    of the next round, which was opened as it ended.
    """
    in_round: Counter[int] = Counter()
    between: list[tuple[int, int]] = []
    for side, sign in SIDES:
        commons = (Transfer.pool_id == pool.id, col(side).is_(None))
        totals = select(Transfer.round_number, func.sum(Transfer.amount)).where(*commons)
        totals = totals.where(col(Transfer.round_number).is_not(None)).group_by(col(Transfer.round_number))
        for number, amount in session.exec(totals):
            in_round[number or 0] += sign * int(amount)
        others = select(Transfer.id, Transfer.amount).where(*commons, col(Transfer.round_number).is_(None))
        between += [(number, sign * amount) for number, amount in session.exec(others)]
    query = select(Round.number, Round.id).where(Round.pool_id == pool.id, col(Round.number).is_not(None))
    opened = session.exec(query.order_by(col(Round.number))).all()
    between.sort(reverse=True)
    held, result = 0, {}
    for number, next_id in zip(
        [one for one, _id in opened], [*(row_id for _n, row_id in opened[1:]), None], strict=True
    ):
        while between and (next_id is None or between[-1][0] < next_id):
            held += between.pop()[1]
        held += in_round[number or 0]
        result[number or 0] = held
    return result
