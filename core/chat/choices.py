"""Choices that name things safely, and choices that only their owner can press."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from core.chat.message import Choice
from core.chat.words import QUOTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.chat.context import Context
    from core.chat.say import Say
    from core.chat.text import Text
    from core.tables import Deed

NO_QUOTES = str.maketrans("", "", QUOTES)


def quoted(name: str) -> str:
    """Return a name as it is typed so that it is read as one."""
    return f'"{name.translate(NO_QUOTES)}"'


def typed(name: str) -> str:
    """Return a name as it is typed before another word: in quotes if it has several."""
    return quoted(name) if " " in name else name


def distinct(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Return the choices with labels that are unique: a second `Valley` is `Valley 2`."""
    counts: Counter[str] = Counter()
    found = []
    for choice in choices:
        counts[choice.label] += 1
        count = counts[choice.label]
        found.append(choice if count == 1 else replace(choice, label=f"{choice.label} {count}"))
    return tuple(found)


def own(context: Context, label: Text, command: str) -> Choice:
    """Return a choice that takes effect for the sender alone: others who press it are told to type it themselves."""
    pool_id = context.pool_id if context.has_pool else 0
    return Choice(str(label), f"only {context.account.person_id} {command}", pool_id)


def undo(say: Say, deed: Deed) -> Choice:
    """Return the button that takes a deed back; it is for whoever did it."""
    return Choice(str(say("Undo")), f"undo {deed.id}", deed.pool_id)
