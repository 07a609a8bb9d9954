"""`dpool run` as a process of its own, on Matrix as a real homeserver plays it, with a SQLite file."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

from tests.synapse import SERVER_NAME, password_of, user_id

if TYPE_CHECKING:
    from asyncio.subprocess import Process as Child
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.synapse import Synapse

PIPE = asyncio.subprocess.PIPE
START_SECONDS, STOP_SECONDS, WAIT_SECONDS = 60.0, 30.0, 120.0
READY = "matrix is connected"


class Pool:
    """One run after another of the same bot on the same files. `log` is what they wrote to the terminal.

    In a hurry (`is_hurried`) all runs come out of one process that has imported everything already.
    """

    def __init__(self, folder: Path, synapse: Synapse, name: str, *, token: str = "", is_hurried: bool = False) -> None:
        self.name = name
        self.user = user_id(name)
        self.log = ""
        self.database = folder / "dpool.db"
        self.store = folder / "matrix-store"
        self.is_hurried = is_hurried
        self._config = folder / "config.yaml"
        self._child: Child | None = None
        self._number = 0
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._starts = 0
        self.configure(synapse, {"access_token": token} if token else {"password": password_of(name)})

    def configure(self, synapse: Synapse, login: dict[str, str]) -> None:
        """Write the configuration. JSON is YAML as well."""
        matrix = {
            "homeserver": synapse.url,
            "user": self.user,
            "store": str(self.store),
            "allow_invites_from": [f"*:{SERVER_NAME}"],
            **login,
        }
        self._config.write_text(json.dumps({"database": f"sqlite:///{self.database}", "matrix": matrix}), "utf-8")

    # Its life

    async def start(self) -> None:
        """Start it; it may not be ready yet."""
        self._starts = self.log.count(READY)
        if self._child is None or not self.is_hurried:
            program = ["-m", "tests.matrix_nursery"] if self.is_hurried else ["-m", "bot", *self._command]
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, *program, stdin=PIPE, stdout=PIPE, stderr=PIPE,
                env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"},
            )  # fmt: skip
            self._number = self._child.pid
            self._reader = asyncio.create_task(self._read(self._child))
        if self.is_hurried and self._child.stdin is not None:
            self._child.stdin.write(f"{' '.join(self._command)}\n".encode())
            self._number = await self._told()

    @property
    def _command(self) -> list[str]:
        return ["run", "--config", str(self._config)]

    async def _told(self) -> int:
        """Return the next figure that the process of processes tells."""
        if self._child is None or self._child.stdout is None:
            raise ProcessLookupError
        return int(await self._child.stdout.readline())

    async def _read(self, child: Child) -> None:
        if child.stderr is not None:
            async for line in child.stderr:
                self.log += line.decode()
                self._changed.set()
        self._changed.set()

    async def ready(self) -> None:
        """Wait until it is connected."""
        await self.until(lambda: self.log.count(READY) > self._starts or self._has_ended, START_SECONDS)
        assert self.log.count(READY) > self._starts, self.log

    async def logged(self, text: str) -> None:
        """Wait until something is in the log."""
        await self.until(lambda: text in self.log)

    async def until(self, condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        """Wait until a condition about the log holds."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(self.log) from None

    @property
    def _has_ended(self) -> bool:
        return self._reader is not None and self._reader.done()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop, or kill it; return its exit code."""
        os.kill(self._number, number)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for its end; return its exit code."""
        if self._child is None:
            raise ProcessLookupError
        async with asyncio.timeout(STOP_SECONDS):
            code = await (self._told() if self.is_hurried else self._child.wait())
            if self._reader is not None and not self.is_hurried:
                await self._reader
        self._number = 0
        return code

    async def close(self) -> None:
        """Leave nothing running."""
        if self._number and self._child is not None and self._child.returncode is None:
            os.kill(self._number, signal.SIGKILL)
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
            await self._child.wait()
        if self._reader is not None:
            await self._reader

    # What it has kept

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Look something up in its database."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()

    def figure(self, sql: str) -> int:
        """Look a figure up in its database."""
        return int(self.query(sql)[0][0])

    def token(self) -> str:
        """The token it is logged in with."""
        return str(json.loads((self.store / "session.json").read_text("utf-8"))["access_token"])


@asynccontextmanager
async def prepared(folder: Path, synapse: Synapse, name: str, **settings: Any) -> AsyncIterator[Pool]:
    """A bot that is not started yet; nothing of it is left at the end."""
    found = Pool(folder, synapse, name, **settings)
    try:
        yield found
    finally:
        await found.close()


@asynccontextmanager
async def running(folder: Path, synapse: Synapse, name: str, **settings: Any) -> AsyncIterator[Pool]:
    """A bot that is connected."""
    async with prepared(folder, synapse, name, **settings) as found:
        await found.start()
        await found.ready()
        yield found
