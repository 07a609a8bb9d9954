"""Reading JSON that may be anything: what is not of the kind that is wanted counts as missing."""

from __future__ import annotations

import re

NUMBER_MAX = 2**63 - 1
UNFIT = re.compile("[\x00\ud800-\udfff]")  # no database takes them, and Telegram sends none


def part(value: object, key: str) -> dict[str, object]:
    """Return an object within an object; empty if there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def text(value: object, key: str) -> str:
    """Return a text within an object; empty if there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return UNFIT.sub("\N{REPLACEMENT CHARACTER}", found) if isinstance(found, str) else ""


def number(value: object, key: str) -> int:
    """Return a whole number of 64 bits within an object; 0 if there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    is_number = isinstance(found, int) and not isinstance(found, bool) and abs(found) <= NUMBER_MAX
    return int(found) if is_number and isinstance(found, int) else 0


def flag(value: object, key: str) -> bool:
    """Tell whether something is true within an object."""
    return isinstance(value, dict) and value.get(key) is True
