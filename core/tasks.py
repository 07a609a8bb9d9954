"""Tasks and their slots: posted, taking bids, open, claimed, reported.

What happens to a report (confirmed, disputed) is in `core.reports`, what a round does with bids in `core.rounds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import and_, col, func, select

from core.batches import withdraw
from core.errors import (
    AlreadyBegunError,
    AlreadyReportedError,
    AlreadyYoursError,
    NotYoursError,
    NotYoursToChangeError,
    OutOfBoundsError,
    OverCapError,
    StillBiddingError,
    TakenError,
    TaskClosedError,
    UnknownTaskError,
)
from core.events import BidPlaced, Claimed, Dropped, Reported, TaskCancelled, TaskEdited, TaskPosted
from core.members import is_maintainer
from core.settings import MemberSettings, PoolSettings
from core.store import add, pool_of
from core.tables import Backing, Bid, Claim, Member, Pool, Product, Project, Task
from core.timing import current_round
from core.units import HOURS_MAX, ORDINARY_WEIGHT, effort

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlmodel import Session

# Every command about a task asks for some of these, so they are built once; what is shown with them comes along.
TASK = (
    select(Task, Project)
    .join(Project, (col(Project.pool_id) == Task.pool_id) & (col(Project.id) == Task.project_id))
    .where(Task.pool_id == bindparam("pool_id"), Task.number == bindparam("number"))
)
CLAIMS = (
    select(Claim)
    .where(Claim.pool_id == bindparam("pool_id"), Claim.task_id == bindparam("task_id"), col(Claim.ended_at).is_(None))
    .order_by(col(Claim.id))
)
CLAIMS_OF_ALL = (
    select(Claim, Member)
    .join(Member, (col(Member.pool_id) == Claim.pool_id) & (col(Member.id) == Claim.member_id))
    .where(Claim.pool_id == bindparam("pool_id"), col(Claim.task_id).in_(bindparam("task_ids", expanding=True)))
    .where(col(Claim.ended_at).is_(None))
    .order_by(col(Claim.id))
)
BID_IS_THEIRS, BACKING_IS_THEIRS = (
    and_(table.pool_id == Member.pool_id, table.task_id == bindparam("task_id"), table.member_id == Member.id)
    for table in (Bid, Backing)
)
BID_AND_BACKING = (
    select(Bid, Backing)
    .select_from(Member)
    .outerjoin(Bid, BID_IS_THEIRS)
    .outerjoin(Backing, BACKING_IS_THEIRS)
    .where(Member.pool_id == bindparam("pool_id"), Member.id == bindparam("member_id"))
)
BIDS = (
    select(Bid)
    .where(Bid.pool_id == bindparam("pool_id"), Bid.task_id == bindparam("task_id"))
    .order_by(col(Bid.member_id))
)
SLOTS_MAX = 100
REMIND_BEFORE = timedelta(hours=24)
RELEASE_AFTER = timedelta(hours=48)
CONFIRM_AFTER = timedelta(hours=48)
LONG_PERCENT = 150  # hours above this share of the estimate are never confirmed by time alone


@dataclass(frozen=True, slots=True)
class Draft:
    """A task as it was typed; hours in thousandths."""

    title: str
    hours: int
    slots: int = 1
    product: Product | None = None
    due_at: datetime | None = None
    every: str = ""
    place: str = ""
    urgent: bool = False
    origin: str = "task"


def find_task(session: Session, pool_id: int, number: int) -> Task:
    """Return a task by its number, or raise UnknownTaskError."""
    found = session.exec(TASK, params={"pool_id": pool_id, "number": number}).first()
    if found is None:
        raise UnknownTaskError(number)
    return found[0]


def post(session: Session, project: Project, creator: Member, draft: Draft, now: datetime) -> TaskPosted:
    """Post a task. It takes bids until the next round, unless it is urgent or due before that."""
    check_bounds("hours", draft.hours, 1, HOURS_MAX)
    check_bounds("slots", draft.slots, 1, SLOTS_MAX)
    pool = pool_of(session, project)
    pool.last_task_number += 1
    task = Task(
        pool_id=pool.id,
        number=pool.last_task_number,
        project_id=project.id,
        creator_id=creator.id,
        product_id=draft.product.id if draft.product else None,
        origin=draft.origin,
        title=draft.title,
        hours=draft.hours,
        slots=draft.slots,
        weight=ORDINARY_WEIGHT,
        due_at=draft.due_at,
        urgent=int(draft.urgent),
        place=draft.place,
        every=draft.every,
        created_at=now,
    )
    if draft.every:
        task.series = task.number
    if draft.urgent or draft.origin != "task" or is_before_round(pool, draft.due_at):
        task.opened_at = now
    return TaskPosted(add(session, task))


def check_bounds(kind: str, value: int, low: int, high: int) -> None:
    """Raise OutOfBoundsError for a figure beyond what the pool takes."""
    if not low <= value <= high:
        raise OutOfBoundsError(kind, value, low, high)


def is_before_round(pool: Pool, due_at: datetime | None) -> bool:
    """Tell whether something is due before the pool's next round decides."""
    return due_at is not None and pool.round_due_at is not None and due_at < pool.round_due_at


def claims_of(session: Session, task: Task) -> list[Claim]:
    """Return the claims that fill slots of the task, the oldest first."""
    return list(session.exec(CLAIMS, params={"pool_id": task.pool_id, "task_id": task.id}).all())


def claims_of_all(session: Session, tasks: Sequence[Task]) -> dict[int, list[Claim]]:
    """Return the claims of several tasks of a pool by the tasks' ids, each task's oldest first."""
    claims: dict[int, list[Claim]] = {task.id: [] for task in tasks}
    if tasks:
        params = {"pool_id": tasks[0].pool_id, "task_ids": list(claims)}
        for one, _holder in session.exec(CLAIMS_OF_ALL, params=params):
            claims[one.task_id].append(one)
    return claims


def claim_of(session: Session, task: Task, member: Member) -> Claim:
    """Return the member's slot of the task, or raise NotYoursError with those who have one."""
    claims = claims_of(session, task)
    own = next((claim for claim in claims if claim.member_id == member.id), None)
    if own is None:
        raise NotYoursError(task.number, holder_names(session, claims))
    return own


def holder_names(session: Session, claims: list[Claim]) -> tuple[str, ...]:
    """Return the names of who holds these slots."""
    return tuple(session.get_one(Member, (claim.pool_id, claim.member_id)).name for claim in claims)


def _refuse_holder(task: Task, claims: list[Claim], member: Member) -> None:
    """Refuse a second slot to who has one."""
    own = next((one for one in claims if one.member_id == member.id), None)
    if own is not None:
        raise AlreadyYoursError(task.number) if own.reported_at is None else AlreadyReportedError(task.number)


def check_alive(task: Task) -> None:
    """Refuse a task that is done or cancelled."""
    if task.closed_at is not None:
        raise TaskClosedError(task.number, cancelled=task.cancelled_at is not None)


def claim(session: Session, task: Task, member: Member, now: datetime) -> Claimed:
    """Take a free slot of an open task at its posted weight."""
    claims = claims_of(session, task)
    _refuse_holder(task, claims, member)
    check_alive(task)
    if len(claims) >= task.slots:
        raise TakenError(task.number, holder_names(session, claims))
    if task.opened_at is None:
        raise StillBiddingError(task.number, pool_of(session, task).round_due_at, task.weight)
    check_cap(session, task, member)
    return take_slot(session, task, member, task.weight, "claimed", now)


def take_slot(session: Session, task: Task, member: Member, weight: int, how: str, now: datetime) -> Claimed:
    """Give a slot to a member, from a claim or from a round. Their bid is over; who does the work does not back it."""
    params = {"pool_id": task.pool_id, "task_id": task.id, "member_id": member.id}
    bid, backing = session.exec(BID_AND_BACKING, params=params).one()
    for over in filter(None, (bid, backing)):
        session.delete(over)
    return Claimed(task, new_claim(session, task, member, weight, how, now), member, bid, backing)


def new_claim(session: Session, task: Task, member: Member, weight: int, how: str, now: datetime) -> Claim:
    """Fill a slot of a task for which nobody has bid."""
    row = Claim(pool_id=task.pool_id, task_id=task.id, member_id=member.id, weight=weight, how=how, claimed_at=now)
    row.rose = task.rose
    set_deadline(row, task, now)
    return add(session, row)


def set_deadline(row: Claim, task: Task, now: datetime) -> None:
    """Set when a claimed slot needs attention next, and what for."""
    row.stage, row.deadline_at = deadline(task.due_at, row.claimed_at, now)


def deadline(due_at: datetime | None, claimed_at: datetime, now: datetime) -> tuple[str, datetime | None]:
    """Return what a claimed slot needs next, and when: a reminder a day before it is due, one then, release after that.

    Who takes a task that is overdue has the whole time until the release as well.
    """
    if due_at is None:
        return "", None
    for stage, at in (("remind", due_at - REMIND_BEFORE), ("due", due_at)):
        if at > now:
            return stage, at
    return "release", max(due_at, claimed_at) + RELEASE_AFTER


def hours_since(session: Session, pool_id: int, since: datetime, member_ids: Collection[int]) -> dict[int, int]:
    """Return the estimated hours of the tasks that members have taken since then."""
    query = (
        select(Claim.member_id, func.sum(Task.hours))
        .join(Task, (col(Task.pool_id) == Claim.pool_id) & (col(Task.id) == Claim.task_id))
        .where(Claim.pool_id == pool_id, col(Claim.member_id).in_(member_ids))
        .where(Claim.claimed_at >= since, col(Claim.ended_at).is_(None))
    )
    return {member_id: int(hours) for member_id, hours in session.exec(query.group_by(col(Claim.member_id)))}


def hours_taken(session: Session, member: Member) -> int:
    """Return the estimated hours of the tasks a member has taken since the current round opened."""
    since = current_round(session, member.pool_id).opened_at
    return hours_since(session, member.pool_id, since, [member.id]).get(member.id, 0)


def check_cap(session: Session, task: Task, member: Member) -> None:
    """Refuse what goes beyond the hours the member wants to take on in a round."""
    cap = MemberSettings(member.settings).hours
    taken = 0 if cap is None else hours_taken(session, member)
    if cap is not None and taken + task.hours > cap:
        raise OverCapError(cap, taken, task.hours)


def bid(session: Session, task: Task, member: Member, weight: int, now: datetime) -> BidPlaced:
    """Place or replace a bid: the member would do the task at this weight or more. It stands until it wins."""
    claims = claims_of(session, task)
    _refuse_holder(task, claims, member)
    check_alive(task)
    if len(claims) >= task.slots:
        raise TakenError(task.number, holder_names(session, claims))
    check_bounds("weight", weight, 1, PoolSettings(pool_of(session, task).settings).max_weight)
    cap = MemberSettings(member.settings).hours
    if cap is not None and task.hours > cap:
        raise OverCapError(cap, 0, task.hours)
    row = session.get(Bid, (task.pool_id, task.id, member.id))
    if row is None:
        row = add(session, Bid(pool_id=task.pool_id, task_id=task.id, member_id=member.id))
    row.weight, row.at = weight, now
    return BidPlaced(task)


def bids_on(session: Session, task: Task) -> list[Bid]:
    """Return the standing bids on a task."""
    return list(session.exec(BIDS, params={"pool_id": task.pool_id, "task_id": task.id}).all())


def drop(session: Session, task: Task, member: Member, now: datetime) -> Dropped:
    """Give up a slot that is not reported yet; it is open again at the posted weight."""
    row = claim_of(session, task, member)
    if row.reported_at is not None:
        raise AlreadyReportedError(task.number)
    reopen(session, task, row, now)
    return Dropped(task, row, member)


def reopen(session: Session, task: Task, row: Claim, now: datetime) -> None:
    """End a claim, so that its slot is open; a task that was full begins to wait anew.

    No slot opens where nobody else is asked: in work reported unasked, and in an occurrence of a recurring task
    for which the next one stands already.
    """
    claims = claims_of(session, task)
    if task.opened_at is None or len(claims) >= task.slots:
        task.opened_at = now
    row.ended_at, row.stage, row.deadline_at = now, "", None
    if task.origin != "task":
        withdraw(session, task)
    if task.origin != "task" or not is_newest(session, task):
        keep_slots(task, [one for one in claims if one is not row], now)


def is_newest(session: Session, task: Task) -> bool:
    """Tell whether a task is no earlier occurrence of a recurring one."""
    later = select(Task.id).where(Task.pool_id == task.pool_id, Task.series == task.series, Task.number > task.number)
    return task.series is None or session.exec(later.limit(1)).first() is None


def keep_slots(task: Task, claims: list[Claim], now: datetime) -> None:
    """Leave a task only the slots of these claims; without any it is cancelled."""
    task.slots = max(1, len(claims))
    close_if_done(task, claims, now)
    if not claims:
        task.closed_at = task.cancelled_at = now


def close_if_done(task: Task, claims: list[Claim], now: datetime) -> None:
    """Close a task whose slots are all confirmed."""
    if sum(one.confirmed_at is not None for one in claims) >= task.slots:
        task.closed_at = now


def report(
    session: Session, task: Task, row: Claim, member: Member, hours: int | None, note: str, now: datetime
) -> Reported:
    """Report the work of a member's slot as done; hours in thousandths, by default the estimate.

    A report not yet confirmed is replaced.
    """
    if row.confirmed_at is not None or row.disputed_at is not None:
        raise AlreadyReportedError(task.number)
    row.hours = task.hours if hours is None else hours
    check_bounds("hours", row.hours, 1, HOURS_MAX)
    row.note, row.reported_at = note, now
    is_long = row.hours * 100 > task.hours * LONG_PERCENT
    by_itself = _has_estimate(session, task) and not is_long
    row.stage, row.deadline_at = ("confirm", now + CONFIRM_AFTER) if by_itself else ("", None)
    return Reported(task, row, member, effort(row.hours, row.weight))


def _has_estimate(session: Session, task: Task) -> bool:
    """Tell whether there is an estimate to hold a report against; without one a person has to look at it."""
    if task.origin == "made":
        return session.get_one(Product, (task.pool_id, task.product_id)).last_average is not None
    return task.origin != "did"


def may_change(session: Session, task: Task, member: Member) -> None:
    """Refuse everybody but who posted the task and the maintainers of its project."""
    project = session.get_one(Project, (task.pool_id, task.project_id))
    if task.creator_id != member.id and not is_maintainer(session, project, member):
        raise NotYoursToChangeError(task.number, project.name)


def cancel(session: Session, task: Task, member: Member, now: datetime) -> TaskCancelled:
    """Cancel what is not reported yet; who held a slot is told. Reported work stays and can be confirmed."""
    may_change(session, task, member)
    check_alive(task)
    claims = claims_of(session, task)
    reported = [row for row in claims if row.reported_at is not None]
    holders: list[Member] = []
    for row in claims:
        if row.reported_at is None:
            row.ended_at, row.stage, row.deadline_at = now, "", None
            holders.append(session.get_one(Member, (row.pool_id, row.member_id)))
    for standing in bids_on(session, task):
        session.delete(standing)
    task.next_at = None
    keep_slots(task, reported, now)
    return TaskCancelled(task, tuple(holders))


def edit(session: Session, task: Task, member: Member, draft: Draft, now: datetime) -> TaskEdited:
    """Change a task; its hours and slots only within what its holders agreed to."""
    may_change(session, task, member)
    check_alive(task)
    check_bounds("hours", draft.hours, 1, HOURS_MAX)
    check_bounds("slots", draft.slots, 1, SLOTS_MAX)
    claims = claims_of(session, task)
    product_id = draft.product.id if draft.product else None
    if claims and (draft.hours, product_id) != (task.hours, task.product_id):
        raise AlreadyBegunError(task.number, holder_names(session, claims))
    if len(claims) > draft.slots:
        raise AlreadyBegunError(task.number, holder_names(session, claims))
    is_urgent = draft.urgent or is_before_round(pool_of(session, task), draft.due_at)
    # Slots added to a full task begin to wait now.
    if is_urgent if task.opened_at is None else len(claims) == task.slots < draft.slots:
        task.opened_at = now
    task.title, task.hours, task.slots, task.urgent = draft.title, draft.hours, draft.slots, int(draft.urgent)
    task.product_id, task.due_at, task.place, task.every = product_id, draft.due_at, draft.place, draft.every
    task.series = task.series or (task.number if draft.every else None)
    for row in claims:
        if row.reported_at is None:
            set_deadline(row, task, now)
    close_if_done(task, claims, now)
    return TaskEdited(task)
