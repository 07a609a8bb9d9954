"""kill -9 at twenty random points of a run of 200 updates, with the real process on a real file."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from itertools import count, islice
from random import Random
from typing import TYPE_CHECKING, Any

from tests.bot_api import BotApi
from tests.telegram_process import lives

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import pytest

    from tests.bot_api_world import Chat, User

SEED = 20
KILLS, UPDATES, CHATS = 20, 200, 10
WAIT_SECONDS = 120


class Run:
    """A pool of ten projects, whose people write tasks; every task has a number in its title."""

    def __init__(self, api: BotApi, folder: Path, start: Callable[[], Awaitable[int]]) -> None:
        self.api = api
        self.random = Random(SEED)
        self.pid = 0
        self.under_way: Counter[str] = Counter()
        self._database = folder / "dpool.db"
        self._start = start
        self._numbers = count(1)
        self._chats: list[tuple[User, Chat]] = []

    async def found(self) -> None:
        """Start it, and let the pool be founded."""
        self.pid = await self._start()
        for number in range(CHATS):
            user = self.api.user(f"Person{number}")
            chat = self.api.group(f"Project{number}", [user])
            self._chats.append((user, chat))
            await self.api.add_bot(chat, user)
        ana, first = self._chats[0]
        told = await self.api.talk(ana, first, "/pool new Valley", "code: ")
        code = told.text.split("code: ")[1].split()[0]
        for number, (user, chat) in enumerate(self._chats):
            await self.api.talk(user, chat, f"/project new Project{number} {code}", "is a project of Valley")

    async def write(self, how_many: int) -> None:
        """Let people write so many tasks."""
        for number in islice(self._numbers, how_many):
            user, chat = self._chats[number % CHATS]
            await self.api.write(user, chat, f"/task new Work{number}. 1h")

    async def recover(self) -> None:
        """Let it send what was under way when it was killed: twice under way at a kill, it would be set aside."""
        await self.api.until(lambda: not self.rows(UNSURE), WAIT_SECONDS)

    async def kill(self) -> None:
        """Kill it somewhere in what it does now: at one of its next requests, or a moment later; start it again."""
        calls = len(self.api.calls) + self.random.randrange(1, UPDATES // KILLS)
        await self.api.until(lambda: len(self.api.calls) >= calls, WAIT_SECONDS)
        await asyncio.sleep(self.random.choice((0, 0, 0.002, 0.01, 0.03)))
        os.kill(self.pid, signal.SIGKILL)
        self.under_way.update(title(row[0]) for row in self.rows(UNDER_WAY))
        self.pid = await self._start()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._database)) as connection:
            return connection.execute(sql).fetchall()

    def replies(self) -> Counter[str]:
        """Return how often each task's card has come."""
        return Counter(title(one.text) for _user, chat in self._chats for one in self.api.sent(chat) if title(one.text))


UNSURE = "SELECT id FROM delivery WHERE state = 'ready' AND (fault != '' OR sent_at IS NOT NULL)"
UNDER_WAY = "SELECT payload FROM delivery WHERE state = 'ready' AND sent_at IS NOT NULL AND edits IS NULL"
TASKS = "SELECT title FROM task"
WAITING = "SELECT count(*) FROM inbox WHERE done_at IS NULL"


def title(text: str) -> str:
    """Return which task a message is about."""
    found = re.search(r"Work\d+\.", text)
    return found[0] if found else ""


async def test_nothing_is_lost_and_nothing_done_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = {f"Work{number}.": 1 for number in range(1, UPDATES + 1)}
    async with BotApi() as api, lives(tmp_path, api) as start:
        run = Run(api, tmp_path, start)
        await run.found()
        for _ in range(KILLS):
            await run.recover()
            await run.write(UPDATES // KILLS)
            await run.kill()
        await api.until(lambda: run.replies().keys() == expected.keys() and run.rows(WAITING) == [(0,)], WAIT_SECONDS)
        os.kill(run.pid, signal.SIGTERM)
    assert Counter(title for (title,) in run.rows(TASKS)) == expected
    assert run.rows("SELECT fault FROM inbox WHERE fault != ''") == []
    twice = {name: times for name, times in run.replies().items() if times > 1}
    assert {name: times for name, times in twice.items() if times > 1 + run.under_way[name]} == {}
    with capsys.disabled():
        sys.stdout.write(
            f"\n{KILLS} kills in {UPDATES} updates, each done once; of {run.under_way.total()} messages under way "
            f"{sum(twice.values()) - len(twice)} came twice\n"
        )
