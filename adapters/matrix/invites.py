"""Invitations: from whom they are accepted, and that a storm of them neither takes the bot along nor keeps it busy."""

from __future__ import annotations

import asyncio
import json
import logging
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from adapters.matrix.raw import part, parts, text
from adapters.matrix.rooms import Room
from adapters.matrix.web import in_room, segment

if TYPE_CHECKING:
    from collections.abc import Collection

    from adapters.matrix.pace import Pace
    from adapters.matrix.web import Web

log = logging.getLogger(__name__)
PENDING_MAX = 1000
ACCEPT_SECONDS, REJECT_SECONDS = 0.2, 1.0  # from one to the next
POLITE = "I only accept invitations from people I was told about. Whoever runs me can add you."


class Invites:
    """Invitations that wait, with whether each is to be accepted. They are kept with the sync token."""

    def __init__(self, web: Web, pace: Pace, user_id: str, allowed: Collection[str], rooms: dict[str, Room]) -> None:
        self._web = web
        self._pace = pace
        self._user_id = user_id
        self._allowed = tuple(allowed)
        self._rooms = rooms
        self._pending: dict[str, bool] = {}
        self._has_pending = asyncio.Event()

    def to_json(self) -> str:
        """Return what is kept of them."""
        return json.dumps(self._pending) if self._pending else ""

    def from_json(self, kept: str) -> None:
        """Take up what was kept."""
        self._pending = {room_id: bool(accept) for room_id, accept in json.loads(kept or "{}").items()}
        if self._pending:
            self._has_pending.set()

    def note(self, invited: dict[str, Any]) -> None:
        """Take in the invitations of a sync, as far as there is room for them."""
        for room_id in invited:
            accept = self._is_welcome(room_id, parts(part(invited, room_id, "invite_state"), "events"))
            if accept or len(self._pending) < PENDING_MAX:
                self._pending[room_id] = accept
                self._has_pending.set()

    def withdraw(self, room_id: str) -> None:
        """Forget an invitation that was taken back."""
        self._pending.pop(room_id, None)

    def _is_welcome(self, room_id: str, state: list[dict[str, Any]]) -> bool:
        """Tell whether to accept: from people on the list, or where a room of ours goes on."""
        room = Room(room_id)
        inviter = ""
        for event in state:
            room.apply(event)
            if text(event, "type") == "m.room.member" and event.get("state_key") == self._user_id:
                inviter = text(event, "sender")
        if any(fnmatchcase(inviter, pattern) for pattern in self._allowed):
            return True
        before = self._rooms.get(room.predecessor)
        return before is not None and before.replacement == room_id

    async def run(self) -> None:
        """Answer invitations until cancelled, those to be accepted first."""
        while True:
            await self._has_pending.wait()
            while self._pending:
                room_id = next((one for one, accept in self._pending.items() if accept), next(iter(self._pending)))
                accept = self._pending[room_id]
                await self._pace.insist(partial(self._answer, room_id, accept=accept), "an invitation was not answered")
                self._pending.pop(room_id, None)
                await asyncio.sleep(ACCEPT_SECONDS if accept else REJECT_SECONDS)
            self._has_pending.clear()

    async def _answer(self, room_id: str, *, accept: bool) -> None:
        if accept:
            await self._web.ask("POST", f"/join/{segment(room_id)}", {})
        else:
            await self._web.ask("POST", in_room(room_id, "/leave"), {"reason": POLITE})
