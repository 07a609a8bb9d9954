"""Help, from the command table itself; and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.chat.command import Commands, Press, Who
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, Parameter
from core.chat.say import LANGUAGES
from core.chat.text import Style, Text, joined
from core.members import projects_of
from core.settings import N_, UnfitSettingError
from core.tables_chat import Person

if TYPE_CHECKING:
    from core.chat.context import Context

command = Commands("help")


@command(
    "start", Parameter("words", Kind.NOTE, optional=True), who=Who.ALL, does=N_("what to do next"), press=Press.AGAIN
)
def start(context: Context, words: str = "") -> Reply:
    """Greet, and say what fits this chat and person."""
    del words
    say = context.say
    if not context.has_pool:
        if context.is_private:
            return context.reply(say("Hello! To join a pool: `/join CODE`. To found one: `/pool new NAME`"))
        return context.reply(
            joined(
                [
                    say("Hello! This group can be part of a pool."),
                    say("Found one: `/pool new NAME`"),
                    say("Join one: `/project new NAME CODE`"),
                ]
            )
        )
    pool_id = context.pool_id
    choices = (
        Choice(str(say("Tasks")), "tasks", pool_id),
        Choice(str(say("Goods")), "goods", pool_id),
        Choice(str(say("Me")), "me", pool_id),
    )
    if context.has_project:
        return context.reply(
            say("**{project}** in {pool}. What's next?", project=context.project.name, pool=context.pool.name), *choices
        )
    if context.has_member and not context.is_private and not projects_of(context.session, context.member):
        return context.reply(say("{pool} has no project here yet: `/project new NAME`", pool=context.pool.name))
    return context.reply(say("{pool}. What's next?", pool=context.pool.name), *choices)


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
