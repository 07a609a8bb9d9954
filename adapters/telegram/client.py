"""The adapter: connects, receives by polling or webhook, and sends within Telegram's limits."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from telegram.error import ChatMigrated, RetryAfter, TelegramError

from adapters.telegram import incoming, menu
from adapters.telegram.api import AGAIN_SECONDS, REFUSED, Api, failure_of, insist, seconds_of
from adapters.telegram.incoming import PLATFORM, Us
from adapters.telegram.limits import Limits
from adapters.telegram.outgoing import Outgoing
from adapters.telegram.polling import Polling
from adapters.telegram.presses import Presses
from adapters.telegram.webhook import Webhook
from core.chat.message import Event, Failure, Incoming
from core.chat.port import AdapterError

if TYPE_CHECKING:
    from collections.abc import Collection

    from adapters.post import Door
    from adapters.settings import TelegramSettings
    from core.chat.port import Parcel

log = logging.getLogger(__name__)
SEND_SECONDS_MAX = 45.0  # what nobody has reported on for a minute is taken up again


class Telegram:
    """One bot on Telegram."""

    platform = PLATFORM
    card_seconds = 3
    repeats_safely = False  # nothing tells Telegram that a message was sent before
    sends_apart = True

    def __init__(self, settings: TelegramSettings, door: Door) -> None:
        self._door = door
        self._us = Us(0, "")
        try:
            self._api = Api(settings.token.get_secret_value(), settings.api_url)
        except TelegramError:
            raise AdapterError(REFUSED) from None
        self._limits = Limits(lambda: asyncio.get_running_loop().time())
        self._outgoing = Outgoing(self._api, self._limits)
        self._presses = Presses(self._api)
        self._source: Polling | Webhook = (
            Polling(self._api, self._receive)
            if settings.webhook is None
            else Webhook(self._api, settings.webhook, self._receive)
        )

    async def start(self) -> None:
        """Make sure of the token."""
        await insist(self._api.initialize)
        self._us = Us(self._api.id, self._api.username)

    async def run(self) -> None:
        """Make sure of the way updates come, and hand events to the door until cancelled."""
        await self._source.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(menu.announce(self._api, self._door))
            group.create_task(self._source.run())

    async def stop(self) -> None:
        """Let go of everything."""
        await self._source.stop()
        await self._presses.close()
        await self._api.shutdown()

    def is_caught_up(self) -> bool:
        """Tell whether Telegram had nothing more for us when we last asked."""
        return self._source.is_caught_up

    def busy_chats(self) -> Collection[int]:
        """Return the chats that have had as much as they may, or were told to wait."""
        return self._limits.busy_chats()

    async def send(self, parcel: Parcel) -> str | Failure:
        """Send a parcel; the reference of several messages is the last one's, which has the buttons."""
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                return await self._send(parcel)
        except ChatMigrated as error:
            await self._moved(parcel, error.new_chat_id)
            return Failure("the group has moved", AGAIN_SECONDS)
        except RetryAfter as error:
            self._limits.hold(parcel.place.address, parcel.chat_id, seconds_of(error))
            return failure_of(error, parcel.place)
        except TelegramError as error:
            return failure_of(error, parcel.place)
        except TimeoutError:
            return Failure("nobody answers", AGAIN_SECONDS, ambiguous=True)

    async def _send(self, parcel: Parcel) -> str | Failure:
        message = parcel.message
        if message.toast_for:
            text = str(message.text)
            if await self._presses.answer(message.toast_for, text) or not text.strip():
                return ""
            # Too late for a toast, or too long: then it is a message.
            return await self._outgoing.send(replace(parcel, message=replace(message, toast_for="")))
        seconds = self._limits.hold_seconds(parcel.place.address, parcel.chat_id)
        if seconds > 0:  # another topic of the same group was faster
            return Failure("the group has had its messages for now", seconds)
        return await self._outgoing.send(parcel)

    async def _receive(self, updates: list[object]) -> None:
        """Keep what updates say. What cannot be read is passed over: it must not hold up the rest."""
        for update in updates:
            self._presses.expect(incoming.press_of(update))
        events = [event for event in map(self._read, updates) if event is not None]
        if events:
            await self._door.receive(events)

    def _read(self, update: object) -> Event | None:
        try:
            return incoming.read(update, self._us)
        except Exception:
            log.exception("telegram: an update could not be read")
            return None

    async def _moved(self, parcel: Parcel, address: int) -> None:
        """Let the pool know that a group has a new address, as its own message about it would."""
        place = replace(parcel.place, topic="")
        event_id = f"moved:{place.address}:{address}"
        await self._door.receive([Event(event_id, Incoming.MOVED, place, moved_to=str(address))])
