"""The port: what the pool asks of a platform's adapter. The loops that use it are in `adapters.post`.

An adapter for a platform P is a package `adapters.P` with a function

    connect(settings, door) -> Adapter

`settings` is P's model in `adapters.settings`, `door` the way in (`adapters.post.Door`): it keeps events in the inbox
before the platform hears that they arrived. `bot.main` imports the package only when P is configured, then calls
`start()` once, `run()` and `send()` side by side until one of them raises or the bot ends, and `stop()` at last. Of
several processes on one database one at a time calls `run()`; for a platform that `sends_apart` any of them `send()`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from core.chat.message import Failure, Message, Priority
    from core.identity import Place, Sender


class AdapterError(Exception):
    """An adapter cannot start or go on, and only people can help: one line that says what to do. It ends the bot."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery with all that a platform needs to send it.

    `key` stays the same in every attempt; from the second on (`attempt`), it may have arrived already. `edits` is the
    reference of the message it replaces. `accounts` are those the message mentions, by the ids used in it.
    """

    delivery_id: int
    key: str
    attempt: int
    chat_id: int
    place: Place
    priority: Priority
    message: Message
    edits: str = ""
    accounts: Mapping[int, Sender] = field(default_factory=dict)

    def choice(self, index: int) -> str:
        """Return what the button of a choice carries: `Event.choice` of a press."""
        return f"{self.delivery_id}:{index}"


class Adapter(Protocol):
    """One platform. Everything is called in the event loop; what blocks belongs into a thread."""

    platform: str
    card_seconds: int  # a card is edited at most once in so many seconds
    repeats_safely: bool  # the platform takes a parcel's key twice for once
    sends_apart: bool  # may send in a process that does not receive: `start()` and `send()` without `run()`

    async def start(self) -> None:
        """Connect. Raises AdapterError when the settings do not work."""
        ...

    async def run(self) -> None:
        """Hand events to the door until cancelled. Faults that pass are waited out; for the rest, AdapterError."""
        ...

    async def stop(self) -> None:
        """Let go of the connection; also after a start that failed."""
        ...

    def is_caught_up(self) -> bool:
        """Tell whether everything the platform had waiting for us is in the inbox. Rounds wait for it, two minutes."""
        ...

    def busy_chats(self) -> Collection[int]:
        """Return the chats (by `Parcel.chat_id`) that must not be sent to at the moment, as their limits say."""
        ...

    async def send(self, parcel: Parcel) -> str | Failure:
        """Send a parcel; return the message's own reference in its chat, or why it did not go.

        A toast (`message.toast_for`) answers a press and needs no reference. Limits of the platform as a whole are
        waited for here. One chat has one parcel under way at a time, several chats may be served side by side.
        """
        ...
