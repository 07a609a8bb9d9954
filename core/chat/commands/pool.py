"""The pool: founding it, its settings, its code, its rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import projects
from core.chat import report
from core.chat.command import Commands, Press, Who
from core.chat.commands.tasks import find_member
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, Parameter
from core.chat.text import Text, joined
from core.errors import ChannelTakenError
from core.members import count_members, remove_steward, require_steward, stewards
from core.rounds.hold import preview
from core.rounds.inputs import Inputs, Outcome
from core.settings import N_, PoolSettings
from core.tables import Round
from core.timing import current_round

if TYPE_CHECKING:
    from core.chat.context import Context

command = Commands("pool")
ROUNDS_PAGE = 5


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
    if context.is_private:
        return context.reply(text)
    context.chat.pool_id = pool.id
    ask = say("Is this group one of its projects? Then: `/project new NAME`")
    title = context.chat.title
    choices = [Choice(str(say("Yes: {title}", title=title)), f'project new "{title}"', pool.id)] if title else []
    return context.reply(joined([text, ask]), *choices, answers="project new")


@command("pool", who=Who.ANY, does=N_("its next round, rule, people and projects"), press=Press.AGAIN)
def show(context: Context) -> Reply:
    """Show the pool."""
    say, pool = context.say, context.pool
    settings = PoolSettings(pool.settings)
    names = [project.name for project in projects.projects(context.session, context.pool_id)]
    lines = [
        say("**{pool}** · {count} people", pool=pool.name, count=count_members(context.session, context.pool_id)),
        say("Projects: {names}", names=", ".join(names) or "–"),
        say(
            "Next round: {when} ({rounds})",
            when=say.when(pool.round_due_at) if pool.round_due_at else "",
            rounds=settings.rounds,
        ),
        say("Rule: {rule}", rule=settings.rule),
        say("Stewards: {names}", names=say.names([one.name for one in stewards(context.session, pool)])),
    ]
    return context.reply(joined(lines))


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
    if not key or not value:
        settings = PoolSettings(pool.settings)
        lines = [
            say("**{key}** {value}: {help}", key=name, value=settings.shown(name), help=say.translate(setting.help))
            for name, setting in PoolSettings.table.items()
            if not key or name == key
        ]
        return context.reply(joined(lines) or say("There's no setting '{key}'. See `/pool set`", key=key))
    require_steward(context.session, pool, context.member)
    projects.change_setting(context.session, pool, key, value, context.now)
    shown = PoolSettings(pool.settings).shown(key.replace("-", "_"))
    text = say("{pool}: {key} is {value} now.", pool=pool.name, key=key, value=shown)
    if key in {"rounds", "timezone"} and pool.round_due_at is not None:
        text = text + say(" Next round: {when}.", when=context.clock_of(pool).when(pool.round_due_at))
    return context.reply(text)


@command(
    "pool code",
    Parameter("new", Kind.FLAG, optional=True),
    who=Who.STEWARD,
    does=N_("the code to join with, or a new one"),
)
def code(context: Context, *, new: bool = False) -> Reply:
    """Show the pool's code; a new one makes the old one useless."""
    if new:
        context.pool.code = projects.new_code(context.entropy)
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
    member.steward = 1
    return context.reply(say("{name} is a steward of {pool} now.", name=member.name, pool=context.pool.name))


@command("round", who=Who.ANY, does=N_("what would happen if the round were now"), press=Press.AGAIN)
def now(context: Context) -> Reply:
    """Show what the round would decide now, by the same code."""
    say = context.say
    context.session.flush()
    decided = preview(context.session, context.pool, context.now)
    lines = report.all_lines(context.session, say, context.pool, decided.inputs, decided.outcome)
    due = context.pool.round_due_at
    head = say(
        "If round {number} were now (it is {when}):", number=decided.inputs.number, when=say.when(due) if due else ""
    )
    commitment = current_round(context.session, context.pool_id).commitment
    tail = say("Hash of its lottery's secret: {hash}", hash=commitment)
    body = joined(line.text for line in lines[: report.LINES_MAX]) or say("Nothing to decide yet.")
    return context.reply(joined([head, body, tail]))


@command(
    "rounds",
    Parameter("number", Kind.COUNT, optional=True, example="3"),
    who=Who.ANY,
    does=N_("past results"),
    press=Press.AGAIN,
)
def rounds(context: Context, number: int = 0) -> Reply:
    """List past rounds, or show all results of one."""
    say = context.say
    query = (
        select(Round).where(Round.pool_id == context.pool_id, Round.state == "done").order_by(col(Round.number).desc())
    )
    found = context.session.exec(query.where(Round.number == number) if number else query.limit(ROUNDS_PAGE)).all()
    if not found:
        return context.reply(say("No round has been held yet."))
    if number:
        return context.reply(_results(context, found[0]))
    lines = [
        say("Round {number} · {when}", number=row.number, when=say.when(row.due_at) if row.due_at else "")
        for row in found
    ]
    choices = [
        Choice(str(say("Round {number}", number=row.number)), f"rounds {row.number}", context.pool_id) for row in found
    ]
    return context.in_place(joined(lines), choices)


def _results(context: Context, row: Round) -> Text:
    say = context.say
    if row.inputs is None or row.outcome is None:
        return say("No round has been held yet.")
    lines = report.all_lines(context.session, say, context.pool, Inputs.unpack(row.inputs), Outcome.unpack(row.outcome))
    head = say("**Round {number}** · {when}", number=row.number, when=say.when(row.due_at) if row.due_at else "")
    return joined([head, *(line.text for line in lines), report.closing(say, row)])
