"""The plural of a unit, as far as a language has one that can be told."""

from __future__ import annotations

from functools import cache

from pluralizer import Pluralizer


def plural(word: str, language: str) -> str:
    """Return the plural of an English word; in other languages people give it themselves, `Laib/Laibe`."""
    return str(_english().plural(word)) if language == "en" else word


@cache
def _english() -> Pluralizer:
    return Pluralizer()
