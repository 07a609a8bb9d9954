"""Texts as plain lines: wrapped to a width, styles only as an addition, nothing in them that a terminal would obey."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from core.chat.text import Span, Style, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

WIDTH = 80
JOINER = "\u200d"  # holds emoji together
SOLID_SPACE = "\u00a0"  # within a button: no line ends there

Letter = tuple[str, Style]


@dataclass(frozen=True, slots=True)
class Page:
    """How wide lines are, and how a style is painted on a piece of one (not at all, unless there are colours)."""

    width: int = WIDTH
    paint: Callable[[str, Style], str] = lambda text, _style: text

    def lines(self, text: Text | str, indent: str = "") -> list[str]:
        """Return a text as lines no wider than the page."""
        whole = text if isinstance(text, Text) else Text.of(text)
        return [
            (indent + self._painted(line)).rstrip()
            for paragraph in _paragraphs(whole)
            for line in _filled(paragraph, self.width - len(indent))
        ]

    def _painted(self, line: list[Letter]) -> str:
        runs = ((style, "".join(letter for letter, _ in run)) for style, run in groupby(line, lambda one: one[1]))
        return "".join(self.paint(run.replace(SOLID_SPACE, " "), style) for style, run in runs)


def row(parts: Iterable[str], style: Style) -> Text:
    """Return parts one after another; each stays on one line if it can."""
    spans = [Span(part.replace(" ", SOLID_SPACE), style) for part in parts]
    return Text(tuple(one for span in spans for one in (span, Span(" "))))


def cells(letter: str) -> int:
    """Return how many columns a character takes."""
    if unicodedata.combining(letter) or letter == JOINER:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def harmless(text: str) -> str:
    """Return a text without control characters and without those that turn its direction."""
    return "".join(one for one in text if one in f"\n{JOINER}" or unicodedata.category(one) not in {"Cc", "Cf"})


def _paragraphs(text: Text) -> list[list[Letter]]:
    paragraphs: list[list[Letter]] = [[]]
    for span in text.spans:
        for letter in harmless(span.text):
            if letter == "\n":
                paragraphs.append([])
            else:
                paragraphs[-1].append((letter, span.style))
    return paragraphs


def _filled(rest: list[Letter], width: int) -> Iterator[list[Letter]]:
    """Yield lines, as full as the width allows, broken at spaces or, where there is none, anywhere."""
    while (fits := _fitting(rest, width)) < len(rest):
        spaces = [place for place in range(1, fits + 1) if rest[place][0] == " "]
        cut = spaces[-1] if spaces else fits
        yield rest[:cut]
        rest = rest[cut + 1 :] if spaces else rest[cut:]
    yield rest


def _fitting(letters: list[Letter], width: int) -> int:
    """Return how many letters fit into a line."""
    used = 0
    for count, (letter, _style) in enumerate(letters):
        used += cells(letter)
        if used > width:
            return max(1, count)
    return len(letters)
