"""The pool: founding it, its settings, its code, its rounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import codes, projects
from core.chat import report, views
from core.chat.choices import quoted
from core.chat.command import Commands, Press, Who
from core.chat.commands.lists import page_choices
from core.chat.commands.project import title_of
from core.chat.commands.tasks import find_member
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, Parameter
from core.chat.text import joined
from core.errors import ChannelTakenError
from core.identity import memberships_of_person
from core.members import count_members, remove_steward, require_steward, stewards
from core.rounds.explain import page_of
from core.rounds.hold import is_large, preview
from core.rounds.inputs import Outcome
from core.settings import N_, PoolSettings, UnknownSettingError
from core.tables import Pool, Round
from core.timing import WITHOUT_RECORDS, current_round

if TYPE_CHECKING:
    from core.chat.context import Context

command = Commands("pool")
ROUNDS_PAGE = 5
LINES_PAGE = 25
POOLS_MAX = 5


@command("pool new", Parameter("name", Kind.NAME), who=Who.ALL, does=N_("found a pool"))
def new(context: Context, name: str) -> Reply:
    """Found a pool; in a group, ask whether the group is one of its projects."""
    if context.chat.project_id is not None and context.has_project:
        raise ChannelTakenError(context.project.name)
    settings = {key: value for key, value in context.defaults.items() if PoolSettings.table[key].default != value}
    founder = (context.account.person_id, context.account.name)
    pool, member = projects.found_pool(context.session, name, settings, founder, context.now, context.entropy)
    context.enter(pool, None, member)
    say = context.say
    text = joined(
        [
            say("**{pool}** is founded, {name} is its steward.", pool=pool.name, name=member.name),
            say("code: {code}", code=pool.code),
            say("Other projects join with it: `/project new NAME {code}`", code=pool.code),
        ]
    )
    link = (str(say("Add a group")), f"join-{pool.code}")
    if context.is_private:
        return replace(context.reply(text), group_link=link)
    context.chat.pool_id = pool.id
    ask = say("Is this group one of its projects? Reply with the project's name, or: `/project new NAME`")
    return replace(context.reply(joined([text, ask]), _yes(context), answers="project new"), group_link=link)


def _yes(context: Context) -> Choice:
    """Return the button that makes this group a project: under the group's own name, if it can be a name."""
    name = title_of(context)
    if not name:
        return Choice(str(context.say("Yes")), "project new", context.pool_id)
    return Choice(str(context.say("Yes: {title}", title=name)), f"project new {quoted(name)}", context.pool_id)


@command("pool", who=Who.ANY, does=N_("its next round, rule, people and projects"), press=Press.AGAIN)
def show(context: Context) -> Reply:
    """Show the pool."""
    say, pool = context.say, context.pool
    settings = PoolSettings(pool.settings)
    names = [project.name for project in projects.projects(context.session, context.pool_id)]
    count = count_members(context.session, context.pool_id)
    lines = [
        say.count("**{pool}** · {count} person", "**{pool}** · {count} people", count, pool=pool.name),
        say("Projects: {names}", names=", ".join(names) or "–"),
        say("Next round: {when} ({rounds})", when=views.next_round(say, pool), rounds=settings.rounds),
        say("Rule: {rule}", rule=settings.rule),
        say("Stewards: {names}", names=say.names([one.name for one in stewards(context.session, pool)])),
    ]
    return context.reply(joined(lines), *other_pools(context, "pool"))


def other_pools(context: Context, command: str) -> list[Choice]:
    """Return, in private, a choice for each pool that the sender is in and that is not meant now."""
    if not context.is_private:
        return []
    session, here = context.session, context.pool_id if context.has_pool else 0
    found = [member.pool_id for member in memberships_of_person(session, context.account.person_id)]
    pools = [session.get_one(Pool, pool_id) for pool_id in found if pool_id != here]
    return [Choice(pool.name, command, pool.id) for pool in pools[:POOLS_MAX]]


@command(
    "pool set",
    Parameter("key", Kind.WORD, optional=True, example="rounds"),
    Parameter("value", Kind.REST, optional=True, example="sun 18:00"),
    who=Who.ANY,
    does=N_("change a setting of the pool"),
)
def change(context: Context, key: str = "", value: str = "") -> Reply:
    """Change a setting, or list them all with what they are for."""
    say, pool = context.say, context.pool
    if not value:
        settings = PoolSettings(pool.settings)
        lines = [
            say(
                "**{key}** {value}: {help}",
                key=name,
                value=say.setting(settings.shown(name)),
                help=say.translate(setting.help),
            )
            for name, setting in PoolSettings.table.items()
            if key.replace("-", "_") in {"", name}
        ]
        if not lines:
            raise UnknownSettingError(key, tuple(PoolSettings.table))
        return context.reply(joined(lines))
    require_steward(context.session, pool, context.member)
    projects.change_setting(context.session, pool, key, value, context.now)
    shown, say = PoolSettings(pool.settings).shown(key.replace("-", "_")), context.say_anew()
    text = say("{pool}: {key} is {value} now.", pool=pool.name, key=key, value=say.setting(shown))
    if key not in {"rounds", "timezone"}:
        return context.reply(text)
    following = say("Next round: {when}.", when=views.next_round(say, pool))
    return context.reply(joined([text, following], " "))


@command(
    "pool code",
    Parameter("new", Kind.FLAG, optional=True),
    who=Who.STEWARD,
    does=N_("the code to join with, or a new one"),
)
def code(context: Context, *, new: bool = False) -> Reply:
    """Show the pool's code; a new one makes the old one useless."""
    if new:
        context.pool.code = codes.new_code(context.entropy)
    say = context.say
    return context.reply(
        joined([say("code: {code}", code=context.pool.code), say("To join: `/join {code}`", code=context.pool.code)])
    )


@command(
    "pool steward",
    Parameter("name", Kind.NAME),
    Parameter("off", Kind.FLAG, optional=True),
    who=Who.STEWARD,
    does=N_("make somebody a steward; with off, no more"),
)
def steward(context: Context, name: str, *, off: bool = False) -> Reply:
    """Give or take the steward's role."""
    member, say = find_member(context, name), context.say
    if off:
        remove_steward(context.session, context.pool, member)
        return context.reply(say("{name} is no steward any more.", name=member.name))
    member.steward, member.admitted_at = 1, member.admitted_at or context.now
    return context.reply(say("{name} is a steward of {pool} now.", name=member.name, pool=context.pool.name))


@command("round", who=Who.ANY, does=N_("what would happen if the round were now"), press=Press.AGAIN)
def now(context: Context) -> Reply:
    """Show what the round would decide now, by the same code."""
    say = context.say
    context.session.flush()
    if is_large(context.session, context.pool_id):
        return context.reply(say("This pool is too large to try a round out on the spot. Past results: `/rounds`"))
    decided = preview(context.session, context.pool, context.now)
    lines = report.line_writers(context.session, context.pool, decided.inputs, decided.outcome)
    head = say(
        "If round {number} were now (it is {when}):",
        number=decided.inputs.number,
        when=views.next_round(say, context.pool),
    )
    commitment = current_round(context.session, context.pool_id).commitment
    tail = say("Its lottery's secret has this hash:\n{hash}", hash=commitment)
    body = joined(write(say).text for write in lines[:LINES_PAGE]) or say("Nothing to decide yet.")
    more = [say("… and {count} more", count=len(lines) - LINES_PAGE)] if len(lines) > LINES_PAGE else []
    return context.reply(joined([head, body, *more, tail]))


@command(
    "rounds",
    Parameter("number", Kind.COUNT, optional=True, example="3"),
    Parameter("page", Kind.COUNT, optional=True),
    who=Who.ANY,
    does=N_("past results"),
    press=Press.AGAIN,
)
def rounds(context: Context, number: int = 0, page: int = 1) -> Reply:
    """List past rounds, or show all results of one."""
    say = context.say
    query = select(Round).where(Round.pool_id == context.pool_id, Round.state == "done")
    query = query.options(*WITHOUT_RECORDS).order_by(col(Round.number).desc())
    if number:
        row = context.session.exec(query.where(Round.number == number)).first()
        return (
            _results(context, row, page) if row else context.reply(say("There was no round {number}.", number=number))
        )
    found = context.session.exec(query.limit(ROUNDS_PAGE)).all()
    if not found:
        return context.reply(say("No round has been held yet."))
    lines = [say("Round {number} · {when}", number=row.number, when=say.when(row.due_at or say.now)) for row in found]
    choices = [
        Choice(str(say("Round {number}", number=row.number)), f"rounds {row.number}", context.pool_id) for row in found
    ]
    return context.in_place(joined(lines), choices)


def _results(context: Context, row: Round, page: int) -> Reply:
    """Show a page of a round's results; the last one with what lets anybody check its lottery."""
    say, begin = context.say, (page - 1) * LINES_PAGE
    inputs, outcome, has_more = page_of(row.inputs or b"", row.outcome or b"", begin, begin + LINES_PAGE)
    lines = report.line_writers(context.session, context.pool, inputs, outcome)
    head = say("**Round {number}** · {when}", number=row.number, when=say.when(row.due_at or say.now))
    shares = Outcome() if has_more else Outcome.unpack(row.outcome or b"", "shares")
    tail = [] if has_more else [report.shared(shares)(say), report.closing(say, row)]
    text = joined([head, *(write(say).text for write in lines), *tail])
    return context.reply(text, *page_choices(context, f"rounds {row.number}", page, has_more=has_more))
