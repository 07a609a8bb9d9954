"""What must be true of batches, the units given of them, wants and slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import and_, col, func, not_, or_, select

from core.audit.finding import Finding, Invariant
from core.tables import Batch, Claim, GivenUnit, Member, Pool, Product, Task, Want
from core.units import WANT_UNITS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlmodel import Session


def batches(session: Session, pool: Pool) -> Iterator[Finding]:
    """Every unit of a batch is given, left or expired; none was given before the batch was offered."""
    fits = or_(
        and_(col(Batch.expired_at).is_(None), Batch.given + Batch.left == Batch.units),
        and_(col(Batch.expired_at).is_not(None), Batch.left == 0, Batch.given <= Batch.units),
    )
    counts = and_(fits, Batch.given >= 0, Batch.left >= 0)
    query = select(Batch.id, Batch.given, Batch.left, Batch.units).where(Batch.pool_id == pool.id)
    for number, given, left, units in session.exec(query.where(not_(counts))):
        yield Finding(Invariant.BATCH, f"batch {number}", f"{given} + {left}", units)
    early = select(Batch.id, Batch.given).where(Batch.pool_id == pool.id, col(Batch.offered_at).is_(None))
    for number, given in session.exec(early.where(Batch.given != 0)):
        yield Finding(Invariant.OFFERED, f"batch {number}", given, 0)


def units(session: Session, pool: Pool) -> Iterator[Finding]:
    """As many units are with members as their batch has given, and never more than were made."""
    with_members = (
        select(GivenUnit.batch_id, func.count().label("count"))
        .where(GivenUnit.pool_id == pool.id, col(GivenUnit.returned_at).is_(None))
        .group_by(col(GivenUnit.batch_id))
        .subquery()
    )
    count = func.coalesce(with_members.c.count, 0)
    query = select(Batch.id, Batch.given, Batch.units, count).outerjoin(
        with_members, with_members.c.batch_id == Batch.id
    )
    wrong = or_(Batch.given != count, count > Batch.units)
    for number, given, made, found in session.exec(query.where(Batch.pool_id == pool.id, wrong)):
        if found != given:
            yield Finding(Invariant.GIVEN, f"batch {number}", found, given)
        if found > made:
            yield Finding(Invariant.UNIT, f"batch {number}", found, made)


def strays(session: Session, pool: Pool) -> Iterator[Finding]:
    """A unit is of its batch's product, and went to the owner of a want for its good."""
    query = (
        select(GivenUnit.id)
        .join(Batch, and_(Batch.pool_id == GivenUnit.pool_id, Batch.id == GivenUnit.batch_id), isouter=True)
        .join(Product, and_(Product.pool_id == GivenUnit.pool_id, Product.id == GivenUnit.product_id), isouter=True)
        .join(Want, and_(Want.pool_id == GivenUnit.pool_id, Want.id == GivenUnit.want_id), isouter=True)
        .where(GivenUnit.pool_id == pool.id)
    )
    pairs = (
        (Batch.product_id, GivenUnit.product_id),
        (Want.good_id, Product.good_id),
        (Want.member_id, GivenUnit.member_id),
    )
    wrong = or_(*(col(one).is_distinct_from(col(other)) for one, other in pairs))
    for number in session.exec(query.where(wrong)):
        yield Finding(Invariant.STRAYED, f"unit {number}", "strayed", "its want's")


def wants(session: Session, pool: Pool) -> Iterator[Finding]:
    """A standing want holds units x its bid, for somebody who is there; a member has one per good."""
    standing = (Want.pool_id == pool.id, col(Want.ended_at).is_(None))
    most, bid = col(Want.maximum), col(Want.bid)
    fits = and_(
        Want.units >= 1,
        Want.units <= WANT_UNITS_MAX,
        or_(most.is_(None), most >= 0),
        or_(bid.is_(None), most.is_not_distinct_from(bid)),
    )
    query = select(Want.id, Want.units, Want.maximum, Want.bid).where(*standing)
    for number, *figures in session.exec(query.where(not_(fits))):
        yield Finding(Invariant.WANT, f"want {number}", str(figures), "units x maximum = units x bid")
    gone = select(Want.id, Want.member_id).join(
        Member, and_(Member.pool_id == Want.pool_id, Member.id == Want.member_id)
    )
    for number, member_id in session.exec(gone.where(*standing, col(Member.left_at).is_not(None))):
        yield Finding(Invariant.WANT, f"want {number}", f"member {member_id} left", "a member")
    twice = select(Want.member_id, Want.good_id, func.count()).where(*standing)
    twice = twice.group_by(col(Want.member_id), col(Want.good_id)).having(func.count() > 1)
    for member_id, good_id, count in session.exec(twice):
        yield Finding(Invariant.WANTS, f"member {member_id} good {good_id}", count, 1)


def slots(session: Session, pool: Pool) -> Iterator[Finding]:
    """A task has no more holders than slots, and nobody holds two of them.

    Who is one person only since two accounts were linked may have done two slots of a task before.
    """
    taken = select(Claim.task_id, func.count(), Task.slots).join(
        Task, and_(Task.pool_id == Claim.pool_id, Task.id == Claim.task_id)
    )
    taken = taken.where(Claim.pool_id == pool.id, col(Claim.ended_at).is_(None))
    for task_id, count, most in session.exec(
        taken.group_by(col(Claim.task_id), col(Task.slots)).having(func.count() > col(Task.slots))
    ):
        yield Finding(Invariant.SLOTS, f"task {task_id}", count, most)
    merged = select(Member.merged_into_id).where(Member.pool_id == pool.id, col(Member.merged_into_id).is_not(None))
    is_open = func.count() > func.count(col(Claim.confirmed_at))
    twice = select(Claim.task_id, Claim.member_id, func.count())
    twice = twice.where(Claim.pool_id == pool.id, col(Claim.ended_at).is_(None))
    twice = twice.group_by(col(Claim.task_id), col(Claim.member_id))
    for task_id, member_id, count in session.exec(
        twice.having(func.count() > 1, or_(is_open, col(Claim.member_id).not_in(merged)))
    ):
        yield Finding(Invariant.SLOT, f"task {task_id} member {member_id}", count, 1)


CHECKS = (batches, units, strays, wants, slots)
