"""Rich text as a value: spans with a style, one renderer per platform, and nothing a person types is ever markup."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


class Style(StrEnum):
    """How a span is shown. `COMMAND` is something to type, with the platform's own prefix for its `/`."""

    PLAIN = ""
    BOLD = "b"
    CODE = "c"
    COMMAND = "t"
    LINK = "a"
    TIME = "d"
    MENTION = "m"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text. `target`: a link's address, a time's seconds since 1970, or a mention's account id."""

    text: str
    style: Style = Style.PLAIN
    target: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A sequence of spans; never changed, joined with `+`."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, text: str, style: Style = Style.PLAIN, target: str = "") -> Self:
        """Return a text of one span."""
        return cls((Span(text, style, target),) if text else ())

    def __add__(self, other: Text | str) -> Text:
        """Join two texts."""
        return Text(self.spans + (other if isinstance(other, Text) else Text.of(other)).spans)

    def __bool__(self) -> bool:
        """Tell whether there is anything to read."""
        return any(span.text for span in self.spans)

    def __str__(self) -> str:
        """Return the text without its styles."""
        return "".join(span.text for span in self.spans)

    def with_prefix(self, prefix: str) -> Text:
        """Return the text with commands written as this platform's people type them."""
        return Text(
            tuple(
                Span(prefix + span.text[1:], span.style, span.target)
                if span.style is Style.COMMAND and span.text.startswith("/")
                else span
                for span in self.spans
            )
        )

    def to_json(self) -> list[list[str]]:
        """Return what is kept of it."""
        return [[span.text, span.style.value, span.target] for span in self.spans]

    @classmethod
    def from_json(cls, value: list[list[str]]) -> Self:
        """Read what `to_json` gave."""
        return cls(tuple(Span(text, Style(style), target) for text, style, target in value))


def joined(parts: Iterable[Text | str], separator: str = "\n") -> Text:
    """Join texts, leaving out empty ones."""
    between, spans = Text.of(separator).spans, list[Span]()
    for part in parts:
        text = part if isinstance(part, Text) else Text.of(part)
        if text:
            spans += (*between, *text.spans) if spans else text.spans
    return Text(tuple(spans))
