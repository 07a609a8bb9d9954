"""Speaking for members without a phone, and buttons that are for one person alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core import members
from core.chat import access, arguments
from core.chat.choices import quoted
from core.chat.command import Commands, Who
from core.chat.commands.tasks import find_member
from core.chat.message import Choice, Reply, Where
from core.chat.parameters import Kind, Parameter
from core.errors import NotForOthersError, NothingToUndoError, NotSpokenForError, NotYourButtonError
from core.settings import N_

if TYPE_CHECKING:
    from core.chat.context import Context
    from core.tables import Member

command = Commands("people")
# What a maintainer can do for a member without a phone: their own doings, never a word on somebody's work.
SPEAKABLE = ("claim", "drop", "done", "did", "bid", "want", "unwant", "collected", "missing", "break", "undo")
ON_BUTTONS = frozenset({"only", "undo"})  # what a button for the speaker begins with


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
    is_here = context.has_project and any(one.id == context.project.id for one in shared)
    context.enter(context.pool, context.project if is_here else shared[0], member)
    said = context.run(command, values)
    prefix = say("{speaker} for {name}: ", speaker=speaker.name, name=member.name)
    return [
        replace(
            one,
            text=prefix + one.text,
            where=Where.HERE,
            choices=tuple(_for_speaker(choice, member) for choice in one.choices),
        )
        for one in said
    ]


def _for_speaker(choice: Choice, member: Member) -> Choice:
    """Let a button that is for one person alone be pressed by whoever speaks for them."""
    first, _, rest = choice.command.partition(" ")
    if first not in ON_BUTTONS:
        return choice
    command = choice.command if first == "undo" else rest.partition(" ")[2]
    return replace(choice, command=f"as {quoted(member.name)} {command}")


@command(
    "only",
    Parameter("person", Kind.TASK),
    Parameter("words", Kind.REST),
    who=Who.ALL,
    does=N_("a button for one person alone"),
    hidden=True,
)
def only(context: Context, person: int, words: str) -> list[Reply]:
    """Run the command of a button that was for one person, if it is they who press it."""
    found = context.table.find(words)
    if found is None:
        raise NothingToUndoError
    command, rest = found
    if person != context.account.person_id:
        raise NotYourButtonError(command.name)
    access.admit(context, command, context.pool_id if context.has_pool else 0)
    return context.run(command, arguments.read(rest, command.parameters, context.now, context.say.zone))
