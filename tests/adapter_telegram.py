"""The Telegram adapter alone, on the Bot API server of the tests: no pool behind it, and what it hands over is kept."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapters.post import Door
from adapters.settings import TelegramSettings
from adapters.telegram import connect
from core.chat.message import Message, Priority
from core.chat.port import Parcel
from core.chat.text import Text
from core.identity import Place
from tests.clocks import StillClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from adapters.telegram.client import Telegram
    from core.chat.message import Event
    from core.store import Store
    from tests.bot_api import BotApi
    from tests.bot_api_world import Chat


@dataclass
class KeptDoor(Door):
    """A door that also remembers; `gate` holds up whoever comes."""

    store: Store
    events: list[Event] = field(default_factory=list)
    gate: asyncio.Event | None = None

    def __post_init__(self) -> None:
        super().__init__(self.store, StillClock(), lambda: None)

    async def receive(self, events: Sequence[Event], facts: Mapping[str, str] | None = None) -> int:
        if self.gate is not None:
            await self.gate.wait()
        count = await super().receive(events, facts)
        self.events += events
        return count


def settings(api: BotApi, **rest: Any) -> TelegramSettings:
    return TelegramSettings.model_validate({"token": api.token, "api_url": api.url, **rest})


@asynccontextmanager
async def started(api: BotApi, door: KeptDoor) -> AsyncIterator[Telegram]:
    """An adapter that is connected and receives nothing."""
    adapter = connect(settings(api), door)
    try:
        await adapter.start()
        yield adapter
    finally:
        await adapter.stop()


@asynccontextmanager
async def receiving(api: BotApi, door: KeptDoor, **rest: Any) -> AsyncIterator[tuple[Telegram, asyncio.Task[None]]]:
    """An adapter that receives, and its loop."""
    adapter = connect(settings(api, **rest), door)
    loop = None
    try:
        await adapter.start()
        loop = asyncio.create_task(adapter.run())
        yield adapter, loop
    finally:
        if loop is not None:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
        await adapter.stop()


def parcel(
    chat: Chat, text: str | Text = "Hi", *, key: str = "k", topic: str = "", edits: str = "", **rest: Any
) -> Parcel:
    """A parcel for a chat; `rest` are fields of its message."""
    place = Place("telegram", str(chat.id), topic, private=chat.kind == "private")
    priority = rest.pop("priority", Priority.REPLY)
    accounts = rest.pop("accounts", {})
    message = Message(text if isinstance(text, Text) else Text.of(text), **rest)
    return Parcel(17, key, 1, chat.id, place, priority, message, edits, accounts)
