"""Texts in a language: templates filled with values that stay values."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.chat.say import Say, fill
from core.chat.text import Span, Style, Text
from tests import cases

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
ENGLISH = Say("en", ZoneInfo("UTC"), NOW)
GERMAN = Say("de", ZoneInfo("Europe/Berlin"), NOW)


def test_markup_is_the_templates_alone() -> None:
    text = ENGLISH("**{name}** types `/claim {number}`", name="**x** `y` {number}", number=3)
    assert text.spans == (
        Span("**x** `y` {number}", Style.BOLD),
        Span(" types "),
        Span("/claim 3", Style.COMMAND),
    )


def test_a_text_as_a_value_keeps_its_styles() -> None:
    when = ENGLISH.when(NOW)
    text = fill("at {when}.", {"when": when})
    assert text.spans == (Span("at "), *when.spans, Span("."))
    assert when.spans[0].style is Style.TIME
    assert when.spans[0].target == str(int(NOW.timestamp()))


def test_empty_values_leave_no_spans() -> None:
    assert fill("{a}**{b}**", {"a": "", "b": ""}) == Text()
    assert fill("", {}) == Text()


@pytest.mark.parametrize(
    ("count", "text"),
    cases.table(
        """
        one  | 1 | 1 bid
        two  | 2 | 2 bids
        none | 0 | 0 bids
        """
    ),
)
def test_a_count_picks_its_form(count: str, text: str) -> None:
    assert str(ENGLISH.count("{count} bid", "{count} bids", int(count))) == text


def test_figures_in_both_languages() -> None:
    assert (ENGLISH.hours(1500), GERMAN.hours(1500)) == ("1.5 h", "1,5 h")
    assert (ENGLISH.weight(110), GERMAN.weight(110)) == ("×1.1", "×1,1")
    assert (ENGLISH.figure(1500), GERMAN.figure(1500)) == ("1.5h", "1.5h")


def test_moments_in_both_languages() -> None:
    far = datetime(2026, 10, 4, 16, tzinfo=UTC)
    assert "Oct" in str(ENGLISH.when(far))
    assert "Okt" in str(GERMAN.when(far))
    assert "18:00" in str(GERMAN.when(far))


def test_names_read_as_a_list() -> None:
    assert ENGLISH.names(()) == ""
    assert ENGLISH.names(("Ana",)) == "Ana"
    assert ENGLISH.names(["Ana", "Bo", "Cy"]) == "Ana, Bo and Cy"


def test_amounts_with_and_without_a_unit() -> None:
    assert ENGLISH.amount(1, "bread", "loaf", "loaves") == "1 loaf"
    assert ENGLISH.amount(2, "bread", "loaf", "loaves") == "2 loaves"
    assert ENGLISH.amount(2, "bread", "", "") == "2 bread"


def test_marked_texts_translate_without_values() -> None:
    assert ENGLISH.translate("no such text") == "no such text"
