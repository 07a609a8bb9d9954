"""Corrections: a maintainer changes the hours of work that is confirmed already, with the reason, announced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import reports
from core.errors import NothingConfirmedError, NothingToCorrectError, OwnWorkError, WhoseReportError
from core.events import Corrected
from core.members import require_maintainer
from core.names import key_of
from core.tables import Claim, Contribution, Member, Project, Task

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


def correct(session: Session, task: Task, name: str, by: Member, hours: int, why: str, now: datetime) -> Corrected:
    """Correct the confirmed work on a task to `hours` (thousandths); with several workers, that of the one named."""
    require_maintainer(session, session.get_one(Project, (task.pool_id, task.project_id)), by)
    row, member = _meant(session, task, name)
    if member.id == by.id:
        raise OwnWorkError(task.number)
    if hours == row.hours:
        raise NothingToCorrectError(task.number, member.name, hours)
    before, credited = row.effort, row.recognised
    reports.correct(session, row, hours, why, now)
    session.get_one(Claim, (row.pool_id, row.claim_id)).hours = row.hours
    return Corrected(task, member, by, before, row.effort, credited - row.recognised, why)


def _meant(session: Session, task: Task, name: str) -> tuple[Contribution, Member]:
    query = (
        select(Contribution, Member)
        .join(Member, (col(Member.pool_id) == Contribution.pool_id) & (col(Member.id) == Contribution.member_id))
        .where(Contribution.pool_id == task.pool_id, Contribution.task_id == task.id)
    )
    found = [(row, member) for row, member in session.exec(query.order_by(col(Contribution.id)))]
    key = key_of(name)
    exact = [(row, member) for row, member in found if member.name_key == key]
    named = exact or [(row, member) for row, member in found if member.name_key.startswith(key)]
    if not named:
        raise NothingConfirmedError(task.number, tuple(member.name for _row, member in found))
    if len(named) > 1:
        verb = "correct"
        raise WhoseReportError(task.number, tuple(member.name for _row, member in named), verb)
    return named[0]
