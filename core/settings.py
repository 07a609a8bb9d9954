"""Everything a pool, a project or a member can set: default, range and help, in one place.

Values are kept as the short text that `show` gives, so that a stored setting reads like what was typed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast, overload

from core.errors import Refusal
from core.numbers import read_hours, read_weight
from core.sharing import Rule
from core.timetable import QuietHours, Timetable, read_zone
from core.units import show_hours, show_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from zoneinfo import ZoneInfo

Value = TypeVar("Value")
READ_MAX = 10_000  # texts whose values are kept at hand


def N_(text: str) -> str:
    """Mark a text for translation."""
    return text


@dataclass(eq=False)
class UnknownSettingError(Refusal):
    """There is no such key; `keys` are the ones there are."""

    key: str
    keys: tuple[str, ...]


@dataclass(eq=False)
class UnfitSettingError(Refusal):
    """The value does not fit; `example` does."""

    key: str
    value: str
    example: str


@lru_cache(maxsize=READ_MAX)
def _value(read: Callable[[str], object], text: str) -> object:
    """Read a stored text once: values never change, and every command asks for many."""
    return read(text)


@dataclass(frozen=True)
class Setting(Generic[Value]):
    """One setting: how it is read (ValueError or a Refusal if it can't be), shown, and what it is for."""

    default: str
    read: Callable[[str], Value]
    help: str
    show: Callable[[Value], str] = str
    example: str = ""
    key: str = field(default="", init=False)

    def __set_name__(self, owner: type[Settings], name: str) -> None:
        object.__setattr__(self, "key", name)
        owner.table = {**owner.table, name: self}

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Settings, owner: type) -> Value: ...
    def __get__(self, instance: Settings | None, owner: type) -> Self | Value:
        """Return the value that holds: the one set, else the default."""
        if instance is None:
            return self
        return cast("Value", _value(self.read, instance.values.get(self.key, self.default)))


class Settings:
    """Base of the tables below: attribute access gives typed values."""

    table: ClassVar[dict[str, Setting[Any]]] = {}

    def __init__(self, values: Mapping[str, str]) -> None:
        """Look at stored values; what is not stored is the default."""
        self.values = values

    @classmethod
    def change(cls, values: Mapping[str, str], key: str, text: str) -> dict[str, str]:
        """Return the values with one changed. Raises UnknownSettingError or UnfitSettingError."""
        setting = cls.table.get(key.casefold().replace("-", "_"))
        if setting is None:
            raise UnknownSettingError(key, tuple(cls.table))
        try:
            value = setting.read(text.strip())
        except (ValueError, Refusal):
            raise UnfitSettingError(setting.key, text, setting.example or setting.default) from None
        return {**values, setting.key: setting.show(value)}

    def shown(self, key: str) -> str:
        """Return a setting's value as text."""
        return self.values.get(key, self.table[key].default)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        digits = text.removesuffix("%").strip()
        if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(high)) and low <= int(digits) <= high):
            raise ValueError(text)
        return int(digits)

    return read


def _percent(value: int) -> str:
    return f"{value} %"


def _hours(text: str) -> int:
    return 0 if text.casefold() in {"0", "0h", "0 h"} else read_hours(text)


def _choice(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.casefold() not in choices:
            raise ValueError(text)
        return text.casefold()

    return read


def _weight(text: str) -> int:
    return read_weight(text)


def _rule(text: str) -> Rule:
    return Rule(text.casefold().replace(" ", "-"))


def _zone(text: str) -> ZoneInfo:
    return read_zone(text)


def _quiet(text: str) -> QuietHours | None:
    return None if text.casefold() in {"", "off", "no"} else QuietHours.read(text)


def _show_quiet(value: QuietHours | None) -> str:
    return "off" if value is None else str(value)


def _cap(text: str) -> int | None:
    return None if text.casefold() in {"", "off", "no"} else _hours(text)


def _show_cap(value: int | None) -> str:
    return "off" if value is None else show_hours(value)


class PoolSettings(Settings):
    """What the stewards of a pool can set."""

    table: ClassVar[dict[str, Setting[Any]]] = {}
    rounds = Setting("sun 18:00", Timetable.read, N_("when rounds happen, e.g. sun 18:00 or mon,thu 07:30"))
    timezone = Setting("UTC", _zone, N_("the pool's time zone, e.g. Europe/Berlin"))
    language = Setting("en", _choice("en", "de"), N_("language of new channels"))
    rule = Setting("preference", _rule, N_("how goods are shared: preference, effort, flat-allocation, flat-rate"))
    limit = Setting("10 h", _hours, N_("how far below zero a balance may go"), show_hours)
    newcomer = Setting("5 h", _hours, N_("the same for newcomers; every hour recognised adds to it"), show_hours)
    growth = Setting("10 %", _whole(0, 100), N_("how much the weight of an open task rises in a week"), _percent)
    max_weight = Setting("×4", _weight, N_("the highest weight an open task rises to"), show_weight)
    min_weight = Setting("×0.25", _weight, N_("the lowest weight a recurring task falls to"), show_weight)
    levy = Setting("3 h", _hours, N_("the most a round may take from each who shares"), show_hours)
    backers = Setting("1", _whole(0, 20), N_("how many of other projects must back common work"))
    admission = Setting("open", _choice("open", "ask"), N_("who may join: open, or ask (a steward admits)"))


class ProjectSettings(Settings):
    """What the maintainers of a project can set."""

    table: ClassVar[dict[str, Setting[Any]]] = {}
    confirmations = Setting("1", _whole(1, 10), N_("how many others confirm a report"))
    tasks = Setting("members", _choice("members", "maintainers"), N_("who may post tasks: members or maintainers"))
    admission = Setting("open", _choice("open", "ask"), N_("who may join: open, or ask (a maintainer admits)"))
    language = Setting("", _choice("", "en", "de"), N_("language of this project's channels"), example="de")
    quiet = Setting("off", _quiet, N_("hours without notices, e.g. 22:00-07:00"), _show_quiet, example="22:00-07:00")
    digest = Setting("off", _choice("off", "on"), N_("on: notices wait and come once a day, at 09:00"), example="on")


class MemberSettings(Settings):
    """What a member can set for themselves."""

    table: ClassVar[dict[str, Setting[Any]]] = {}
    hours = Setting("off", _cap, N_("the most hours you want to take on in a round, e.g. 4h"), _show_cap, example="4h")
    quiet = Setting("off", _quiet, N_("hours without notices, e.g. 22:00-07:00"), _show_quiet, example="22:00-07:00")
    digest = Setting("off", _choice("off", "on"), N_("on: notices wait and come once a day, at 09:00"), example="on")
