"""Recurring tasks: one open occurrence at a time, each starting at the weight the last confirmed one taught."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.events import TaskEdited, TaskEvent, TaskPosted
from core.periods import read_period
from core.settings import PoolSettings
from core.store import add, pool_of
from core.tables import Bid, Member, Product, Project, Task
from core.tasks import Draft, bids_on, claims_of, is_newest, keep_slots, post
from core.units import ORDINARY_WEIGHT

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


def set_next(session: Session, task: Task, now: datetime) -> None:
    """Set when the next occurrence of a recurring task comes: when this one is due, else periods after it was posted.

    Only the newest occurrence has a next one.
    """
    if not task.every or not is_newest(session, task):
        task.next_at = None
        return
    task.anchor_at = task.anchor_at or task.due_at or task.created_at
    task.next_at = task.due_at or _first_after(session, task, task.anchor_at, now)


def _first_after(session: Session, task: Task, start: datetime, now: datetime) -> datetime:
    """Return the first moment after `now` that is whole periods after `start`."""
    zone = PoolSettings(pool_of(session, task).settings).timezone
    return read_period(task.every).first_after(start, zone, now)


def recur(session: Session, task: Task, now: datetime) -> list[TaskEvent]:
    """Let the next occurrence come; slots of this one that nobody has taken stand for it and keep their weight."""
    next_at = _first_after(session, task, task.anchor_at or task.created_at, now)
    due_at = None if task.due_at is None else next_at
    project = session.get_one(Project, (task.pool_id, task.project_id))
    claims = claims_of(session, task)
    if project.archived_at is not None:
        task.next_at = None
        return []
    if task.closed_at is None and not claims:
        task.due_at, task.next_at = due_at, next_at
        return [TaskEdited(task)]
    posted = _post_next(session, task, project, due_at, now)
    posted.task.next_at, task.next_at = next_at, None
    if task.closed_at is None and len(claims) < task.slots:
        _move_on(session, task, posted.task)
        keep_slots(task, claims, now)
        return [TaskEdited(task), posted]
    posted.task.weight = _learned(session, task)
    return [posted]


def _post_next(session: Session, task: Task, project: Project, due_at: datetime | None, now: datetime) -> TaskPosted:
    creator = session.get_one(Member, (task.pool_id, task.creator_id))
    product = session.get_one(Product, (task.pool_id, task.product_id)) if task.product_id is not None else None
    draft = Draft(task.title, task.hours, task.slots, product, due_at, task.every, task.place, bool(task.urgent))
    posted = post(session, project, creator, draft, now)
    posted.task.series, posted.task.anchor_at = task.series, task.anchor_at
    return posted


def _move_on(session: Session, task: Task, following: Task) -> None:
    """Let the slots that nobody took wait on in the next occurrence: with their weight, and who bid for them."""
    following.weight, following.rose = task.weight, task.rose
    following.opened_at = task.opened_at or following.opened_at
    for one in bids_on(session, task):
        row = Bid(pool_id=one.pool_id, task_id=following.id, member_id=one.member_id, weight=one.weight, at=one.at)
        add(session, row)
        session.delete(one)


def _learned(session: Session, task: Task) -> int:
    """Return the weight that the last confirmed occurrence of the series taught; before that all start at x1."""
    query = select(Task.learned).where(
        Task.pool_id == task.pool_id, Task.series == task.series, col(Task.learned).is_not(None)
    )
    learned = session.exec(query.order_by(col(Task.number).desc()).limit(1)).first()
    return ORDINARY_WEIGHT if learned is None else learned
