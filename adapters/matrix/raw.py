"""Reading what others wrote: whatever shape it has, what is asked for is there or empty."""

from __future__ import annotations

from typing import Any

PLATFORM = "matrix"
ID_LENGTH_MAX = 255
NUMBER_MAX = 2**53  # what JSON can carry exactly


def part(value: object, *keys: str) -> dict[str, Any]:
    """Return the object inside others that stands under these keys."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def parts(value: object, key: str) -> list[dict[str, Any]]:
    """Return the objects of a list; whatever else is in it is left out."""
    found = value.get(key) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text(value: object, key: str) -> str:
    """Return a text, without what no database takes: NUL and halves of characters."""
    found = value.get(key) if isinstance(value, dict) else None
    return plain(found) if isinstance(found, str) else ""


def texts(value: object, key: str) -> list[str]:
    """Return the texts of a list."""
    found = value.get(key) if isinstance(value, dict) else None
    return [plain(one) for one in found if isinstance(one, str)] if isinstance(found, list) else []


def number(value: object, key: str, default: int = 0) -> int:
    """Return a number; texts that are numbers count, as old rooms have them."""
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) <= len(str(NUMBER_MAX)):
        found = int(found)
    is_number = isinstance(found, int) and not isinstance(found, bool) and abs(found) <= NUMBER_MAX
    return found if is_number and isinstance(found, int) else default


def plain(found: str) -> str:
    """Return a text that can be kept."""
    return found.replace("\0", "").encode("utf-8", "replace").decode()


def is_id(found: str) -> bool:
    """Tell whether a text can be the id of an event, a room or a person."""
    return 1 < len(found) <= ID_LENGTH_MAX and plain(found) == found
