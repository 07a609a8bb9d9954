"""Recurring tasks: one open occurrence at a time, each starting at the weight the last confirmed one taught."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.events import TaskEdited, TaskEvent
from core.periods import read_period
from core.settings import PoolSettings
from core.store import pool_of
from core.tables import Member, Product, Project, Task
from core.tasks import Draft, claims_of, post

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


def set_next(session: Session, task: Task) -> None:
    """Set when the next occurrence of a recurring task comes: when this one is due, or a period after it was posted."""
    zone = PoolSettings(pool_of(session, task).settings).timezone
    task.next_at = None
    if task.every:
        task.next_at = task.due_at or read_period(task.every).after(task.created_at, zone)


def recur(session: Session, task: Task, now: datetime) -> list[TaskEvent]:
    """Let the next occurrence come; if nobody has taken this one yet, it stands for it and keeps its weight."""
    zone = PoolSettings(pool_of(session, task).settings).timezone
    period = read_period(task.every)
    due_at = None if task.due_at is None else period.after(task.due_at, zone)
    if task.closed_at is None and len(claims_of(session, task)) < task.slots:
        task.due_at = due_at
        task.next_at = due_at or period.after(task.next_at or now, zone)
        return [TaskEdited(task)]
    project = session.get_one(Project, (task.pool_id, task.project_id))
    creator = session.get_one(Member, (task.pool_id, task.creator_id))
    product = session.get_one(Product, (task.pool_id, task.product_id)) if task.product_id is not None else None
    draft = Draft(task.title, task.hours, task.slots, product, due_at, task.every, task.place, bool(task.urgent))
    posted = post(session, project, creator, draft, now)
    posted.task.series = task.series
    posted.task.weight = _learned(session, task)
    posted.task.next_at = due_at or period.after(task.next_at or now, zone)
    task.next_at = None
    return [posted]


def _learned(session: Session, task: Task) -> int:
    """Return the weight the last confirmed occurrence of the series taught, else the one this occurrence began at."""
    query = select(Task.learned).where(
        Task.pool_id == task.pool_id, Task.series == task.series, col(Task.learned).is_not(None)
    )
    learned = session.exec(query.order_by(col(Task.number).desc()).limit(1)).first()
    return task.weight if learned is None else learned
