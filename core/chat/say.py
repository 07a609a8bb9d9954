"""Say something in somebody's language: gettext templates filled with values that stay values.

`say("#{number} is taken by {name}.", number=12, name="Bo")` returns a Text. In a template `**…**` is bold and `` `…` ``
something to type; in a value nothing is. The language is always given, never ambient.
"""

from __future__ import annotations

import gettext
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from core import units
from core.chat.text import Span, Style, Text
from core.moments import ENGLISH, CalendarWords, is_whole_day, show_day, show_moment
from core.settings import N_

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

LOCALE = Path(__file__).parent / "locale"
LANGUAGES = ("en", "de")
DOMAIN = "dpool"
MARKUP = re.compile(r"\*\*(?P<bold>.+?)\*\*|`(?P<command>.+?)`")
GERMAN = CalendarWords(
    days=("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
    months=("Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"),
    far="{day} {date}. {month}",
    other_year="{day} {date}. {month} {year}",
)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALE, [language], fallback=True)


@lru_cache(maxsize=2048)
def _parsed(template: str) -> tuple[tuple[Style, tuple[tuple[str, str | None], ...]], ...]:
    """Split a template into styled pieces of (literal text, name of the value behind it)."""
    pieces: list[tuple[Style, str]] = []
    position = 0
    for match in MARKUP.finditer(template):
        pieces.append((Style.PLAIN, template[position : match.start()]))
        bold = match["bold"]
        pieces.append((Style.COMMAND, match["command"]) if bold is None else (Style.BOLD, bold))
        position = match.end()
    pieces.append((Style.PLAIN, template[position:]))
    return tuple(
        (style, tuple((literal, field) for literal, field, _spec, _conversion in Formatter().parse(piece)))
        for style, piece in pieces
        if piece
    )


def fill(template: str, values: dict[str, object]) -> Text:
    """Fill a template; a value that is a Text keeps its own styles."""
    spans: list[Span] = []
    for style, parts in _parsed(template):
        for literal, field in parts:
            if literal:
                _append(spans, literal, style)
            if field is not None:
                value = values[field]
                if isinstance(value, Text):
                    spans.extend(value.spans)
                else:
                    _append(spans, str(value), style)
    return Text(tuple(spans))


def _append(spans: list[Span], text: str, style: Style) -> None:
    if spans and spans[-1].style is style and not spans[-1].target:
        spans[-1] = Span(spans[-1].text + text, style)
    elif text:
        spans.append(Span(text, style))


@dataclass(frozen=True, slots=True)
class Say:
    """Texts in one language, with one pool's clock."""

    language: str
    zone: ZoneInfo
    now: datetime

    def __call__(self, template: str, **values: object) -> Text:
        """Translate a template and fill it."""
        return fill(_catalogue(self.language).gettext(template), values)

    def count(self, one: str, many: str, count: int, **values: object) -> Text:
        """Translate the form that fits a count, which fills `{count}`."""
        return fill(_catalogue(self.language).ngettext(one, many, count), {"count": count, **values})

    def translate(self, template: str) -> str:
        """Translate a text that was marked with N_ and has no values."""
        return _catalogue(self.language).gettext(template)

    @property
    def point(self) -> str:
        """The decimal point."""
        return "," if self.language == "de" else "."

    def hours(self, thousandths: int) -> str:
        """Show an amount: `1.5 h`."""
        return units.show_hours(thousandths, self.point)

    def change(self, thousandths: int) -> str:
        """Show an amount by which something changed: `+0.12 h`."""
        return ("+" if thousandths > 0 else "") + self.hours(thousandths)

    def figure(self, thousandths: int) -> str:
        """Show an amount as it is typed: `1.5h`."""
        return units.show_hours(thousandths).replace(" ", "")

    def weight(self, hundredths: int) -> str:
        """Show a weight: `×1.1`."""
        return units.show_weight(hundredths, self.point)

    def setting(self, shown: str) -> str:
        """Show a setting's value, which is kept as it is typed."""
        return shown.replace(".", self.point)

    def when(self, instant: datetime) -> Text:
        """Show an instant as this pool's clock does; platforms that can show it in the reader's zone."""
        shown = show_moment(instant, self.zone, self.now, self._calendar)
        return Text.of(shown, Style.TIME, str(int(instant.timestamp())))

    def end(self, instant: datetime) -> Text:
        """Show the end of something that people say in whole days: that day, or the instant if it is another time."""
        if not is_whole_day(instant, self.zone):
            return self.when(instant)
        return Text.of(show_day(instant, self.zone, self.now, self._calendar))

    @property
    def _calendar(self) -> CalendarWords:
        return GERMAN if self.language == "de" else ENGLISH

    def names(self, names: tuple[str, ...] | list[str]) -> str:
        """Show names: `Ana, Bo and Cy`."""
        *first, last = names or ("",)
        return str(self(N_("{first} and {last}"), first=", ".join(first), last=last)) if first else last

    def amount(self, count: int, good_name: str, unit: str, units_name: str) -> str:
        """Show units of a good: `2 loaves`, or `2 bread` where it has no unit."""
        return f"{count} {(unit if count == 1 else units_name) or good_name}"
