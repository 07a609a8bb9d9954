"""Processes of the bot on one store, which a test starts and kills."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlmodel import select

from core.tables import Pool
from tests import file_platform
from tests.file_platform import sent, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from core.store import Store

WAIT_SECONDS = 120
ROOMS = ("bakery", "garden", "mill", "house")


@dataclass
class Crew:
    """Processes on one store and one folder, each named after its roles and a number."""

    store: Store
    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    started_count: int = 0

    def start(self, *names: str) -> None:
        for name in names:
            command = [sys.executable, "-m", file_platform.__name__, self.store.url, str(self.folder), name.split()[0]]
            self.started_count += 1
            with (self.folder / "log").open("ab") as log:
                self.running[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self, *names: str) -> None:
        for name in names:
            self.running[name].kill()
            self.running.pop(name).wait(WAIT_SECONDS)

    def stop(self) -> None:
        """Tell all to stop, once they listen."""
        self.until(lambda: self.log().count("dpool is running") == self.started_count)
        for one in self.running.values():
            one.terminate()
        codes = {one.wait(WAIT_SECONDS) for one in self.running.values()}
        self.running.clear()
        assert codes <= {0}, self.log()[-5000:]

    def until(self, condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> float:
        """Wait for something; return how long that took."""
        began_at = time.monotonic()
        while not condition():
            ended = [name for name, one in self.running.items() if one.poll() is not None]
            assert not ended, (ended, self.log()[-5000:])
            assert time.monotonic() - began_at < seconds, self.log()[-5000:]
            time.sleep(0.02)
        return time.monotonic() - began_at

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def say(self, *lines: tuple[str, str, str]) -> None:
        """Let people write: rooms, who, and words."""
        write(self.folder, lines)

    def answered(self) -> list[str]:
        """Return the messages that were answered, by number: m0, m1."""
        return [ref for _room, _key, ref, _text in sent(self.folder) if ref]

    def until_answered(self, count: int, seconds: float = WAIT_SECONDS) -> float:
        """Wait until so many messages were answered; return how long that took."""
        return self.until(lambda: len(set(self.answered())) >= count, seconds)

    def found_pool(self) -> int:
        """Found a pool with a project in every room; return how many messages that took."""
        self.say((ROOMS[0], "ana", "/pool new Valley"), (ROOMS[0], "ana", "/project new Bakery"))
        self.until_answered(2)
        with self.store.read() as session:
            code = session.exec(select(Pool.code)).one()
        self.say(*((room, "ana", f"/project new {room.capitalize()}x {code}") for room in ROOMS[1:]))
        self.until_answered(1 + len(ROOMS))
        return 1 + len(ROOMS)


@contextmanager
def crew(store: Store, folder: Path) -> Iterator[Crew]:
    """Give a crew without anybody; in the end all who are left have to stop when told to."""
    found = Crew(store, folder)
    (folder / file_platform.RECEIVED).touch()
    try:
        yield found
        found.stop()
    finally:
        found.kill(*tuple(found.running))
