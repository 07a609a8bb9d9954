"""A platform of two files, for processes that are killed: what people write is in one, what is sent goes to the other.

    python -m tests.file_platform URL FOLDER ROLES

runs `bot.main.serve` on it until it is told to stop.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.clock import Clock
from bot.main import serve
from bot.roles import read_roles
from core.chat.commands import table
from core.chat.handling import House
from core.chat.message import Event, Incoming
from core.identity import Place, Sender
from core.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from adapters.post import Door
    from core.chat.message import Failure
    from core.chat.port import Parcel

PLATFORM = "file"
RECEIVED, SENT = "received", "sent"
LOOK_SECONDS = 0.05


class FilePlatform:
    """Receives the lines of one file, and appends what it sends to another."""

    platform = PLATFORM
    card_seconds = 0
    repeats_safely = True
    sends_apart = True

    def __init__(self, folder: Path, door: Door) -> None:
        self.folder, self.door = folder, door
        self.has_caught_up = False

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def run(self) -> None:
        """Receive. How many lines have been read is kept with what they said."""
        while True:
            count = int(await self.door.fact("file:lines") or 0)
            lines = (self.folder / RECEIVED).read_text().splitlines()[count:]
            self.has_caught_up = not lines
            events = [self._event(number, json.loads(line)) for number, line in enumerate(lines, count)]
            if events:
                await self.door.receive(events, {"file:lines": str(count + len(events))})
            await asyncio.sleep(LOOK_SECONDS)

    def _event(self, number: int, said: list[str]) -> Event:
        room, who, words = said
        place, sender = Place(PLATFORM, room, title=room), Sender(PLATFORM, who, who.capitalize())
        return Event(f"e{number}", Incoming.TEXT, place, sender, words, f"m{number}")

    def is_caught_up(self) -> bool:
        return self.has_caught_up

    def busy_chats(self) -> Collection[int]:
        return ()

    async def send(self, parcel: Parcel) -> str | Failure:
        """Append a line at once, so that no two processes mix theirs."""
        line = json.dumps([parcel.place.address, parcel.key, parcel.message.reply_to, str(parcel.message.text)])
        file = os.open(self.folder / SENT, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{line}\n".encode())
        os.close(file)
        return parcel.edits or parcel.key


def write(folder: Path, lines: Iterable[tuple[str, str, str]]) -> None:
    """Let people write: rooms, who, and words."""
    with (folder / RECEIVED).open("a") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in lines)


def sent(folder: Path) -> list[list[Any]]:
    """Return what was sent, oldest first: room, key, message answered, text."""
    path = folder / SENT
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main(url: str, folder: str, roles: str) -> None:
    """Run a process of these roles."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    with closing(Store(url)) as store:
        house = House(store, table(), secrets.token_bytes)
        asyncio.run(
            serve(house, Clock(), {PLATFORM: lambda door: FilePlatform(Path(folder), door)}, read_roles([roles]))
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
