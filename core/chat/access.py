"""Who may do what, and about which pool and project a command is. Checked when it runs, also for a button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import Session, col, select

from core.chat.command import Who
from core.errors import (
    NoPoolError,
    NoProjectError,
    NotAdmittedError,
    NotProjectMemberError,
    WhichPoolError,
    WhichProjectError,
)
from core.identity import memberships_of_person
from core.members import is_in, join, join_project, member_of, projects_of, require_maintainer, require_steward
from core.store import lock_pool
from core.tables import Pool, Project
from core.tables_chat import Person

if TYPE_CHECKING:
    from core.chat.context import Context


def admit(context: Context, who: Who, pool_id: int = 0, project_id: int = 0) -> None:
    """Find the pool, project and member that a command is about and make sure that the sender may.

    In a channel anyone joins the pool by using a command. `pool_id` and `project_id` are what a button carries.
    """
    pool = _pool(context, who, pool_id)
    if pool is None:
        return
    project = _project(context.session, context, pool, project_id)
    context.enter(pool, project)
    if who is Who.ALL:
        context.enter(pool, project, member_of(context.session, pool.id, context.account.person_id))
        return
    _join(context, pool, project)
    if who in {Who.PROJECT, Who.MAINTAINER}:
        _enter_project(context, pool, project)
    if who is Who.PROJECT and not is_in(context.session, context.project, context.member):
        raise NotProjectMemberError(context.project.name)
    if who is Who.MAINTAINER:
        require_maintainer(context.session, context.project, context.member)
    if who is Who.STEWARD:
        require_steward(context.session, pool, context.member)


def _pool(context: Context, who: Who, pool_id: int) -> Pool | None:
    chosen = pool_id or context.chat.pool_id or 0
    if not chosen and context.is_private:
        chosen = _pool_of_person(context, who)
    if not chosen:
        if who is Who.ALL:
            return None
        raise NoPoolError
    return lock_pool(context.session, chosen)


def _pool_of_person(context: Context, who: Who) -> int:
    """Return the pool that is meant in private: the only one, or the one last spoken about."""
    found = memberships_of_person(context.session, context.account.person_id)
    if len(found) > 1 and who is not Who.ALL:
        person = context.session.get_one(Person, context.account.person_id)
        if person.pool_id not in {member.pool_id for member in found}:
            pools = context.session.exec(select(Pool).where(col(Pool.id).in_([one.pool_id for one in found])))
            raise WhichPoolError(tuple((pool.id, pool.name) for pool in pools))
        return person.pool_id or 0
    return found[0].pool_id if len(found) == 1 else 0


def _project(session: Session, context: Context, pool: Pool, project_id: int) -> Project | None:
    chosen = project_id or (context.chat.project_id if context.chat.pool_id == pool.id else 0)
    return session.get(Project, (pool.id, chosen)) if chosen else None


def _join(context: Context, pool: Pool, project: Project | None) -> None:
    """Make sure that the sender is a member; in a project's channel they become one by speaking."""
    session, person_id = context.session, context.account.person_id
    member = member_of(session, pool.id, person_id)
    if member is None and (context.is_private or context.chat.pool_id != pool.id):
        raise NoPoolError
    if member is None:
        member, events = join(session, pool, person_id, context.account.name, context.now)
        context.emit(*events)
    context.enter(pool, project, member)
    if member.admitted_at is None:
        raise NotAdmittedError(pool.name)
    if project is not None and context.chat.project_id == project.id and project.archived_at is None:
        _membership, events = join_project(session, project, member, context.now)
        context.emit(*events)


def _enter_project(context: Context, pool: Pool, project: Project | None) -> None:
    """Find the project in a chat that is no channel: the member's only one, else ask."""
    if project is not None:
        return
    found = projects_of(context.session, context.member)
    if not found:
        raise NoProjectError
    if len(found) > 1:
        raise WhichProjectError(tuple((one.id, one.name) for one in found))
    context.enter(pool, found[0], context.member)
