"""`dpool run` as a process of its own, on Telegram as `tests.bot_api` plays it, with a SQLite file."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, STDOUT
from contextlib import asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.bot_api import BotApi
    from tests.bot_api_world import Message

START_SECONDS, STOP_SECONDS = 60.0, 30.0
# The same program, with Telegram's limits for a bot's messages so much shorter, and its clock so many days ahead: a
# test has neither minutes nor days to wait.
HURRIED = """
import sys
from datetime import timedelta
from adapters.telegram import limits
from bot.cli import main
from bot.clock import Clock
limits.CHAT_SECONDS, limits.GROUP_SECONDS, limits.ALL_SECONDS = 0.03, 0.6, 0.01
Clock.__init__.__defaults__ = (timedelta(days=int(sys.argv.pop(1))),)
"""
ONCE = HURRIED + "sys.exit(main())"
# Loads everything once and becomes one process after another, each for a line that it reads.
AGAIN_AND_AGAIN = f"""
import os
import bot.main
{HURRIED}
for _line in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(main())
    sys.stdout.write(f"{{child}}\\n")
    sys.stdout.flush()
    os.waitpid(child, 0)
"""


class Process:
    """One run after another of the same bot on the same file. `log` is what the last one wrote to the terminal."""

    def __init__(self, folder: Path, api: BotApi, *, is_hurried: bool = False) -> None:
        self.database = folder / "dpool.db"
        self.api = api
        self.log = ""
        self.days_ahead = 0
        self.config = folder / "config.yaml"
        self._is_hurried = is_hurried
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.configure()

    def configure(self, token: str = "", webhook: dict[str, str] | None = None) -> None:
        """Write its configuration."""
        lines = [f"database: sqlite:///{self.database}", "telegram:", f"  token: {token or self.api.token}"]
        lines.append(f"  api_url: {self.api.url}")
        if webhook is not None:
            lines += ["  webhook:", *(f"    {key}: {value}" for key, value in webhook.items())]
        self.config.write_text("\n".join(lines), "utf-8")

    async def start(self) -> None:
        """Start it; it may not be ready yet."""
        program = ["-c", ONCE, str(self.days_ahead)] if self._is_hurried else ["-m", "bot"]
        command = [sys.executable, *program, "run", "--config", str(self.config)]
        self.log = ""
        self._process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
        self._reader = asyncio.create_task(self._read(self._process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.log += line.decode()
            self.api.changed()

    async def ready(self) -> None:
        """Wait until it is connected."""
        await self.api.until(lambda: "telegram is connected" in self.log or not self.is_running, START_SECONDS)
        assert self.is_running, self.log

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def ended(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for its end; return its exit code."""
        assert self._process is not None
        assert self._reader is not None
        async with asyncio.timeout(seconds):
            code = await self._process.wait()
            await self._reader
        return code

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop, or kill it; return its exit code."""
        if self._process is not None and self.is_running:
            self._process.send_signal(number)
        return await self.ended()

    async def recorded(self, message: Message) -> Message:
        """Wait until the pool knows that a message has arrived, as it does long before somebody has read it."""
        reference = f"{message.chat.id}/{message.id}"
        await self.api.until(lambda: self.query("SELECT 1 FROM delivery WHERE ref = ? AND state = 'sent'", reference))
        return message

    def query(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        """Look something up in its database."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()


@asynccontextmanager
async def running(folder: Path, api: BotApi, *, is_hurried: bool = False) -> AsyncIterator[Process]:
    """A bot that is connected; stopped at the end if it still runs."""
    process = Process(folder, api, is_hurried=is_hurried)
    await process.start()
    try:
        await process.ready()
        yield process
    except (AssertionError, TimeoutError) as error:
        error.add_note(process.log)
        raise
    finally:
        if process.is_running:
            await process.stop(signal.SIGKILL)


@asynccontextmanager
async def lives(folder: Path, api: BotApi) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """A bot that can be started again in no time; yields what starts it and returns its process id."""
    config = Process(folder, api).config
    command = [sys.executable, "-c", AGAIN_AND_AGAIN, "0", "run", "--config", str(config)]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=log)

    pid = 0

    async def start() -> int:
        nonlocal pid
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n")
        pid = int(await process.stdout.readline())
        return pid

    try:
        yield start
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with suppress(ProcessLookupError):
            os.kill(pid or process.pid, signal.SIGKILL)
        await process.wait()
