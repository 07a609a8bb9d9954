"""`dpool run`: everything wired together, on one screen."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.post import Carrier, Door
from bot.clock import Clock
from bot.config import load, secrets_of
from bot.database import opened
from bot.dispatcher import Dispatcher
from bot.errors import UserError
from bot.log import set_up
from bot.scheduler import Scheduler
from core.chat.commands import table
from core.chat.due import run_due
from core.chat.handling import House
from core.chat.port import AdapterError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from bot.config import Config
    from core.chat.port import Adapter

log = logging.getLogger(__name__)
PLATFORMS = ("telegram", "matrix")


def command(arguments: Namespace) -> int:
    """Run the configured adapters and the scheduler until told to stop."""
    config = load(Path(arguments.config))
    set_up(secrets_of(config))
    connects = connectors(config)
    clock = Clock()
    with opened(config.database, clock()) as store:
        house = House(store, table(), secrets.token_bytes, config.language, config.timezone)
        try:
            asyncio.run(serve(house, clock, connects))
        except* AdapterError as errors:
            raise UserError(*map(str, _flat(errors))) from None
    return 0


def connectors(config: Config) -> list[Callable[[Door], Adapter]]:
    """Return what connects each configured platform. Raises UserError for those that are not installed."""
    found: list[Callable[[Door], Adapter]] = []
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
            found.append(partial(connect, settings))
    if faults:
        raise UserError(*faults)
    return found


async def serve(house: House, clock: Callable[[], datetime], connects: Sequence[Callable[[Door], Adapter]]) -> None:
    """Wire everything, and run until SIGTERM or SIGINT, or until an adapter cannot go on (AdapterError)."""
    stopped = _told_to_stop()
    dispatcher = Dispatcher(house, clock)
    door = Door(house.store, clock, dispatcher.wake)
    adapters = [connect(door) for connect in connects]
    carriers = [Carrier(house.store, adapter, clock) for adapter in adapters]

    def wake_carriers() -> None:
        for carrier in carriers:
            carrier.wake()

    def due(now: datetime) -> datetime | None:
        try:
            return run_due(house, now, is_caught_up=lambda: all(adapter.is_caught_up() for adapter in adapters))
        finally:
            wake_carriers()

    scheduler = Scheduler(due, clock)

    def follow() -> None:
        wake_carriers()
        scheduler.wake()

    dispatcher.on_done = follow
    scheduler.start()
    dispatcher.start()
    log.info(
        "dpool is running: %s", ", ".join(adapter.platform for adapter in adapters) or "no platform, due work only"
    )
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_attend(*pair)) for pair in zip(adapters, carriers, strict=True)]
            await stopped.wait()
            for task in tasks:
                task.cancel()
    finally:
        await asyncio.to_thread(scheduler.stop)
        await asyncio.to_thread(dispatcher.stop)
    log.info("dpool has stopped")


async def _attend(adapter: Adapter, carrier: Carrier) -> None:
    try:
        await adapter.start()
        log.info("%s is connected", adapter.platform)
        async with asyncio.TaskGroup() as group:
            group.create_task(adapter.run())
            group.create_task(carrier.run())
    finally:
        await adapter.stop()


def _told_to_stop() -> asyncio.Event:
    """Return what is set when the process is told to end."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped


def _flat(group: BaseExceptionGroup[AdapterError]) -> Iterator[AdapterError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _flat(error)
        else:
            yield error
