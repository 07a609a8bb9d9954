"""What there is to watch in a process; without monitoring nobody does."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from adapters.post import Door
from bot.errors import UserError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from datetime import datetime

    from bot.config import Config
    from bot.platforms import Attendant
    from bot.roles import Role
    from bot.wire import Wire
    from core.chat.message import Event, Failure
    from core.chat.port import Parcel
    from core.store import Store


class Watch:
    """Hears of what happens, in any thread."""

    def received(self, platform: str, count: int) -> None:
        """Events have been kept."""

    def dispatched(self, seconds: float) -> None:
        """An event has been handled."""

    def fault(self, error: Exception) -> None:
        """The program failed at something, and goes on."""

    def carried(self, parcel: Parcel, result: str | Failure) -> None:
        """A message went out, or did not."""

    @asynccontextmanager
    async def answering(
        self, _attendants: Sequence[Attendant], _wire: Wire, _roles: frozenset[Role]
    ) -> AsyncIterator[None]:
        """Answer those who ask, for as long as the context lasts."""
        yield


def watch_of(config: Config, store: Store, clock: Callable[[], datetime]) -> Watch:
    """Return who watches a process, if the configuration wants it. Raises UserError if that part isn't installed."""
    if config.monitoring is None:
        return Watch()
    try:
        found: Watch = import_module("bot.monitor").Monitor(config.monitoring, store, clock)
    except ModuleNotFoundError:
        raise UserError("monitoring: this part isn't installed: install dpool[monitoring]") from None
    return found


class WatchedDoor(Door):
    """The way in, with somebody who counts."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], on_received: Callable[[], None], watch: Watch
    ) -> None:
        super().__init__(store, clock, on_received)
        self._watch = watch

    async def receive(self, events: Sequence[Event], facts: Mapping[str, str] | None = None) -> int:
        """Keep events, and count those that were new."""
        count = await super().receive(events, facts)
        if count:
            self._watch.received(events[0].place.platform, count)
        return count
