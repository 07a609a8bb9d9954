"""Pruning: the post of long ago goes in small parts; what waits, and live cards with their buttons, stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlmodel import col, func, select

from core.chat import binding, inbox, outbox, pruning
from core.chat.ahead import Ahead
from core.chat.message import Choice, Failure, Message, Priority
from core.chat.pruning import EVERY, FAULT_PAUSE, KEPT, PAUSE, Pruning
from core.chat.text import Text
from core.identity import Place, chat_of
from core.store import add_now
from core.tables import Deed, Task
from core.tables_chat import Account, Card, Chat, Code, Delivery, Inbox, Outbox, Person, Press
from tests.conftest import NOW
from tests.stage import act, chat_named, dump, on_stage, press, seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlmodel import Session

    from core.store import Store

LATER = NOW + KEPT + timedelta(days=2)
DAY = timedelta(days=1)


@pytest.fixture
def session(store: Store) -> Iterator[Session]:
    """A transaction in which to write what happened before; it ends when `prune` begins."""
    with store.write() as found:
        yield found


def prune(store: Store, now: datetime = LATER) -> datetime:
    """Prune until nothing is left to do; return when it wants to run again."""
    pruner = Pruning(store)
    while (again := pruner.run(now)) == now + PAUSE:
        pass
    return again


def count(store: Store, table: type[Any]) -> int:
    with store.read() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def ids(store: Store, table: type[Any]) -> list[int]:
    with store.read() as session:
        return list(session.exec(select(table.id).order_by(table.id)).all())


class Past:
    """What happened in a chat at NOW, long before it is pruned."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.keys = 0

    def chat(self, session: Session, address: str = "room") -> Chat:
        return chat_of(session, Place("console", address))

    def send(self, words: str = "x", at: datetime = NOW, *, edits: int = 0, fails: Failure | None = None) -> Delivery:
        """Let a message go out; return its delivery."""
        self.keys += 1
        message = Message(Text.of(words), (Choice("Claim #1", "claim 1"),), edits=edits)
        with self.store.write() as session:
            outbox.post(session, self.chat(session), message, Priority.REPLY, f"k{self.keys}", at)
            delivery = binding.bind_next(session, "console", at)
            assert delivery is not None
            if fails is None:
                outbox.sent(session, {delivery.id: f"m{delivery.id}"}, at)
            else:
                outbox.failed(session, delivery.id, fails, at)
        return delivery

    def card(self, delivery: Delivery, subject: str, **more: Any) -> int:
        """Let a message be a card."""
        with self.store.write() as session:
            row = session.exec(select(Outbox).where(Outbox.delivery_id == delivery.id)).one()
            card = Card(pool_id=1, subject=subject, chat_id=row.chat_id, outbox_id=row.id, **more)
            return add_now(session, card).id

    def receive(self, name: str, at: datetime = NOW, done_at: datetime | None = NOW) -> None:
        with self.store.write() as session:
            inbox.receive(session, "console", name, "room", {}, at)
            session.exec(select(Inbox).where(Inbox.event_id == name)).one().done_at = done_at


@pytest.fixture
def past(store: Store) -> Past:
    return Past(store)


def test_old_messages_go_and_young_ones_stay(past: Past, store: Store) -> None:
    past.send("old")
    young = past.send("young", LATER - DAY)
    assert prune(store) == LATER + EVERY
    assert ids(store, Delivery) == [young.id]
    assert count(store, Outbox) == 1


def test_the_newest_rows_stay_so_that_their_numbers_are_not_given_again(past: Past, store: Store) -> None:
    past.send()
    newest = past.send()
    past.receive("a")
    past.receive("b")
    prune(store)
    assert ids(store, Delivery) == [newest.id]
    assert count(store, Inbox) == 1
    with store.read() as session:
        assert Ahead(session, "console", NOW, 1).next_edit() == newest.id + 1


def test_events_that_wait_or_were_handled_lately_stay(past: Past, store: Store) -> None:
    past.receive("done")
    past.receive("waits", done_at=None)
    past.receive("late", done_at=LATER - DAY)
    past.receive("young", LATER - DAY, LATER - DAY)
    past.receive("newest", LATER, LATER)
    prune(store)
    with store.read() as session:
        assert list(session.exec(select(Inbox.event_id).order_by(col(Inbox.id)))) == [
            "waits",
            "late",
            "young",
            "newest",
        ]


def test_an_event_that_comes_again_is_known_for_a_month(past: Past, store: Store) -> None:
    past.receive("a")
    past.receive("newest", LATER)
    prune(store, NOW + KEPT - DAY)
    with store.write() as session:
        assert not inbox.receive(session, "console", "a", "room", {}, NOW + KEPT)


def test_what_waits_for_a_chat_stays_until_the_chat_has_been_off_for_long(past: Past, store: Store) -> None:
    parked = past.send(fails=Failure("too long"))
    waiting = past.send(fails=Failure("no network", retry_seconds=60))
    with store.write() as session:
        off = chat_of(session, Place("console", "off"))
        off.off_at = NOW
        outbox.post(session, off, Message(Text.of("x")), Priority.REPLY, "off", NOW)
        lately = chat_of(session, Place("console", "lately"))
        lately.off_at = LATER - DAY
        outbox.post(session, lately, Message(Text.of("x")), Priority.REPLY, "lately", NOW)
        on = chat_of(session, Place("console", "on"))
        outbox.post(session, on, Message(Text.of("x")), Priority.REPLY, "on", LATER)
        newest = binding.bind_next(session, "console", NOW)
        assert newest is not None
    prune(store)
    assert ids(store, Delivery) == [waiting.id, newest.id]
    assert parked.state == "parked"
    with store.read() as session:
        assert session.exec(select(Outbox.key).order_by(col(Outbox.id))).all() == ["k2", "lately", "on"]
    with store.write() as session:
        chat_named(session, "room").off_at = NOW
    prune(store, LATER + DAY)
    assert ids(store, Delivery) == [newest.id]


def test_a_message_stays_whole_while_it_is_edited(past: Past, store: Store) -> None:
    first = past.send("page 1")
    past.send("page 2", edits=first.id)
    young = past.send("page 3", LATER - DAY, edits=first.id)
    past.send("newest", LATER)
    prune(store)
    # An edit in between shows nowhere; later edits refer to the first one.
    assert ids(store, Delivery)[:-1] == [first.id, young.id]
    fourth = past.send("page 4", LATER, edits=young.edits or 0)
    assert (fourth.edits, fourth.ref) == (first.id, first.ref)
    prune(store, LATER + KEPT + DAY)
    assert ids(store, Delivery) == [fourth.id]


def test_an_edit_of_what_is_gone_comes_as_a_new_message(past: Past, store: Store) -> None:
    first = past.send("page 1")
    past.send("newest", LATER)
    prune(store)
    assert first.id not in ids(store, Delivery)
    assert past.send("page 2", LATER, edits=first.id).edits is None


def test_a_live_card_keeps_its_message_and_its_newest_state(past: Past, store: Store) -> None:
    first = past.send("bread")
    past.card(first, "good 7")
    past.send("bread, 1 wanted", edits=first.id)
    last = past.send("bread, 2 wanted", edits=first.id)
    past.send("newest", LATER)
    prune(store)
    assert ids(store, Delivery)[:-1] == [first.id, last.id]
    assert count(store, Card) == 1
    with store.read() as session:
        shown = outbox.message_shown(session, last.chat_id, first.ref or "")
        assert shown is not None
        assert shown.id == last.id


def test_cards_of_tasks_that_are_over_go(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent\nana@bakery: /task new Sweep 1h urgent")
    act(player, "bo@bakery: /claim 1\nbo@bakery: /done 1\nana@bakery: /confirm 1")
    with store.read() as session:
        closed = session.exec(select(Task.closed_at).order_by(col(Task.number))).all()
    assert closed[0] is not None
    assert closed[1] is None
    before = dump(store)
    prune(store, player.now + KEPT + DAY)
    with store.read() as session:
        assert set(session.exec(select(Card.subject))) == {"task 2", "good 8"}
    after = dump(store)
    assert after.pop("deed") == []
    assert before.pop("deed") != []
    assert after == before


def test_a_card_that_changed_lately_or_has_to_be_drawn_stays(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent\nbo@bakery: /claim 1\nbo@bakery: /done 1")
    act(player, "ana@bakery: /confirm 1\nana@garden: /task 1")
    later = player.now + KEPT + DAY
    with store.write() as session:
        first, second = session.exec(select(Card).where(Card.subject == "task 1").order_by(col(Card.id))).all()
        first.marked_at, second.drawn_at = NOW, later - DAY
    prune(store, later)
    with store.read() as session:
        assert len(session.exec(select(Card).where(Card.subject == "task 1")).all()) == 2


def test_old_buttons_say_so_and_live_ones_work(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent\nana@bakery: /me\nbo@bakery: /goods")
    with store.read() as session:
        sent = [(row.id, Message.from_json(row.payload)) for row in session.exec(select(Delivery))]
    card = next(number for number, message in sent if message.subject == "task 1")
    other = next(number for number, message in sent if "Balance" in str(message.text))
    player.now += KEPT + DAY
    prune(store, player.now)
    assert card in ids(store, Delivery)
    assert other not in ids(store, Delivery)
    press(player, "bo", "bakery", f"{other}:0")
    assert "too old" in seen(player, "bakery")[0]
    press(player, "bo", "bakery", f"{card}:0")
    assert any("Bo has it" in text for text in seen(player, "bakery"))
    press(player, "bo", "bakery", f"{card}:0")
    assert "You did that already" in seen(player, "bakery")[0]


def test_a_choice_takes_effect_once_as_long_as_it_can_be_pressed(past: Past, store: Store) -> None:
    live = past.send("a card")
    past.card(live, "good 7")
    old = past.send("old")
    past.send("newest", LATER)
    with store.write() as session:
        person = add_now(session, Person())
        account = add_now(session, Account(platform="console", user_id="bo", person_id=person.id))
        for key, at in ((f"{live.id}:0:", NOW), (f"{old.id}:0:", NOW), (f"{old.id}:1:7", LATER), ("odd", NOW)):
            session.add(Press(key=key, account_id=account.id, at=at))
    prune(store)
    with store.read() as session:
        assert set(session.exec(select(Press.key))) == {f"{live.id}:0:", f"{old.id}:1:7"}


def test_codes_go_long_after_they_expired(store: Store) -> None:
    with store.write() as session:
        session.add(Code(digest="old", purpose="channel", expires_at=NOW))
        session.add(Code(digest="expired", purpose="channel", expires_at=LATER - DAY))
    prune(store)
    with store.read() as session:
        assert session.exec(select(Code.digest)).all() == ["expired"]


def test_how_to_take_something_back_is_forgotten_when_nobody_can(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH_ROWS", 1)
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent")
    act(player, "bo@bakery: /claim 1\nbo@bakery: /drop 1")
    kept = count(store, Deed)
    prune(store, player.now + KEPT)
    assert count(store, Deed) == kept > 1
    prune(store, player.now + KEPT + DAY)
    assert count(store, Deed) == 0


def test_it_is_done_once_a_day_in_parts_and_may_be_called_at_any_time(
    past: Past, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BATCH_ROWS", 2)
    monkeypatch.setattr(pruning, "BATCHES_MAX", 3)
    for number in range(9):
        past.card(past.send(str(number)), "good 7")
        past.receive(str(number))
        past.send("more")
    pruner = Pruning(store)
    moments = [pruner.run(LATER)]
    assert count(store, Inbox) == 9  # others come in between
    while moments[-1] == LATER + PAUSE:
        moments.append(pruner.run(LATER))
    assert moments[-1] == LATER + EVERY
    assert len(moments) > 4
    assert (count(store, Inbox), count(store, Delivery), count(store, Outbox)) == (1, 10, 10)
    past.receive("late")
    assert pruner.run(LATER + DAY - PAUSE) == LATER + EVERY
    assert Pruning(store).run(LATER + PAUSE) == LATER + EVERY  # another process knows
    assert count(store, Inbox) == 2
    assert pruner.run(LATER + EVERY) == LATER + EVERY + PAUSE
    prune(store, LATER + EVERY + PAUSE)
    assert count(store, Inbox) == 1


def test_a_fault_in_the_middle_begins_it_again(past: Past, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    past.receive("a")
    past.receive("b")
    faults: list[Exception] = []
    pruner = Pruning(store, faults.append)
    with monkeypatch.context() as broken:
        broken.setattr(pruning, "_inbox", None)
        assert pruner.run(LATER) == LATER + FAULT_PAUSE
    assert [type(error) for error in faults] == [TypeError]
    assert count(store, Inbox) == 2
    assert pruner.run(LATER) == LATER + EVERY
    assert count(store, Inbox) == 1


def test_nobody_has_to_hear_of_a_fault(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_inbox", None)
    assert Pruning(store).run(LATER) == LATER + FAULT_PAUSE


def test_a_store_out_of_reach_is_no_fault(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_reach(*_arguments: object) -> None:
        raise NoConnectionError

    monkeypatch.setattr(pruning, "_inbox", out_of_reach)
    faults: list[Exception] = []
    with pytest.raises(NoConnectionError):
        Pruning(store, faults.append).run(LATER)
    assert faults == []
