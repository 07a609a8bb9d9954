"""People: joining, leaving, being admitted, breaks, and those without a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import members, projects
from core.chat.command import Commands, Press, Who
from core.chat.commands.tasks import find_member
from core.chat.parameters import Kind, Parameter
from core.errors import NotStewardError
from core.settings import N_
from core.store import lock_pool
from core.tables import Member
from core.tables_chat import Person

if TYPE_CHECKING:
    from datetime import datetime

    from core.chat.context import Context
    from core.chat.message import Reply
    from core.periods import Period

command = Commands("people")
PAGE = 20


@command("join", Parameter("code", Kind.CODE), who=Who.ALL, does=N_("join a pool by its code"))
def join(context: Context, code: str) -> Reply:
    """Join the pool of a code."""
    pool = lock_pool(context.session, projects.pool_by_code(context.session, code).id or 0)
    member, events = members.join(context.session, pool, context.account.person_id, context.account.name, context.now)
    context.enter(pool, None, member)
    context.emit(*events)
    context.session.get_one(Person, context.account.person_id).pool_id = pool.id
    say = context.say
    if member.admitted_at is None:
        return context.reply(say("{pool} has been asked to let you in.", pool=pool.name))
    return context.reply(
        say(
            "Welcome to {pool}, {name}. What there is: `/goods`, what to do: `/tasks`", pool=pool.name, name=member.name
        )
    )


@command("admit", Parameter("name", Kind.NAME), who=Who.ANY, does=N_("let somebody in who asked"))
def admit(context: Context, name: str) -> Reply:
    """Admit somebody to the pool (stewards) or to the project (maintainers)."""
    member, say = find_member(context, name), context.say
    if member.admitted_at is None:
        members.require_steward(context.session, context.pool, context.member)
        member.admitted_at = context.now
        return context.in_place(say("{name} is in {pool} now.", name=member.name, pool=context.pool.name))
    if not context.has_project:
        return context.in_place(say("{name} is in {pool} already.", name=member.name, pool=context.pool.name))
    members.require_maintainer(context.session, context.project, context.member)
    membership, _events = members.join_project(context.session, context.project, member, context.now)
    membership.admitted_at = membership.admitted_at or context.now
    return context.in_place(say("{name} is in {project} now.", name=member.name, project=context.project.name))


@command(
    "members",
    Parameter("words", Kind.NOTE, optional=True),
    who=Who.ANY,
    does=N_("who is in the pool"),
    press=Press.AGAIN,
)
def overview(context: Context, words: str = "") -> Reply:
    """List the members, those of the channel's project where there is one."""
    query = select(Member.name).where(
        Member.pool_id == context.pool_id, col(Member.left_at).is_(None), col(Member.admitted_at).is_not(None)
    )
    for word in words.split():
        query = query.where(col(Member.name).icontains(word, autoescape=True))
    found = context.session.exec(query.order_by(col(Member.name_key)).limit(PAGE + 1)).all()
    say = context.say
    names = ", ".join(found[:PAGE]) or "–"
    more = say(" … To narrow it down: `/members WORD`") if len(found) > PAGE else ""
    return context.reply(say("Members: {names}", names=names) + more)


@command("member new", Parameter("name", Kind.NAME), who=Who.MAINTAINER, does=N_("a member without a phone"))
def new(context: Context, name: str) -> Reply:
    """Add a member for whom maintainers speak."""
    member = members.new_member(context.session, context.pool, name, None, context.now)
    member.admitted_at = context.now
    membership, _events = members.join_project(context.session, context.project, member, context.now)
    membership.admitted_at = context.now
    say = context.say
    return context.reply(say("{name} is a member now. To speak for {name}: `/as {name} claim 12`", name=member.name))


@command(
    "exempt",
    Parameter("name", Kind.NAME),
    Parameter("until", Kind.MOMENT, optional=True),
    who=Who.MAINTAINER,
    does=N_("somebody need not share costs for a while"),
)
def exempt(context: Context, name: str, until: datetime | None = None) -> Reply:
    """Exempt a member of the project; no reason is asked or shown."""
    member, say = find_member(context, name), context.say
    if not members.is_in(context.session, context.project, member):
        raise NotStewardError(context.pool.name, ())
    member.exempt_from, member.exempt_until, member.exempt_project_id = context.now, until, context.project.id
    when = say(" until {when}", when=say.when(until)) if until else ""
    return context.reply(say("{name} is exempt", name=member.name) + when + ".")


@command("break", Parameter("period", Kind.PERIOD, example="2w"), who=Who.ANY, does=N_("take time off"))
def take_break(context: Context, period: Period) -> Reply:
    """Pause; it counts in the rounds that open from now on."""
    say = context.say
    until = period.after(context.now, say.zone)
    members.take_break(context.member, until - context.now, context.now)
    return context.reply(say("{name} is off until {when}. Enjoy it!", name=context.member.name, when=say.when(until)))
