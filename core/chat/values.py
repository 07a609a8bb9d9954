"""Reading one value of any kind: texts here, moments and numbers in their own modules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.chat.parameters import EXAMPLES, Kind, Parameter, TooLongError, UnreadableError
from core.clean import clean, shorten
from core.moments import UnreadableMomentError, read_moment
from core.numbers import (
    NumberBoundsError,
    NumberError,
    read_code,
    read_count,
    read_hours,
    read_task,
    read_times,
    read_weight,
    tries_hours,
    tries_times,
)
from core.periods import UnreadablePeriodError, read_period

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from zoneinfo import ZoneInfo

NAME_EXAMPLE = "bread"
LENGTH_MAX = {Kind.NAME: 60, Kind.TITLE: 200, Kind.NOTE: 500, Kind.TEXT: 500, Kind.WORD: 60}
# Words and keys that options are made of: a thing of that name could never be asked for.
OPTION_WORDS = frozenset({"urgent", "mine"})
OPTION_KEY = re.compile(r"(?:for|due|every|at|max|from|until|by|unit|free|rule|pickup):", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class When:
    """Where and when a message was written: what `fri` means there."""

    now: datetime
    zone: ZoneInfo


def read_text(text: str, kind: Kind) -> str:
    """Clean a text of a bounded length; raises `TooLongError`, or `UnreadableError` when nothing visible is left."""
    cleaned = clean(text, LENGTH_MAX[kind])
    if len(cleaned) > LENGTH_MAX[kind]:
        raise TooLongError(kind, len(cleaned), LENGTH_MAX[kind])
    if not cleaned:
        raise UnreadableError(kind, shorten(text), kind.upper())
    return cleaned


def read_name(text: str, example: str = NAME_EXAMPLE) -> str:
    """Read a name: it has a letter, does not begin like a task or a command, and does not read as an option."""
    name = read_text(text, Kind.NAME)
    begins_well = name[0] not in "#/!" and not name[0].isdigit()
    is_option = tries_hours(name) or tries_times(name) or name.casefold() in OPTION_WORDS or OPTION_KEY.match(name)
    if not begins_well or is_option or not any(character.isalpha() for character in name):
        raise UnreadableError(Kind.NAME, shorten(name), example)
    return name


READERS: dict[Kind, Callable[[str], object]] = {
    Kind.TASK: read_task,
    Kind.COUNT: read_count,
    Kind.HOURS: read_hours,
    Kind.WEIGHT: read_weight,
    Kind.TIMES: read_times,
    Kind.CODE: read_code,
    Kind.PERIOD: read_period,
    Kind.NAME: read_name,
    Kind.TITLE: lambda text: read_text(text, Kind.TITLE),
    Kind.NOTE: lambda text: read_text(text, Kind.NOTE),
    Kind.TEXT: lambda text: read_text(text, Kind.TEXT),
    Kind.WORD: lambda text: read_text(text, Kind.WORD).casefold(),
    Kind.FLAG: lambda _: True,
    Kind.REST: str,
}


def read_value(parameter: Parameter, text: str, when: When) -> object:
    """Read one value; a refusal names the parameter's own example and bound if it has them."""
    try:
        if parameter.kind is Kind.MOMENT:
            return read_moment(text, when.now, when.zone)
        value = READERS[parameter.kind](text)
    except (NumberError, UnreadableError, UnreadableMomentError, UnreadablePeriodError) as refusal:
        refusal.example = parameter.example or refusal.example
        if isinstance(refusal, NumberBoundsError):
            refusal.most = parameter.most or refusal.most
        raise
    if parameter.most and isinstance(value, int) and value > parameter.most:
        example = parameter.example or EXAMPLES[parameter.kind]
        raise NumberBoundsError(parameter.kind, shorten(text), example, 1, parameter.most)
    return value
