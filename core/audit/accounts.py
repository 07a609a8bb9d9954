"""What must be true of transfers, balances and contributions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlmodel import and_, col, func, not_, or_, select

from core.audit.finding import Finding, Invariant
from core.ledger import TransferKind
from core.tables import Batch, Contribution, Member, Pool, Round, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlmodel import Session

SIDES = ((Transfer.to_id, 1), (Transfer.from_id, -1))
SUBJECT = "contribution:"


def balances(session: Session, pool: Pool) -> Iterator[Finding]:
    """The balances of all members and the commons add up to zero, so nothing went to anybody else."""
    total = 0
    members = select(Member.id).where(Member.pool_id == pool.id)
    for side, sign in SIDES:
        where = (Transfer.pool_id == pool.id, or_(col(side).is_(None), col(side).in_(members)))
        total += sign * int(session.exec(select(func.coalesce(func.sum(Transfer.amount), 0)).where(*where)).one())
    if total:
        yield Finding(Invariant.BALANCES, f"pool {pool.id}", total, 0)


def transfers(session: Session, pool: Pool) -> Iterator[Finding]:
    """Every transfer is positive and between two accounts, under a key of its own."""
    of_pool = Transfer.pool_id == pool.id
    for number, amount in session.exec(select(Transfer.id, Transfer.amount).where(of_pool, Transfer.amount <= 0)):
        yield Finding(Invariant.AMOUNT, f"transfer {number}", amount, "positive")
    same = col(Transfer.from_id).is_not_distinct_from(col(Transfer.to_id))
    for number, side in session.exec(select(Transfer.id, Transfer.to_id).where(of_pool, same)):
        yield Finding(Invariant.SIDES, f"transfer {number}", side or "commons", "two accounts")
    keys = select(Transfer.key, func.count()).where(of_pool).group_by(col(Transfer.key)).having(func.count() > 1)
    for key, count in session.exec(keys):
        yield Finding(Invariant.KEY, f"transfer {key}", count, 1)


def forms(session: Session, pool: Pool) -> Iterator[Finding]:
    """Costs, effort and shares move in rounds that were held; whatever else takes effort back moves outside of them."""
    held = select(Round.number).where(Round.pool_id == pool.id, Round.state == "done", col(Round.number).is_not(None))
    number = col(Transfer.round_number)
    # Where a column may be empty, every part says so: SQL's unknown would be neither found nor let pass.
    in_round, outside = and_(number.is_not(None), number.in_(held)), number.is_(None)
    kind, from_commons, to_commons = col(Transfer.kind), col(Transfer.from_id).is_(None), col(Transfer.to_id).is_(None)
    # Between two members nothing moves but what they had when they became one.
    merged = select(Member.id).where(Member.pool_id == pool.id, col(Member.merged_into_id).is_not(None))
    of_merged = or_(col(Transfer.from_id).in_(merged), col(Transfer.to_id).in_(merged))
    within = and_(not_(from_commons), not_(to_commons), of_merged)
    known = or_(
        and_(kind == TransferKind.COST, in_round, to_commons),
        and_(kind == TransferKind.EFFORT, in_round, from_commons),
        and_(kind == TransferKind.EFFORT, outside, to_commons),
        and_(kind == TransferKind.SETTLE, in_round, or_(from_commons, to_commons)),
        and_(kind == TransferKind.RETURN, outside, or_(from_commons, to_commons)),
        and_(kind == TransferKind.LEAVE, outside, or_(from_commons, to_commons)),
        and_(kind.in_((TransferKind.MERGE, TransferKind.EFFORT)), outside, within),
    )
    query = select(Transfer.id, Transfer.kind, Transfer.round_number).where(Transfer.pool_id == pool.id, not_(known))
    for row_id, found, round_number in session.exec(query):
        yield Finding(Invariant.FORM, f"transfer {row_id}", f"{found} in {round_number}", "a form of its kind")


def contributions(session: Session, pool: Pool) -> Iterator[Finding]:
    """What is credited is due, what is due is effort; a report is confirmed once."""
    of_pool = Contribution.pool_id == pool.id
    recognised, due, effort = col(Contribution.recognised), col(Contribution.due), col(Contribution.effort)
    fits = and_(recognised >= 0, recognised <= due, due <= effort)
    query = select(Contribution.id, Contribution.recognised, Contribution.due, Contribution.effort)
    for number, *figures in session.exec(query.where(of_pool, not_(fits))):
        yield Finding(Invariant.CREDIT, f"contribution {number}", str(figures), "0 <= recognised <= due <= effort")
    claims = select(Contribution.claim_id, func.count()).where(of_pool).group_by(col(Contribution.claim_id))
    for claim_id, count in session.exec(claims.having(func.count() > 1)):
        yield Finding(Invariant.WORK, f"claim {claim_id}", count, 1)


def credited(session: Session, pool: Pool) -> Iterator[Finding]:
    """The transfers of a contribution, reversals taken off, add up to what is recognised of it."""
    found: Counter[int] = Counter()
    paid = select(Transfer.subject, func.sum(Transfer.amount)).where(
        Transfer.pool_id == pool.id, Transfer.kind == TransferKind.EFFORT, col(Transfer.from_id).is_(None)
    )
    for subject, amount in session.exec(paid.group_by(col(Transfer.subject))):
        found[_number(subject.removeprefix(SUBJECT))] += int(amount)
    taken = select(Transfer.key, Transfer.amount).where(
        Transfer.pool_id == pool.id,
        col(Transfer.kind).in_((TransferKind.EFFORT, TransferKind.RETURN)),
        col(Transfer.to_id).is_(None),
    )
    for key, amount in session.exec(taken):
        found[_reversed(key)] -= amount
    rows = session.exec(select(Contribution.id, Contribution.recognised).where(Contribution.pool_id == pool.id))
    expected = Counter(dict(rows.all()))
    for number in sorted(found.keys() | expected.keys()):
        if found[number] != expected[number]:
            yield Finding(Invariant.CREDITED, f"contribution {number}", found[number], expected[number])


def _reversed(key: str) -> int:
    """Return the contribution that `return:UNIT:CONTRIBUTION` or `correct:CONTRIBUTION:…` takes from; 0: none."""
    what, *numbers = key.split(":")
    position = {"return": 1, "correct": 0}.get(what, len(numbers))
    return _number(numbers[position]) if position < len(numbers) else 0


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def batch_efforts(session: Session, pool: Pool) -> Iterator[Finding]:
    """The effort in a batch is that of its contributions."""
    sums = (
        select(Contribution.batch_id, func.sum(Contribution.effort).label("effort"))
        .where(Contribution.pool_id == pool.id)
        .group_by(col(Contribution.batch_id))
        .subquery()
    )
    total = func.coalesce(sums.c.effort, 0)
    query = select(Batch.id, Batch.effort, total).outerjoin(sums, sums.c.batch_id == Batch.id)
    for number, effort, expected in session.exec(query.where(Batch.pool_id == pool.id, Batch.effort != total)):
        yield Finding(Invariant.EFFORT, f"batch {number}", effort, int(expected))


CHECKS = (balances, transfers, forms, contributions, credited, batch_efforts)
