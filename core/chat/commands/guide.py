"""Help, from the command table itself; and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.chat import access, arguments, views
from core.chat.command import Command, Commands, Press, Who
from core.chat.commands.lists import PAGE as PAGES
from core.chat.commands.lists import read_page
from core.chat.commands.pool import other_pools
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, Parameter
from core.chat.say import LANGUAGES
from core.chat.text import Style, Text, joined
from core.clean import shorten
from core.members import is_maintainer, projects_of
from core.settings import N_, UnfitSettingError
from core.tables import Claim, Task
from core.tables_chat import Person

if TYPE_CHECKING:
    from core.chat.context import Context

command = Commands("help")
SHOWN_MAX = 2
PAGE = 8
LINKED = {"join": "join {}", "found": "project in {}", "run": "{}"}


@command(
    "start", Parameter("words", Kind.NOTE, optional=True), who=Who.ALL, does=N_("what to do next"), press=Press.AGAIN
)
def start(context: Context, words: str = "") -> Reply | list[Reply]:
    """Greet, and say what fits this chat and person. A link may carry a code to join with, or a command to run."""
    verb, _, rest = words.partition("-")
    if verb == "join" and not context.is_private:
        verb = "" if context.has_project else "found"  # the link was for adding us to a group
    linked = _linked(context, verb, rest) if verb in LINKED and rest else None
    if linked is not None:
        return linked
    say = context.say
    if not context.has_pool:
        return _welcome(context)
    if context.has_project:
        heading = say("**{project}** in {pool}.", project=context.project.name, pool=context.pool.name)
        return _next_steps(context, heading)
    if not context.is_private:
        return context.reply(say("{pool} has no project here yet: `/project new NAME`", pool=context.pool.name))
    return _next_steps(context, say("**{pool}**.", pool=context.pool.name))


def _linked(context: Context, verb: str, rest: str) -> list[Reply] | None:
    """Run what a link carries: a join code, or a command that changes nothing; None for anything else."""
    found = context.table.find(LINKED[verb].format(rest))
    if found is None or (verb == "run" and found[0].press is not Press.AGAIN):
        return None
    command, words = found
    access.admit(context, command)
    return context.run(command, arguments.read(words, command.parameters, context.now, context.say.zone))


def _welcome(context: Context) -> Reply:
    say, pools = context.say, other_pools(context, "start")
    if pools:
        return context.reply(say("Which pool?"), *pools)
    if context.is_private:
        return context.reply(say("Hello! To join a pool: `/join CODE`. To found one: `/pool new NAME`"))
    lines = [
        say("Hello! This group can be part of a pool."),
        say("Found one: `/pool new NAME`"),
        say("Join one: `/project new NAME CODE`"),
    ]
    choices = (Choice(str(say("Found a pool")), "pool new"), Choice(str(say("Join by code")), "project in"))
    return context.reply(joined(lines), *choices)


def _next_steps(context: Context, heading: Text) -> Reply:
    """Say what waits for the sender, else where to look."""
    say, pool_id = context.say, context.pool_id
    lines, choices = [heading], []
    for task in _own_tasks(context) if context.has_member else []:
        lines.append(say("Yours: {task}", task=views.task_title(say, task)))
        choices.append(Choice(str(say("Done #{number}", number=task.number)), f"done {task.number}", pool_id))
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


def _own_tasks(context: Context) -> list[Task]:
    """Return the tasks in the sender's hands, the first due first."""
    query = (
        select(Task)
        .join(Claim, (col(Claim.pool_id) == Task.pool_id) & (col(Claim.task_id) == Task.id))
        .where(Task.pool_id == context.pool_id, Claim.member_id == context.member.id)
        .where(col(Claim.reported_at).is_(None), col(Claim.ended_at).is_(None))
    )
    query = query.order_by(*views.BY_DUE)
    return list(context.session.exec(query.limit(SHOWN_MAX)).all())


def _waiting_reports(context: Context) -> list[Task]:
    """Return tasks of the sender's projects that somebody else has reported and nobody disputes."""
    own = [project.id for project in projects_of(context.session, context.member)]
    query = (
        select(Task)
        .join(Claim, (col(Claim.pool_id) == Task.pool_id) & (col(Claim.task_id) == Task.id))
        .where(Task.pool_id == context.pool_id, col(Task.project_id).in_(own), Claim.member_id != context.member.id)
        .where(col(Claim.reported_at).is_not(None), col(Claim.confirmed_at).is_(None), col(Claim.ended_at).is_(None))
        .where(col(Claim.disputed_at).is_(None))
    )
    found = context.session.exec(query.order_by(col(Claim.reported_at))).all()
    return list({task.number: task for task in found}.values())[:SHOWN_MAX]


@command(
    "help",
    Parameter("topic", Kind.NOTE, optional=True, example="tasks"),
    who=Who.ALL,
    does=N_("this page"),
    press=Press.AGAIN,
)
def show(context: Context, topic: str = "") -> Reply:
    """Say what is most used here, or list the commands of a topic: those first that the sender may use."""
    words = topic.casefold().split()
    page = next((read_page(word) for word in words if PAGES.fullmatch(word)), 0)
    wanted = " ".join(word for word in words if not PAGES.fullmatch(word)).lstrip("/!")
    found = [one for one in context.table.commands if not one.hidden and _is_about(one, wanted)]
    if not found:
        return _overview(context, wanted)
    say, roles = context.say, _roles(context)
    found.sort(key=lambda one: one.who not in roles)  # stable: otherwise as in the table
    shown = found[page * PAGE : (page + 1) * PAGE]
    lines = [Text.of(one.usage(), Style.COMMAND) + " – " + say.translate(one.does) for one in shown]
    choices = [Choice(str(say("More")), f"help {wanted} page:{page + 2}")] if len(found) > (page + 1) * PAGE else []
    choices += [Choice(str(say("Back")), f"help {wanted} page:{page}")] if page else []
    return context.in_place(joined(lines), choices)


def _is_about(command: Command, wanted: str) -> bool:
    return wanted in {command.topic, command.name} or (wanted != "" and command.name.startswith(f"{wanted} "))


def _roles(context: Context) -> set[Who]:
    """Return what the sender is here, so that help begins with what they may do."""
    roles = {Who.ALL, Who.ANY, Who.PROJECT}
    if context.has_member:
        own = projects_of(context.session, context.member)
        if any(is_maintainer(context.session, one, context.member) for one in own):
            roles.add(Who.MAINTAINER)
        if context.member.steward:
            roles.add(Who.STEWARD)
    return roles


def _overview(context: Context, wanted: str) -> Reply:
    """Say what fits this chat and person, and what else there is."""
    say, roles = context.say, _roles(context)
    topics = list(dict.fromkeys(one.topic for one in context.table.commands))
    lines = [say("I know no topic '{topic}'.", topic=shorten(wanted))] if wanted else []
    if not context.has_pool:
        lines.append(say("To begin: `/pool new NAME` or `/join CODE`"))
    elif not (context.has_project or context.is_private):
        lines.append(say("To begin: `/project new NAME`"))
    else:
        lines.append(say("To do: `/tasks` `/claim 12` `/done 12` `/confirm 12`"))
        lines.append(say("To have: `/goods` `/want bread` `/bid bread 1.5`"))
        lines.append(say("Yourself: `/me` `/wants` `/why` `/undo`"))
    if Who.MAINTAINER in roles:
        lines.append(say("You maintain: `/task new` `/made` `/pledge` `/handover`"))
    if Who.STEWARD in roles:
        lines.append(say("You're a steward: `/pool set` `/pool code`"))
    lines.append(say("More about: {names}", names=", ".join(topics)))
    return context.in_place(joined(lines), [Choice(name, f"help {name}") for name in topics])


@command("language", Parameter("language", Kind.WORD, example="de"), who=Who.ALL, does=N_("your language"))
def language(context: Context, language: str) -> Reply:
    """Set the sender's language."""
    if language not in LANGUAGES:
        key = "language"
        raise UnfitSettingError(key, language, "de")
    context.session.get_one(Person, context.account.person_id).language = language
    names = {"en": "English", "de": "Deutsch"}
    return context.reply(context.say("{name}: {language}.", name=context.account.name, language=names[language]))
