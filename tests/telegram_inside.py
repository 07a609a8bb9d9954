"""The bot on Telegram inside the test's own process: the real adapter over real HTTP, wired as `dpool run` does."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from adapters.settings import TelegramSettings
from adapters.telegram import connect
from bot.clock import Clock
from bot.main import serve
from core.chat.commands import table
from core.chat.handling import House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest

    from core.store import Store
    from tests.bot_api import BotApi


def entropy() -> Callable[[int], bytes]:
    """Random bytes that are the same in every run."""
    numbers = count()
    return lambda size: hashlib.sha256(str(next(numbers)).encode()).digest()[:size]


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the adapter keep Telegram's limits as if an hour were a moment."""
    for name in ("CHAT_SECONDS", "GROUP_SECONDS", "ALL_SECONDS"):
        monkeypatch.setattr(f"adapters.telegram.limits.{name}", 0.0)


class Faults(logging.Handler):
    """Keeps every record of a fault: an exception nobody foresaw."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.found.append(logging.Formatter().format(record))


@asynccontextmanager
async def serving(store: Store, api: BotApi) -> AsyncIterator[Faults]:
    """The whole bot on a store; yields the faults of the program that are met."""
    faults = Faults()
    logging.getLogger().addHandler(faults)
    settings = TelegramSettings.model_validate({"token": api.token, "api_url": api.url})
    house = House(store, table(), entropy(), on_fault=lambda error: faults.found.append(repr(error)))
    bot = asyncio.create_task(serve(house, Clock(), {"telegram": partial(connect, settings)}))
    try:
        await api.until(lambda: api.updates.is_polled or bot.done())
        if bot.done():
            await bot
        yield faults
        assert not bot.done()
    finally:
        bot.cancel()
        with suppress(asyncio.CancelledError):
            await bot
        logging.getLogger().removeHandler(faults)
