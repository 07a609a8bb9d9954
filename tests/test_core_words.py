"""Words and names: what quotes hold together, and what can be a name."""

from __future__ import annotations

import pytest

from core.chat.arguments import begins_with_task
from core.chat.parameters import Kind, UnreadableError
from core.chat.values import read_name
from core.chat.words import split


@pytest.mark.parametrize(
    "name", ["bread", "Hill Bakery", "Ä", "B-12", "@bo", "Bakery 24", "für Ana", "中", "x-ray", "👩\u200d🍳 Ana"]
)
def test_names_are_read(name: str) -> None:
    assert read_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "12",
        "#12",
        "#bread",
        "/start",
        "!start",
        "7up",
        "\u0663ab",
        "👩",
        "...",
        "2h",
        "x3",
        "urgent",
        "MINE",
        "for:bread",
        "due: fri",
        "\u3164",
        "\u202e",
        "½",
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UnreadableError) as refused:
        read_name(name)
    assert refused.value.kind is Kind.NAME
    assert read_name(refused.value.example)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("a  b\nc", ["a", "b", "c"]), ('"a b" c', ["a b", "c"]), ("„a b“ «c d»", ["a b", "c d"]),
        ('“a b” "c d”', ["a b", "c d"]),
        ('at:"a b"', ["at:a b"]), ('"a b', ['"a', "b"]), ('a"b c"', ['a"b', 'c"']), ('"a b",', ['"a', 'b",']),
        ("don't can't", ["don't", "can't"]),
        ('""', [""]), ("", []), (" \t", []), ("a:b:c", ["a:b:c"]), ("12:30", ["12:30"]), ("At:x", ["At:x"]),
    ],
)  # fmt: skip
def test_words_are_split_and_held_together_by_quotes(text: str, bare: list[str]) -> None:
    assert [word.bare for word in split(text)] == bare


@pytest.mark.parametrize(
    ("text", "is_task"),
    [("12 0.8", True), ("#12", True), ("bread 1.5", False), ("", False), ('"12"', False), ("  7up", True)],
)
def test_a_number_first_is_a_task(text: str, is_task: bool) -> None:
    assert begins_with_task(text) is is_task
