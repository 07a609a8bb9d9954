"""How long an update of Telegram waits for its reply to be queued: `python -m tests.bench_telegram`.

A bare echo on python-telegram-bot is asked the same on the same server, in turns, each bot in a process of its own: its
replies are queued in memory, ours durably. Both send 30 a second at most, as Telegram lets them. Only the ratio counts.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from telegram.ext import Application, ContextTypes, MessageHandler, filters

from adapters.post import Carrier, Door
from adapters.settings import TelegramSettings
from adapters.telegram import connect
from bot.dispatcher import Dispatcher
from bot.main import tune
from core.chat.commands import table
from core.chat.handling import House
from core.schema import open_store
from tests.bench_rows import Row, limit, ratio
from tests.bot_api import TOKEN, BotApi
from tests.telegram_process import Process
from tests.village import entropy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from telegram import Update

UPDATES_A_SECOND = 200
SENDS_A_SECOND = 30
LOAD_SECONDS, WAIT_SECONDS = 4, 60
DURABLE = (
    "the echo has its reply in memory at once; dpool has synced the update to the disk, then the reply, before it sends"
)
TURNS = 3
PEOPLE = 100
BOUND = 2.0
START_SECONDS_MAX = 2


def clock() -> datetime:
    """Return the real time: this is a benchmark."""
    return datetime.now(UTC)


@asynccontextmanager
async def echo(api_url: str, queued: Callable[[], None]) -> AsyncIterator[None]:
    """The simplest bot there is: every text comes back."""
    replies: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    async def answer(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        if update.message is not None:
            replies.put_nowait((update.message.chat_id, update.message.text or ""))
            queued()

    async def send() -> None:
        while True:
            chat_id, text = await replies.get()
            await application.bot.send_message(chat_id, text)
            await asyncio.sleep(1 / SENDS_A_SECOND)

    builder = Application.builder().token(TOKEN).base_url(f"{api_url}/bot").base_file_url(f"{api_url}/file/bot")
    application: Application[Any, Any, Any, Any, Any, Any] = builder.build()
    application.add_handler(MessageHandler(filters.TEXT, answer))
    async with application:
        assert application.updater is not None
        await application.updater.start_polling()
        await application.start()
        sender = asyncio.create_task(send())
        yield
        await _end(sender)
        await application.updater.stop()
        await application.stop()


@asynccontextmanager
async def dpool(api_url: str, queued: Callable[[], None]) -> AsyncIterator[None]:
    """All of ours: adapter, inbox on the disk, dispatch thread, outbox on the disk, sender."""
    with TemporaryDirectory(prefix="dpool-telegram-") as folder:
        store = open_store(f"sqlite:///{folder}/dpool.db", clock())
        dispatcher = Dispatcher(House(store, table(), entropy), clock)
        door = Door(store, clock, dispatcher.wake)
        adapter = connect(TelegramSettings.model_validate({"token": TOKEN, "api_url": api_url}), door)
        carrier = Carrier(store, adapter, clock)
        dispatcher.on_done, dispatcher.on_dispatched = carrier.wake, lambda _seconds: queued()
        dispatcher.start()
        await adapter.start()
        tasks = [asyncio.create_task(adapter.run()), asyncio.create_task(carrier.run())]
        tune()
        yield
        await asyncio.to_thread(dispatcher.stop)
        for task in tasks:
            await _end(task)
        await adapter.stop()
        store.close()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


BOTS: dict[str, Callable[[str, Callable[[], None]], AbstractAsyncContextManager[None]]] = {"echo": echo, "dpool": dpool}


async def serve(name: str, api_url: str) -> None:
    """Be a bot until standard input ends; write when each reply was queued, by the clock of all processes."""

    def queued() -> None:
        sys.stdout.write(f"{perf_counter()!r}\n")
        sys.stdout.flush()

    async with BOTS[name](api_url, queued):
        await asyncio.to_thread(sys.stdin.read)


async def waits(name: str) -> list[float]:
    """Return the seconds from each update to its reply being queued, in order.

    Each is counted from the moment at which it should have come, so that falling behind counts.
    """
    async with BotApi() as api:
        people = [api.user(f"Person{number}") for number in range(PEOPLE)]
        command = [sys.executable, "-m", "tests.bench_telegram", name, api.url]
        bot = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        await api.until(lambda: api.updates.is_polled)
        begin = perf_counter()
        due = [begin + number / UPDATES_A_SECOND for number in range(UPDATES_A_SECOND * LOAD_SECONDS)]
        for number, moment in enumerate(due):
            await asyncio.sleep(max(0.0, moment - perf_counter()))
            who = people[number % PEOPLE]
            await api.write(who, who, "/help")
        assert bot.stdout is not None
        async with asyncio.timeout(WAIT_SECONDS):
            ended = [float(await bot.stdout.readline()) for _ in due]
        await bot.communicate(b"")
    return sorted(end - moment for end, moment in zip(ended, due, strict=True))


def rows() -> Iterator[Row]:
    """Measure both, in turns; the median of the turns counts."""
    found: dict[str, list[tuple[float, float]]] = {"echo": [], "dpool": []}
    for _ in range(TURNS):
        for name in BOTS:
            taken = asyncio.run(waits(name))
            found[name].append((taken[len(taken) // 2], taken[len(taken) * 99 // 100]))
    for place, name in enumerate(("p50", "p99")):
        ours, bare = (median(one[place] for one in found[bot]) for bot in ("dpool", "echo"))
        title = f"Telegram: update to reply queued at {UPDATES_A_SECOND} updates/s, {name} ÷ bare echo"
        yield ratio(title, ours, bare, BOUND, because=DURABLE)
    started = median(asyncio.run(_start_seconds()) for _ in range(TURNS))
    yield limit("`dpool run` to its first reply, Telegram and SQLite", started, START_SECONDS_MAX, "s")


async def _start_seconds() -> float:
    """Return the seconds from starting `dpool run` with a new database to the answer to what waited."""
    with TemporaryDirectory(prefix="dpool-start-") as folder:
        async with BotApi() as api:
            ana = api.user("Ana")
            await api.write(ana, ana, "/help")
            process = Process(Path(folder), api)
            begin = perf_counter()
            await process.start()
            await api.until(lambda: api.counts["sendMessage"] > 0, WAIT_SECONDS)
            taken = perf_counter() - begin
            assert await process.stop() == 0, process.log
    return taken


def main() -> int:
    """Print a line for each figure; return 1 if one is above its bound. With two arguments, be one of the bots."""
    if len(sys.argv) > 1:
        asyncio.run(serve(*sys.argv[1:]))
        return 0
    found = list(rows())
    for row in found:
        sys.stdout.write(f"{row.name}: {row.measured} / {row.against} = {row.figure:.2f} (bound {row.bound:g})\n")
    return int(any(row.is_missed for row in found))


if __name__ == "__main__":
    sys.exit(main())
