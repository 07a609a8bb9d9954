"""The platforms of a process: connected, attended to, and only one process receiving from each."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from bot.errors import UserError
from bot.roles import Role
from bot.wire import taken
from core.chat.port import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.post import Carrier, Door
    from bot.config import Config
    from bot.wire import Wire
    from core.chat.port import Adapter

log = logging.getLogger(__name__)
PLATFORMS = ("telegram", "matrix")
CAUGHT_UP_SECONDS = 0.25  # how often a process says whether it has received everything


def connectors(config: Config) -> dict[str, Callable[[Door], Adapter]]:
    """Return what connects each configured platform. Raises UserError for those that are not installed."""
    found: dict[str, Callable[[Door], Adapter]] = {}
    faults = []
    for platform in PLATFORMS:
        settings = getattr(config, platform)
        if settings is None:
            continue
        try:
            connect = import_module(f"adapters.{platform}").connect
        except (ModuleNotFoundError, AttributeError):
            faults.append(f"{platform}: this part isn't installed: install dpool[{platform}]")
        else:
            found[platform] = partial(connect, settings)
    if faults:
        raise UserError(*faults)
    return found


def receiving(platform: str) -> str:
    """Return the part of the process that receives from a platform."""
    return f"receive from {platform}"


def caught_up(platform: str) -> str:
    """Return the part of a process that has received everything a platform had."""
    return f"say that {platform} is caught up"


@dataclass(frozen=True, slots=True)
class Attendant:
    """Looks after one platform in this process, as its roles say."""

    adapter: Adapter
    carrier: Carrier
    wire: Wire
    roles: frozenset[Role]

    @property
    def receives(self) -> bool:
        """Tell whether this process receives, once it is its turn."""
        return Role.INGEST in self.roles

    @property
    def sends(self) -> bool:
        """Tell whether this process sends: where a platform doesn't let it be done apart, whoever receives."""
        return Role.SEND in self.roles if self.adapter.sends_apart else self.receives

    async def run(self) -> None:
        """Connect, receive and send until cancelled. Raises AdapterError, alone or in a group."""
        if not self.receives and not self.sends:
            return
        if not self.adapter.sends_apart:
            await taken(self.wire, receiving(self.adapter.platform))
        try:
            await self.adapter.start()
            log.info("%s is connected", self.adapter.platform)
            async with asyncio.TaskGroup() as group:
                if self.receives:
                    group.create_task(self._receive())
                if self.sends:
                    group.create_task(self.carrier.run())
        finally:
            await self.adapter.stop()

    async def _receive(self) -> None:
        await taken(self.wire, receiving(self.adapter.platform))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.adapter.run())
            group.create_task(self._watch())

    async def _watch(self) -> None:
        """Let the others know whether everything has come in; end if another process receives now."""
        platform = self.adapter.platform
        while not self.wire.is_elsewhere(receiving(platform)):
            (self.wire.take if self.adapter.is_caught_up() else self.wire.drop)(caught_up(platform))
            await asyncio.sleep(CAUGHT_UP_SECONDS)
        raise AdapterError(f"{platform}: another process receives now, so this one ended; start it to have it stand by")
