"""Private rooms: one with each person, which the bot opens once and finds again. Kept in the account's data."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from adapters.matrix.failures import RefusedError
from adapters.matrix.raw import part, text, texts
from adapters.matrix.web import in_room, segment

if TYPE_CHECKING:
    from adapters.matrix.rooms import Room
    from adapters.matrix.web import Web

log = logging.getLogger(__name__)
TYPE = "m.direct"
ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


class Direct:
    """Which rooms are private, and with whom. `rooms` are those the bot is in."""

    def __init__(self, web: Web, user_id: str, rooms: dict[str, Room]) -> None:
        self._web = web
        self._user_id = user_id
        self._rooms = rooms
        self._persons: dict[str, str] = {}

    def load(self, account_data: list[dict[str, Any]]) -> None:
        """Take what the account's data say. Only we change it, so once is enough."""
        content = next((part(one, "content") for one in account_data if text(one, "type") == TYPE), {})
        self._persons = {room_id: user_id for user_id in content for room_id in texts(content, user_id)}

    def person(self, room_id: str) -> str:
        """Return with whom a room is private; empty unless nobody else is in it or invited."""
        user_id, room = self._persons.get(room_id, ""), self._rooms.get(room_id)
        return user_id if room is not None and room.others(self._user_id) <= {user_id} else ""

    def is_known(self, room_id: str) -> bool:
        """Tell whether a room was private, whoever is there now."""
        return room_id in self._persons

    async def add(self, user_id: str, room_id: str) -> None:
        """Remember a room as private with somebody."""
        if self._persons.get(room_id) != user_id:
            self._persons[room_id] = user_id
            await self._save()

    async def remove(self, room_id: str) -> None:
        """Remember that a room is private no more."""
        if self._persons.pop(room_id, None) is not None:
            await self._save()

    async def _save(self) -> None:
        content: dict[str, list[str]] = {}
        for room_id, user_id in self._persons.items():
            content.setdefault(user_id, []).append(room_id)
        await self._web.ask("PUT", f"/user/{segment(self._user_id)}/account_data/{TYPE}", content)

    async def open(self, user_id: str, *, is_encrypted: bool) -> str:
        """Return the private room with somebody: the one there is, or a new one to which they are invited."""
        for room_id in self._found(user_id):
            if user_id in self._rooms[room_id].people or await self._invited(user_id, room_id):
                await self.add(user_id, room_id)
                return room_id
        body = {
            "preset": "trusted_private_chat",
            "is_direct": True,
            "invite": [user_id],
            "initial_state": [ENCRYPTION] if is_encrypted else [],
        }
        room_id = text(await self._web.ask("POST", "/createRoom", body), "room_id")
        await self.add(user_id, room_id)
        return room_id

    def _found(self, user_id: str) -> list[str]:
        """Return the rooms that may be it: known ones first, then those made for it just before a crash."""
        known = [room_id for room_id in self._persons if self.person(room_id) == user_id]
        made = [
            room.room_id
            for room in self._rooms.values()
            if room.creator == self._user_id and room.others(self._user_id) == {user_id} and not room.title
        ]
        return [room_id for room_id in dict.fromkeys((*known, *made)) if room_id in self._rooms]

    async def _invited(self, user_id: str, room_id: str) -> bool:
        """Invite somebody who has left again; return whether that was possible."""
        try:
            await self._web.ask("POST", in_room(room_id, "/invite"), {"user_id": user_id})
        except RefusedError as error:
            if error.is_limit or error.is_logged_out:
                raise
            log.info("matrix: nobody can be invited to %s any more: %s", room_id, error)
            return False
        return True


def inviter_to_private(event: dict[str, Any]) -> str:
    """Return who invited us to a private chat, from the event of our arrival; empty if it was no such invitation."""
    before = part(event, "unsigned", "prev_content")
    is_direct = text(before, "membership") == "invite" and before.get("is_direct") is True
    return text(part(event, "unsigned"), "prev_sender") if is_direct else ""
