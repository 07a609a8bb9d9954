"""Handing a slot on: whoever holds it offers it to somebody, who has to accept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.errors import AlreadyReportedError, AlreadyYoursError, NotYoursError, TakenError
from core.events import HandedOn
from core.tables import Claim, Member, Task
from core.tasks import check_cap, claim_of, claims_of, holder_names, take_slot

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


def offer_slot(session: Session, task: Task, giver: Member, receiver: Member) -> Claim:
    """Offer one's slot to somebody, who has to accept it."""
    row = claim_of(session, task, giver)
    if row.reported_at is not None:
        raise AlreadyReportedError(task.number)
    if receiver.id == giver.id:
        raise AlreadyYoursError(task.number)
    if any(one.member_id == receiver.id for one in claims_of(session, task)):
        raise TakenError(task.number, (receiver.name,))
    row.offered_to_id = receiver.id
    return row


def take_over(session: Session, task: Task, receiver: Member, now: datetime) -> HandedOn:
    """Accept a slot that was offered; it keeps its weight."""
    query = select(Claim).where(
        Claim.pool_id == task.pool_id,
        Claim.task_id == task.id,
        Claim.offered_to_id == receiver.id,
        col(Claim.ended_at).is_(None),
        col(Claim.reported_at).is_(None),
    )
    row, claims = session.exec(query).first(), claims_of(session, task)
    if any(one.member_id == receiver.id for one in claims):
        raise AlreadyYoursError(task.number)
    if row is None:
        raise NotYoursError(task.number, holder_names(session, claims))
    check_cap(session, task, receiver)
    giver = session.get_one(Member, (row.pool_id, row.member_id))
    row.ended_at, row.stage, row.deadline_at = now, "", None
    taken = take_slot(session, task, receiver, row.weight, row.how, now)
    taken.claim.rose = row.rose
    return HandedOn(task, taken.claim, receiver, giver)
