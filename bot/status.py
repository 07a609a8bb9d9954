"""`dpool status`: what came in last, what waits, what is stuck and what is due. It may be asked at any time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING

from bot.clock import Clock
from bot.database import chosen, looked_into
from bot.main import TICK
from bot.platforms import PLATFORMS, receiving
from core.chat.status import Status, status

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from bot.wire import Wire
    from core.chat.status import PlatformStatus, PoolStatus
    from core.store import Store


@dataclass(frozen=True, slots=True)
class Processes:
    """How many there are on a server, and which parts none of them has."""

    count: int
    missing: tuple[str, ...]


MINUTE, HOUR, DAY = 60, 3600, 86_400  # seconds


def command(arguments: Namespace) -> int:
    """Print how everything stands."""
    now = Clock()()
    with looked_into(chosen(arguments)) as store:
        with store.read() as session:
            found = status(session, now)
        processes = _processes(store, [one.platform for one in found.platforms])
    if arguments.json:
        print(
            json.dumps(
                {"now": now, **asdict(found), "processes": processes and asdict(processes)}, default=datetime.isoformat
            )
        )
    else:
        for line in _lines(found, processes, now):
            print(line)
    return 0


def _processes(store: Store, platforms: Sequence[str]) -> Processes | None:
    """Return who is there; None where it can be only one."""
    if store.is_sqlite:
        return None
    wire: Wire = import_module("bot.server_wire").ServerWire(store, lambda _word: None)
    parts = (TICK, *(receiving(one) for one in platforms if one in PLATFORMS))  # the console is received by nobody
    return Processes(len(wire.alive() or ()), tuple(part for part in parts if not wire.is_taken(part)))


def _lines(found: Status, processes: Processes | None, now: datetime) -> Iterator[str]:
    queues = found.queues
    yield f"events waiting: {queues.events}{_since(queues.waiting_since, now)}"
    yield f"messages to be sent: {sum(queues.messages.values())}{_since(queues.messages_since, now)}"
    for platform in found.platforms:
        yield from _platform(platform, now)
    for pool in found.pools:
        yield _pool(pool)
    yield f"events set aside: {found.set_aside.count}"
    for number, fault in found.set_aside.last.items():
        yield f"  {number}: {fault}"
    if processes is not None:
        missing = f"; none is there to {' or to '.join(processes.missing)}" if processes.missing else ""
        yield f"processes: {processes.count}{missing}"


def _platform(one: PlatformStatus, now: datetime) -> Iterator[str]:
    came = f"the last event came {_age(one.received_at, now)} ago" if one.received_at else "no event came yet"
    counts = f"to be sent {one.waiting}, held back {one.held_back}, parked {one.parked}, chats off {one.chats_off}"
    yield f"{one.platform}: {came}; {counts}"
    for reason, count in one.reasons.items():
        yield f"  {count} × {reason}"


def _pool(pool: PoolStatus) -> str:
    due = f"next round {pool.due_at:%Y-%m-%d %H:%M} UTC" if pool.due_at else "no round is due"
    held = f", the last was {pool.held_at:%Y-%m-%d %H:%M} UTC" if pool.held_at else ""
    return f"{pool.name} ({pool.pool_id}): {due}{held}"


def _since(moment: datetime | None, now: datetime) -> str:
    return f", the oldest for {_age(moment, now)}" if moment is not None else ""


def _age(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment is, in its largest unit."""
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
