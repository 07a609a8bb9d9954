"""A command, defined once for every platform: its name, what it takes, who may, its help and its handler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from core.chat.arguments import begins_with_task
from core.chat.message import Reply
from core.chat.parameters import Kind, Parameter, usage

ADDED_BY_BUTTONS = frozenset({"sure", "deed"})
Handler = Callable[..., Reply | Sequence[Reply]]
Declared = TypeVar("Declared", bound=Handler)


class Who(StrEnum):
    """Who may use a command."""

    ALL = "all"
    ANY = "any"
    PROJECT = "project"
    MAINTAINER = "maint"
    STEWARD = "steward"


class Press(StrEnum):
    """How often a choice of this command takes effect on one state of its message."""

    EACH = "each"  # once for everybody who presses it
    ONCE = "once"  # once in all: the second is told who did it
    AGAIN = "again"  # as often as it is pressed, since it changes nothing


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `topic` groups it in the help, `does` says there what it is for; hidden ones are for buttons."""

    name: str
    parameters: tuple[Parameter, ...]
    who: Who
    topic: str
    does: str
    handler: Handler
    press: Press = Press.EACH
    hidden: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def only_reads(self) -> bool:
        """Tell whether it changes nothing of a pool, but that people join by speaking."""
        return self.press is Press.AGAIN

    def usage(self, prefix: str = "/") -> str:
        """Return how it is typed; what only buttons add is not for typing."""
        return usage(self.name, [one for one in self.parameters if one.name not in ADDED_BY_BUTTONS], prefix)


class Commands:
    """The commands of one topic, as handlers declare them."""

    def __init__(self, topic: str) -> None:
        """Begin a topic."""
        self.topic = topic
        self.commands: list[Command] = []

    def __call__(
        self,
        name: str,
        *parameters: Parameter,
        who: Who,
        does: str,
        press: Press = Press.EACH,
        hidden: bool = False,
        aliases: tuple[str, ...] = (),
    ) -> Callable[[Declared], Declared]:
        """Declare a handler as a command."""

        def declare(handler: Declared) -> Declared:
            command = Command(name, parameters, who, self.topic, does, handler, press, hidden, aliases)
            self.commands.append(command)
            return handler

        return declare


class Table:
    """All commands; a text is looked up by its longest beginning that names one.

    A name may stand for two: one about a task, one about a good ("/bid 12 0.8", "/bid bread 1.5"). A number first is
    always a task.
    """

    def __init__(self, topics: Sequence[Commands]) -> None:
        """Collect the commands of all topics."""
        self.commands = [command for topic in topics for command in topic.commands]
        self._by_name: dict[str, list[Command]] = {}
        for command in self.commands:
            for name in (command.name, *command.aliases):
                self._by_name.setdefault(name, []).append(command)

    def find(self, text: str) -> tuple[Command, str] | None:
        """Return the command that a text begins with, and the rest of the text."""
        words = text.split(maxsplit=2)
        for count in (2, 1):
            found = self._by_name.get(" ".join(words[:count]).casefold(), []) if len(words) >= count else []
            if found:
                rest = text.split(maxsplit=count)[count] if len(words) > count else ""
                return _meant(found, rest), rest
        return None

    def names(self) -> list[str]:
        """Return the names of all commands that people type."""
        return list(dict.fromkeys(command.name for command in self.commands if not command.hidden))


def _meant(found: list[Command], rest: str) -> Command:
    if not rest:  # what needs nothing, else the one about tasks, which is declared first
        return next((one for one in found if all(parameter.optional for parameter in one.parameters)), found[0])
    is_task = begins_with_task(rest)
    return next((one for one in found if _takes_task(one) == is_task), found[0])


def _takes_task(command: Command) -> bool:
    return bool(command.parameters) and command.parameters[0].kind is Kind.TASK
