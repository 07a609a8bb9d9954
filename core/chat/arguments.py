"""The grammar: from what somebody typed after a command to its values. See `read`; kinds are in `parameters`.

Options are read from the right end, in any order, until a word is none or repeats one; what is left is read from the
left in the order of the parameters. With a NOTE the hours before it are read from the left, so that the note is free.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.chat.parameters import Kind, MissingError, Parameter, SurplusError, UnquotedError, UnreadableError
from core.chat.values import When, read_value
from core.chat.words import Word, split
from core.clean import shorten
from core.moments import is_moment
from core.numbers import tries_hours, tries_number, tries_task, tries_times, tries_weight
from core.periods import UNIT_NAMES, find_period
from core.timetable import TIME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

NUMBERS = frozenset({Kind.COUNT, Kind.HOURS, Kind.WEIGHT})
POSITIONAL = frozenset({Kind.TASK, Kind.NAME, Kind.TITLE, Kind.NOTE, Kind.CODE, Kind.WORD, Kind.REST, Kind.TEXT})
ONE_WORD = frozenset({Kind.TASK, Kind.CODE, Kind.WORD, Kind.TEXT})
FREE = frozenset({Kind.TITLE, Kind.NOTE, Kind.REST})  # a number may belong to them, so hours need their unit
# In `/project new NAME CODE` a last word with a hyphen and no lower-case letter is a code, known or not.
LOOKS_CODE = re.compile(r"[A-Z0-9]+(?:-[A-Z0-9]+)+")


def read(text: str, parameters: Sequence[Parameter], now: datetime, zone: ZoneInfo) -> dict[str, object]:
    """Read the values of a command's parameters; optional ones that were not given are absent.

    Raises the errors of `core.chat.parameters`, and of `core.numbers`, `core.moments` and `core.periods`.
    """
    reading = _Reading(text, parameters, When(now, zone))
    reading.take_options()
    reading.take_positional()
    return reading.finish()


def begins_with_task(text: str) -> bool:
    """Say whether the first word is meant as a task (`#12`, `12`): which of two forms a command like /bid has."""
    words = split(text)
    return bool(words) and not words[0].quoted and tries_task(words[0].bare)


class _Reading:
    """The words not yet read are those from `begin` up to `end`."""

    def __init__(self, text: str, parameters: Sequence[Parameter], when: When) -> None:
        self.text = text
        self.when = when
        self.parameters = parameters
        self.words = split(text)
        self.begin = 0
        self.end = len(self.words)
        self.values: dict[str, object] = {}
        self.numbers: list[Word] = []
        self.keyed = {_key(parameter): parameter for parameter in parameters if _key(parameter)}
        self.kinds = {parameter.kind for parameter in parameters if not parameter.key}
        self.needed = sum(not parameter.optional for parameter in parameters if _is_positional(parameter))

    # Options, from the right

    def take_options(self) -> None:
        """Take options off the right end; then share out the numbers found there, in the order of the parameters."""
        if Kind.REST in self.kinds:
            return
        while self.end > 0 and (self._take_keyed() or self._take_bare()):
            pass
        unset = self._unset(NUMBERS)
        for parameter, word in zip(unset, self.numbers, strict=False):
            self.values[parameter.name] = read_value(parameter, word.bare, self.when)
        if len(self.numbers) > len(unset):
            raise SurplusError(shorten(self.numbers[-1].bare))

    def _take_keyed(self) -> bool:
        for length in (3, 2, 1):
            first, *following = self.words[max(self.end - length, 0) : self.end]
            parameter = self.keyed.get(first.key)
            if parameter is None or parameter.name in self.values or len(following) != length - 1:
                continue
            parts = [word.value if word is first else word.bare for word in (first, *following)]
            parts = parts if first.quoted or first.value else parts[1:]
            if not parts:
                raise UnreadableError(parameter.kind, f"{first.key}:", f"{first.key}:{parameter.shown}")
            second = parts[1:]
            if not second or (not second[1:] and not first.quoted and _continues(parameter.kind, parts[0], second[0])):
                self._set(parameter, " ".join(parts), length)
                return True
        return False

    def _take_bare(self) -> bool:
        for length in (2, 1):
            words = self.words[max(self.end - length, 0) : self.end]
            if len(words) < length or any(word.quoted for word in words):
                continue
            text = " ".join(word.bare for word in words)
            for parameter in self._unset():
                if self._is_option(parameter, text, length):
                    self._set(parameter, text, length)
                    self._skip_key(parameter)
                    return True
        return self._take_number()

    def _skip_key(self, parameter: Parameter) -> None:
        """Skip the `until` of `until fri`."""
        if self.end > self.needed and self.words[self.end - 1].bare.casefold() == _key(parameter):
            self.end -= 1

    def _is_option(self, parameter: Parameter, text: str, length: int) -> bool:
        match parameter.kind:
            case Kind.HOURS:
                return Kind.NOTE not in self.kinds and tries_hours(text)
            case Kind.TIMES:
                return tries_times(text)
            case Kind.FLAG:
                return text.casefold() == parameter.name
            case Kind.MOMENT | Kind.PERIOD:
                # "Mo" and "So" are names as well as days: what must be there comes first.
                return self.end - length >= self.needed and _is_time(parameter.kind, text)
            case Kind.CODE:
                return Kind.NAME in self.kinds and LOOKS_CODE.fullmatch(text) is not None
        return False

    def _take_number(self) -> bool:
        word = self.words[self.end - 1]
        unset = self._unset(NUMBERS)
        if self.kinds & FREE or self.end <= self.needed or len(self.numbers) >= len(unset) or word.quoted:
            return False
        kinds = {parameter.kind for parameter in unset}
        is_number = (
            tries_number(word.bare)
            or (Kind.WEIGHT in kinds and tries_weight(word.bare))
            or (Kind.COUNT in kinds and tries_hours(word.bare))
        )
        if is_number:
            self.numbers.insert(0, word)
            self.end -= 1
        return is_number

    # The rest, from the left

    def take_positional(self) -> None:
        """Give the words that are left to the positional parameters, in their order."""
        for position, parameter in enumerate(self.parameters):
            if parameter.key or parameter.name in self.values:
                continue
            if parameter.kind is Kind.HOURS and Kind.NOTE in self.kinds:
                self._take_hours(parameter)
            elif parameter.kind in POSITIONAL and self.begin < self.end:
                self._take_words(parameter, self._length(parameter, self.parameters[position + 1 :]))

    def _take_words(self, parameter: Parameter, length: int) -> None:
        words = self.words[self.begin : self.begin + length]
        if not words:
            return
        self.begin += length
        if parameter.kind in {Kind.NOTE, Kind.REST} and not (length == 1 and words[0].quoted):
            value = self.text[words[0].start : words[-1].end]
        else:
            value = " ".join(word.bare for word in words)
        if parameter.kind is Kind.NAME:
            self._refuse_unquoted(words)
        self.values[parameter.name] = read_value(parameter, value, self.when)

    def _length(self, parameter: Parameter, later: Sequence[Parameter]) -> int:
        """Return how many of the words that are left are this parameter's."""
        words = self.words[self.begin : self.end]
        if parameter.kind is Kind.TASK and parameter.optional and not tries_task(words[0].bare):
            return 0
        if parameter.kind in ONE_WORD:
            return 1
        return self._name_length(words, later) if parameter.kind is Kind.NAME else len(words)

    def _name_length(self, words: Sequence[Word], later: Sequence[Parameter]) -> int:
        following = {other.kind for other in later if not other.key}
        if Kind.REST in following:
            # `/as Ana Maria /done 12`: a sign says where the command begins; else the name is one word.
            return next((count for count, word in enumerate(words) if count and word.bare.startswith(("/", "!"))), 1)
        if Kind.NOTE in following and Kind.HOURS not in following:
            return 1
        if Kind.NOTE in following:
            return next((count for count in range(len(words)) if self._hours_length(self.begin + count)), 0)
        needed = sum(not other.optional for other in later if _is_positional(other))
        return max(len(words) - needed, 1)

    def _take_hours(self, parameter: Parameter) -> None:
        """Take hours (unit or not) where the note begins, or (with their unit) where it ends."""
        length = self._hours_length(self.begin)
        if length:
            self._set_from_left(parameter, length)
            return
        for count in (2, 1):
            words = self.words[max(self.end - count, self.begin) : self.end]
            text = " ".join(word.bare for word in words)
            if len(words) == count and tries_hours(text) and not any(word.quoted for word in words):
                self._set(parameter, text, count)
                return

    def _hours_length(self, position: int) -> int:
        words = self.words[position : min(position + 2, self.end)]
        for count in range(len(words), 0, -1):
            text = " ".join(word.bare for word in words[:count])
            is_hours = tries_hours(text) or (count == 1 and tries_number(text))
            if is_hours and not any(word.quoted for word in words[:count]):
                return count
        return 0

    def _set_from_left(self, parameter: Parameter, length: int) -> None:
        text = " ".join(word.bare for word in self.words[self.begin : self.begin + length])
        self.begin += length
        self.values[parameter.name] = read_value(parameter, text, self.when)

    # What is left over or was never there

    def finish(self) -> dict[str, object]:
        """Return the values, or say what is missing or too much."""
        left = self.words[self.begin : self.end]
        wanted = [parameter for parameter in self._unset() if parameter.kind is not Kind.FLAG]
        if left and wanted:
            # It stands where this value belongs, so its reader says best what is wrong with it.
            self._take_words(wanted[0], len(left))
        elif left:
            raise SurplusError(shorten(left[0].bare))
        for parameter in self.parameters:
            if not parameter.optional and parameter.name not in self.values:
                self._refuse_unquoted(self.words[: self.end])
                raise MissingError(parameter.name, parameter.kind, parameter.shown)
        return self.values

    def _refuse_unquoted(self, words: Sequence[Word]) -> None:
        """Refuse `from:Hill Bakery` where no title can own it: a value of several words was meant."""
        for position, word in enumerate(words):
            if word.key in self.keyed and self.keyed[word.key].name in self.values:
                raise SurplusError(shorten(word.bare))
            if word.key in self.keyed and not word.quoted:
                value = " ".join([word.value, *(later.bare for later in words[position + 1 :])]).strip()
                raise UnquotedError(word.key, f'{word.key}:"{shorten(value)}"')

    def _unset(self, kinds: frozenset[Kind] | None = None) -> list[Parameter]:
        """Return the parameters without a key that have no value yet."""
        return [
            parameter
            for parameter in self.parameters
            if not parameter.key and parameter.name not in self.values and (kinds is None or parameter.kind in kinds)
        ]

    def _set(self, parameter: Parameter, text: str, length: int) -> None:
        """Take words off the right end as the value of an option."""
        self.end -= length
        self.values[parameter.name] = read_value(parameter, text, self.when)


def _key(parameter: Parameter) -> str:
    """Return the key a parameter may be written with: `/exempt Bo fri` is `/exempt Bo until:fri`."""
    return parameter.key or (parameter.name if parameter.kind is Kind.MOMENT else "")


def _is_positional(parameter: Parameter) -> bool:
    return not parameter.key and parameter.kind in POSITIONAL


def _is_time(kind: Kind, text: str) -> bool:
    """Say whether the text reads as a moment or a period."""
    return is_moment(text) if kind is Kind.MOMENT else find_period(text) is not None


def _continues(kind: Kind, first: str, second: str) -> bool:
    """Say whether two words can be one value: `sat 18:00`, `2 weeks`, `1.5 h`."""
    if kind is Kind.HOURS:
        return tries_hours(f"{first} {second}")
    is_period = first.isdigit() and second.casefold() in UNIT_NAMES
    return (kind is Kind.MOMENT and TIME.fullmatch(second) is not None) or (
        kind in {Kind.MOMENT, Kind.PERIOD} and is_period
    )
