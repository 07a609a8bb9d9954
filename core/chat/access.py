"""Who may do what, and about which pool and project a command is. Checked when it runs, also for a button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.chat.command import Command, Who
from core.errors import (
    NoPoolError,
    NoProjectError,
    NotAdmittedError,
    NotProjectMemberError,
    WhichPoolError,
    WhichProjectError,
)
from core.identity import home_of
from core.members import (
    is_in,
    is_maintainer,
    join,
    join_project,
    member_of,
    membership_of,
    projects_of,
    require_maintainer,
    require_steward,
)
from core.store import lock_pool, seen_pool
from core.tables import Member, Pool, Project
from core.tables_chat import Person

if TYPE_CHECKING:
    from core.chat.context import Context


def admit(context: Context, command: Command, pool_id: int = 0, project_id: int = 0) -> None:
    """Find the pool, project and member that a command is about and make sure that the sender may.

    In a channel anyone joins the pool by using a command. `pool_id` and `project_id` are what a button carries. What
    only reads does not wait for the pool's lock: `core.store.one_state` sees to it that it read one state.
    """
    who = command.who
    chosen = _pool(context, who, pool_id)
    if not chosen:
        return
    pool = seen_pool(context.session, chosen) if command.only_reads else None
    pool = pool or lock_pool(context.session, chosen)
    project = _project(context, pool, project_id)
    context.enter(pool, project)
    if who is Who.ALL:
        context.enter(pool, project, _member(context, pool))
        return
    member = _join(context, pool, project)
    if member.admitted_at is None:
        raise NotAdmittedError(pool.name)
    if who in {Who.PROJECT, Who.MAINTAINER}:
        enter_project(context, who)
    if who is Who.PROJECT:
        _require_in(context, member)
    if who is Who.MAINTAINER:
        require_maintainer(context.session, context.project, member)
    if who is Who.STEWARD:
        require_steward(context.session, pool, member)


def remember(context: Context, pool_id: int) -> None:
    """Let the pool that somebody chose by a button in private hold for what they type there from now on."""
    if context.is_private and pool_id:
        context.session.get_one(Person, context.account.person_id).pool_id = pool_id


def ask_to_join(context: Context) -> None:
    """After a command was refused for want of admission, undone with all it did: let the request stand."""
    _join(context, lock_pool(context.session, context.pool_id), context.project if context.has_project else None)


def _pool(context: Context, who: Who, pool_id: int) -> int:
    chosen = pool_id or home_of(context.session, context.chat).pool_id or 0
    if not chosen and context.is_private:
        chosen = _pool_of_person(context, who)
    if not chosen:
        if who is Who.ALL:
            return 0
        raise NoPoolError
    return chosen


def _pool_of_person(context: Context, who: Who) -> int:
    """Return the pool that is meant in private: the only one, or the one last spoken about."""
    found = list(context.member_ids)
    if len(found) == 1:
        return found[0]
    person = context.session.get_one(Person, context.account.person_id)
    if person.pool_id in found:
        return person.pool_id
    if found and who is not Who.ALL:
        pools = context.session.exec(select(Pool).where(col(Pool.id).in_(found)).order_by(col(Pool.id)))
        raise WhichPoolError(tuple((pool.id, pool.name) for pool in pools))
    return 0


def _project(context: Context, pool: Pool, project_id: int) -> Project | None:
    home = home_of(context.session, context.chat)
    chosen = project_id or (home.project_id if home.pool_id == pool.id else 0)
    return context.session.get(Project, (pool.id, chosen)) if chosen else None


def _member(context: Context, pool: Pool) -> Member | None:
    """Return the sender as a member; who left is none."""
    person_id, number = context.account.person_id, context.member_ids.get(pool.id)
    member = context.session.get(Member, (pool.id, number)) if number else None
    if member is None or member.person_id != person_id:
        member = member_of(context.session, pool.id, person_id)
    return member if member is not None and member.left_at is None else None


def _join(context: Context, pool: Pool, project: Project | None) -> Member:
    """Make sure that the sender is a member; in a project's channel they become one by speaking, or ask to."""
    session, home = context.session, home_of(context.session, context.chat)
    member = _member(context, pool)
    if member is None and (context.is_private or home.pool_id != pool.id):
        raise NoPoolError
    if member is None:
        member, events = join(session, pool, context.account.person_id, context.account.name, context.now)
        context.emit(*events)
    context.enter(pool, project, member)
    is_here = project is not None and home.pool_id == pool.id and home.project_id == project.id
    if project is not None and is_here and member.admitted_at is not None and project.archived_at is None:
        _membership, events = join_project(session, project, member, context.now)
        context.emit(*events)
    return member


def enter_project(context: Context, who: Who) -> None:
    """Find the project in a chat that is no channel: the only one where the sender may, else ask."""
    if context.has_project:
        return
    found = projects_of(context.session, context.member)
    if who is Who.MAINTAINER:
        found = [one for one in found if is_maintainer(context.session, one, context.member)] or found
    if not found:
        raise NoProjectError
    if len(found) > 1:
        raise WhichProjectError(tuple((one.id, one.name) for one in found))
    context.enter(context.pool, found[0], context.member)


def _require_in(context: Context, member: Member) -> None:
    """Refuse who is not in the project; who has asked hears that."""
    if is_in(context.session, context.project, member):
        return
    if membership_of(context.session, context.project, member) is not None:
        raise NotAdmittedError(context.project.name)
    raise NotProjectMemberError(context.project.name)
