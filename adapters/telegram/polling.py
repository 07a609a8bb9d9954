"""Asking for updates: what came is in the inbox before Telegram hears, by the next question, that it arrived."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from telegram.error import Conflict, InvalidToken, TelegramError

from adapters.telegram.api import REFUSED, Patience, insist, seconds_of, shown
from adapters.telegram.incoming import ALLOWED_UPDATES
from adapters.telegram.raw import number
from core.chat.port import AdapterError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.telegram.api import Api

log = logging.getLogger(__name__)
UPDATES_MAX = 100
POLL_SECONDS = 25
CONFLICT_SECONDS = 2.0
CONFLICTS_MAX = 1  # the last process's question may still be open
SECOND_POLLER = "telegram: another program asks for this bot's updates: stop it, or give this one a bot of its own"


class Polling:
    """The loop that asks. `receive` takes a batch and returns when it is kept."""

    def __init__(self, api: Api, receive: Callable[[list[object]], Awaitable[None]]) -> None:
        self._api = api
        self._receive = receive
        self._offset: int | None = None
        self._conflict_count = 0
        self.is_caught_up = False

    async def start(self) -> None:
        """Make sure that updates wait for us instead of going to a web address."""
        await insist(self._api.delete_webhook)

    async def run(self) -> None:
        """Ask until cancelled. Raises AdapterError for a second poller or a token refused."""
        patience = Patience()
        while True:
            try:
                await self._ask()
            except InvalidToken:
                raise AdapterError(REFUSED) from None
            except Conflict:
                await self._conflict()
            except TelegramError as error:
                self.is_caught_up = False
                await patience.wait(shown(error), seconds_of(error))
            else:
                patience.end()

    async def stop(self) -> None:
        """Nothing stays open."""

    async def _ask(self) -> None:
        # While something may wait, the answer is wanted at once: rounds wait for us to have caught up.
        seconds = POLL_SECONDS if self.is_caught_up else 0
        updates = await self._api.updates(self._offset, UPDATES_MAX, seconds, ALLOWED_UPDATES)
        self._conflict_count = 0
        if updates:
            await self._receive(updates)
        last = max((number(one, "update_id") for one in updates), default=0)
        # Once everything is confirmed no number is held on to: after a quiet week they begin somewhere else.
        self._offset = last + 1 if last else None
        self.is_caught_up = len(updates) < UPDATES_MAX
        if updates and not last:
            log.warning("telegram: updates without a number are passed over")
            await asyncio.sleep(1)

    async def _conflict(self) -> None:
        self._conflict_count += 1
        if self._conflict_count > CONFLICTS_MAX:
            raise AdapterError(SECOND_POLLER) from None
        await asyncio.sleep(CONFLICT_SECONDS)
