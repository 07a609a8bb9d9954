"""People: joining, leaving, being admitted, breaks, and those without a phone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core import export, leaving, ledger, members, projects
from core.chat.choices import own, quoted, typed
from core.chat.command import Commands, Press, Who
from core.chat.commands.lists import PAGE as PAGES
from core.chat.commands.lists import read_page
from core.chat.commands.tasks import find_member
from core.chat.message import Choice
from core.chat.parameters import Kind, MissingError, Parameter
from core.chat.text import joined
from core.errors import NotInProjectError
from core.events import Admitted, JoinRequested
from core.settings import N_
from core.store import lock_pool
from core.tables_chat import Person

if TYPE_CHECKING:
    from datetime import datetime

    from core.chat.context import Context
    from core.chat.message import Reply
    from core.chat.text import Text
    from core.periods import Period
    from core.tables import Member

command = Commands("people")
PAGE = 10


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
    place, is_in = _asked(context, member)
    if not is_in:
        _let_in(context, member)
        context.emit(Admitted(place, member))
    return context.in_place(say("{name} is in {place} now.", name=member.name, place=place))


@command("refuse", Parameter("name", Kind.NAME), who=Who.ANY, does=N_("do not let somebody in"), hidden=True)
def refuse(context: Context, name: str) -> Reply:
    """Answer a request with no: who asked is told, and does not ask again by every command."""
    member, say = find_member(context, name), context.say
    place, is_in = _asked(context, member)
    if is_in:
        return context.in_place(say("{name} is in {place}. To change that: `/remove {name}`", name=name, place=place))
    context.emit(Admitted(place, member, refused=True))
    return context.in_place(say("{name} is not let into {place}.", name=member.name, place=place))


def _asked(context: Context, member: Member) -> tuple[str, bool]:
    """Return where a member asks to be let in (the pool first), and whether they are; refuse who has no say there."""
    if member.admitted_at is None or not context.has_project:
        members.require_steward(context.session, context.pool, context.member)
        return context.pool.name, member.admitted_at is not None
    members.require_maintainer(context.session, context.project, context.member)
    return context.project.name, members.is_in(context.session, context.project, member)


def _let_in(context: Context, member: Member) -> None:
    if member.admitted_at is None:
        member.admitted_at = context.now
        return
    membership, _events = members.join_project(context.session, context.project, member, context.now)
    membership.admitted_at = membership.admitted_at or context.now


@command(
    "members",
    Parameter("words", Kind.NOTE, optional=True),
    who=Who.ANY,
    does=N_("who is in the pool"),
    press=Press.AGAIN,
)
def overview(context: Context, words: str = "") -> Reply:
    """List the members with their roles, ten to a page."""
    say, session = context.say, context.session
    page = next((read_page(word) for word in words.split() if PAGES.fullmatch(word)), 0)
    wanted = [word for word in words.split() if not PAGES.fullmatch(word)]
    found = members.page_of(session, context.pool_id, wanted, page * PAGE, PAGE + 1)
    lines = [joined([member.name, *_roles(context, member)], " · ") for member in found[:PAGE]]
    pages = [(say("More"), page + 2)] if len(found) > PAGE else []
    pages += [(say("Back"), page)] if page else []
    choices = [
        Choice(str(label), " ".join(["members", *wanted, f"page:{number}"]), context.pool_id) for label, number in pages
    ]
    return context.in_place(joined(lines) or say("Nobody by that name. See `/members`"), choices)


def _roles(context: Context, member: Member) -> list[Text]:
    """Return what a member does for the pool and its projects, and whether they are away."""
    say, session = context.say, context.session
    found = [say("steward")] if member.steward else []
    own = members.projects_of(session, member)
    found += [
        say("maintains {project}", project=one.name) for one in own if members.is_maintainer(session, one, member)
    ]
    if member.person_id is None:
        found.append(say("without a phone"))
    if member.break_until is not None and member.break_until > context.now:
        found.append(say("off until {when}", when=say.when(member.break_until)))
    return found


@command("member new", Parameter("name", Kind.NAME), who=Who.MAINTAINER, does=N_("a member without a phone"))
def new(context: Context, name: str) -> Reply:
    """Add a member for whom maintainers speak."""
    member = members.new_member(context.session, context.pool, name, None, context.now)
    member.admitted_at = context.now
    membership, events = members.join_project(context.session, context.project, member, context.now)
    membership.admitted_at = context.now
    context.emit(*(event for event in events if not isinstance(event, JoinRequested)))
    say = context.say
    text = say(
        "{name} is a member now. To speak for {name}: `/as {typed} claim 12`",
        name=member.name,
        typed=typed(member.name),
    )
    return context.reply(text)


@command(
    "exempt",
    Parameter("name", Kind.NAME),
    Parameter("until", Kind.MOMENT, optional=True),
    Parameter("off", Kind.FLAG, optional=True),
    who=Who.MAINTAINER,
    does=N_("somebody need not share costs for a while; with off, again"),
)
def exempt(context: Context, name: str, until: datetime | None = None, *, off: bool = False) -> Reply:
    """Exempt a member of the project; no reason is asked or shown."""
    member, say = find_member(context, name), context.say
    if not members.is_in(context.session, context.project, member):
        raise NotInProjectError(member.name, context.project.name)
    if off:
        member.exempt_from = member.exempt_until = member.exempt_project_id = None
        return context.reply(say("{name} shares again.", name=member.name))
    member.exempt_from, member.exempt_until, member.exempt_project_id = context.now, until, context.project.id
    if until is None:
        return context.reply(say("{name} is exempt. To end it: `/exempt {name} off`", name=member.name))
    return context.reply(say("{name} is exempt until {when}.", name=member.name, when=say.end(until)))


@command(
    "break",
    Parameter("period", Kind.PERIOD, optional=True, example="2w"),
    Parameter("off", Kind.FLAG, optional=True),
    who=Who.ANY,
    does=N_("take time off; with off, be back"),
)
def take_break(context: Context, period: Period | None = None, *, off: bool = False) -> Reply:
    """Pause; it counts in the rounds that open from now on."""
    say, member = context.say, context.member
    if off:
        member.break_from = member.break_until = None
        return context.reply(say("Welcome back, {name}.", name=member.name))
    if period is None:
        missing = "period"
        raise MissingError(missing, Kind.PERIOD, "2w")
    until = period.after(context.now, say.zone)
    members.take_break(member, until - context.now, context.now)
    return context.reply(say("{name} is off until {when}. Enjoy it!", name=member.name, when=say.when(until)))


@command("leave", Parameter("sure", Kind.FLAG, optional=True), who=Who.ANY, does=N_("leave the pool"))
def leave(context: Context, *, sure: bool = False) -> Reply:
    """Leave the pool, after asking."""
    say, pool = context.say, context.pool
    if not sure:
        lines = [say("Leave {pool}? Your claims, bids and wants end.", pool=pool.name)]
        if context.is_private:
            balance = ledger.balance(context.session, context.pool_id, context.member.id)
            lines.append(say("Your balance of {balance} goes to all.", balance=say.hours(balance)))
        else:
            lines.append(say("Your balance goes to all."))
        return context.reply(joined(lines), own(context, say("Yes, leave {pool}", pool=pool.name), "leave sure"))
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
        ask = say("Leave all pools and forget your name and notes? The sums stay. There's no way back.")
        return context.reply(ask, own(context, say("Yes, forget me"), "forget sure"))
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
    membership = None
    if context.has_project:
        members.require_maintainer(context.session, context.project, context.member)
        place = context.project.name
        membership = members.membership_of(context.session, context.project, member)
        if membership is None:
            raise NotInProjectError(member.name, place)
    else:
        members.require_steward(context.session, context.pool, context.member)
        place = context.pool.name
    if not sure:
        command = f"remove {quoted(member.name)} sure"
        project_id = context.project.id if context.has_project else 0
        yes = Choice(str(say("Yes, remove {name}", name=member.name)), command, context.pool_id, project_id)
        return context.reply(say("Remove {name} from {place}?", name=member.name, place=place), yes)
    if membership is not None:
        leaving.end_membership(context.session, context.project, member, membership)
    else:
        context.emit(*leaving.leave(context.session, member, context.now))
    return context.in_place(say("{name} is out of {place}.", name=member.name, place=place))


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
