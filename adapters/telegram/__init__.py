"""Telegram: what its Bot API hands us becomes events, what the pool says becomes messages of a phone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from adapters.telegram.client import Telegram

if TYPE_CHECKING:
    from adapters.post import Door
    from adapters.settings import TelegramSettings

# As the library will do by itself one day; until then every 429 would bring a warning.
os.environ.setdefault("PTB_TIMEDELTA", "true")


def connect(settings: TelegramSettings, door: Door) -> Telegram:
    """Return the adapter; nothing is sent or asked before its `start`."""
    return Telegram(settings, door)
