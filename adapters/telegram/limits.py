"""How much Telegram lets a bot send: about a message a second to a chat, 20 a minute to a group, 30 a second in all.

Pure: the clock is handed in, in seconds that only ever grow. What a chat is told to wait holds back that chat alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CHAT_MAX, CHAT_SECONDS = 3, 3.0  # a short burst is fine: a reply, its card and a notice
GROUP_MAX, GROUP_SECONDS = 20, 60.0
ALL_MAX, ALL_SECONDS = 30, 1.0


@dataclass(slots=True)
class _Address:
    """What was sent to a chat lately, topics and all; `chats` are the pool's numbers for them."""

    is_group: bool
    times: deque[float] = field(default_factory=lambda: deque(maxlen=GROUP_MAX))
    chats: set[int] = field(default_factory=set)
    held_until: float = 0.0

    def free_at(self) -> float:
        """Return from when on another message may go there."""
        at = self.held_until
        if len(self.times) >= CHAT_MAX:
            at = max(at, self.times[-CHAT_MAX] + CHAT_SECONDS)
        if self.is_group and len(self.times) >= GROUP_MAX:
            at = max(at, self.times[-GROUP_MAX] + GROUP_SECONDS)
        return at


class Limits:
    """Counts what is sent."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._addresses: dict[str, _Address] = {}
        self._all: deque[float] = deque(maxlen=ALL_MAX)

    def take(self, address: str, chat_id: int) -> float:
        """Count a message to a chat; return how many seconds to wait before it is sent."""
        now = self._clock()
        at = max(now, self._all[0] + ALL_SECONDS) if len(self._all) == ALL_MAX else now
        self._all.append(at)
        self._known(address, chat_id).times.append(at)
        return at - now

    def hold(self, address: str, chat_id: int, seconds: float) -> None:
        """Send nothing to a chat for a while: it was told to wait."""
        known = self._known(address, chat_id)
        known.held_until = max(known.held_until, self._clock() + seconds)

    def hold_seconds(self, address: str, chat_id: int) -> float:
        """Return how long a chat has to wait; from now on that chat is known to share the address's limits."""
        return max(0.0, self._known(address, chat_id).free_at() - self._clock())

    def busy_chats(self) -> set[int]:
        """Return the chats that must not be sent to now; those silent for a while are forgotten."""
        now = self._clock()
        quiet = [
            address
            for address, one in self._addresses.items()
            if one.held_until <= now and not (one.times and one.times[-1] > now - GROUP_SECONDS)
        ]
        for address in quiet:
            del self._addresses[address]
        return {chat for one in self._addresses.values() if one.free_at() > now for chat in one.chats}

    def _known(self, address: str, chat_id: int) -> _Address:
        known = self._addresses.setdefault(address, _Address(is_group=address.startswith("-")))
        known.chats.add(chat_id)
        return known
