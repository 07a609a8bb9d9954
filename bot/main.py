"""`dpool run`: everything wired together, on one screen."""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import signal
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.post import Carrier
from bot.clock import Clock
from bot.config import load, secrets_of
from bot.database import file_of, opened
from bot.dispatcher import Dispatcher
from bot.errors import UserError
from bot.log import set_up
from bot.platforms import Attendant, caught_up, connectors
from bot.roles import EVERY_ROLE, Role, read_roles, require_alone
from bot.scheduler import Scheduler
from bot.watch import Watch, WatchedDoor, watch_of
from bot.wire import NoWire
from core.chat.commands import table
from core.chat.dispatch import CHANGED
from core.chat.due import run_due
from core.chat.handling import House
from core.chat.inbox import RECEIVED
from core.chat.outbox import WRITTEN
from core.chat.port import AdapterError
from core.chat.pruning import Pruning

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from adapters.post import Door
    from bot.wire import Wire
    from core.chat.port import Adapter
    from core.store import Store

log = logging.getLogger(__name__)
TICK = "look after what is due"
NOBODY = Watch()
SWITCH_SECONDS = 0.001  # Python's own is 0.005: a message that comes in needs several turns


def command(arguments: Namespace) -> int:
    """Run the configured adapters and the scheduler, or the roles that were named, until told to stop."""
    config = load(Path(arguments.config))
    roles = read_roles(arguments.role)
    if file_of(config.database) is not None:
        require_alone(roles, config.database)
    set_up(secrets_of(config), config.log.level.upper(), config.log.format)
    connects = connectors(config)
    clock = Clock()
    with opened(config.database, clock()) as store:
        watch = watch_of(config, store, clock)
        house = House(store, table(), secrets.token_bytes, config.language, config.timezone, watch.fault)
        try:
            asyncio.run(serve(house, clock, connects, roles, watch))
        except* AdapterError as errors:
            raise UserError(*map(str, _flat(errors))) from None
    return 0


async def serve(
    house: House,
    clock: Callable[[], datetime],
    connects: Mapping[str, Callable[[Door], Adapter]],
    roles: frozenset[Role] = EVERY_ROLE,
    watch: Watch = NOBODY,
) -> None:
    """Wire everything, and run until SIGTERM or SIGINT, or until an adapter cannot go on (AdapterError)."""
    stopped = _told_to_stop()
    attendants: list[Attendant] = []

    def wake_senders() -> None:
        for one in attendants:
            one.carrier.wake()

    def due(now: datetime) -> datetime | None:
        if not wire.has(TICK):
            return None
        try:
            again = run_due(house, now, is_caught_up=lambda: all(map(wire.is_taken, map(caught_up, connects))))
        finally:
            wire.say(WRITTEN)
        return min(again or datetime.max.replace(tzinfo=UTC), pruning.run(now))

    dispatcher, scheduler, pruning = (
        Dispatcher(house, clock),
        Scheduler(due, clock),
        Pruning(house.store, house.on_fault),
    )
    wakes = {RECEIVED: dispatcher.wake, WRITTEN: wake_senders, CHANGED: scheduler.wake}
    wire = _wire(house.store, lambda word: wakes[word]())
    dispatcher.on_done = partial(wire.say, WRITTEN, CHANGED)
    dispatcher.on_dispatched = watch.dispatched
    door = WatchedDoor(house.store, clock, partial(wire.say, RECEIVED), watch)
    for connect in connects.values() if roles & {Role.INGEST, Role.SEND} else ():
        adapter = connect(door)
        number, alive = wire.number, wire.alive
        carrier = Carrier(house.store, adapter, clock, number=number, alive=alive, on_result=watch.carried)
        attendants.append(Attendant(adapter, carrier, wire, roles))
    wire.start()
    if Role.WORK in roles:
        dispatcher.start()
    if Role.TICK in roles:
        wire.take(TICK)
        scheduler.start()
    tune()
    log.info("dpool is running (%s): %s", ", ".join(sorted(roles)), ", ".join(connects) or "no platform")
    try:
        async with watch.answering(attendants, wire, roles):
            await _attend(attendants, stopped)
    finally:
        for part in (scheduler, dispatcher, wire):
            await asyncio.to_thread(part.stop)
    log.info("dpool has stopped")


def tune() -> None:
    """Let threads take turns quickly, since one that dispatches holds up what comes in; collect no more than needed."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # the program itself never goes, and need not be looked through again and again


def _wire(store: Store, hear: Callable[[str], None]) -> Wire:
    if store.is_sqlite:
        return NoWire(hear)
    from bot.server_wire import ServerWire

    return ServerWire(store, hear)


async def _attend(attendants: Sequence[Attendant], stopped: asyncio.Event) -> None:
    """Look after every platform until told to stop."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run()) for one in attendants]
        await stopped.wait()
        for task in tasks:
            task.cancel()


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
