"""Answers to presses: each gets one, in two seconds at most, so that no button keeps turning."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from telegram.error import BadRequest, TelegramError

from adapters.telegram.api import shown
from adapters.telegram.entities import units

if TYPE_CHECKING:
    from adapters.telegram.api import Api

log = logging.getLogger(__name__)
ANSWER_SECONDS_MAX = 2.0
TOAST_UNITS_MAX = 200
REMEMBERED_MAX = 10_000


class Presses:
    """The presses of this process: those that wait for their answer, and those that have it."""

    def __init__(self, api: Api, *, answer_seconds: float = ANSWER_SECONDS_MAX) -> None:
        self._api = api
        self._answer_seconds = answer_seconds
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._answered: dict[str, None] = {}

    def expect(self, press_ref: str) -> None:
        """Answer a press blank, unless its result comes in time."""
        if press_ref and press_ref not in self._answered and press_ref not in self._waiting:
            self._waiting[press_ref] = asyncio.create_task(self._answer_blank(press_ref))

    async def answer(self, press_ref: str, text: str) -> bool:
        """Answer a press with its result; return whether that could be shown so.

        Raises TelegramError when another try may help.
        """
        if press_ref in self._answered:
            return False
        is_short = units(text) <= TOAST_UNITS_MAX
        self._settle(press_ref)
        try:
            await self._api.answer_callback_query(press_ref, text if is_short else "")
        except BadRequest:  # too old: whoever pressed has waited longer than Telegram does
            return False
        except TelegramError:
            del self._answered[press_ref]
            raise
        return is_short

    async def close(self) -> None:
        """Stop waiting. What is still to come is answered by the next process."""
        tasks = list(self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer_blank(self, press_ref: str) -> None:
        try:
            await asyncio.sleep(self._answer_seconds)
            self._remember(press_ref)
            await self._api.answer_callback_query(press_ref)
        except TelegramError as error:
            log.info("telegram: a press could not be answered: %s", shown(error))
        finally:
            self._waiting.pop(press_ref, None)

    def _settle(self, press_ref: str) -> None:
        waiting = self._waiting.pop(press_ref, None)
        if waiting is not None:
            waiting.cancel()
        self._remember(press_ref)

    def _remember(self, press_ref: str) -> None:
        self._answered[press_ref] = None
        if len(self._answered) > REMEMBERED_MAX:
            del self._answered[next(iter(self._answered))]
