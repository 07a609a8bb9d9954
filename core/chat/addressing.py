"""Being spoken to: a command with our name behind it, or our name in front."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

SIGNED = re.compile(r"(?P<sign>[/!])(?P<command>[^\W\d_]\w*)@(?P<name>[\w.:-]+)(?P<rest>.*)", re.DOTALL)
NAMED = re.compile(r"@(?P<name>[\w.:-]*\w)[\s,:]*(?P<rest>.*)", re.DOTALL)


def addressed(text: str, names: Collection[str]) -> tuple[str, bool] | None:
    """Return the text without our name, and whether we were named; None if it is for another bot.

    `names` are ours, in lower case and without the `@`.
    """
    signed = SIGNED.fullmatch(text)
    if signed is not None:
        if signed["name"].casefold() not in names:
            return None
        return f"{signed['sign']}{signed['command']}{signed['rest']}", True
    named = NAMED.fullmatch(text)
    if named is not None and named["name"].casefold() in names:
        return named["rest"], True
    return text, False
