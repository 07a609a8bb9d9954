"""What one press can do about a refusal: choices that put the command right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from core import errors as e
from core import numbers
from core.chat.choices import quoted
from core.chat.message import Choice
from core.chat.words import QUOTES
from core.clean import clean
from core.units import HOUR, show_weight

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.chat.say import Say
    from core.errors import Refusal


EXAMPLE_LENGTH_MAX = 80


def choices(say: Say, error: Refusal, text: str) -> list[Choice]:
    """Return choices that would help after a refusal of the command `text`."""
    found = CHOICES.get(type(error))
    return found(say, error, text) if found else []


def _instead(text: str, word: str, other: str) -> list[str]:
    """Return the command with something else in place of a word, quotes and all; nothing if the word is not there."""
    command, _, rest = text.partition(" ")
    typed = re.compile(rf"(?<!\w)[{QUOTES}]?{re.escape(word)}[{QUOTES}]?(?!\w)", re.IGNORECASE)
    done, count = typed.subn(lambda _: other, rest, count=1)
    return [f"{command} {done}"] if count else []


def in_place_of(word: str, example: str, text: str) -> str:
    """Return what to type: the command with an example in place of a word, or the example alone where that is long."""
    commands = [clean(command, EXAMPLE_LENGTH_MAX) for command in _instead(text, word, example)]
    return next((f"/{command}" for command in commands if len(command) <= EXAMPLE_LENGTH_MAX), example)


def _names(names: tuple[str, ...], word: str, text: str) -> list[Choice]:
    return [Choice(name, command) for name in names for command in _instead(text, word, quoted(name))]


def _whose(text: str, name: str) -> str:
    """Return the command with a name behind its task: `correct 6 "Bo" 2h too long`."""
    command, number, *rest = text.split(maxsplit=2)
    return " ".join([command, number, quoted(name), *rest])


def _whole_or_hours(say: Say, error: numbers.NotWholeError, text: str) -> list[Choice]:
    """Offer both meanings of `2.5`: so many hours, where a most can be given, or a whole number of units."""
    floor = error.thousandths // HOUR
    counts = [count for count in (floor, floor + 1) if count > 0]
    found = [
        Choice(str(say("{count} of them", count=count)), text.replace(error.word, str(count), 1)) for count in counts
    ]
    if text.partition(" ")[0].casefold() == "want":
        hours = say.figure(error.thousandths)
        found.insert(
            0,
            Choice(
                str(say("At most {hours}", hours=say.hours(error.thousandths))),
                text.replace(error.word, f"max:{hours}", 1),
            ),
        )
    return found


CHOICES: dict[type[Refusal], Callable[[Say, Any, str], list[Choice]]] = {
    e.UnknownNameError: lambda _say, x, text: _names(x.near, x.word, text),
    e.AmbiguousNameError: lambda _say, x, text: _names(x.names, x.word, text),
    e.WhichPoolError: lambda _say, x, text: [Choice(name, text, pool_id) for pool_id, name in x.pools],
    e.WhichProjectError: lambda _say, x, text: [Choice(name, text, 0, project_id) for project_id, name in x.projects],
    e.WhoseReportError: lambda _say, x, text: [Choice(name, _whose(text, name)) for name in x.names],
    numbers.NotWholeError: _whole_or_hours,
    e.StillBiddingError: lambda say, x, _text: [
        Choice(str(say("I'd do it")), f"bid {x.number} {show_weight(x.weight)}")
    ],
    e.NotYoursError: lambda say, x, _text: (
        [] if x.names else [Choice(str(say("Claim #{number}", number=x.number)), f"claim {x.number}")]
    ),
}
