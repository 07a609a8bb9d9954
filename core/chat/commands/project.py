"""Projects: a channel becomes a project's; its settings, its people, its other channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import goods, leaving, projects
from core.chat.access import enter_project
from core.chat.choices import NO_QUOTES, quoted
from core.chat.command import Commands, Press, Who
from core.chat.commands.tasks import find_member
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, Parameter
from core.chat.text import joined
from core.chat.values import read_name
from core.errors import NoCodeError, NotInPrivateError, Refusal
from core.members import count_in, join, maintainers, make_maintainer, remove_maintainer, require_maintainer
from core.settings import N_, ProjectSettings, UnknownSettingError
from core.store import lock_pool

if TYPE_CHECKING:
    from core.chat.context import Context

command = Commands("project")


@command(
    "project new",
    Parameter("name", Kind.NAME),
    Parameter("code", Kind.CODE, optional=True),
    who=Who.ALL,
    does=N_("this group is a project of the pool"),
)
def new(context: Context, name: str, code: str = "") -> Reply:
    """Make this channel a new project's and the sender its maintainer."""
    session, say = context.session, context.say
    if context.is_private:
        raise NotInPrivateError
    if code:
        pool = lock_pool(session, projects.pool_by_code(session, code).id or 0)
    elif context.has_pool:
        pool = context.pool
    else:
        raise NoCodeError(name)
    member, _events = join(session, pool, context.account.person_id, context.account.name, context.now)
    member.admitted_at = member.admitted_at or context.now
    context.enter(pool, None, member)
    founded = projects.new_project(session, pool, name, member, context.chat, context.now)
    context.enter(pool, founded.project, member)
    context.emit(founded)
    text = joined(
        [
            say(
                "**{project}** is a project of {pool} now; {name} maintains it.",
                project=name,
                pool=pool.name,
                name=member.name,
            ),
            say("You make something? `/good new bread unit:loaf`"),
            say("There's work to do? `/task new Dishes 1h`"),
        ]
    )
    return context.reply(text)


@command(
    "project in",
    Parameter("code", Kind.CODE, example="K7Q2-M4PD"),
    Parameter("name", Kind.NAME, optional=True),
    who=Who.ALL,
    does=N_("this group is a project of the pool"),
    hidden=True,
)
def new_by_code(context: Context, code: str, name: str = "") -> Reply:
    """Make this channel a project's of the pool with this code; ask for its name."""
    if context.is_private:
        raise NotInPrivateError
    if name:
        return new(context, name, code)
    say, command, title = context.say, f"project in {code}", title_of(context)
    pool = projects.pool_by_code(context.session, code)
    choices = [Choice(title, f"{command} {quoted(title)}")] if title else []
    ask = say("This group joins {pool}. What is the project called? Reply with the name.", pool=pool.name)
    return context.reply(ask, *choices, answers=command)


def title_of(context: Context) -> str:
    """Return the group's own title, if a project can be called so."""
    try:
        return read_name(context.chat.title.translate(NO_QUOTES))
    except Refusal:
        return ""


@command("project", who=Who.ANY, does=N_("this project"), press=Press.AGAIN)
def show(context: Context) -> Reply:
    """Show the channel's project."""
    enter_project(context, Who.ANY)
    say, project = context.say, context.project
    names = say.names([one.name for one in maintainers(context.session, project)])
    made = ", ".join(good.name for _product, good in goods.products_of(context.session, project))
    people = count_in(context.session, project)
    lines = [
        say("**{project}** in {pool}", project=project.name, pool=context.pool.name),
        say.count(
            "{count} person · maintained by {names}", "{count} people · maintained by {names}", people, names=names
        ),
        say("Makes: {goods}", goods=made or "–"),
    ]
    return context.reply(joined(lines))


@command(
    "project set",
    Parameter("key", Kind.WORD, optional=True, example="confirmations"),
    Parameter("value", Kind.REST, optional=True, example="2"),
    who=Who.ANY,
    does=N_("change a setting of the project"),
)
def change(context: Context, key: str = "", value: str = "") -> Reply:
    """Change a setting, or list them all with what they are for."""
    enter_project(context, Who.MAINTAINER)
    say, project = context.say, context.project
    if not value:
        settings = ProjectSettings(project.settings)
        lines = [
            say(
                "**{key}** {value}: {help}",
                key=name,
                value=say.setting(settings.shown(name)) or "–",
                help=say.translate(setting.help),
            )
            for name, setting in ProjectSettings.table.items()
            if key.replace("-", "_") in {"", name}
        ]
        if not lines:
            raise UnknownSettingError(key, tuple(ProjectSettings.table))
        return context.reply(joined(lines))
    require_maintainer(context.session, project, context.member)
    project.settings = ProjectSettings.change(project.settings, key, value)
    shown, say = ProjectSettings(project.settings).shown(key), context.say_anew()
    return context.reply(
        say("{project}: {key} is {value} now.", project=project.name, key=key, value=say.setting(shown))
    )


@command("project code", who=Who.MAINTAINER, does=N_("a code to link another chat, for ten minutes"))
def code(context: Context) -> Reply:
    """Give a one-use code, in private."""
    secret = projects.channel_code(context.session, context.project, context.now, context.entropy)
    say = context.tell
    return context.private(
        say("Within ten minutes, in the other chat: `/project link {code}` (on Matrix: !project link)", code=secret)
    )


@command("project link", Parameter("code", Kind.CODE), who=Who.ALL, does=N_("link this chat to a project"))
def link(context: Context, code: str) -> Reply:
    """Make this chat one more channel of a project."""
    if context.is_private:
        raise NotInPrivateError
    project = projects.link_channel(context.session, context.chat, code, context.now)
    context.enter(lock_pool(context.session, project.pool_id), project, None)
    return context.reply(context.say("This chat is {project}'s too now.", project=project.name))


@command(
    "project maintainer",
    Parameter("name", Kind.NAME),
    Parameter("off", Kind.FLAG, optional=True),
    who=Who.MAINTAINER,
    does=N_("make somebody a maintainer; with off, no more"),
)
def maintainer(context: Context, name: str, *, off: bool = False) -> Reply:
    """Give or take the maintainer's role."""
    member, say, project = find_member(context, name), context.say, context.project
    if off:
        remove_maintainer(context.session, project, member)
        return context.reply(say("{name} maintains {project} no more.", name=member.name, project=project.name))
    make_maintainer(context.session, project, member, context.now)
    return context.reply(say("{name} maintains {project} now.", name=member.name, project=project.name))


@command(
    "project archive",
    Parameter("sure", Kind.FLAG, optional=True),
    who=Who.ANY,
    does=N_("close the project; figures stay"),
)
def archive(context: Context, *, sure: bool = False) -> Reply:
    """Archive the project, after asking. Its maintainers may, and the pool's stewards."""
    enter_project(context, Who.MAINTAINER)
    say, project = context.say, context.project
    if project.archived_at is not None:
        return context.in_place(say("{project} is closed already.", project=project.name))
    if not context.member.steward:
        require_maintainer(context.session, project, context.member)
    if not sure:
        label = say("Yes, close {project}", project=project.name)
        yes = Choice(str(label), "project archive sure", context.pool_id, project.id)
        ask = say("Close {project}? Its open tasks, offers and pledges end; all figures stay.", project=project.name)
        return context.in_place(ask, [yes])
    context.emit(*leaving.close(context.session, project, context.now))
    return context.in_place(say("{project} is closed. Its people and figures stay.", project=project.name))
