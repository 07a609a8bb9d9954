"""How much a bot may send: about one message a second in a chat, twenty a minute in a group, thirty a second in all."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.bot_api_values import RefusedError

if TYPE_CHECKING:
    from tests.bot_api_world import Chat

# Messages, in so many seconds: short bursts pass, and so does a bot that counts the same at its own end of the line.
CHAT, GROUP, ALL = (3, 2.9), (20, 59.0), (30, 0.9)


def too_many(seconds: int) -> RefusedError:
    return RefusedError(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})


@dataclass
class Limits:
    """Refuses what is too much; `scale` shortens all times, `is_on` switches it."""

    is_on: bool = False
    scale: float = 1.0
    _sent: dict[object, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def check(self, chat: Chat) -> None:
        """Count a message. Raises RefusedError with the time to wait."""
        if not self.is_on:
            return
        windows = [(("chat", chat.id), CHAT), (("all",), ALL)]
        if chat.is_group:
            windows.append((("group", chat.id), GROUP))
        now = time.monotonic()
        for key, (count, seconds) in windows:
            sent = self._sent[key]
            while sent and sent[0] <= now - seconds * self.scale:
                sent.popleft()
            if len(sent) >= count:
                raise too_many(max(1, math.ceil(sent[0] + seconds * self.scale - now)))
        for key, _window in windows:
            self._sent[key].append(now)
