"""The plural of a unit, as far as a language has one that can be told."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def plural(word: str, language: str) -> str:
    """Return the plural of an English word; in other languages people give it themselves, `Laib/Laibe`."""
    return _english()(word) or word if language == "en" else word


@cache
def _english() -> Callable[[str], str]:
    # Loaded when a good first gets a unit: it takes longer than everything else at start together.
    found: Callable[[str], str] = import_module("inflect").engine().plural_noun
    return found
