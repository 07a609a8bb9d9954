"""The door and the sender, with an adapter that does as it is told."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select

from adapters import post
from adapters.post import Carrier, Door
from core.chat import binding, outbox
from core.chat.message import Event, Failure, Incoming, Message, Priority
from core.chat.port import AdapterError
from core.chat.text import Style, Text
from core.identity import Place, Sender, account_of, chat_of
from core.tables_chat import Chat, Delivery, Inbox
from tests.clocks import StillClock
from tests.fake_adapter import WAIT_SECONDS, FakeAdapter, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from sqlmodel import Session

    from core.store import Store


@pytest.fixture
def adapter() -> FakeAdapter:
    return FakeAdapter()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def carrier(store: Store, adapter: FakeAdapter, clock: StillClock) -> Carrier:
    return Carrier(store, adapter, clock)


def put(
    store: Store,
    clock: StillClock,
    text: str,
    priority: Priority = Priority.REPLY,
    *,
    chat: str = "a",
    toast_for: str = "",
    edits: int = 0,
) -> int:
    """Post a message; return its chat's number."""
    with store.write() as session:
        place = chat_of(session, Place("fake", chat))
        message = Message(Text.of(text), toast_for=toast_for, edits=edits)
        outbox.post(session, place, message, priority, f"{chat}:{text}", clock())
        return place.id or 0


def states(store: Store) -> dict[str, str]:
    """Return the state of every delivery, by its text."""
    with store.read() as session:
        rows = session.exec(select(Delivery).order_by(col(Delivery.id))).all()
        return {str(Message.from_json(row.payload).text): row.state for row in rows}


@asynccontextmanager
async def running(carrier: Carrier) -> AsyncIterator[None]:
    task = asyncio.create_task(carrier.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# The door


def event(event_id: str) -> Event:
    return Event(event_id, Incoming.TEXT, Place("fake", "a"), Sender("fake", "1", "Ana"), "/me", event_id)


async def test_events_are_kept_once_together_with_facts(store: Store, clock: StillClock) -> None:
    woken: list[int] = []
    door = Door(store, clock, lambda: woken.append(1))
    assert await door.receive([event("1"), event("2"), event("1")], {"fake:token": "t1"}) == 2
    assert await door.receive([event("2")], {"fake:token": "t2"}) == 0
    assert woken == [1]
    assert await door.fact("fake:token") == "t2"
    assert await door.fact("other") == ""
    with store.read() as session:
        assert [row.event_id for row in session.exec(select(Inbox))] == ["1", "2"]


# The sender


async def test_the_order_of_priorities(store: Store, adapter: FakeAdapter, clock: StillClock) -> None:
    put(store, clock, "notice", Priority.NOTICE)
    put(store, clock, "edit", Priority.EDIT)
    put(store, clock, "reply", Priority.REPLY)
    put(store, clock, "toast", Priority.TOAST, toast_for="press")
    await Carrier(store, adapter, clock).flush()
    assert adapter.sent == ["toast", "reply", "edit", "notice"]
    assert set(states(store).values()) == {"sent"}


async def test_a_chat_has_one_message_under_way_others_are_served_meanwhile(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier
) -> None:
    adapter.gate = asyncio.Event()
    for text in ("1", "2"):
        put(store, clock, text, chat="a")
        put(store, clock, text, chat="b")
    async with running(carrier):
        await until(lambda: len(adapter.sent) == 2)
        assert adapter.sent == ["1", "1"]
        adapter.gate.set()
        await until(lambda: len(adapter.sent) == 4)


async def test_a_message_to_be_tried_again_is_not_overtaken(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier
) -> None:
    adapter.answers = {"1": [Failure("slow down", retry_seconds=30)]}
    put(store, clock, "1")
    put(store, clock, "2")
    put(store, clock, "other", chat="b")
    await carrier.flush()
    assert adapter.sent == ["1", "other"] or adapter.sent == ["1", "other"][::-1]
    assert states(store)["1"] == "ready"
    clock.ahead = timedelta(seconds=31)
    await carrier.flush()
    assert adapter.sent[2:] == ["1", "2"]
    assert [parcel.attempt for parcel in adapter.parcels if str(parcel.message.text) == "1"] == [1, 2]
    assert len({parcel.key for parcel in adapter.parcels if str(parcel.message.text) == "1"}) == 1


async def test_what_waits_for_long_holds_up_nothing(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier
) -> None:
    adapter.answers = {"1": [Failure("an outage", retry_seconds=600)]}
    put(store, clock, "1")
    await carrier.flush()
    clock.ahead = timedelta(seconds=31)
    put(store, clock, "2")
    await carrier.flush()
    assert states(store) == {"1": "ready", "2": "sent"}


async def test_a_closed_chat_is_switched_off_and_its_message_parked(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier
) -> None:
    adapter.answers = {"1": [Failure("blocked", gone=True)]}
    chat_id = put(store, clock, "1")
    await carrier.flush()
    put(store, clock, "2")
    await carrier.flush()
    assert adapter.sent == ["1"]
    assert states(store) == {"1": "parked"}
    with store.read() as session:
        assert session.get_one(Chat, chat_id).off_at == clock()


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        (Failure("no", retry_seconds=1), 60),
        (Failure("timeout", retry_seconds=1, ambiguous=True), 2),
        (Failure("no"), 1),
    ],
)
async def test_what_does_not_arrive_is_parked(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier, answer: Failure, attempts: int
) -> None:
    adapter.answers = {"1": [answer] * 99}
    put(store, clock, "1")
    for _ in range(70):
        await carrier.flush()
        clock.ahead += timedelta(minutes=11)
    assert len(adapter.sent) == attempts
    assert states(store) == {"1": "parked"}


async def test_a_stale_toast_is_dropped_and_stops_nothing(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier
) -> None:
    adapter.answers = {"toast": [Failure("too old")]}
    put(store, clock, "toast", Priority.TOAST, toast_for="press")
    put(store, clock, "reply")
    await carrier.flush()
    assert states(store) == {"toast": "dropped", "reply": "sent"}


async def test_busy_chats_wait(store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier) -> None:
    adapter.busy = {put(store, clock, "1")}
    await carrier.flush()
    assert adapter.sent == []
    adapter.busy = set()
    await carrier.flush()
    assert adapter.sent == ["1"]


async def test_a_fault_of_the_adapter_stops_nothing(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    adapter.answers = {"1": [ValueError("a bug")]}
    put(store, clock, "1")
    put(store, clock, "other", chat="b")
    await carrier.flush()
    assert states(store) == {"1": "ready", "other": "sent"}
    assert "a message could not be sent" in caplog.text


async def test_an_adapter_that_cannot_go_on_ends_the_sender(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier
) -> None:
    adapter.answers = {"1": [AdapterError("the token was revoked")]}
    put(store, clock, "1")
    with pytest.raises(AdapterError, match="revoked"):
        async with asyncio.timeout(WAIT_SECONDS):
            await carrier.run()
    assert states(store) == {"1": "ready"}


async def test_an_edit_names_its_message(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier
) -> None:
    put(store, clock, "1")
    await carrier.flush()
    put(store, clock, "edit", Priority.EDIT, edits=1)
    await carrier.flush()
    assert [parcel.edits for parcel in adapter.parcels] == ["", "ref-1"]
    assert adapter.parcels[1].choice(3) == "2:3"


async def test_mentioned_accounts_travel_along(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier
) -> None:
    with store.write() as session:
        ana = account_of(session, Sender("fake", "7", "Ana", "ana"))
        bo = account_of(session, Sender("fake", "8", "Bo"))
        message = Message(Text.of("Ana", Style.MENTION, str(ana.id)) + ": your turn", mentions=(bo.id or 0,))
        outbox.post(session, chat_of(session, Place("fake", "a")), message, Priority.NOTICE, "k", clock())
    await carrier.flush()
    assert adapter.parcels[0].accounts == {
        ana.id: Sender("fake", "7", "Ana", "ana"),
        bo.id: Sender("fake", "8", "Bo"),
    }


async def test_a_new_message_wakes_the_sender_and_a_poll_is_the_safety_net(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier.wake()  # before it runs, that does nothing
    monkeypatch.setattr(post, "POLL_SECONDS", 60)
    async with running(carrier):
        await asyncio.sleep(0.1)
        put(store, clock, "1")
        await asyncio.to_thread(carrier.wake)
        await until(lambda: adapter.sent == ["1"])
    monkeypatch.setattr(post, "POLL_SECONDS", 0.05)
    async with running(carrier):
        put(store, clock, "2")
        await until(lambda: adapter.sent == ["1", "2"])


async def test_what_an_earlier_process_left_is_taken_up_at_once(
    store: Store, adapter: FakeAdapter, clock: StillClock
) -> None:
    put(store, clock, "1")
    with store.write() as session:
        assert binding.bind_next(session, "fake", clock()) is not None
    carrier = Carrier(store, adapter, clock)
    await carrier.flush()
    assert adapter.sent == []  # its lease holds
    async with running(carrier):
        await until(lambda: adapter.sent == ["1"])
    assert adapter.parcels[0].attempt == 2


async def test_what_is_under_way_may_arrive_when_the_sender_stops(
    store: Store, adapter: FakeAdapter, clock: StillClock, carrier: Carrier
) -> None:
    adapter.gate = asyncio.Event()
    put(store, clock, "1")
    task = asyncio.create_task(carrier.run())
    await until(lambda: adapter.sent == ["1"])
    task.cancel()
    await asyncio.sleep(0)
    adapter.gate.set()
    await asyncio.gather(task, return_exceptions=True)
    assert states(store) == {"1": "sent"}


async def test_a_store_that_does_not_answer_is_waited_for(
    store: Store,
    adapter: FakeAdapter,
    clock: StillClock,
    carrier: Carrier,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(post, "STORE_RETRY_SECONDS", 0.01)
    put(store, clock, "1")
    sent, faults = outbox.sent, [1, 1]

    def broken(session: Session, refs: Mapping[int, str], now: datetime) -> None:
        if faults:
            faults.pop()
            raise OperationalError("update", {}, Exception("database is locked"))
        sent(session, refs, now)

    monkeypatch.setattr(outbox, "sent", broken)
    with caplog.at_level(logging.WARNING):
        await carrier.flush()
    assert states(store) == {"1": "sent"}
    assert adapter.sent == ["1"]
    assert "the database does not answer: database is locked" in caplog.text
