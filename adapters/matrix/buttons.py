"""The bot's own number reactions under its messages: as many as there are choices, no more and no less.

They come after the messages and never hold one up. What gets lost with the process comes with the next edit; the text
says what to type anyway.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from adapters.matrix.failures import RefusedError
from adapters.matrix.numbers import KEYS, index_of
from adapters.matrix.raw import part, parts, text
from adapters.matrix.web import in_room, segment

if TYPE_CHECKING:
    from adapters.matrix.pace import Pace
    from adapters.matrix.web import Web

RELATIONS = "/_matrix/client/v1"
QUEUE_MAX = 500
KNOWN_MAX = 2000
AFTER_SECONDS = 1.0  # messages first
Spot = tuple[str, str]  # a room and a message in it


class Buttons:
    """Puts number reactions under messages, one after another."""

    def __init__(self, web: Web, pace: Pace, user_id: str) -> None:
        self._web = web
        self._pace = pace
        self._user_id = user_id
        self._wanted: OrderedDict[Spot, int] = OrderedDict()
        self._shown: OrderedDict[Spot, dict[int, str]] = OrderedDict()
        self._is_wanted = asyncio.Event()

    def want(self, room_id: str, ref: str, count: int, *, is_new: bool) -> None:
        """Let a message have so many numbers; a new one has none yet."""
        spot = (room_id, ref)
        if is_new and not count:
            return
        if is_new:
            self._remember(spot, {})
        self._wanted.pop(spot, None)
        self._wanted[spot] = min(count, len(KEYS))
        while len(self._wanted) > QUEUE_MAX:
            self._wanted.popitem(last=False)
        self._is_wanted.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._is_wanted.wait()
            while self._wanted:
                spot, count = self._wanted.popitem(last=False)
                fit = partial(self._fit, spot, count)
                if not await self._pace.insist(fit, "numbers under a message", after_seconds=AFTER_SECONDS):
                    self._shown.pop(spot, None)
            self._is_wanted.clear()

    async def _fit(self, spot: Spot, count: int) -> None:
        """Put right what is there. Raises RefusedError or UnreachableError; what was done by then is remembered."""
        shown = self._shown.get(spot)
        if shown is None:
            shown = await self._look(spot)
            self._remember(spot, shown)
        for index in range(count):
            if index not in shown:
                shown[index] = await self._react(spot, index)
        surplus = sorted(index for index in shown if index >= count)
        if not all(shown[index] for index in surplus):
            shown.update(await self._look(spot))
        for index in surplus:
            await self._take_back(spot, shown[index])
            del shown[index]

    def _remember(self, spot: Spot, shown: dict[int, str]) -> None:
        self._shown[spot] = shown
        while len(self._shown) > KNOWN_MAX:
            self._shown.popitem(last=False)

    async def _look(self, spot: Spot) -> dict[int, str]:
        """Ask which of our numbers are under a message, with their event ids."""
        room_id, ref = spot
        path = f"{RELATIONS}{in_room(room_id)}/relations/{segment(ref)}/m.annotation/m.reaction"
        shown: dict[int, str] = {}
        query = {"limit": "100"}
        while True:
            answer = await self._web.ask("GET", path, query=query)
            for event in parts(answer, "chunk"):
                index = index_of(text(part(event, "content", "m.relates_to"), "key"))
                if index is not None and text(event, "sender") == self._user_id:
                    shown[index] = text(event, "event_id")
            if not text(answer, "next_batch"):
                return shown
            query["from"] = text(answer, "next_batch")

    async def _react(self, spot: Spot, index: int) -> str:
        """Put a number under a message; return its event id, empty if it was there already."""
        room_id, ref = spot
        relation = {"rel_type": "m.annotation", "event_id": ref, "key": KEYS[index]}
        path = in_room(room_id, f"/send/m.reaction/{secrets.token_hex(8)}")
        try:
            answer = await self._web.ask("PUT", path, {"m.relates_to": relation})
        except RefusedError as error:
            if error.code != "M_DUPLICATE_ANNOTATION":
                raise
            return ""
        return text(answer, "event_id")

    async def _take_back(self, spot: Spot, event_id: str) -> None:
        path = in_room(spot[0], f"/redact/{segment(event_id)}/{secrets.token_hex(8)}")
        await self._web.ask("PUT", path, {})
