"""Several processes at one inbox and one outbox on a server: a chat's events and messages keep their order."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text as sql
from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, func, select, update

from core.chat import binding, cards, dispatch, due, inbox, outbox
from core.chat.commands import table
from core.chat.dispatch import dispatch_all, dispatch_next
from core.chat.due import run_due
from core.chat.handling import House
from core.chat.message import Event, Failure, Incoming, Message, Priority
from core.chat.text import Text
from core.identity import Place, Sender, account_of, chat_of
from core.rounds.hold import RoundHeld, hold
from core.store import Store
from core.tables import Member, Task
from core.tables_chat import Account, Card, Chat, Delivery, Inbox, Outbox, Person
from core.trouble import Trouble, trouble_of
from tests.conftest import NOW
from tests.stage import on_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import ORMExecuteState

SECOND = timedelta(seconds=1)
WAIT_SECONDS = 60


@pytest.fixture
def other(server_store: Store) -> Iterator[Store]:
    """The same store, as another process sees it."""
    with closing(Store(server_store.url)) as found:
        yield found


def keep(store: Store, *events: tuple[str, str]) -> None:
    """Keep events that say nothing, each a chat and an id."""
    with store.write() as session:
        for chat, event_id in events:
            inbox.receive(session, "fake", event_id, chat, {}, NOW)


def take(session: Session) -> str:
    return "".join(row.event_id for row in inbox.waiting(session, 1))


def done(session: Session) -> None:
    (row,) = inbox.waiting(session, 1)
    row.done_at = NOW
    session.flush()


# The inbox


def test_who_comes_second_gets_the_next_chat(server_store: Store, other: Store) -> None:
    keep(server_store, ("a", "1"), ("a", "2"), ("b", "3"))
    with server_store.write() as first, other.write() as second:
        assert take(first) == "1"
        assert take(second) == "3"
        with Session(other.engine) as third:
            assert take(third) == ""


def test_a_chat_goes_on_when_its_event_is_done_or_given_up(server_store: Store, other: Store) -> None:
    keep(server_store, ("a", "1"), ("a", "2"))
    with server_store.write() as first:
        assert take(first) == "1"
        first.rollback()
    with server_store.write() as first:
        done(first)
        with other.write() as second:
            assert take(second) == ""
    with other.write() as second:
        assert take(second) == "2"


def test_a_chat_with_many_events_hides_no_other(server_store: Store, other: Store) -> None:
    keep(server_store, *(("a", f"a{number}") for number in range(100)), ("b", "b"))
    with server_store.write() as first, other.write() as second:
        assert take(first) == "a0"
        assert take(second) == "b"


def test_what_another_process_has_just_done_is_not_done_again(server_store: Store, other: Store) -> None:
    """Whoever had the chat commits when it is found already, and locked a moment later."""
    keep(server_store, ("a", "1"))
    was_done: list[str] = []

    def be_quicker(state: ORMExecuteState) -> None:
        if "FOR UPDATE" in str(state.statement) and not was_done:
            was_done.append("1")
            with other.write() as quicker:
                quicker.exec(update(Inbox).values(done_at=NOW))

    with server_store.write() as session:
        listen(session, "do_orm_execute", be_quicker)
        assert take(session) == ""
        assert was_done == ["1"]


def test_the_same_event_from_two_processes_is_kept_once(server_store: Store, other: Store) -> None:
    with ThreadPoolExecutor(1) as pool, server_store.write() as first:
        assert inbox.receive(first, "fake", "1", "a", {}, NOW)

        def receive() -> bool:
            with other.write() as second:
                return inbox.receive(second, "fake", "1", "a", {}, NOW)

        waiting = pool.submit(receive)
        first.commit()
        assert waiting.result(WAIT_SECONDS) is False


# The outbox


def post(store: Store, chat: str, text: str, priority: Priority = Priority.REPLY) -> int:
    with store.write() as session:
        place = chat_of(session, Place("fake", chat))
        number = outbox.post(session, place, Message(Text.of(text)), priority, f"{chat}:{text}", NOW)
        assert number is not None
        return number


def bind(store: Store, sender: int = 0, count: int = 9) -> list[str]:
    with store.write() as session:
        found = binding.bind(session, "fake", NOW, count=count, sender=sender)
        return [str(Message.from_json(one.payload).text) for one in found]


def test_a_chat_has_one_message_under_way_whoever_sends(store: Store) -> None:
    for chat, text in (("a", "1"), ("a", "2"), ("b", "3"), ("c", "4")):
        post(store, chat, text)
    assert bind(store, 1, count=2) == ["1", "3"]
    assert bind(store, 2) == ["4"]
    with store.write() as session:
        for row in session.exec(select(Delivery).where(Delivery.sender == 1)):
            outbox.sent(session, {row.id: "m"}, NOW)
    assert bind(store, 2) == ["2"]


@pytest.mark.parametrize(("seconds", "bound"), [(30, []), (31, ["2"])])
def test_what_is_tried_again_soon_is_not_overtaken(store: Store, seconds: int, bound: list[str]) -> None:
    post(store, "a", "1")
    bind(store)
    post(store, "a", "2")
    with store.write() as session:
        outbox.failed(session, 1, Failure("slow down", retry_seconds=seconds), NOW)
    assert bind(store) == bound


def test_senders_bind_in_turn(server_store: Store, other: Store) -> None:
    post(server_store, "a", "1")
    post(server_store, "a", "2")
    with ThreadPoolExecutor(1) as pool:
        with server_store.write() as session:
            assert len(binding.bind(session, "fake", NOW, count=9)) == 1
            waiting = pool.submit(bind, other)
            assert not waiting.done()
        assert waiting.result(WAIT_SECONDS) == []


def test_a_sender_waits_for_nobody_who_dispatches(server_store: Store, other: Store) -> None:
    """What is being changed is left for later; what is not, goes."""
    asked = post(server_store, "a", "1", Priority.ASK)
    post(server_store, "b", "2", Priority.NOTICE)
    with server_store.write() as session:
        (row,) = outbox.last_asks(session, [session.get_one(Outbox, asked).chat_id]).values()
        assert row is not None
        assert bind(other) == ["2"]
    assert bind(other) == ["1"]


def test_a_question_joined_while_it_was_being_sent_is_asked_anew(server_store: Store, other: Store) -> None:
    asked = post(server_store, "a", "1", Priority.ASK)
    with server_store.write() as session:
        row = session.get_one(Outbox, asked)
        assert bind(other) == ["1"]
        (last,) = outbox.last_asks(session, [row.chat_id]).values()
        assert last is not None
        assert last.delivery_id == 1


def test_what_a_sender_left_is_taken_up_once_it_is_gone(store: Store) -> None:
    post(store, "a", "1")
    post(store, "b", "2")
    assert bind(store, 1, count=1) == ["1"]
    assert bind(store, 2) == ["2"]
    with store.write() as session:
        assert outbox.senders(session, "fake") == {1, 2}
        outbox.recover(session, "fake", {1})
    assert bind(store, 3) == ["1"]


def drawn(store: Store) -> list[str]:
    """Send what waits, as a sender of the stage's platform; return the cards that were drawn."""
    with store.write() as session:
        found = binding.bind(session, "console", NOW, count=9, card_seconds=0)
        outbox.sent(session, {one.id: "m" for one in found}, NOW)
        return [str(Message.from_json(one.payload).text) for one in found if one.edits]


def test_a_change_is_drawn_even_if_a_sender_draws_meanwhile(server_store: Store, other: Store) -> None:
    on_stage(server_store, "dee@garden: /task new Weeding 1h urgent")
    with server_store.write() as session:
        session.exec(select(Task)).one().title = "Digging"
        cards.note(session, 1, "task 1")
    with server_store.write() as session:
        session.exec(select(Task)).one().title = "Raking"
        cards.note(session, 1, "task 1")
        session.flush()
        assert ["Digging" in one for one in drawn(other)] == [True]
    assert ["Raking" in one for one in drawn(other)] == [True]
    assert drawn(other) == []


def test_a_sender_leaves_out_the_card_that_is_being_replaced(server_store: Store, other: Store) -> None:
    on_stage(server_store, "dee@garden: /task new Weeding 1h urgent")
    with server_store.write() as session:
        session.exec(select(Task)).one().title = "Digging"
        cards.note(session, 1, "task 1")
    with server_store.write() as session:
        session.delete(session.exec(select(Card).where(Card.subject == "task 1")).one())
        session.flush()
        assert drawn(other) == []


# Dispatch


def text(number: int, who: str, room: str, words: str) -> Event:
    return Event(f"e{number}", Incoming.TEXT, Place("console", room), Sender("console", who, who), words, f"m{number}")


def receive(store: Store, *events: Event) -> None:
    with store.write() as session:
        for one in events:
            inbox.receive(session, "console", one.event_id, f"console:{one.place.address}", one.to_json(), NOW)


def house_of(store: Store, faults: list[Exception]) -> House:
    return House(store, table(), secrets.token_bytes, on_fault=faults.append)


def test_many_at_work_do_everything_once_and_in_order(server_store: Store) -> None:
    """Five people, new to the pool, write in two rooms of it at once; four are at work."""
    player = on_stage(server_store)
    code = player.kept["code"]
    player.say("console", "dee", "mill", f"/project new Mill {code}")
    events = [
        text(100 + number, f"p{number % 5}", ("bakery", "garden", "mill")[number % 3], f"/task new T{number} 1h")
        for number in range(45)
    ]
    receive(server_store, *events)
    faults: list[Exception] = []
    stores = [Store(server_store.url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda one: dispatch_all(house_of(one, faults), NOW), stores))
    dispatch_all(house_of(server_store, faults), NOW)
    for one in stores:
        one.close()
    assert faults == []
    assert sum(counts) <= len(events)
    with server_store.read() as session:
        assert session.exec(select(func.count()).select_from(Inbox).where(col(Inbox.done_at).is_(None))).one() == 0
        assert session.exec(select(func.count()).select_from(Account).where(Account.user_id == "p1")).one() == 1
        assert session.exec(select(func.count()).select_from(Member).where(Member.name == "p1")).one() == 1
        assert session.exec(select(func.count()).select_from(Person)).one() == 8
        answers = defaultdict(list)
        query = select(Outbox, Chat).join(Chat, col(Chat.id) == col(Outbox.chat_id)).order_by(col(Outbox.id))
        for row, chat in session.exec(query.where(Outbox.priority == Priority.REPLY)):
            reply_to = Message.from_json(row.payload).reply_to
            if reply_to.startswith("m1"):
                answers[chat.address].append(int(reply_to[1:]))
    rooms = ("bakery", "garden", "mill")
    assert answers == {room: list(range(100 + place, 145, 3)) for place, room in enumerate(rooms)}


def until_somebody_waits(store: Store) -> None:
    """Wait until a transaction waits for another one."""
    waiting = sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    give_up_at = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < give_up_at:
        with store.engine.connect() as connection:
            if connection.execute(waiting).scalar_one():
                return
        time.sleep(0.01)
    raise TimeoutError


def test_two_that_meet_a_new_person_at_once_know_one_person(server_store: Store, other: Store) -> None:
    faults: list[Exception] = []
    receive(server_store, text(1, "zoe", "a", "/help"))
    with ThreadPoolExecutor(1) as pool, server_store.write() as first:
        account_of(first, Sender("console", "zoe", "zoe"))
        waiting = pool.submit(dispatch_next, house_of(other, faults), NOW)
        until_somebody_waits(server_store)
        first.commit()
        assert waiting.result(WAIT_SECONDS)
    assert faults == []
    with server_store.read() as session:
        assert len(session.exec(select(Account)).all()) == 1
        assert [row.fault for row in session.exec(select(Inbox)) if row.done_at] == [""]


class Deadlocks:
    """Handles an event so that it ends in a deadlock, so many times."""

    def __init__(self, count: int) -> None:
        self.left = self.count = count

    def __call__(self, _house: House, session: Session, _row: Inbox, _now: object) -> None:
        if self.left:
            self.left -= 1
            session.connection().exec_driver_sql("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$")


@pytest.mark.parametrize(
    ("count", "faults"), [(dispatch.CONFLICTS_MAX, []), (dispatch.CONFLICTS_MAX + 1, [Trouble.CONFLICT])]
)
def test_a_conflict_is_no_fault_of_the_event_unless_it_does_not_end(
    server_store: Store, monkeypatch: pytest.MonkeyPatch, count: int, faults: list[Trouble]
) -> None:
    receive(server_store, text(1, "ana", "a", "/help"))
    deadlocks, found = Deadlocks(count), list[Exception]()
    monkeypatch.setattr(dispatch, "_handle", deadlocks)
    assert dispatch_next(house_of(server_store, found), NOW)
    assert deadlocks.left == 0
    assert [trouble_of(one) for one in found] == faults


def test_due_work_that_meets_a_conflict_is_done_again_at_once(
    server_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = on_stage(server_store)
    deadlocks = Deadlocks(3)

    def hold_at_last(session: Session, *arguments: Any) -> RoundHeld | None:
        deadlocks(player.house, session, Inbox(), None)
        return hold(session, *arguments)

    monkeypatch.setattr(due, "hold", hold_at_last)
    run_due(player.house, NOW + timedelta(days=7))
    assert (deadlocks.left, player.faults) == (0, [])


def test_a_store_that_goes_away_in_the_middle_is_no_fault_of_the_event(
    server_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(server_store, text(1, "ana", "a", "/help"))
    faults: list[Exception] = []
    write = outbox.post

    def cut_off(session: Session, *arguments: Any, **options: Any) -> Outbox | None:
        write(session, *arguments, **options)
        session.connection().exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        return None

    monkeypatch.setattr(outbox, "post", cut_off)
    with pytest.raises(DBAPIError) as caught:
        dispatch_next(house_of(server_store, faults), NOW)
    assert trouble_of(caught.value) is Trouble.OUTAGE
    monkeypatch.undo()
    assert dispatch_next(house_of(server_store, faults), NOW)
    assert faults == []
    with server_store.read() as session:
        assert session.exec(select(Inbox.fault)).all() == [""]
        assert len(session.exec(select(Outbox)).all()) == 1
