"""Chats in the simulation: what they have seen, and what platforms call them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.identity import Place, Sender

if TYPE_CHECKING:
    import random

    from core.chat.message import Event, Message


@dataclass(slots=True)
class Shown:
    """A message as a chat has seen it."""

    delivery_id: int
    ref: str
    message: Message


def index_of(message: Message, label: str) -> int:
    """Return the place of the choice whose label is this or begins with it, as transcripts do; -1: none."""
    labels = [choice.label.casefold() for choice in message.choices]
    wanted = label.casefold()
    begin = next((place for place, one in enumerate(labels) if one.startswith(wanted)), -1)
    return labels.index(wanted) if wanted in labels else begin


def has_line(shown: Shown, pattern: str) -> bool:
    """Tell whether a line of a message matches."""
    return any(re.search(pattern, line) for line in shown.message.plain().splitlines())


def chat_of(event: Event) -> str:
    """Return what order is kept in."""
    return f"{event.place.platform}:{event.place.address}"


def interleaved(events: list[Event], chance: random.Random) -> list[Event]:
    """Return events in another order, which within each chat is the same."""
    waiting, result = list(events), []
    while waiting:
        chat = chance.choice(list(dict.fromkeys(chat_of(event) for event in waiting)))
        result.append(next(event for event in waiting if chat_of(event) == chat))
        waiting.remove(result[-1])
    return result


def chat_key(platform: str, who: str, chat: str) -> str:
    """Return the key under which the world keeps what a chat has seen."""
    return f"{platform}:dm:{who}" if chat == "dm" else f"{platform}:{chat}"


def place_of(platform: str, who: str, chat: str) -> Place:
    """Return where a platform says it was written."""
    return Place(platform, f"dm:{who}", private=True) if chat == "dm" else Place(platform, chat, title=chat.title())


def sender_of(platform: str, who: str) -> Sender:
    """Return who a platform says it was."""
    return Sender(platform, who, who.title(), who)
