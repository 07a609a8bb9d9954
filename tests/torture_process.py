"""`dpool run` as processes that can be killed and started again in no time, with the days going by."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, create_subprocess_exec
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path
    from random import Random

    from tests.bot_api import BotApi

# Loads everything once, with Telegram's limits for a bot's messages so much shorter, and becomes one process for each
# line that it reads: how many days ahead its clock is, and its roles.
NURSERY = """
import os, signal, sys
from datetime import timedelta
import bot.main
from adapters.telegram import limits
from bot.cli import main
from bot.clock import Clock
limits.CHAT_SECONDS, limits.GROUP_SECONDS, limits.ALL_SECONDS = 0.01, 0.2, 0.005
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    days, *roles = line.split()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        Clock.__init__.__defaults__ = (timedelta(days=int(days)),)
        os._exit(main(["run", "--config", sys.argv[1], *(part for role in roles for part in ("--role", role))]))
    print(child, flush=True)
"""
GONE_SECONDS_MAX = 60.0
TOGETHER = ("ingest", "work", "work", "send", "tick")


@dataclass
class Fleet:
    """The processes of one store: one with every role, or one for each; `kill_count` of them have been killed."""

    nursery: Process
    roles: Sequence[str]
    days: int = 0
    kill_count: int = 0
    _pids: list[int] = field(default_factory=list)

    async def start(self) -> None:
        """Start them all."""
        self._pids = [await self._born(role) for role in self.roles]

    async def _born(self, role: str) -> int:
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write(f"{self.days} {role}\n".encode())
        return int(await self.nursery.stdout.readline())

    async def strike(self, random: Random) -> None:
        """Kill one of them, wherever it is, and start it again."""
        place = random.randrange(len(self._pids))
        await self._kill(self._pids[place])
        self._pids[place] = await self._born(self.roles[place])

    async def next_day(self) -> None:
        """Kill them all at once; a day later they are back."""
        await self.stop()
        self.days += 1
        await self.start()

    async def stop(self) -> None:
        """End them all."""
        for pid in self._pids:
            await self._kill(pid)
        self._pids = []

    async def _kill(self, pid: int) -> None:
        """Kill one, and wait until it is gone. Raises ProcessLookupError if it had ended by itself."""
        os.kill(pid, signal.SIGKILL)
        self.kill_count += 1
        async with asyncio.timeout(GONE_SECONDS_MAX):
            await asyncio.to_thread(_await_end, pid)


def _await_end(pid: int) -> None:
    """Wait until a process is gone; it is nobody's child here, so there is nothing to wait on but its number."""
    with suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            time.sleep(0.002)


@asynccontextmanager
async def fleet(folder: Path, api: BotApi, url: str) -> AsyncIterator[Fleet]:
    """Get ready to run on a store; whatever runs is ended with the context."""
    config = folder / "config.yaml"
    lines = [f"database: {url}", "telegram:", f"  token: {api.token}", f"  api_url: {api.url}"]
    config.write_text("\n".join(lines), "utf-8")
    with (folder / "log").open("wb") as log:
        nursery = await create_subprocess_exec(
            sys.executable, "-c", NURSERY, str(config), stdin=PIPE, stdout=PIPE, stderr=log
        )
    found = Fleet(nursery, TOGETHER if url.startswith("postgresql") else ("all",))
    try:
        yield found
    finally:
        await found.stop()
        assert nursery.stdin is not None
        nursery.stdin.close()
        await nursery.wait()
