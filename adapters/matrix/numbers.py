"""Number reactions: how choices are offered and pressed where there are no buttons. Pure."""

from __future__ import annotations

STYLE = "\ufe0f"  # some clients leave it out
KEYCAP = "\u20e3"
KEYS = (*(f"{digit}{STYLE}{KEYCAP}" for digit in range(1, 10)), "\U0001f51f")
_INDICES = {key.replace(STYLE, ""): index for index, key in enumerate(KEYS)}


def index_of(key: str) -> int | None:
    """Return which choice a reaction stands for, counted from 0; None if it is no number."""
    return _INDICES.get(key.replace(STYLE, ""))
