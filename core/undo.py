"""Taking back: the last claim, drop, want, bid, pledge, made or done, for two minutes, if nothing was built on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from core.errors import NothingToUndoError
from core.events import BidPlaced, Event, GoodEvent, TaskEdited
from core.store import add
from core.tables import (
    Batch,
    Bid,
    Claim,
    Confirmation,
    Contribution,
    Deed,
    Good,
    Member,
    Pledge,
    PoolRow,
    Product,
    Task,
    Want,
)
from core.tasks import claims_of, reopen, set_deadline

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlmodel import Session

UNDO_TIME = timedelta(minutes=2)
WANT_FIELDS = ("units", "bid", "maximum", "product_id", "every_round", "units_each_round")


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back."""

    kind: str
    event: Event


def remember(
    session: Session, member: Member, kind: str, subject_id: int, before: dict[str, Any], now: datetime
) -> Deed:
    """Remember what somebody did, with what is needed to take it back."""
    deed = Deed(pool_id=member.pool_id, member_id=member.id, kind=kind, subject_id=subject_id, before=before, at=now)
    return add(session, deed)


def want_before(want: Want | None) -> dict[str, Any]:
    """Return what a want was before it was replaced; empty if there was none."""
    return {} if want is None else {name: getattr(want, name) for name in WANT_FIELDS}


def undo(session: Session, member: Member, deed_id: int | None, now: datetime) -> Undone:
    """Take back the member's last deed, or the one given. Raises NothingToUndoError."""
    query = select(Deed).where(
        Deed.pool_id == member.pool_id, Deed.member_id == member.id, col(Deed.undone_at).is_(None)
    )
    if deed_id is not None:
        query = query.where(Deed.id == deed_id)
    deed = session.exec(query.order_by(col(Deed.id).desc()).limit(1)).first()
    if deed is None:
        raise NothingToUndoError
    event = UNDO[deed.kind](session, deed, now) if now - deed.at <= UNDO_TIME else None
    if event is None:
        raise NothingToUndoError(too_late=True)
    deed.undone_at = now
    return Undone(deed.kind, event)


def _claim(session: Session, deed: Deed, now: datetime) -> Event | None:
    claim = session.get_one(Claim, (deed.pool_id, deed.subject_id))
    if claim.ended_at is not None or claim.reported_at is not None:
        return None
    task = session.get_one(Task, (deed.pool_id, claim.task_id))
    opened_at = task.opened_at
    reopen(session, task, claim, now)
    task.opened_at = opened_at  # as if it had never been taken
    return TaskEdited(task)


def _drop(session: Session, deed: Deed, now: datetime) -> Event | None:
    claim = session.get_one(Claim, (deed.pool_id, deed.subject_id))
    task = session.get_one(Task, (deed.pool_id, claim.task_id))
    if task.closed_at is not None or len(claims_of(session, task)) >= task.slots:
        return None
    claim.ended_at = None
    set_deadline(claim, task, now)
    return TaskEdited(task)


def _done(session: Session, deed: Deed, now: datetime) -> Event | None:
    claim = session.get_one(Claim, (deed.pool_id, deed.subject_id))
    task = session.get_one(Task, (deed.pool_id, claim.task_id))
    said = select(Confirmation.member_id).where(
        Confirmation.pool_id == deed.pool_id, Confirmation.subject == "claim", Confirmation.subject_id == claim.id
    )
    is_settled = claim.confirmed_at is not None or claim.disputed_at is not None or claim.ended_at is not None
    if is_settled or session.exec(said).first() is not None or task.origin == "made":
        return None
    claim.hours, claim.note, claim.reported_at = None, "", None
    if task.origin == "did":
        claim.ended_at = task.closed_at = task.cancelled_at = now
    set_deadline(claim, task, now)
    return TaskEdited(task)


def _bid(session: Session, deed: Deed, now: datetime) -> Event | None:
    del now
    bid = session.get(Bid, (deed.pool_id, deed.subject_id, deed.member_id))
    if bid is None:
        return None
    before = deed.before.get("weight")
    if before is None:
        session.delete(bid)
    else:
        bid.weight = before
    return BidPlaced(session.get_one(Task, (deed.pool_id, deed.subject_id)))


def _want(session: Session, deed: Deed, now: datetime) -> Event | None:
    want = session.get_one(Want, (deed.pool_id, deed.subject_id))
    if want.ended_at is not None or want.rounds:
        return None
    if deed.before:
        for name, value in deed.before.items():
            setattr(want, name, value)
    else:
        want.ended_at = now
    return GoodEvent(session.get_one(Good, (deed.pool_id, want.good_id)))


def _pledge(session: Session, deed: Deed, now: datetime) -> Event | None:
    pledge = session.get_one(Pledge, (deed.pool_id, deed.subject_id))
    if pledge.ended_at is not None or pledge.made:
        return None
    pledge.ended_at = now
    return _good_event(session, pledge, pledge.product_id)


def _made(session: Session, deed: Deed, now: datetime) -> Event | None:
    """Take a batch apart: what had gathered gathers again; the maker's own report, if not yet confirmed, is void."""
    batch = session.get_one(Batch, (deed.pool_id, deed.subject_id))
    task = session.get(Task, (deed.pool_id, batch.task_id)) if batch.task_id is not None else None
    if batch.given or batch.expired_at is not None or (task is not None and task.closed_at is not None):
        return None
    for one in session.exec(
        select(Contribution).where(Contribution.pool_id == deed.pool_id, Contribution.batch_id == batch.id)
    ):
        one.batch_id = None
    for claim in claims_of(session, task) if task is not None else []:
        claim.ended_at, claim.stage, claim.deadline_at = now, "", None
    if task is not None:
        task.closed_at = task.cancelled_at = now
    product = session.get_one(Product, (deed.pool_id, batch.product_id))
    product.last_average = deed.before.get("last_average")
    for pledge_id, made in deed.before.get("pledges", []):
        session.get_one(Pledge, (deed.pool_id, pledge_id)).made = made
    event = _good_event(session, batch, batch.product_id)
    session.flush()
    session.delete(batch)
    return event


def made_before(session: Session, product: Product) -> dict[str, Any]:
    """Return what a batch changes besides itself: the product's last average and its standing pledges."""
    query = select(Pledge.id, Pledge.made).where(
        Pledge.pool_id == product.pool_id, Pledge.product_id == product.id, col(Pledge.ended_at).is_(None)
    )
    pledges = [[pledge_id, made] for pledge_id, made in session.exec(query)]
    return {"last_average": product.last_average, "pledges": pledges}


def _good_event(session: Session, row: PoolRow, product_id: int) -> GoodEvent:
    product = session.get_one(Product, (row.pool_id, product_id))
    return GoodEvent(session.get_one(Good, (row.pool_id, product.good_id)))


UNDO: dict[str, Callable[[Session, Deed, datetime], Event | None]] = {
    "claim": _claim,
    "drop": _drop,
    "done": _done,
    "bid": _bid,
    "want": _want,
    "pledge": _pledge,
    "made": _made,
}
