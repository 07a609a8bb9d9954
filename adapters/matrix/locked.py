"""Messages that could not be decrypted: they wait for their key, for a while; the room is told, once."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from adapters.matrix.raw import part, text
from adapters.matrix.vault import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.matrix.vault import Vault

LOCKED_MAX = 200
GRACE_SECONDS = 10.0  # keys often come a moment after what they are for
KEPT_SECONDS_MAX = 3600.0  # a command that nobody remembers is better not run
TYPE = "m.room.encrypted"


def is_locked(event: dict[str, Any]) -> bool:
    """Tell whether an event is a message whose key might come."""
    content = part(event, "content")
    names = ("ciphertext", "session_id", "sender_key", "device_id", "algorithm")
    is_whole = all(text(content, name) for name in names) and text(content, "algorithm") == ALGORITHM
    return text(event, "type") == TYPE and is_whole


class Locked:
    """What waits for its key, the oldest first."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._waiting: dict[str, tuple[str, dict[str, Any], float]] = {}
        self._told: set[str] = set()

    def to_json(self) -> str:
        """Return what is kept of it."""
        kept = [[room_id, event] for room_id, event, _since in self._waiting.values()]
        return json.dumps([kept, sorted(self._told)]) if kept or self._told else ""

    def from_json(self, kept: str) -> None:
        """Take up what was kept."""
        waiting, told = json.loads(kept) if kept else ((), ())
        self._told = set(told)
        for room_id, event in waiting:
            self.add(room_id, event)

    @property
    def seconds_left(self) -> float | None:
        """How long until a room is to be told; None if none is."""
        since = [since for room_id, _event, since in self._waiting.values() if room_id not in self._told]
        return max(0.0, min(since) + GRACE_SECONDS - asyncio.get_running_loop().time()) if since else None

    def add(self, room_id: str, event: dict[str, Any]) -> None:
        """Let an event wait."""
        event_id = text(event, "event_id")
        self._waiting.setdefault(event_id, (room_id, event, asyncio.get_running_loop().time()))
        while len(self._waiting) > LOCKED_MAX:
            del self._waiting[next(iter(self._waiting))]

    def opened(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the room and the content of what can be read now; it waits no more, nor does what waited too long."""
        now = asyncio.get_running_loop().time()
        for event_id, (room_id, event, since) in list(self._waiting.items()):
            if self._vault.has_key(room_id, event):
                del self._waiting[event_id]
                found = self._vault.decrypt(room_id, event)
                if found is not None:
                    yield room_id, found
            elif now > since + KEPT_SECONDS_MAX:
                del self._waiting[event_id]

    def to_tell(self) -> list[str]:
        """Return the rooms that are to be told now; they count as told."""
        now = asyncio.get_running_loop().time()
        late = {room_id for room_id, _event, since in self._waiting.values() if now >= since + GRACE_SECONDS}
        found = sorted(late - self._told)
        self._told.update(found)
        return found
