"""Help, from the command table itself; and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.chat import access, arguments, views
from core.chat.command import Commands, Press, Who
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, Parameter
from core.chat.say import LANGUAGES
from core.chat.text import Style, Text, joined
from core.members import projects_of
from core.settings import N_, UnfitSettingError
from core.tables import Claim, Task
from core.tables_chat import Person

if TYPE_CHECKING:
    from core.chat.context import Context

command = Commands("help")
REPORTS_MAX = 2
LINKED = {"join": "join {}", "run": "{}"}


@command(
    "start", Parameter("words", Kind.NOTE, optional=True), who=Who.ALL, does=N_("what to do next"), press=Press.AGAIN
)
def start(context: Context, words: str = "") -> Reply | list[Reply]:
    """Greet, and say what fits this chat and person. A link may carry a code to join with, or a command to run."""
    verb, _, rest = words.partition("-")
    if verb in LINKED and rest:
        return _linked(context, verb, rest)
    say = context.say
    if not context.has_pool:
        return _welcome(context)
    if context.has_project:
        heading = say("**{project}** in {pool}.", project=context.project.name, pool=context.pool.name)
        return _next_steps(context, heading)
    if not context.is_private:
        return context.reply(say("{pool} has no project here yet: `/project new NAME`", pool=context.pool.name))
    return _next_steps(context, say("**{pool}**.", pool=context.pool.name))


def _linked(context: Context, verb: str, rest: str) -> Reply | list[Reply]:
    """Run what a link carries: a join code, or a command that changes nothing."""
    found = context.table.find(LINKED[verb].format(rest))
    if found is None or (verb == "run" and found[0].press is not Press.AGAIN):
        return _welcome(context)
    command, words = found
    access.admit(context, command.who)
    return context.run(command, arguments.read(words, command.parameters, context.now, context.say.zone))


def _welcome(context: Context) -> Reply:
    say = context.say
    if context.is_private:
        return context.reply(say("Hello! To join a pool: `/join CODE`. To found one: `/pool new NAME`"))
    lines = [
        say("Hello! This group can be part of a pool."),
        say("Found one: `/pool new NAME`"),
        say("Join one: `/project new NAME CODE`"),
    ]
    choices = (Choice(str(say("Found a pool")), "pool new"), Choice(str(say("Join by code")), "project new"))
    return context.reply(joined(lines), *choices)


def _next_steps(context: Context, heading: Text) -> Reply:
    """Say what waits for the sender, else where to look."""
    say, pool_id = context.say, context.pool_id
    lines, choices = [heading], []
    for task in _waiting_reports(context) if context.has_member else []:
        lines.append(say("To be confirmed: {task}", task=views.task_title(say, task)))
        choices.append(Choice(str(say("Confirm #{number}", number=task.number)), f"confirm {task.number}", pool_id))
    if not choices:
        lines.append(say("What's next?"))
    choices += [
        Choice(str(say("Tasks")), "tasks", pool_id),
        Choice(str(say("Goods")), "goods", pool_id),
        Choice(str(say("Me")), "me", pool_id),
    ]
    return context.reply(joined(lines), *choices)


def _waiting_reports(context: Context) -> list[Task]:
    """Return tasks of the sender's projects that somebody else has reported."""
    own = [project.id for project in projects_of(context.session, context.member)]
    query = (
        select(Task)
        .join(Claim, (col(Claim.pool_id) == Task.pool_id) & (col(Claim.task_id) == Task.id))
        .where(Task.pool_id == context.pool_id, col(Task.project_id).in_(own), Claim.member_id != context.member.id)
        .where(col(Claim.reported_at).is_not(None), col(Claim.confirmed_at).is_(None), col(Claim.ended_at).is_(None))
    )
    return list(context.session.exec(query.order_by(col(Claim.reported_at)).limit(REPORTS_MAX)).all())


@command(
    "help",
    Parameter("topic", Kind.WORD, optional=True, example="tasks"),
    who=Who.ALL,
    does=N_("this page"),
    press=Press.AGAIN,
)
def show(context: Context, topic: str = "") -> Reply:
    """List the topics, or the commands of one."""
    say = context.say
    topics = list(dict.fromkeys(one.topic for one in context.table.commands))
    found = [one for one in context.table.commands if topic in {one.topic, one.name} and not one.hidden]
    if not found:
        names = ", ".join(topics)
        choices = [Choice(name, f"help {name}") for name in topics]
        return context.in_place(
            joined(
                [
                    say("Most used: `/tasks` `/claim 12` `/done 12` `/goods` `/want bread` `/me`"),
                    say("More about: {names}", names=names),
                ]
            ),
            choices,
        )
    lines = [Text.of(one.usage(), Style.COMMAND) + " – " + say.translate(one.does) for one in found]
    return context.in_place(joined(lines))


@command("language", Parameter("language", Kind.WORD, example="de"), who=Who.ALL, does=N_("your language"))
def language(context: Context, language: str) -> Reply:
    """Set the sender's language."""
    if language not in LANGUAGES:
        key = "language"
        raise UnfitSettingError(key, language, "de")
    context.session.get_one(Person, context.account.person_id).language = language
    names = {"en": "English", "de": "Deutsch"}
    return context.reply(context.say("{name}: {language}.", name=context.account.name, language=names[language]))
