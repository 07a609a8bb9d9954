"""Due work is woken, events are dispatched, adapters attended to; and no log line carries a secret."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from datetime import datetime, timedelta
from threading import Event as Flag
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from adapters.post import Door
from bot import dispatcher as dispatching
from bot import scheduler as scheduling
from bot.clock import Clock
from bot.config import Config
from bot.dispatcher import Dispatcher
from bot.errors import UserError
from bot.main import serve
from bot.platforms import connectors
from bot.scheduler import Scheduler
from core.chat.commands import table
from core.chat.dispatch import Dispatched
from core.chat.handling import House
from core.chat.message import Event, Incoming
from core.chat.port import AdapterError
from core.identity import Place, Sender
from core.tables_chat import Inbox
from tests.clocks import NOON, StillClock
from tests.fake_adapter import WAIT_SECONDS, FakeAdapter, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.store import Store


# The scheduler


class DueWork:
    """Notes when it runs, and wants to run again after so long."""

    def __init__(self, again: timedelta | None = None) -> None:
        self.runs: list[datetime] = []
        self.again = again
        self.has_run = Flag()

    def __call__(self, now: datetime) -> datetime | None:
        self.runs.append(now)
        self.has_run.set()
        return None if self.again is None else now + self.again

    def wait(self) -> None:
        assert self.has_run.wait(WAIT_SECONDS)
        self.has_run.clear()


@pytest.fixture
def scheduled() -> Iterator[Callable[..., Scheduler]]:
    started: list[Scheduler] = []

    def start(run_due: Callable[[datetime], datetime | None], clock: Callable[[], datetime] | None = None) -> Scheduler:
        found = Scheduler(run_due, clock or StillClock())
        found.start()
        started.append(found)
        return found

    yield start
    for one in started:
        one.stop()


def test_due_work_runs_at_the_start_by_its_own_clock(scheduled: Callable[..., Scheduler]) -> None:
    work = DueWork()
    scheduled(work)
    work.wait()
    assert work.runs == [NOON]


def test_due_work_runs_when_it_wants_to(scheduled: Callable[..., Scheduler]) -> None:
    work = DueWork(timedelta(milliseconds=200))
    scheduled(work, Clock())
    work.wait()
    work.wait()
    assert timedelta(milliseconds=190) < work.runs[1] - work.runs[0] < timedelta(seconds=3)


def test_due_work_runs_after_a_change(scheduled: Callable[..., Scheduler]) -> None:
    work = DueWork(timedelta(days=1))
    scheduler = scheduled(work)
    work.wait()
    for _ in range(5):
        scheduler.wake()
    work.wait()
    assert len(work.runs) == 2


def test_due_work_runs_at_least_now_and_then(
    scheduled: Callable[..., Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "SAFETY_NET", timedelta(milliseconds=100))
    work = DueWork(timedelta(days=1))
    scheduled(work)
    for _ in range(3):
        work.wait()


def test_a_change_during_due_work_is_not_missed(scheduled: Callable[..., Scheduler]) -> None:
    began, may_end, runs = Flag(), Flag(), []

    def work(now: datetime) -> None:
        runs.append(now)
        began.set()
        assert may_end.wait(WAIT_SECONDS)

    scheduler = scheduled(work)
    assert began.wait(WAIT_SECONDS)
    scheduler.wake()
    may_end.set()
    scheduler.stop()
    assert len(runs) == 2
    scheduler.start()  # so that the fixture can stop it


def test_a_fault_in_due_work_is_noted_and_it_runs_again(
    scheduled: Callable[..., Scheduler], caplog: pytest.LogCaptureFixture
) -> None:
    work = DueWork()

    def faulty(now: datetime) -> datetime | None:
        work(now)
        if len(work.runs) == 1:
            raise ValueError("a bug")
        return None

    scheduler = scheduled(faulty)
    work.wait()
    scheduler.wake()
    work.wait()
    assert "due work could not be done" in caplog.text


# The dispatcher


def house_of(store: Store) -> House:
    return House(store, table(), secrets.token_bytes)


def test_dispatch_goes_on_after_a_fault(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatching, "FAULT_SECONDS", 0.01)
    done, calls = Flag(), []

    def dispatch_some(_house: House, _now: datetime) -> Dispatched:
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("select", {}, Exception("database is locked"))
        return Dispatched(int(len(calls) == 2), may_be_more=False)

    monkeypatch.setattr(dispatching, "dispatch_some", dispatch_some)
    dispatcher = Dispatcher(house_of(store), StillClock())
    dispatcher.on_done = done.set
    dispatcher.start()
    assert done.wait(WAIT_SECONDS)
    dispatcher.stop()
    assert "dispatch waits for the database: database is locked" in caplog.text


def test_a_dispatcher_that_never_began_can_be_stopped(store: Store) -> None:
    Dispatcher(house_of(store), StillClock()).stop()


# Everything wired


class LiveAdapter(FakeAdapter):
    """Hands in one command, then waits; `fault` is raised instead."""

    def __init__(self, door: Door, fault: Exception | None = None) -> None:
        super().__init__()
        self.door, self.fault, self.has_stopped = door, fault, False

    async def run(self) -> None:
        place, ana = Place("fake", "room", title="Room"), Sender("fake", "1", "Ana")
        await self.door.receive([Event("1", Incoming.TEXT, place, ana, "/pool new Valley", "1")])
        if self.fault is not None:
            raise self.fault
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self.has_stopped = True


async def test_a_message_is_answered_until_the_bot_is_told_to_stop(store: Store) -> None:
    adapters: list[LiveAdapter] = []

    def connect(door: Door) -> LiveAdapter:
        adapters.append(LiveAdapter(door))
        return adapters[0]

    serving = asyncio.create_task(serve(house_of(store), Clock(), {"fake": connect}))
    await until(lambda: bool(adapters) and bool(adapters[0].sent))
    assert "Valley is founded" in adapters[0].sent[0]
    Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()
    async with asyncio.timeout(WAIT_SECONDS):
        await serving
    assert adapters[0].has_stopped
    with store.read() as session:
        assert session.exec(select(Inbox.done_at)).one() is not None


async def test_an_adapter_that_cannot_go_on_ends_the_bot(store: Store) -> None:
    adapters: list[LiveAdapter] = []

    def connect(door: Door) -> LiveAdapter:
        adapters.append(LiveAdapter(door, AdapterError("the token was revoked")))
        return adapters[-1]

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(WAIT_SECONDS):
            await serve(house_of(store), Clock(), {"fake": connect})
    assert caught.group_contains(AdapterError, match="revoked")
    assert adapters[0].has_stopped


def test_platforms_that_are_not_installed_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("bot.platforms.import_module", missing)
    config = Config.model_validate(
        {
            "telegram": {"token": "a"},
            "matrix": {"homeserver": "https://m.org", "user": "@p:m.org", "password": "a"},
        }
    )
    with pytest.raises(UserError) as caught:
        connectors(config)
    assert caught.value.lines == (
        "telegram: this part isn't installed: install dpool[telegram]",
        "matrix: this part isn't installed: install dpool[matrix]",
    )
    assert connectors(Config()) == {}


def test_a_platform_is_connected_with_its_settings(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    asked: list[tuple[str, object]] = []

    def connect(settings: object, door: Door) -> LiveAdapter:
        asked.append(("settings", settings))
        return LiveAdapter(door)

    def find(name: str) -> SimpleNamespace:
        asked.append(("module", name))
        return SimpleNamespace(connect=connect)

    monkeypatch.setattr("bot.platforms.import_module", find)
    config = Config.model_validate({"telegram": {"token": "a"}})
    door = Door(store, Clock(), lambda: None)
    assert [one(door).platform for one in connectors(config).values()] == ["fake"]
    assert asked == [("module", "adapters.telegram"), ("settings", config.telegram)]


def test_the_clock_can_be_ahead() -> None:
    clock = Clock()
    then = clock() + timedelta(days=3)
    assert timedelta(days=2, hours=23) < clock.set(then) <= timedelta(days=3)
    assert timedelta() <= clock() - then < timedelta(seconds=5)
