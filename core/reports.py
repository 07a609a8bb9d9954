"""Reported work: confirmed by others, disputed, decided, corrected; and common work that others back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, func, select

from core import ledger
from core.batches import settle_needs
from core.errors import (
    AlreadyConfirmedError,
    DisputedError,
    NotCommonWorkError,
    NotDisputedError,
    NothingReportedError,
    NotOtherProjectError,
    OwnWorkError,
    UnknownNameError,
    WhoseReportError,
)
from core.events import Backed, Confirmed, ConfirmedPartly, Disputed, Event, Rejected
from core.labour import learn
from core.ledger import Entry, TransferKind
from core.members import is_in_another, is_maintainer, maintainers, require_maintainer
from core.names import key_of
from core.projects import count_projects
from core.settings import PoolSettings, ProjectSettings
from core.store import add, pool_of
from core.tables import Backing, Batch, Claim, Confirmation, Contribution, Good, Member, Product, Project, Task
from core.tasks import check_bounds, claims_of, holder_names, reopen
from core.units import HOURS_MAX, effort

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


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
        named = [one for one in reported if _name_key(session, one).startswith(key)]
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
    known = session.get(Confirmation, (row.pool_id, "claim", row.id, by.id))
    if known is not None and known.at >= (row.reported_at or now):
        raise AlreadyConfirmedError(task.number, by_you=True)
    if known is None:
        add(session, Confirmation(pool_id=row.pool_id, subject="claim", subject_id=row.id, member_id=by.id, at=now))
    else:
        known.at = now
    missing = ProjectSettings(project.settings).confirmations - _count_confirmations(session, row)
    if missing > 0 and not is_maintainer(session, project, by):
        member = session.get_one(Member, (row.pool_id, row.member_id))
        return [ConfirmedPartly(task, row, member, by, missing)]
    return finish(session, task, row, by, now)


def _count_confirmations(session: Session, row: Claim) -> int:
    # A report that was replaced is a new one: what was said of the old one does not count.
    session.flush()
    query = (
        select(func.count())
        .select_from(Confirmation)
        .where(
            Confirmation.pool_id == row.pool_id,
            Confirmation.subject == "claim",
            Confirmation.subject_id == row.id,
            col(Confirmation.at) >= row.reported_at,
        )
    )
    return session.exec(query).one()


def finish(session: Session, task: Task, row: Claim, by: Member | None, now: datetime) -> list[Event]:
    """Turn a report into a contribution. It counts when somebody wants the result, or backs common work."""
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
        minimum = PoolSettings(pool_of(session, task).settings).min_weight
        task.learned = learn(row.weight, minimum, competed=row.how == "competed", risen=bool(row.rose))
    confirmed = [one for one in claims_of(session, task) if one.confirmed_at is not None]
    if len(confirmed) >= task.slots:
        task.closed_at = now
    batch = session.exec(select(Batch).where(Batch.pool_id == task.pool_id, Batch.task_id == task.id)).first()
    if batch is not None:
        contribution.batch_id = batch.id
        events += settle_needs(session, batch, now)
    return events


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
    if task.origin != "task":
        task.closed_at = task.cancelled_at = now
    return Rejected(task, row, member, by, why)


def backers_needed(session: Session, task: Task) -> int:
    """Return how many of other projects have to back common work: none while the pool has one project."""
    settings = PoolSettings(pool_of(session, task).settings)
    return settings.backers if count_projects(session, task.pool_id) > 1 else 0


def count_backers(session: Session, task: Task) -> int:
    """Return how many have backed a task."""
    query = select(func.count()).select_from(Backing)
    return session.exec(query.where(Backing.pool_id == task.pool_id, Backing.task_id == task.id)).one()


def back(session: Session, task: Task, by: Member, now: datetime) -> Backed:
    """Say for another project that common work was worth it."""
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
    missing = max(0, backers_needed(session, task) - count_backers(session, task))
    return Backed(task, by, missing)


def correct(session: Session, row: Contribution, by: Member, hours: int, why: str, now: datetime) -> int:
    """Correct the hours of confirmed work later; return the difference in effort.

    What was credited too much goes back by a reversing transfer with its reason; what was too little counts like the
    rest of the work. In a batch, the units left carry the difference.
    """
    check_bounds("hours", hours, 0, HOURS_MAX)
    new = effort(hours, row.weight)
    change = new - row.effort
    excess = max(0, row.recognised - new)
    pool = pool_of(session, row)
    key = f"correct:{row.id}:{pool.last_id}"
    ledger.transfer(session, pool, Entry(key, TransferKind.EFFORT, row.member_id, ledger.COMMONS, excess, why), now)
    row.hours, row.effort, row.due, row.recognised = hours, new, min(row.due, new), min(row.recognised, new)
    if row.batch_id is not None:
        batch = session.get_one(Batch, (row.pool_id, row.batch_id))
        batch.effort += change
    del by
    return change
