"""Plurals of units."""

from __future__ import annotations

import pytest

from core.chat.plurals import plural


@pytest.mark.parametrize(
    ("word", "language", "many"),
    [("loaf", "en", "loaves"), ("jar", "en", "jars"), ("Laib", "de", "Laib"), ("kg", "de", "kg")],
)
def test_plural(word: str, language: str, many: str) -> None:
    assert plural(word, language) == many
