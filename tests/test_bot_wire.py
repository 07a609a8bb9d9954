"""The wire: who has which part, who is there, and words that a commit carries to other processes."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from adapters.post import Carrier, Door
from bot.platforms import Attendant, receiving
from bot.roles import EVERY_ROLE, Role
from bot.server_wire import ServerWire
from bot.wire import NoWire, taken
from core.chat.dispatch import CHANGED
from core.chat.inbox import RECEIVED
from core.chat.message import Event, Incoming
from core.chat.outbox import WRITTEN
from core.chat.port import AdapterError
from core.identity import Place
from core.store import Store, announce
from tests.clocks import StillClock
from tests.fake_adapter import FakeAdapter, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.wire import Wire

PART = "look after what is due"


class Process:
    """A process with a wire of its own, which notes the words it hears."""

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        self.heard: Counter[str] = Counter()
        self.wire = ServerWire(self.store, lambda word: self.heard.update([word]))

    async def has(self, part: str) -> None:
        async with asyncio.timeout(60):
            await taken(self.wire, part)


@contextmanager
def process(store: Store) -> Iterator[Process]:
    found = Process(store.url)
    found.wire.start()
    try:
        yield found
    finally:
        found.wire.stop()
        found.store.close()


async def test_a_part_is_one_processs_until_it_ends(server_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with process(server_store) as second:
        with process(server_store) as first, caplog.at_level(logging.INFO):
            await first.has(PART)
            waiting = asyncio.create_task(second.has(PART))
            await until(lambda: second.wire.is_elsewhere(PART))
            await until(lambda: "this one takes over when that ends" in caplog.text)
            assert first.wire.is_taken(PART)
            assert second.wire.is_taken(PART)
            assert not second.wire.has(PART)
            assert set(first.wire.alive()) == {first.wire.number, second.wire.number}
        await waiting
        assert second.wire.alive() == {second.wire.number}
        second.wire.drop(PART)
        await until(lambda: not second.wire.is_taken(PART))


async def test_words_come_with_the_commit_to_every_process(server_store: Store) -> None:
    with process(server_store) as first, process(server_store) as second:
        await first.has("a")  # both are there from here on
        await second.has("b")
        await until(lambda: all(one.heard[word] for one in (first, second) for word in (RECEIVED, WRITTEN, CHANGED)))
        first.heard.clear()
        second.heard.clear()
        with server_store.write() as session:
            announce(session, WRITTEN)
            session.rollback()
        place = Place("fake", "a")
        door = Door(first.store, StillClock(), lambda: first.wire.say(RECEIVED))
        await door.receive([Event("1", Incoming.TEXT, place), Event("2", Incoming.TEXT, place)])
        await until(lambda: first.heard[RECEIVED] == second.heard[RECEIVED] == 1)
        assert second.heard[WRITTEN] == 0


async def test_a_wire_that_breaks_is_made_anew(server_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with process(server_store) as one, caplog.at_level(logging.WARNING):
        await one.has(PART)
        with server_store.write() as session:
            session.connection().exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        await until(lambda: not one.wire.has(PART))
        await until(lambda: one.wire.has(PART))
    assert "the database is out of reach" in caplog.text


def test_without_a_server_there_is_nobody_else() -> None:
    heard: list[str] = []
    wire: Wire = NoWire(heard.append)
    wire.start()
    wire.say(WRITTEN, CHANGED)
    assert heard == [WRITTEN, CHANGED]
    assert not wire.is_taken(PART)
    wire.take(PART)
    assert (wire.has(PART), wire.is_taken(PART), wire.is_elsewhere(PART), wire.alive()) == (True, True, False, None)
    wire.drop(PART)
    assert not wire.has(PART)
    wire.stop()


# Who attends to a platform


@pytest.mark.parametrize(
    ("roles", "apart", "receives", "sends"),
    [
        (EVERY_ROLE, True, True, True),
        (EVERY_ROLE, False, True, True),
        ({Role.INGEST}, True, True, False),
        ({Role.INGEST}, False, True, True),
        ({Role.SEND}, True, False, True),
        ({Role.SEND}, False, False, False),
        ({Role.WORK, Role.TICK}, True, False, False),
    ],
)
def test_who_receives_and_who_sends(
    file_store: Store, roles: frozenset[Role], apart: bool, receives: bool, sends: bool
) -> None:
    adapter = FakeAdapter(sends_apart=apart)
    attendant = Attendant(adapter, Carrier(file_store, adapter, StillClock()), NoWire(lambda _: None), frozenset(roles))
    assert (attendant.receives, attendant.sends) == (receives, sends)


async def test_who_lost_the_part_of_receiving_ends(file_store: Store) -> None:
    class Elsewhere(NoWire):
        def is_elsewhere(self, part: str) -> bool:
            return part == receiving("fake")

    adapter = FakeAdapter()
    wire = Elsewhere(lambda _: None)
    attendant = Attendant(adapter, Carrier(file_store, adapter, StillClock()), wire, EVERY_ROLE)
    with pytest.raises(ExceptionGroup) as caught:
        await attendant.run()
    assert caught.group_contains(AdapterError, match="another process receives now")
