"""Rich text as Telegram takes it: plain text with entities beside it, so that nothing anybody types is ever markup.

Lengths and offsets are those of UTF-16, as Telegram counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from telegram import MessageEntity, User

from core.chat.text import Span, Style

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from core.chat.text import Text
    from core.identity import Sender

TEXT_UNITS_MAX = 4096
CAPTION_UNITS_MAX = 1024
WEB = ("https://", "http://")
TIME_DIGITS_MAX = 11
TIME, DATE_AND_TIME = "wt", "wdt"  # weekday, short date, short time: in the reader's own zone and language
NEAR_WORDS = 2  # `Sun 18:00`


@dataclass(frozen=True, slots=True)
class Piece:
    """One message's text."""

    text: str
    entities: tuple[MessageEntity, ...] = ()


@dataclass(frozen=True, slots=True)
class _Range:
    start: int
    end: int
    span: Span


def units(text: str) -> int:
    """Return how long a text is for Telegram."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def pieces(text: Text, accounts: Mapping[int, Sender], units_max: int = TEXT_UNITS_MAX) -> list[Piece]:
    """Return a text as messages: cut at line ends where it is too long for one, never within something styled."""
    content, ranges = str(text), list(_ranges(text))
    styled = [one for one in ranges if one.span.text and one.span.style is not Style.PLAIN]
    found = []
    for start, end in _cut(content, styled, units_max):
        entities = [
            _entity(content, start, end, one, accounts) for one in styled if one.start < end and one.end > start
        ]
        found.append(Piece(content[start:end], tuple(one for one in entities if one is not None)))
    return found


def _ranges(text: Text) -> Iterator[_Range]:
    position = 0
    for span in text.spans:
        yield _Range(position, position + len(span.text), span)
        position += len(span.text)


# Cutting


def _cut(content: str, styled: list[_Range], units_max: int) -> Iterator[tuple[int, int]]:
    """Yield where each message begins and ends. Telegram takes no empty ones, and none with space around them."""
    start = 0
    while start < len(content):
        end = _end(content, start, styled, units_max)
        shown = content[start:end]
        if shown.strip():
            yield start + len(shown) - len(shown.lstrip()), start + len(shown.rstrip())
        start = end


def _end(content: str, start: int, styled: list[_Range], units_max: int) -> int:
    """Return where a message ends: behind a line, else behind a word, else before something styled, else when full."""
    limit = _limit(content, start, units_max)
    if limit == len(content):
        return limit
    for separator in ("\n", " "):
        end = limit
        while (end := content.rfind(separator, start, end) + 1) > start:
            if not _is_within(end, styled):
                return end
            end -= 1
    first = [one.start for one in styled if start < one.start < limit < one.end]
    return first[0] if first else limit


def _limit(content: str, start: int, units_max: int) -> int:
    """Return how far a message can reach at most."""
    end = min(len(content), start + units_max)
    while units(content[start:end]) > units_max:
        end -= max(1, (units(content[start:end]) - units_max) // 2)
    return end


def _is_within(position: int, styled: list[_Range]) -> bool:
    return any(one.start < position < one.end for one in styled)


# Styles


def _entity(content: str, start: int, end: int, styled: _Range, accounts: Mapping[int, Sender]) -> MessageEntity | None:
    """Return the entity for what of a styled range is within a message."""
    first, last = max(start, styled.start), min(end, styled.end)
    offset, length, span = units(content[start:first]), units(content[first:last]), styled.span
    if span.style is Style.BOLD:
        return MessageEntity(MessageEntity.BOLD, offset, length)
    if span.style is Style.CODE or (span.style is Style.COMMAND and not _is_tappable(span.text)):
        return MessageEntity(MessageEntity.CODE, offset, length)
    if span.style is Style.LINK and span.target.startswith(WEB):
        return MessageEntity(MessageEntity.TEXT_LINK, offset, length, url=span.target)
    if span.style is Style.TIME:
        return _time(offset, length, span)
    if span.style is Style.MENTION:
        return _mention(offset, length, span, accounts)
    return None


def _is_tappable(command: str) -> bool:
    """Tell whether a command is one word: Telegram lets it be tapped. A longer one is shown so that a tap copies it."""
    return command.startswith("/") and command[1:].isalnum() and command.isascii()


def _time(offset: int, length: int, span: Span) -> MessageEntity | None:
    if not (span.target.isascii() and span.target.isdigit() and len(span.target) <= TIME_DIGITS_MAX):
        return None
    shape = TIME if len(span.text.split()) <= NEAR_WORDS else DATE_AND_TIME
    moment = datetime.fromtimestamp(int(span.target), UTC)
    return MessageEntity(MessageEntity.DATE_TIME, offset, length, unix_time=moment, date_time_format=shape)


def _mention(offset: int, length: int, span: Span, accounts: Mapping[int, Sender]) -> MessageEntity | None:
    account = accounts.get(int(span.target)) if span.target.isascii() and span.target.isdigit() else None
    if account is None or account.platform != "telegram":
        return None
    user = User(int(account.user_id), account.name or "?", is_bot=False)
    return MessageEntity(MessageEntity.TEXT_MENTION, offset, length, user=user)
