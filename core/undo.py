"""Taking back: the last claim, drop, want, unwant, bid, pledge, made or done, for two minutes, unless built on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam
from sqlmodel import col, select

from core.errors import NothingToUndoError, NotYourButtonError
from core.events import BidPlaced, Claimed, Event, GoodEvent, TaskEdited, Wanted
from core.ledger import standing
from core.stock import maximum_shown
from core.store import add
from core.tables import (
    Backing,
    Batch,
    Bid,
    Claim,
    Confirmation,
    Contribution,
    Deed,
    GivenUnit,
    Good,
    Member,
    Pledge,
    PoolRow,
    Product,
    Project,
    Task,
    Want,
)
from core.tasks import claims_of, reopen, set_deadline
from core.timing import newest_number
from core.wants import standing_want

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlmodel import Session

UNDO_TIME = timedelta(minutes=2)
WANT_FIELDS = ("units", "bid", "maximum", "product_id", "every_round", "units_each_round", "first_round")
SLOT_KINDS = ("claim", "drop", "done")
LAST_ON = (  # every card of a task asks for it, so it is built once
    select(Deed, Claim)
    .join(Claim, (col(Claim.pool_id) == Deed.pool_id) & (col(Claim.id) == Deed.subject_id))
    .where(Deed.pool_id == bindparam("pool_id"), Claim.task_id == bindparam("task_id"))
    .where(Deed.at >= bindparam("since"), col(Deed.kind).in_(SLOT_KINDS))
    .order_by(col(Deed.id).desc())
    .limit(1)
)


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


def claim_before(claimed: Claimed) -> dict[str, Any]:
    """Return what a claim ended: the member's bid on the task, and their word that it is worth it."""
    bid, backing = claimed.bid, claimed.backing
    return {
        "bid": None if bid is None else [bid.weight, bid.at.isoformat()],
        "backing": None if backing is None else backing.at.isoformat(),
    }


def report_before(row: Claim) -> dict[str, Any]:
    """Return the report of a slot that a new one would replace; empty if there is none."""
    if row.reported_at is None:
        return {}
    return {
        "hours": row.hours,
        "note": row.note,
        "at": row.reported_at.isoformat(),
        "stage": row.stage,
        "deadline": None if row.deadline_at is None else row.deadline_at.isoformat(),
    }


def last_on(session: Session, task: Task, now: datetime) -> Deed | None:
    """Return the newest deed on a task's slots that may still be taken back."""
    params = {"pool_id": task.pool_id, "task_id": task.id, "since": now - UNDO_TIME}
    found = session.exec(LAST_ON, params=params).first()
    if found is None or found[0].undone_at is not None:
        return None
    deed, claim = found
    if deed.kind == "done":
        return None if claim.confirmed_at or claim.disputed_at or claim.ended_at else deed
    return deed if (claim.ended_at is None) == (deed.kind == "claim") else None


def undo(session: Session, member: Member, deed_id: int | None, now: datetime) -> Undone:
    """Take back the member's last deed, or the one given. Raises NothingToUndoError or NotYourButtonError."""
    query = select(Deed).where(Deed.pool_id == member.pool_id, col(Deed.undone_at).is_(None))
    query = query.where(Deed.member_id == member.id) if deed_id is None else query.where(Deed.id == deed_id)
    deed = session.exec(query.order_by(col(Deed.id).desc()).limit(1)).first()
    if deed is None:
        raise NothingToUndoError
    if deed.member_id != member.id:
        command = "undo"
        raise NotYourButtonError(command)
    if now - deed.at > UNDO_TIME:
        raise NothingToUndoError(too_late=True)
    event = None if _is_built_on(session, deed) else UNDO[deed.kind](session, deed, now)
    if event is None:
        raise NothingToUndoError(built_on=True)
    deed.undone_at = now
    return Undone(deed.kind, event)


def _is_built_on(session: Session, deed: Deed) -> bool:
    """Tell whether the member has done the same to the same thing since: then only that can be taken back."""
    later = select(Deed.id).where(
        Deed.pool_id == deed.pool_id,
        Deed.member_id == deed.member_id,
        Deed.kind == deed.kind,
        Deed.subject_id == deed.subject_id,
        Deed.id > deed.id,
        col(Deed.undone_at).is_(None),
    )
    return session.exec(later.limit(1)).first() is not None


def _claim(session: Session, deed: Deed, now: datetime) -> Event | None:
    claim = session.get_one(Claim, (deed.pool_id, deed.subject_id))
    if claim.ended_at is not None or claim.reported_at is not None:
        return None
    task = session.get_one(Task, (deed.pool_id, claim.task_id))
    opened_at = task.opened_at
    reopen(session, task, claim, now)
    task.opened_at = opened_at  # as if it had never been taken
    bid, backing = deed.before.get("bid"), deed.before.get("backing")
    place = {"pool_id": deed.pool_id, "task_id": task.id, "member_id": deed.member_id}
    if bid is not None:
        add(session, Bid(**place, weight=bid[0], at=_instant(bid[1])))
    if backing is not None:
        add(session, Backing(**place, at=_instant(backing)))
    return TaskEdited(task)


def _instant(written: str) -> datetime:
    return datetime.fromisoformat(written)


def _drop(session: Session, deed: Deed, now: datetime) -> Event | None:
    claim = session.get_one(Claim, (deed.pool_id, deed.subject_id))
    task = session.get_one(Task, (deed.pool_id, claim.task_id))
    claims = claims_of(session, task)
    has_it = any(one.member_id == deed.member_id for one in claims)
    if task.closed_at is not None or has_it or len(claims) >= task.slots:
        return None
    claim.ended_at = None
    set_deadline(claim, task, now)
    return TaskEdited(task)


def _done(session: Session, deed: Deed, now: datetime) -> Event | None:
    """Take a report back, to the one it replaced if there was one."""
    claim = session.get_one(Claim, (deed.pool_id, deed.subject_id))
    task, before = session.get_one(Task, (deed.pool_id, claim.task_id)), deed.before
    is_settled = claim.confirmed_at is not None or claim.disputed_at is not None or claim.ended_at is not None
    if is_settled or _is_half_confirmed(session, claim):
        return None
    if before:
        claim.hours, claim.note, claim.reported_at = before["hours"], before["note"], _instant(before["at"])
        claim.stage = before["stage"]
        claim.deadline_at = None if before["deadline"] is None else _instant(before["deadline"])
        return TaskEdited(task)
    claim.hours, claim.note, claim.reported_at = None, "", None
    set_deadline(claim, task, now)
    if task.origin == "did":
        claim.ended_at = task.closed_at = task.cancelled_at = now
    return TaskEdited(task)


def _is_half_confirmed(session: Session, claim: Claim) -> bool:
    """Tell whether somebody has confirmed a report already, though it needs others too."""
    said = select(Confirmation.member_id).where(
        Confirmation.pool_id == claim.pool_id,
        Confirmation.subject == "claim",
        Confirmation.subject_id == claim.id,
        col(Confirmation.at) >= claim.reported_at,
    )
    return session.exec(said.limit(1)).first() is not None


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
    good = session.get_one(Good, (deed.pool_id, want.good_id))
    if want.ended_at is not None or want.first_round < newest_number(session, deed.pool_id):
        return None
    before = deed.before
    if before:
        if not _can_stand(session, want, before["units"], before["maximum"], before["product_id"]):
            return None
        for name, value in before.items():
            setattr(want, name, value)
        return Wanted(good, want)
    want.ended_at = now
    return GoodEvent(good)


def _unwant(session: Session, deed: Deed, now: datetime) -> Event | None:
    """Let a want stand again as it stood, unless the same good is wanted anew by now."""
    del now
    want = session.get_one(Want, (deed.pool_id, deed.subject_id))
    good = session.get_one(Good, (deed.pool_id, want.good_id))
    member = session.get_one(Member, (deed.pool_id, deed.member_id))
    if standing_want(session, good, member) is not None:
        return None
    if not _can_stand(session, want, want.units, want.maximum, want.product_id):
        return None
    want.ended_at = None
    return Wanted(good, want)


def _can_stand(session: Session, want: Want, units: int, maximum: int | None, product_id: int | None) -> bool:
    """Tell whether a want can stand again as it did.

    Not if something else holds by now what became free, the maker it was from has closed, or what nobody had made
    (so that the want had no maximum) was made since.
    """
    if product_id is not None:
        product = session.get_one(Product, (want.pool_id, product_id))
        if session.get_one(Project, (want.pool_id, product.project_id)).archived_at is not None:
            return False
    good = session.get_one(Good, (want.pool_id, want.good_id))
    if maximum is None:
        return maximum_shown(session, good, product_id) is None
    member = session.get_one(Member, (want.pool_id, want.member_id))
    return units * maximum <= standing(session, member, but_good_id=want.good_id).free


def _pledge(session: Session, deed: Deed, now: datetime) -> Event | None:
    pledge = session.get_one(Pledge, (deed.pool_id, deed.subject_id))
    if pledge.ended_at is not None or pledge.made:
        return None
    pledge.ended_at = now
    return _good_event(session, pledge, pledge.product_id)


def _made(session: Session, deed: Deed, now: datetime) -> Event | None:
    """Take a batch apart: what had gathered gathers again; the maker's own report, if not yet confirmed, is void."""
    batch = session.get(Batch, (deed.pool_id, deed.subject_id))
    if batch is None or batch.expired_at is not None or _is_used(session, batch):
        return None
    for one in session.exec(
        select(Contribution).where(Contribution.pool_id == deed.pool_id, Contribution.batch_id == batch.id)
    ):
        one.batch_id = None
    task = session.get_one(Task, (deed.pool_id, batch.task_id)) if batch.task_id is not None else None
    if task is not None:
        for claim in claims_of(session, task):
            claim.ended_at, claim.stage, claim.deadline_at = now, "", None
        task.closed_at = task.cancelled_at = now
    product = session.get_one(Product, (deed.pool_id, batch.product_id))
    product.last_average = deed.before["last_average"]
    for pledge_id, made in deed.before["pledges"]:
        session.get_one(Pledge, (deed.pool_id, pledge_id)).made = made
    event = _good_event(session, batch, batch.product_id)
    session.flush()
    session.delete(batch)
    return event


def _is_used(session: Session, batch: Batch) -> bool:
    """Tell whether anybody built on a batch: got a unit, confirmed it or its work, or made more of the product."""
    given = select(GivenUnit.id).where(GivenUnit.pool_id == batch.pool_id, GivenUnit.batch_id == batch.id)
    later = select(Batch.id).where(
        Batch.pool_id == batch.pool_id, Batch.product_id == batch.product_id, Batch.id > batch.id
    )
    said = select(Confirmation.member_id).where(
        Confirmation.pool_id == batch.pool_id,
        Confirmation.subject == "batch",
        Confirmation.subject_id == batch.id,
    )
    if any(session.exec(query.limit(1)).first() is not None for query in (given, later, said)):
        return True
    task = session.get_one(Task, (batch.pool_id, batch.task_id)) if batch.task_id is not None else None
    claims = claims_of(session, task) if task is not None else []
    return (task is not None and task.closed_at is not None) or any(
        claim.disputed_at is not None or _is_half_confirmed(session, claim) for claim in claims
    )


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
    "unwant": _unwant,
    "pledge": _pledge,
    "made": _made,
}
