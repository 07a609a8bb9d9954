"""Text from outside, made fit to store and to show: one line, normalised, with nothing invisible in it."""

from __future__ import annotations

import unicodedata

WORD_SHOWN_MAX = 40  # characters of an offending word that an error carries
ZERO_WIDTH_JOINER = "\u200d"
EMOJI_PARTS = frozenset({"So", "Sk"})  # the symbols and the skin tones that a joiner may hold together
EMOJI_STYLE = "\ufe0f"
# Letters and marks of other categories that show nothing: fillers, the grapheme joiner, invisible Khmer vowels.
INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Controls, formats (bidi, zero width, soft hyphen), lone surrogates (which no UTF-8 file or database takes).
REMOVED = frozenset({"Cc", "Cf", "Cs"})


def clean(text: str, length_max: int) -> str:
    """Collapse white space, drop what is invisible, normalise (NFC). Nothing is cut: callers refuse what is too long.

    A text far above the limit is not normalised, as sorting a long run of accents takes quadratic time.
    """
    visible = "".join(_keep(" ".join(text.split())))
    collapsed = " ".join(visible.split())
    return collapsed if len(collapsed) > 4 * length_max else unicodedata.normalize("NFC", collapsed)


def shorten(word: str) -> str:
    """Return the word as an error may show it: clean, at most 40 characters."""
    cleaned = clean(word[: 2 * WORD_SHOWN_MAX], WORD_SHOWN_MAX)
    is_short = len(word) <= 2 * WORD_SHOWN_MAX and len(cleaned) <= WORD_SHOWN_MAX
    return cleaned if is_short else f"{cleaned[: WORD_SHOWN_MAX - 1]}…"


def _keep(text: str) -> list[str]:
    kept: list[str] = []
    for position, character in enumerate(text):
        if character in INVISIBLE:
            continue
        if unicodedata.category(character) not in REMOVED or _joins_emoji(text, position):
            kept.append(character)
    return kept


def _joins_emoji(text: str, position: int) -> bool:
    if text[position] != ZERO_WIDTH_JOINER or not 0 < position < len(text) - 1:
        return False
    before, after = text[position - 1], text[position + 1]
    is_emoji_before = before == EMOJI_STYLE or unicodedata.category(before) in EMOJI_PARTS
    return is_emoji_before and unicodedata.category(after) == "So"
