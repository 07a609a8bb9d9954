"""Rich text as messages with entities; nothing anybody types is markup, and nothing is cut in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.telegram.entities import Piece, pieces, units
from core.chat.text import Span, Style, Text
from core.identity import Sender

if TYPE_CHECKING:
    from telegram import MessageEntity

BO = {3: Sender("telegram", "77", "Bo"), 4: Sender("matrix", "@cy:example.org", "Cy")}


def marked(piece: Piece, entity: MessageEntity) -> str:
    """Return what an entity stands for, counted as Telegram counts."""
    raw = piece.text.encode("utf-16-le")
    return raw[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")


def only(text: Text) -> tuple[str, list[tuple[str, str]]]:
    """Return a text that fits into one message, and its entities as (kind, words)."""
    (piece,) = pieces(text, BO)
    return piece.text, [(str(one.type), marked(piece, one)) for one in piece.entities]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span("Valley", Style.BOLD), [("bold", "Valley")]),
        (Span("K7Q2-M4PD", Style.CODE), [("code", "K7Q2-M4PD")]),
        (Span("/tasks", Style.COMMAND), []),  # Telegram makes it a command to tap by itself
        (Span("/bid bread 1.5", Style.COMMAND), [("code", "/bid bread 1.5")]),  # a tap copies it
        (Span("Dishes 2h", Style.COMMAND), [("code", "Dishes 2h")]),
        (Span("a page", Style.LINK, "https://example.org/a"), [("text_link", "a page")]),
        (Span("a trap", Style.LINK, "javascript:alert(1)"), []),
        (Span("Bo", Style.MENTION, "3"), [("text_mention", "Bo")]),
        (Span("Cy", Style.MENTION, "4"), []),  # known on another platform only
        (Span("Sun 18:00", Style.TIME, "1778436000"), [("date_time", "Sun 18:00")]),
        (Span("Sun 18:00", Style.TIME, "soon"), []),
    ],
)
def test_styles(span: Span, expected: list[tuple[str, str]]) -> None:
    assert only(Text((Span("Hi: "), span, Span(".")))) == (f"Hi: {span.text}.", expected)


@pytest.mark.parametrize(("shown", "shape"), [("Sun 18:00", "wt"), ("Sun 10 May 18:00", "wdt")])
def test_a_time_in_the_readers_own_zone(shown: str, shape: str) -> None:
    (piece,) = pieces(Text.of(shown, Style.TIME, "1778436000"), {})
    (entity,) = piece.entities
    assert entity.to_dict() == {
        "type": "date_time", "offset": 0, "length": len(shown), "unix_time": 1778436000, "date_time_format": shape,
    }  # fmt: skip


def test_what_somebody_types_is_never_markup() -> None:
    nasty = "<b>*_`[x](tg://user?id=1)</b> & \\"
    assert only(Text.of(nasty) + Text.of(nasty, Style.BOLD)) == (nasty + nasty, [("bold", nasty)])


def test_offsets_count_as_telegram_does() -> None:
    assert only(Text.of("🥖🥖 ") + Text.of("Ünï🍞", Style.BOLD) + " x")[1] == [("bold", "Ünï🍞")]


def test_a_long_text_is_cut_at_line_ends() -> None:
    lines = [f"{number} " + "x" * 90 for number in range(100)]
    found = pieces(Text.of("\n".join(lines)), {})
    assert len(found) == 3
    assert "\n".join(piece.text for piece in found).split("\n") == lines


def test_a_long_line_is_cut_behind_words_and_never_within_what_is_styled() -> None:
    text = Text.of("word " * 818) + Text.of("two words here", Style.BOLD) + Text.of(" word" * 10)
    first, second = pieces(text, {})
    assert first.text.endswith("word")
    assert [marked(second, one) for one in second.entities] == ["two words here"]
    assert second.text.startswith("two words here")


def test_what_has_no_gap_is_cut_when_full_but_no_sign_in_two() -> None:
    found = pieces(Text.of("🍞" * 3000, Style.BOLD), {})
    assert [units(piece.text) for piece in found] == [4096, 1904]
    assert all(marked(piece, piece.entities[0]) == piece.text for piece in found)


@pytest.mark.parametrize("text", [Text(), Text.of(" \n "), Text.of("\n" * 9000)])
def test_nothing_to_read_is_no_message(text: Text) -> None:
    assert pieces(text, {}) == []


SPANS = st.builds(
    Span,
    st.text(alphabet=st.sampled_from("ab \n🍞ü<&*"), max_size=60),
    st.sampled_from([Style.PLAIN, Style.BOLD, Style.CODE, Style.COMMAND]),
)


@settings(max_examples=200, deadline=None)
@example([Span("aa", Style.BOLD), Span("\n\n"), Span("b" * 60, Style.CODE)], 10)
@given(st.lists(SPANS, max_size=12), st.integers(5, 80))
def test_any_text_arrives_whole(spans: list[Span], units_max: int) -> None:
    text = Text(tuple(spans))
    found = pieces(text, {}, units_max)
    assert "".join("".join(piece.text.split()) for piece in found) == "".join(str(text).split())
    for piece in found:
        assert 0 < units(piece.text) <= units_max
        assert piece.text == piece.text.strip()
        for entity in piece.entities:
            assert entity.length > 0
            assert entity.offset + entity.length <= units(piece.text)
    bold = "".join(marked(piece, one) for piece in found for one in piece.entities if one.type == "bold")
    expected = "".join(span.text for span in spans if span.style is Style.BOLD)
    assert "".join(bold.split()) == "".join(expected.split())
