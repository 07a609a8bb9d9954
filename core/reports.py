"""Reported work: confirmed by others, disputed, decided, corrected; and common work that others back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import col, func, select

from core import ledger
from core.batches import batch_of, contributions_of, settle_needs
from core.errors import (
    AlreadyConfirmedError,
    DisputedError,
    NotCommonWorkError,
    NotDisputedError,
    NothingReportedError,
    NotOtherProjectError,
    OwnWorkError,
    TaskClosedError,
    TooMuchToTakeBackError,
    UnknownNameError,
    WhoseReportError,
)
from core.events import Backed, Confirmed, ConfirmedPartly, Disputed, Event, Rejected
from core.labour import learn
from core.ledger import Entry, TransferKind
from core.members import is_in_another, is_maintainer, maintainers, require_maintainer
from core.names import key_of
from core.projects import count_projects
from core.recognition import due_with, most_to_take
from core.settings import PoolSettings, ProjectSettings
from core.store import add, pool_of
from core.tables import Backing, Batch, Claim, Confirmation, Contribution, Good, Member, Product, Project, Task
from core.tasks import check_bounds, claims_of, close_if_done, holder_names, reopen
from core.units import HOURS_MAX, effort, round_half_up

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

# Every confirmation asks for these, so they are built once.
SAID = select(Confirmation).where(
    Confirmation.pool_id == bindparam("pool_id"),
    Confirmation.subject == "claim",
    Confirmation.subject_id == bindparam("claim_id"),
)
COUNT_BACKERS = (
    select(func.count())
    .select_from(Backing)
    .where(Backing.pool_id == bindparam("pool_id"), Backing.task_id == bindparam("task_id"))
)


def waiting(session: Session, task: Task, name: str = "", verb: str = "confirm", *, but: Member | None = None) -> Claim:
    """Return the report that waits for a word from others; with several slots, that of the member named.

    `but` is who asks: their own report is meant only if there is no other. Raises NothingReportedError,
    AlreadyConfirmedError or WhoseReportError.
    """
    claims = claims_of(session, task)
    reported = [one for one in claims if one.reported_at is not None]
    found = [one for one in reported if one.confirmed_at is None]
    if name:
        key = key_of(name)
        keys = {one.id: _name_key(session, one) for one in reported}
        exact = [one for one in reported if keys[one.id] == key]
        named = exact or [one for one in reported if keys[one.id].startswith(key)]
        if not named:
            kind = "member"
            raise UnknownNameError(kind, name, holder_names(session, reported))
        found = [one for one in named if one.confirmed_at is None]
        reported = named
    others = [one for one in found if but is None or one.member_id != but.id]
    if len(others) > 1:
        raise WhoseReportError(task.number, holder_names(session, others), verb)
    if others or found:
        return (others or found)[0]
    if reported:
        raise AlreadyConfirmedError(task.number)
    if task.cancelled_at is not None:
        raise TaskClosedError(task.number, cancelled=True)
    raise NothingReportedError(task.number, holder_names(session, claims))


def _name_key(session: Session, row: Claim) -> str:
    return session.get_one(Member, (row.pool_id, row.member_id)).name_key


def confirm(session: Session, task: Task, row: Claim, by: Member, now: datetime) -> list[Event]:
    """Confirm somebody else's report: as many others as the project asks for, or one of its maintainers."""
    project = session.get_one(Project, (task.pool_id, task.project_id))
    if row.member_id == by.id:
        raise OwnWorkError(task.number)
    if row.disputed_at is not None:
        raise DisputedError(task.number, tuple(one.name for one in maintainers(session, project)))
    said = {one.member_id: one for one in session.exec(SAID, params={"pool_id": row.pool_id, "claim_id": row.id})}
    # A report that was replaced is a new one: what was said of the old one does not count.
    confirmed_by = {member_id for member_id, one in said.items() if one.at >= (row.reported_at or now)}
    if by.id in confirmed_by:
        raise AlreadyConfirmedError(task.number, by_you=True)
    missing = ProjectSettings(project.settings).confirmations - len(confirmed_by) - 1
    if missing > 0 and not is_maintainer(session, project, by):
        member = session.get_one(Member, (row.pool_id, row.member_id))
        happened: list[Event] = [ConfirmedPartly(task, row, member, by, missing)]
    else:
        happened = finish(session, task, row, by, now)
    if by.id in said:
        said[by.id].at = now
    else:
        add(session, Confirmation(pool_id=row.pool_id, subject="claim", subject_id=row.id, member_id=by.id, at=now))
    return happened


def finish(session: Session, task: Task, row: Claim, by: Member | None, now: datetime) -> list[Event]:
    """Turn a report into a contribution. It counts when somebody wants the result, or backs common work."""
    claims = [row] if task.slots == 1 else claims_of(session, task)
    member = session.get_one(Member, (row.pool_id, row.member_id))
    hours = row.hours or 0
    row.confirmed_at, row.disputed_at, row.stage, row.deadline_at = now, None, "", None
    contribution = Contribution(
        pool_id=task.pool_id,
        member_id=member.id,
        task_id=task.id,
        claim_id=row.id,
        product_id=task.product_id,
        hours=hours,
        weight=row.weight,
        effort=effort(hours, row.weight),
        confirmed_at=now,
    )
    add(session, contribution)
    events: list[Event] = [Confirmed(task, row, member, contribution, by)]
    if task.every:
        _learn(session, task, claims)
    close_if_done(task, claims, now)
    batch = batch_of(session, task)
    if batch is not None:
        contribution.batch_id = batch.id
        events += settle_needs(session, batch, now)
    return events


def _learn(session: Session, task: Task, claims: list[Claim]) -> None:
    """Let a recurring task learn from its confirmed work; of several slots, from the one that was filled last."""
    minimum = PoolSettings(pool_of(session, task).settings).min_weight
    last = max((one for one in claims if one.confirmed_at is not None), key=lambda one: (one.claimed_at, one.id))
    task.learned = learn(last.weight, minimum, competed=last.how == "competed", risen=bool(last.rose))


def dispute(session: Session, task: Task, row: Claim, by: Member, why: str, now: datetime) -> Disputed:
    """Dispute somebody else's report; it waits for a maintainer."""
    if row.member_id == by.id:
        raise OwnWorkError(task.number)
    if row.disputed_at is None:
        row.disputed_at, row.disputed_by_id, row.dispute = now, by.id, why
        row.stage, row.deadline_at = "", None
    return Disputed(task, row, session.get_one(Member, (row.pool_id, row.member_id)), by)


def disputed(session: Session, task: Task, by: Member) -> Claim:
    """Return the report that is disputed, for a maintainer who may decide it."""
    project = session.get_one(Project, (task.pool_id, task.project_id))
    require_maintainer(session, project, by)
    found = [one for one in claims_of(session, task) if one.disputed_at is not None]
    if not found:
        raise NotDisputedError(task.number)
    others = [one for one in found if one.member_id != by.id]
    if not others:
        raise OwnWorkError(task.number)
    return others[0]


def accept(session: Session, task: Task, by: Member, hours: int | None, now: datetime) -> list[Event]:
    """Accept a disputed report, as it is or with other hours (thousandths)."""
    row = disputed(session, task, by)
    if hours is not None:
        check_bounds("hours", hours, 1, HOURS_MAX)
        row.hours = hours
    return finish(session, task, row, by, now)


def reject(session: Session, task: Task, by: Member, why: str, now: datetime) -> Rejected:
    """Reject a disputed report; the slot is open again."""
    row = disputed(session, task, by)
    member = session.get_one(Member, (row.pool_id, row.member_id))
    reopen(session, task, row, now)
    return Rejected(task, row, member, by, why)


def backers_needed(session: Session, task: Task) -> int:
    """Return how many of other projects have to back common work: none while the pool has one project."""
    settings = PoolSettings(pool_of(session, task).settings)
    return settings.backers if count_projects(session, task.pool_id) > 1 else 0


def backers_missing(session: Session, task: Task) -> int:
    """Return how many have yet to back common work."""
    needed = backers_needed(session, task)
    return max(0, needed - count_backers(session, task)) if needed else 0


def count_backers(session: Session, task: Task) -> int:
    """Return how many have backed a task."""
    return session.exec(COUNT_BACKERS, params={"pool_id": task.pool_id, "task_id": task.id}).one()


def back(session: Session, task: Task, by: Member, now: datetime) -> Backed:
    """Say for another project that common work was worth it."""
    if task.cancelled_at is not None:
        raise TaskClosedError(task.number, cancelled=True)
    if task.product_id is not None:
        product = session.get_one(Product, (task.pool_id, task.product_id))
        raise NotCommonWorkError(task.number, session.get_one(Good, (task.pool_id, product.good_id)).name)
    if any(one.member_id == by.id for one in claims_of(session, task)):
        raise OwnWorkError(task.number)
    if not is_in_another(session, task.project_id, by):
        raise NotOtherProjectError(session.get_one(Project, (task.pool_id, task.project_id)).name)
    if session.get(Backing, (task.pool_id, task.id, by.id)) is None:
        add(session, Backing(pool_id=task.pool_id, task_id=task.id, member_id=by.id, at=now))
        session.flush()
    return Backed(task, by, backers_missing(session, task))


def correct(session: Session, row: Contribution, hours: int, why: str, now: datetime) -> int:
    """Correct the hours of confirmed work later; return the difference in effort.

    What was credited too much goes back by a reversing transfer with its reason, or nothing is corrected, if that is
    more than the member has down to their limit. What was too little is credited with the next round.
    """
    check_bounds("hours", hours, 0, HOURS_MAX)
    new = effort(hours, row.weight)
    change = new - row.effort
    batch = None if row.batch_id is None else session.get_one(Batch, (row.pool_id, row.batch_id))
    due = _due_after(session, row, batch, new)
    excess = max(0, row.recognised - due)
    member, pool = session.get_one(Member, (row.pool_id, row.member_id)), pool_of(session, row)
    most = most_to_take(session, member)
    if excess > most:
        raise TooMuchToTakeBackError(member.name, excess, most)
    entry = Entry(f"correct:{row.id}:{pool.last_id}", TransferKind.EFFORT, member.id, ledger.COMMONS, excess, why)
    ledger.transfer(session, pool, entry, now)
    row.hours, row.effort, row.due, row.recognised = hours, new, due, row.recognised - excess
    if batch is not None:
        _correct_batch(session, batch, change)
    return change


def _due_after(session: Session, row: Contribution, batch: Batch | None, new: int) -> int:
    """Return what is due of a contribution whose effort becomes `new`: in a batch, its part in the units given."""
    if batch is None:
        return min(row.due, new)
    work = contributions_of(session, batch)
    shares = [new if one.id == row.id else one.effort for one in work]
    parts = due_with(sum(shares), batch.units, batch.given, shares)
    return next(part for one, part in zip(work, parts, strict=True) if one.id == row.id)


def _correct_batch(session: Session, batch: Batch, change: int) -> None:
    """Let a batch, and its product's average if it was the last one offered, follow a correction."""
    batch.effort += change
    offered = select(Batch.id).where(
        Batch.pool_id == batch.pool_id, Batch.product_id == batch.product_id, col(Batch.offered_at).is_not(None)
    )
    last = session.exec(offered.order_by(col(Batch.offered_at).desc(), col(Batch.id).desc()).limit(1)).first()
    if last == batch.id:
        product = session.get_one(Product, (batch.pool_id, batch.product_id))
        product.last_average = round_half_up(batch.effort, batch.units)
