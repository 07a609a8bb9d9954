"""Monitoring: /healthz and /metrics of a bot that serves, and what each illness is called."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession

from adapters.post import Carrier, Door
from bot.clock import Clock
from bot.config import Config, MonitoringSettings
from bot.errors import UserError
from bot.main import TICK, serve
from bot.monitor import Health, Monitor, StoreCollector
from bot.platforms import Attendant, receiving
from bot.roles import EVERY_ROLE, Role
from bot.watch import Watch, WatchedDoor, watch_of
from bot.wire import NoWire
from core.chat import inbox
from core.chat.commands import table
from core.chat.handling import House
from core.chat.message import Event, Failure, Incoming
from core.chat.pruning import PRUNED_AT
from core.identity import Place, Sender
from core.store import Store
from core.tables import Pool
from core.tables_chat import Meta
from tests.clocks import NOON, StillClock
from tests.conftest import found
from tests.fake_adapter import WAIT_SECONDS, FakeAdapter, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MINUTE = timedelta(minutes=1)


@dataclass
class LiveAdapter(FakeAdapter):
    """Hands in one command, then waits."""

    door: Door | None = None
    words: str = "/pool new Valley"
    is_ready: bool = True
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        place, ana = Place("fake", "room", title="Room"), Sender("fake", "1", "Ana")
        assert self.door is not None
        await self.door.receive([Event("1", Incoming.TEXT, place, ana, self.words, "1")])
        await self.door.receive([Event("1", Incoming.TEXT, place, ana, self.words, "1")])  # which is known
        await asyncio.Event().wait()

    def is_caught_up(self) -> bool:
        return self.is_ready


def free_address() -> str:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


@asynccontextmanager
async def serving(store: Store, address: str, adapter: LiveAdapter) -> AsyncIterator[None]:
    """Serve with one adapter and a monitor until the context ends."""
    watch = watch_of(Config(monitoring=MonitoringSettings(listen=address)), store, Clock())

    def connect(door: Door) -> LiveAdapter:
        adapter.door = door
        return adapter

    house = House(store, table(), secrets.token_bytes, on_fault=watch.fault)
    task = asyncio.create_task(serve(house, Clock(), {"fake": connect}, EVERY_ROLE, watch))
    try:
        await until(lambda: bool(adapter.sent) or task.done())
        yield
    finally:
        Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()
        async with asyncio.timeout(WAIT_SECONDS):
            await task


def is_pruned(store: Store) -> bool:
    with store.read() as session:
        return session.get(Meta, PRUNED_AT) is not None


async def fetch(address: str, path: str) -> tuple[int, str]:
    async with ClientSession() as session, session.get(f"http://{address}{path}") as answer:
        return answer.status, await answer.text()


async def test_a_bot_that_serves_answers(store: Store) -> None:
    address, adapter = free_address(), LiveAdapter()
    async with serving(store, address, adapter):
        assert await fetch(address, "/healthz") == (200, '{"status": "ok"}')
        status, metrics = await fetch(address, "/metrics")
        assert (await fetch(address, "/"))[0] == 404
        await until(lambda: is_pruned(store))
    assert status == 200
    lines = set(metrics.splitlines())
    assert {
        'dpool_events_received_total{platform="fake"} 1.0',
        "dpool_dispatch_seconds_count 1.0",
        'dpool_deliveries_total{platform="fake",result="sent"} 1.0',
        'dpool_platform_caught_up{platform="fake"} 1.0',
        "dpool_database_up 1.0",
        "dpool_events_waiting 0.0",
        "dpool_events_waiting_seconds 0.0",
        'dpool_round_overdue_seconds{pool="1"} 0.0',
    } <= lines
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)
    assert "Valley" not in metrics


async def test_a_fault_and_a_message_that_fails_are_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_handling: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("core.chat.handling.Handling.text", fails)
    address, adapter = free_address(), LiveAdapter()
    apology = "That went wrong here, and nothing was changed. It has been noted."
    adapter.answers = {apology: [Failure("too long")]}
    async with serving(store, address, adapter):
        await until(lambda: adapter.sent == [apology])
        metrics = (await fetch(address, "/metrics"))[1]
        while "result=" not in metrics:
            metrics = (await fetch(address, "/metrics"))[1]
    assert 'dpool_faults_total{kind="KeyError"} 3.0' in metrics
    assert 'dpool_deliveries_total{platform="fake",result="failed"} 1.0' in metrics


@pytest.mark.parametrize("host", ["taken", "nowhere.invalid"])
async def test_a_port_that_cannot_be_had_is_one_line(file_store: Store, host: str) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}" if host == "taken" else f"{host}:9464"
        watch = Monitor(MonitoringSettings(listen=address), file_store, Clock())
        with pytest.raises(UserError, match=f"monitoring.listen: {address} can't be used: ") as caught:
            async with asyncio.timeout(WAIT_SECONDS):
                await serve(House(file_store, table(), secrets.token_bytes), Clock(), {}, EVERY_ROLE, watch)
    assert len(caught.value.lines) == 1


def test_without_monitoring_nobody_watches(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(watch_of(Config(), file_store, Clock())) is Watch

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("bot.watch.import_module", missing)
    with pytest.raises(UserError, match=r"this part isn't installed: install dpool\[monitoring\]"):
        watch_of(Config(monitoring=MonitoringSettings()), file_store, Clock())


# Illnesses


class Clinic:
    """A store, an adapter and a clock to be ill with."""

    def __init__(self, store: Store, roles: frozenset[Role] = EVERY_ROLE) -> None:
        self.store, self.clock, self.wire = store, StillClock(), NoWire(lambda _word: None)
        self.wire.take(TICK)
        self.wire.take(receiving("fake"))
        self.adapter = LiveAdapter()
        self.health = Health(store, self.clock, self.wire, roles, 60)
        carrier = Carrier(store, self.adapter, self.clock)
        self.attendants = [Attendant(self.adapter, carrier, self.wire, roles)]

    async def illness(self, after: timedelta = timedelta()) -> str:
        self.clock.ahead = after
        return await self.health.illness(self.attendants)


async def test_an_event_that_waits_too_long(store: Store) -> None:
    with store.write() as session:
        inbox.receive(session, "fake", "a", "room", {}, NOON)
    assert await Clinic(store).illness(MINUTE) == ""
    assert await Clinic(store).illness(2 * MINUTE) == "an event has waited 120 s for dispatch"
    assert await Clinic(store, frozenset({Role.SEND})).illness(2 * MINUTE) == ""  # others dispatch


async def test_a_round_that_is_overdue(store: Store) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        session.get_one(Pool, pool.id).round_due_at = NOON
    clinic = Clinic(store)
    assert await clinic.illness(3 * MINUTE) == ""  # it may wait for two minutes
    assert await clinic.illness(4 * MINUTE) == "the round of pool 1 is overdue"
    clinic.wire.drop(TICK)
    assert await clinic.illness(4 * MINUTE) == ""


async def test_a_platform_that_is_out_of_reach(store: Store) -> None:
    clinic = Clinic(store)
    assert await clinic.illness() == ""
    clinic.adapter.is_ready = False
    assert await clinic.illness(MINUTE) == ""
    assert await clinic.illness(3 * MINUTE) == "fake has not been caught up with for 180 s"
    clinic.wire.drop(receiving("fake"))
    assert await clinic.illness(4 * MINUTE) == ""
    clinic.wire.take(receiving("fake"))
    assert await clinic.illness(5 * MINUTE) == ""
    clinic.adapter.is_ready = True
    assert await clinic.illness(9 * MINUTE) == ""


async def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'nowhere' / 'a.db'}")
    assert await Clinic(store).illness() == "the database does not answer"
    families = list(StoreCollector(store, StillClock()).collect())
    assert [(one.name, one.samples[0].value) for one in families] == [("dpool_database_up", 0)]


async def test_parked_messages_are_counted_now_and_then(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, counts = StillClock(), iter(({"fake": 3}, {"fake": 4}))
    monkeypatch.setattr("bot.monitor.parked", lambda _session: next(counts))
    collector = StoreCollector(store, clock)

    def figure() -> float:
        return next(one for one in collector.collect() if one.name == "dpool_deliveries_parked").samples[0].value

    assert (figure(), figure()) == (3, 3)
    clock.ahead = MINUTE
    assert figure() == 4


async def test_only_new_events_are_counted(store: Store) -> None:
    counted: list[tuple[str, int]] = []

    class Counting(Watch):
        def received(self, platform: str, count: int) -> None:
            counted.append((platform, count))

    door = WatchedDoor(store, Clock(), lambda: None, Counting())
    event = Event("1", Incoming.TEXT, Place("fake", "room"), Sender("fake", "1", "Ana"), "x", "1")
    assert await door.receive([event]) == 1
    assert await door.receive([event]) == 0
    assert await door.receive([], {"token": "1"}) == 0
    assert counted == [("fake", 1)]
