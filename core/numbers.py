"""Reading single values that have digits in them: ASCII digits only, nothing signed, nothing endless."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from core.clean import shorten
from core.errors import Refusal
from core.units import BATCH_UNITS_MAX, HOUR, HOURS_MAX, WEIGHT_MAX, round_half_up

TASK_DIGITS_MAX = 9
DIGITS_MAX = 9  # so many digits are turned into a number at all; every bound is far below
TIMES_MAX = 100
HOUR_DECIMALS = 3
WEIGHT_DECIMALS = 2
MINUTES = 60

HOUR_UNIT = r"(?:h|hrs?|hours?|std|stunden?)"
MINUTE_UNIT = r"(?:m|mins?|minuten?|minutes?)"
SIGN = r"[+\-\u2010-\u2015\u2212]"  # every dash that a keyboard or a telephone makes of a minus
TAIL = r"(?:[\d.,_e]|" + SIGN + r")*"
EXAMPLES = {"task": "12", "count": "2", "times": "x3", "hours": "1.5h", "weight": "0.8", "code": "K7Q2-M4PD"}
DECIMAL = re.compile(r"([0-9]+)(?:[.,]([0-9]+))?")
IN_HOURS = re.compile(rf"([0-9]+(?:[.,][0-9]+)?) ?{HOUR_UNIT}")
IN_MINUTES = re.compile(rf"([0-9]+) ?{MINUTE_UNIT}")
IN_BOTH = re.compile(rf"([0-9]+)h(?:([0-5][0-9])|([0-5]?[0-9]){MINUTE_UNIT})")
CODE = re.compile(r"([a-z0-9]{4})[-\u2010-\u2015]?([a-z0-9]{4})", re.IGNORECASE | re.ASCII)
# What tries to be a value is refused, not taken for part of a name: any script's digits, signs, points, exponents.
TRIES_NUMBER = re.compile(rf"{SIGN}?(?:[.,]?\d{TAIL}|nan|inf(?:inity)?)")
TRIES_HOURS = re.compile(rf"{SIGN}?[.,]?\d{TAIL} ?(?:{HOUR_UNIT}|{MINUTE_UNIT}|h\d+{MINUTE_UNIT}?)")
TRIES_WEIGHT = re.compile(rf"[x×]{SIGN}?[.,]?\d{TAIL}")
TRIES_TIMES = re.compile(r"[x×]\d+")
TRIES_TASK = re.compile(rf"#.*|{SIGN}?\d.*")
# A bare "m" after a space is more often metres ("cut 2 m") than minutes.
SPACED_UNIT = re.compile(r"h|hrs?|hours?|std|stunden?|mins?|minuten?|minutes?")


@dataclass(eq=False)
class NumberError(Refusal):
    """The word is no such value; `example` is one. `kind` is a key of EXAMPLES."""

    kind: str
    word: str
    example: str


@dataclass(eq=False)
class NumberBoundsError(NumberError):
    """It is such a value, but not from `least` to `most` (thousandths for hours, hundredths for weights, else 1)."""

    least: int
    most: int


@dataclass(eq=False)
class NotWholeError(Refusal):
    """A count has a fraction or a unit of hours: hours may be meant, `thousandths` of them."""

    word: str
    thousandths: int


def read_task(word: str) -> int:
    """Read a task's number, `#12` or `12`, of at most nine digits."""
    digits = word.removeprefix("#")
    if not _is_digits(digits):
        _refuse("task", word)
    return _bounded("task", word, _whole(digits), 10**TASK_DIGITS_MAX - 1)


def read_count(word: str) -> int:
    """Read a whole number of units; hours or a fraction raise `NotWholeError`, as hours may be meant."""
    if not _is_digits(word):
        # With a unit it can only be hours, and without one what the reader of hours makes of the fraction.
        if TRIES_HOURS.fullmatch(word.casefold()) or _decimal(word) is not None:
            raise NotWholeError(shorten(word), read_hours(word))
        _refuse("count", word)
    return _bounded("count", word, _whole(word), BATCH_UNITS_MAX)


def read_times(word: str) -> int:
    """Read `x3`: how many people a task needs."""
    digits = word.casefold().lstrip("x×")
    if len(digits) != len(word) - 1 or not _is_digits(digits):
        _refuse("times", word)
    return _bounded("times", word, _whole(digits), TIMES_MAX)


def read_hours(word: str) -> int:
    """Read `2h`, `1,5h`, `90m`, `1h30` or, without a unit, hours: thousandths of an hour, at most three decimals."""
    text = word.casefold()
    if match := IN_MINUTES.fullmatch(text):
        thousandths = round_half_up(_whole(match[1]) * HOUR, MINUTES)
    elif match := IN_BOTH.fullmatch(text):
        minutes = int(match[2] or match[3])
        thousandths = _whole(match[1]) * HOUR + round_half_up(minutes * HOUR, MINUTES)
    else:
        match = IN_HOURS.fullmatch(text)
        scaled = _scaled(match[1] if match else text, HOUR_DECIMALS)
        if scaled is None:
            _refuse("hours", word)
        thousandths = scaled
    return _bounded("hours", word, thousandths, HOURS_MAX)


def read_weight(word: str) -> int:
    """Read `0.8`, `x0.8` or `×0.8`: hundredths, at most two decimals."""
    scaled = _scaled(word.casefold()[1:] if word[:1] in {"x", "X", "×"} else word, WEIGHT_DECIMALS)
    if scaled is None:
        _refuse("weight", word)
    return _bounded("weight", word, scaled, WEIGHT_MAX)


def read_code(word: str) -> str:
    """Read a code of a pool or a link in any case, with or without its hyphen: `K7Q2-M4PD`."""
    match = CODE.fullmatch(word)
    if match is None:
        _refuse("code", word)
    return f"{match[1]}-{match[2]}".upper()


def tries_hours(text: str) -> bool:
    """Say whether a word (or a number and its unit) is meant as hours, readable or not."""
    number, _, unit = text.casefold().partition(" ")
    if unit:
        return bool(TRIES_NUMBER.fullmatch(number) and SPACED_UNIT.fullmatch(unit))
    return TRIES_HOURS.fullmatch(number) is not None


def tries_number(word: str) -> bool:
    """Say whether a word is meant as a number without a unit, readable or not."""
    return TRIES_NUMBER.fullmatch(word.casefold()) is not None


def tries_weight(word: str) -> bool:
    """Say whether a word is meant as a weight with its cross, readable or not."""
    return TRIES_WEIGHT.fullmatch(word.casefold()) is not None


def tries_times(word: str) -> bool:
    """Say whether a word is meant as `x3`, readable or not."""
    return TRIES_TIMES.fullmatch(word.casefold()) is not None


def tries_task(word: str) -> bool:
    """Say whether a first word is meant as a task: it begins with `#` or a digit."""
    return TRIES_TASK.fullmatch(word) is not None


def _is_digits(word: str) -> bool:
    return word.isascii() and word.isdigit()


def _whole(digits: str) -> int:
    """Return the number, or one above every bound: no thousands of digits are ever turned into a number."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= DIGITS_MAX else 10**DIGITS_MAX


def _decimal(word: str) -> tuple[str, str] | None:
    match = DECIMAL.fullmatch(word)
    return (str(match[1]), str(match[2] or "").rstrip("0")) if match else None


def _scaled(word: str, decimals: int) -> int | None:
    parts = _decimal(word)
    if parts is None or len(parts[1]) > decimals:
        return None
    return _whole(parts[0] + parts[1].ljust(decimals, "0"))


def _bounded(kind: str, word: str, value: int, most: int) -> int:
    if not 1 <= value <= most:
        raise NumberBoundsError(kind, shorten(word), EXAMPLES[kind], 1, most)
    return value


def _refuse(kind: str, word: str) -> NoReturn:
    raise NumberError(kind, shorten(word), EXAMPLES[kind])
