"""Fixtures around the Bot API server. A test module has them with `pytest_plugins = ("tests.telegram_fixtures",)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adapter_telegram import KeptDoor
from tests.bot_api import BotApi
from tests.telegram_bots import bot_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telegram import Bot

    from core.store import Store
    from tests.bot_api_world import Chat, User


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    """Telegram, as the tests have it."""
    async with BotApi() as server:
        yield server


@pytest.fixture
def ana(api: BotApi) -> User:
    """Somebody with a phone."""
    return api.user("Ana")


@pytest.fixture
async def group(api: BotApi, ana: User) -> Chat:
    """Ana's group with topics, and the bot in it."""
    chat = api.group("Bakery", [ana, api.user("Bo")], is_forum=True)
    await api.add_bot(chat, ana)
    return chat


@pytest.fixture
def door(file_store: Store) -> KeptDoor:
    """What an adapter hands events over to, with nobody behind it."""
    return KeptDoor(file_store)


@pytest.fixture
async def bot(api: BotApi) -> AsyncIterator[Bot]:
    """The library's own bot, connected."""
    async with bot_on(api) as one:
        yield one
