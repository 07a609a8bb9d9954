"""The bot on a real homeserver, in this process: adapter, inbox, dispatch and outbox as they are wired in earnest."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from adapters.matrix import connect
from adapters.post import Carrier, Door
from adapters.settings import MatrixSettings
from bot.clock import Clock
from bot.dispatcher import Dispatcher
from core.chat.commands import table
from core.chat.handling import House
from core.chat.message import Event
from core.tables_chat import Chat, Delivery, Inbox
from tests.fake_adapter import until
from tests.synapse import SERVER_NAME, password_of, user_id

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.matrix.client import Matrix
    from core.store import Store
    from tests.synapse import Synapse
    from tests.synapse_person import Person

START_SECONDS = 60


class Bot:
    """An account's bot; `start` and `stop` as often as one likes."""

    def __init__(self, synapse: Synapse, store: Store, folder: Path, name: str) -> None:
        self.synapse = synapse
        self.store = store
        self.folder = folder
        self.name = name
        self.user = user_id(name)
        self.settings: dict[str, Any] = {"password": password_of(name), "allow_invites_from": (f"*:{SERVER_NAME}",)}
        self.adapter: Matrix | None = None
        self._dispatcher: Dispatcher | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Log in and begin; return when everything that was said before is known."""
        clock, settings = Clock(), {**self.settings, "homeserver": self.synapse.url, "user": self.user}
        self._dispatcher = Dispatcher(House(self.store, table(), secrets.token_bytes), clock)
        door = Door(self.store, clock, self._dispatcher.wake)
        self.adapter = connect(MatrixSettings.model_validate({"store": self.folder, **settings}), door)
        carrier = Carrier(self.store, self.adapter, clock)
        self._dispatcher.on_done = carrier.wake
        self._dispatcher.start()
        await self.adapter.start()
        self._tasks = [asyncio.create_task(self.adapter.run()), asyncio.create_task(carrier.run())]
        await self.caught_up()

    async def caught_up(self) -> None:
        """Wait until it listens."""
        await until(lambda: self.adapter is not None and self.adapter.is_caught_up())

    async def ended(self) -> BaseException | None:
        """Wait until listening ends by itself; return why."""
        done, _ = await asyncio.wait(self._tasks[:1], timeout=START_SECONDS)
        return next(iter(done)).exception() if done else None

    async def stop(self) -> None:
        """End, as when the process is told to."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task
        self._tasks = []
        if self.adapter is not None:
            await self.adapter.stop()
            self.adapter = None
        if self._dispatcher is not None:
            await asyncio.to_thread(self._dispatcher.stop)
            self._dispatcher = None

    # What it has in its store

    def inbox(self) -> list[Event]:
        """Return every event that was kept, in order."""
        with self.store.read() as session:
            return [Event.from_json(row.payload) for row in session.exec(select(Inbox).order_by(col(Inbox.id)))]

    def chat(self, room: str) -> Chat:
        """Return a room's chat."""
        with self.store.read() as session:
            return session.exec(select(Chat).where(Chat.address == room, Chat.topic == "")).one()

    def sent(self, room: str) -> list[Delivery]:
        """Return what went out to a room."""
        with self.store.read() as session:
            query = select(Delivery).join(Chat, col(Chat.id) == col(Delivery.chat_id)).where(Chat.address == room)
            return list(session.exec(query.order_by(col(Delivery.id))))


async def room_with(bot: Bot, person: Person, name: str = "Bakery", **options: Any) -> str:
    """Let somebody make a room and invite the bot; return the room once it is there."""
    room = await person.open(name, invite=[bot.user], **options)
    await joined(bot, person, room)
    return room


async def joined(bot: Bot, person: Person, room: str) -> None:
    """Wait until the bot is in somebody's room."""
    async with asyncio.timeout(START_SECONDS):
        while bot.user not in await person.members(room):
            await person.turn(0.5)


async def found_pool(bot: Bot, person: Person, **options: Any) -> str:
    """Let somebody found the pool Valley in a room of the project Bakery; return the room."""
    room = await room_with(bot, person, **options)
    await person.say(room, "!pool new Valley")
    await person.hear(room, "Valley is founded")
    await person.say(room, "!project new Bakery")
    await person.hear(room, "Bakery is a project of Valley")
    return room
