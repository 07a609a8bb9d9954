"""Bots for tests of the Bot API server: the library's own, straight on the server."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from telegram import Bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bot_api import BotApi

os.environ.setdefault(
    "PTB_TIMEDELTA", "true"
)  # as its next version does by itself; without, every 429 brings a warning


@asynccontextmanager
async def bot_on(api: BotApi, token: str = "") -> AsyncIterator[Bot]:
    """A bot of python-telegram-bot, connected."""
    async with Bot(token or api.token, base_url=f"{api.url}/bot", base_file_url=f"{api.url}/file/bot") as bot:
        yield bot
