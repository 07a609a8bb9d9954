"""People: joining, leaving, being admitted, breaks, and those without a phone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import export, leaving, ledger, members, projects
from core.chat import arguments
from core.chat.command import Commands, Press, Who
from core.chat.commands.tasks import find_member
from core.chat.message import Choice, Where
from core.chat.parameters import Kind, Parameter
from core.chat.text import joined
from core.errors import NotForOthersError, NotSpokenForError, NotStewardError
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
# What a maintainer can do for a member without a phone: their own doings, never a word on somebody's work.
SPEAKABLE = ("claim", "drop", "done", "did", "bid", "want", "unwant", "collected", "missing", "break")


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


@command("leave", Parameter("sure", Kind.FLAG, optional=True), who=Who.ANY, does=N_("leave the pool"))
def leave(context: Context, *, sure: bool = False) -> Reply:
    """Leave the pool, after asking."""
    say, pool = context.say, context.pool
    if not sure:
        balance = say.hours(ledger.balance(context.session, context.pool_id, context.member.id))
        yes = Choice(str(say("Yes, leave {pool}", pool=pool.name)), "leave sure", context.pool_id)
        ask = say(
            "Leave {pool}? Your balance of {balance} goes to all, your claims and wants end.",
            pool=pool.name,
            balance=balance,
        )
        return context.reply(ask, yes)
    name = context.member.name
    context.emit(*leaving.leave(context.session, context.member, context.now))
    return context.in_place(say("{name} has left {pool}. All the best!", name=name, pool=pool.name))


@command(
    "forget",
    Parameter("sure", Kind.FLAG, optional=True),
    who=Who.ALL,
    does=N_("leave everything and be made anonymous"),
)
def forget(context: Context, *, sure: bool = False) -> Reply:
    """Leave all pools and be made anonymous, after asking."""
    say = context.say
    if not sure:
        yes = Choice(str(say("Yes, forget me")), "forget sure")
        return context.reply(
            say("Leave all pools and forget your name and notes? The sums stay. There's no way back."), yes
        )
    events = leaving.forget(context.session, context.account.person_id, context.now)
    context.emit(*events)
    return context.in_place(say("Done. Your name and notes are gone; only sums stay."))


@command(
    "remove",
    Parameter("name", Kind.NAME),
    Parameter("sure", Kind.FLAG, optional=True),
    who=Who.ANY,
    does=N_("take somebody out of the project; a steward: out of the pool"),
)
def remove(context: Context, name: str, *, sure: bool = False) -> Reply:
    """Remove a member from the channel's project, or elsewhere from the pool; after asking."""
    member, say = find_member(context, name), context.say
    if context.has_project:
        members.require_maintainer(context.session, context.project, context.member)
        place = context.project.name
    else:
        members.require_steward(context.session, context.pool, context.member)
        place = context.pool.name
    if not sure:
        yes = Choice(str(say("Yes, remove {name}", name=member.name)), f'remove "{member.name}" sure', context.pool_id)
        return context.reply(say("Remove {name} from {place}?", name=member.name, place=place), yes)
    if context.has_project:
        leaving.end_membership(context.session, context.project, member)
    else:
        context.emit(*leaving.leave(context.session, member, context.now))
    return context.in_place(say("{name} is out of {place}.", name=member.name, place=place))


@command(
    "as",
    Parameter("name", Kind.NAME),
    Parameter("words", Kind.REST, example="claim 12"),
    who=Who.ANY,
    does=N_("speak for a member without a phone"),
)
def speak(context: Context, name: str, words: str) -> list[Reply]:
    """Run a command for a member without a phone, always shown as such."""
    member, speaker, say = find_member(context, name), context.member, context.say
    shared = [
        one
        for one in members.projects_of(context.session, member)
        if members.is_maintainer(context.session, one, speaker)
    ]
    if member.person_id is not None or not shared:
        raise NotSpokenForError(member.name)
    found = context.table.find(words.strip().removeprefix("/").removeprefix("!"))
    if found is None or found[0].name not in SPEAKABLE:
        raise NotForOthersError(words.split(maxsplit=1)[0][:20], SPEAKABLE)
    command, rest = found
    values = arguments.read(rest, command.parameters, context.now, say.zone)
    context.enter(context.pool, context.project if context.has_project else shared[0], member)
    prefix = say("{speaker} for {name}: ", speaker=speaker.name, name=member.name)
    return [replace(one, text=prefix + one.text, where=Where.HERE) for one in context.run(command, values)]


@command("privacy", who=Who.ALL, does=N_("what is stored about you"), press=Press.AGAIN)
def privacy(context: Context) -> Reply:
    """Say what is stored."""
    say = context.say
    return context.reply(
        joined(
            [
                say("Stored: your name here, your tasks, reports, wants, what you got, and transfers."),
                say("Your pool's people see tasks and reports; your balance and wants only you."),
                say("Chat that isn't for me is not stored. All of yours: `/export`. Gone: `/forget`"),
            ]
        )
    )


@command("export", who=Who.ANY, does=N_("all data about you, as a table"), press=Press.AGAIN)
def export_mine(context: Context) -> Reply:
    """Hand over everything about the sender as CSV."""
    table = export.table_of(context.session, context.member)
    reply = context.private(context.tell("Everything about you in {pool}.", pool=context.pool.name))
    return replace(reply, file=(f"dpool-{context.pool_id}.csv", table))
