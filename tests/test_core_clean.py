"""Text from outside: one line, normalised, nothing invisible, in linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clean import WORD_SHOWN_MAX, clean, shorten


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Bake\t the\n bread ", "Bake the bread"),
        ("a\u00a0b\u2028c", "a b c"),
        ("a\u202eb\u200fc\u2066d", "abcd"),
        ("a\x00b\x1bc\x7f", "abc"),
        ("soft\u00adhyphen\ufeff", "softhyphen"),
        ("lone\ud800surrogate", "lonesurrogate"),
        ("\u3164\u115f\u2800\u034f", ""),
        ("a \u200b b", "a b"),
        ("e\u0301", "\u00e9"),
        ("👩\u200d🍳", "👩\u200d🍳"),
        ("👩🏽\u200d🍳", "👩🏽\u200d🍳"),
        ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"),
        ("👩\u200d", "👩"),
        ("\u200d🍳", "🍳"),
        ("👩\u200dx", "👩x"),
        ("x\u200d🍳", "x🍳"),
    ],
)
def test_what_is_invisible_goes(text: str, expected: str) -> None:
    assert clean(text, 100) == expected


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    cleaned = clean(text, 1000)
    assert clean(cleaned, 1000) == cleaned
    assert cleaned.encode().decode() == cleaned


def test_a_long_run_of_accents_takes_no_quadratic_time() -> None:
    started = time.thread_time()  # not the machine's other work
    assert len(clean("a" + "\u0301\u0327" * 100_000, 200)) == 200_001
    assert time.thread_time() - started < 1


@pytest.mark.parametrize(
    ("word", "expected"),
    [("1..5h", "1..5h"), ("x" * 40, "x" * 40), ("x" * 41, "x" * 39 + "…"), ("9" * 5000, "9" * 39 + "…")],
)
def test_an_offending_word_is_shortened(word: str, expected: str) -> None:
    assert shorten(word) == expected


@given(st.text(max_size=200))
def test_a_shortened_word_is_short(word: str) -> None:
    assert len(shorten(word)) <= WORD_SHOWN_MAX
