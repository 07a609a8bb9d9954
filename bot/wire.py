"""The wire between the processes on one database: who is there, who has which part, and calls to wake up.

On a SQLite file one process does everything, and a wire to nobody takes the place of the one in `bot.server_wire`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

log = logging.getLogger(__name__)
TAKEN_SECONDS = 0.05


class Wire(Protocol):
    """What a process needs of the others. A part ("tick", "receive telegram") is one process's at a time."""

    number: int

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """Let go of everything."""
        ...

    def say(self, *words: str) -> None:
        """Wake what waits for these words in this process, where the store does not do it."""
        ...

    def take(self, part: str) -> None:
        """Have a part as soon as it is free, until it is dropped."""
        ...

    def drop(self, part: str) -> None:
        """Have a part no longer."""
        ...

    def has(self, part: str) -> bool:
        """Tell whether this process has a part."""
        ...

    def is_elsewhere(self, part: str) -> bool:
        """Tell whether another process has a part that this one would take."""
        ...

    def is_taken(self, part: str) -> bool:
        """Tell whether any process has a part."""
        ...

    def alive(self) -> Collection[int] | None:
        """Return the numbers of the processes that are there; None where there can be only this one."""
        ...


class NoWire:
    """One process does everything."""

    number = 0

    def __init__(self, on_word: Callable[[str], None]) -> None:
        self._on_word = on_word
        self._parts: set[str] = set()

    def start(self) -> None:
        """There is nothing to connect."""

    def stop(self) -> None:
        """There is nothing to let go of."""

    def say(self, *words: str) -> None:
        """Wake what waits for these words."""
        for word in words:
            self._on_word(word)

    def take(self, part: str) -> None:
        """Have a part at once."""
        self._parts.add(part)

    def drop(self, part: str) -> None:
        """Have a part no longer."""
        self._parts.discard(part)

    def has(self, part: str) -> bool:
        """Tell whether it was taken."""
        return part in self._parts

    def is_elsewhere(self, _part: str) -> bool:
        """Nobody else is there."""
        return False

    def is_taken(self, part: str) -> bool:
        """Tell whether it was taken."""
        return part in self._parts

    def alive(self) -> None:
        """There can be only this one."""


async def taken(wire: Wire, part: str) -> None:
    """Take a part, and wait until this process has it."""
    wire.take(part)
    is_told = False
    while not wire.has(part):
        if not is_told and wire.is_elsewhere(part):
            log.info("another process is there to %s; this one takes over when that ends", part)
            is_told = True
        await asyncio.sleep(TAKEN_SECONDS)
