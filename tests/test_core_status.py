"""How everything stands: what came last, what waits, what is stuck, what is due."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.chat import binding, inbox, outbox
from core.chat.message import Failure, Message, Priority
from core.chat.status import REASONS_MAX, Queues, parked, pools, queues, status
from core.chat.text import Text
from core.identity import Place, chat_of
from core.tables_chat import Chat, Inbox
from tests.conftest import NOW
from tests.stage import act, on_stage

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.store import Store

MINUTE = timedelta(minutes=1)


def chat(session: Session, address: str = "room", platform: str = "console") -> Chat:
    return chat_of(session, Place(platform, address))


def put(session: Session, to: Chat, key: str, *, minutes: int = 0, not_before: int | None = None) -> None:
    """Put a message into the outbox."""
    later = NOW + not_before * MINUTE if not_before is not None else None
    at = NOW + minutes * MINUTE
    outbox.post(session, to, Message(Text.of(key)), Priority.REPLY, key, at, not_before=later)


def fail(session: Session, reason: str, *, gone: bool = False) -> None:
    """Let the next message fail for good."""
    delivery = binding.bind_next(session, "console", NOW)
    assert delivery is not None
    outbox.failed(session, delivery.id, Failure(reason, gone=gone), NOW)


def test_an_empty_store_has_nothing_to_tell(store: Store) -> None:
    with store.read() as session:
        found = status(session, NOW)
    assert found.queues == Queues(0, None, {}, None)
    assert (found.platforms, found.pools) == ((), ())
    assert (found.set_aside.count, found.set_aside.last) == (0, {})


def test_queues_count_what_could_go_now(store: Store) -> None:
    with store.write() as session:
        inbox.receive(session, "console", "a", "room", {}, NOW)
        inbox.receive(session, "telegram", "a", "room", {}, NOW + MINUTE)
        room, matrix, off = chat(session), chat(session, platform="matrix"), chat(session, "off")
        off.off_at = NOW
        put(session, room, "first")
        binding.bind_next(session, "console", NOW)  # it is under way, and counts as long as nobody says how it went
        put(session, room, "now", minutes=2)
        put(session, room, "later", not_before=60)
        put(session, room, "again", minutes=1, not_before=0)
        put(session, matrix, "there", minutes=3)
        put(session, off, "never")
    with store.read() as session:
        assert queues(session, NOW + MINUTE) == Queues(2, NOW, {"console": 3, "matrix": 1}, NOW)
        found = {one.platform: one for one in status(session, NOW).platforms}
    assert set(found) == {"console", "matrix", "telegram"}
    assert (found["console"].waiting, found["console"].held_back, found["console"].chats_off) == (3, 1, 1)
    assert (found["telegram"].received_at, found["telegram"].waiting) == (NOW + MINUTE, 0)
    assert found["matrix"].received_at is None


def test_what_is_parked_is_told_with_its_reasons(store: Store) -> None:
    reasons = ["too long"] * 2 + [f"reason {number}" for number in range(REASONS_MAX)]
    with store.write() as session:
        for number, reason in enumerate(reasons):
            put(session, chat(session), str(number))
            fail(session, reason)
        put(session, chat(session), "last")
        fail(session, "kicked", gone=True)
    with store.read() as session:
        (found,) = status(session, NOW).platforms
        assert parked(session) == {"console": found.parked} == {"console": REASONS_MAX + 3}
    assert found.chats_off == 1
    assert len(found.reasons) == REASONS_MAX
    assert next(iter(found.reasons.items())) == ("too long", 2)
    assert "gone: kicked" in found.reasons


def test_set_aside_is_what_failed_three_times(store: Store) -> None:
    faults = ["", "ValueError", "ValueError ValueError", *(["KeyError KeyError KeyError"] * (REASONS_MAX + 1))]
    with store.write() as session:
        for number, fault in enumerate(faults):
            row = Inbox(platform="console", event_id=str(number), chat="room", received_at=NOW, done_at=NOW)
            row.fault = fault
            session.add(row)
        session.add(Inbox(platform="console", event_id="waits", chat="room", received_at=NOW, fault=faults[-1]))
    with store.read() as session:
        found = status(session, NOW).set_aside
        ids = session.exec(select(Inbox.id).order_by(col(Inbox.id))).all()
    assert found.count == REASONS_MAX + 1
    assert list(found.last) == ids[4:-1]
    assert set(found.last.values()) == {"KeyError KeyError KeyError"}


def test_pools_tell_when_their_rounds_were_and_are(store: Store) -> None:
    player = on_stage(store)
    with store.read() as session:
        (before,) = pools(session)
    assert (before.pool_id, before.name, before.held_at) == (1, "Valley", None)
    assert before.due_at is not None
    act(player, "now 2026-05-11 09:00")
    with store.read() as session:
        (after,) = pools(session)
    assert after.held_at == before.due_at
    assert after.due_at == before.due_at + timedelta(weeks=1)
