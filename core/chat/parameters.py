"""What a command takes, as data: kinds of values, the refusals for values that do not fit, and the usage line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from core.errors import Refusal
from core.numbers import EXAMPLES as NUMBER_EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence


class Kind(StrEnum):
    """What a value is and how it is written; in brackets what the handler gets."""

    TASK = "task"  # `#12`, `12` (int)
    NAME = "name"  # several words (str); before REST or another name one word, or quoted
    TITLE = "title"  # all words that are no options, quotes taken off (str)
    NOTE = "note"  # all that is left, quotes and all (str)
    COUNT = "count"  # `2` (int)
    HOURS = "hours"  # `2h`, `90m`, and `2` where no title could own it (int, thousandths)
    WEIGHT = "weight"  # `0.8`, `x0.8` (int, hundredths)
    TIMES = "times"  # `x3` (int)
    FLAG = "flag"  # its own name, `urgent` (True)
    MOMENT = "moment"  # `fri`, `sat 18:00` (datetime, UTC)
    PERIOD = "period"  # `week`, `2w` (Period)
    CODE = "code"  # `K7Q2-M4PD` (str)
    WORD = "word"  # one word, in lower case (str)
    REST = "rest"  # everything, verbatim (str)
    TEXT = "text"  # one word, or quoted (str)


EXAMPLES = NUMBER_EXAMPLES | {Kind.MOMENT: "fri", Kind.PERIOD: "2w"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing a command takes, in the order of its usage line."""

    name: str  # under which the handler gets the value
    kind: Kind
    key: str = ""  # "for" is written `for:VALUE`; "" by position, or anywhere if it shows what it is (`2h`, `urgent`)
    optional: bool = False
    example: str = ""  # for help and refusals, where the kind's own says too little
    most: int = 0  # where less goes than the kind takes; refusals say so

    @property
    def shown(self) -> str:
        """The value as help shows it: an example, the flag's word, or what is to be put there in capitals."""
        if self.kind is Kind.FLAG:
            return self.name
        return self.example or EXAMPLES.get(self.kind) or self.name.upper()


def usage(name: str, parameters: Sequence[Parameter], prefix: str = "/") -> str:
    """Return the command as help shows it: `/task new TITLE 2h [x3] [for:bread]`."""
    written = [f"{parameter.key}:{parameter.shown}" if parameter.key else parameter.shown for parameter in parameters]
    shown = [f"[{text}]" if parameter.optional else text for parameter, text in zip(parameters, written, strict=True)]
    return " ".join([f"{prefix}{name}", *shown])


@dataclass(eq=False)
class UnreadableError(Refusal):
    """The word is no such value (a name, a text, or a key without any); `example` shows one."""

    kind: Kind
    word: str
    example: str


@dataclass(eq=False)
class MissingError(Refusal):
    """A required parameter was not given."""

    name: str
    kind: Kind
    example: str


@dataclass(eq=False)
class SurplusError(Refusal):
    """The command takes no more than what stands before this word."""

    word: str


@dataclass(eq=False)
class UnquotedError(Refusal):
    """A value of several words needs quotes: as in the example."""

    key: str
    example: str


@dataclass(eq=False)
class TooLongError(Refusal):
    """A text has more characters than it may."""

    kind: Kind
    length: int
    limit: int
