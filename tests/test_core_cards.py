"""Live cards: one per subject and chat, following it everywhere, in each chat's language, across restarts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlmodel import select

from core.chat import cards
from core.chat.message import Message, Priority
from core.chat.outbox import post
from core.chat.text import Text
from core.tables import Task
from core.tables_chat import Card, Mark
from tests.conftest import NOW
from tests.stage import act, chat_named, on_stage, posted, seen

if TYPE_CHECKING:
    import pytest

    from core.store import Store


def test_cards_follow_in_every_channel_and_on_every_platform(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent\nbo@garden: /task 1\nana@bakery: /project code")
    code = re.search(r"\w{4}-\w{4}", str(posted(store)[-1].text))
    assert code is not None
    act(player, f"matrix:eli@room: !project link {code[0]}\nmatrix:eli@room: !task 1\n> open")
    act(player, "cy@bakery: /claim 1\ngarden> Cy has it\nmatrix:room> Cy has it\nmatrix:room= 0")
    act(player, "restart\ncy@bakery: /done 1\ngarden> to be confirmed\nmatrix:room> to be confirmed")


def test_only_the_newest_card_of_a_chat_follows(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent\nbo@garden: /task 1\nbo@garden: /task 1")
    act(player, "cy@bakery: /claim 1")
    assert len(seen(player, "garden")) == 1
    with store.read() as session:
        assert len(session.exec(select(Card).where(Card.subject == "task 1")).all()) == 2


def test_a_card_of_a_good_takes_bids_unless_it_is_free(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /good new recipe free:https://example.org\nbo@garden: /good recipe")
    act(player, "bo@garden: /goods bread\nana@bakery: /good set bread pickup:Shed\ngarden> Shed")
    act(player, "bo@garden re /most hours/: 1.5\n> 1 loaf, at most 1\\.5 h")


def test_each_chat_sees_its_own_language(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1.5h urgent\nbo@garden: /task 1\n> 1\\.5 h")
    act(player, "dee@garden: /project set language de\ncy@bakery: /claim 1\ngarden> 1,5 h")


def test_what_does_not_change_is_not_drawn(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent")
    count = len(seen(player, "bakery"))
    with store.write() as session:
        cards.note(session, 1, "task 1")
    player.deliver()
    assert len(seen(player, "bakery")) == count
    with store.read() as session:
        assert session.exec(select(Card.marked_at).where(Card.subject == "task 1")).all() == [None]
        assert session.exec(select(Mark)).all() == []


def test_the_same_card_may_be_marked_again_while_it_is_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "MARKS_MAX", 1)
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent")
    with store.write() as session:
        for _ in range(3):
            cards.note(session, 1, "task 1")
    player.deliver()
    with store.read() as session:
        assert session.exec(select(Card.marked_at).where(Card.subject == "task 1")).all() == [None]


def test_nothing_is_noted_where_nobody_looks(store: Store) -> None:
    on_stage(store)
    with store.write() as session:
        cards.note(session, 1, "task 99")
        assert session.exec(select(Mark)).all() == []


def test_more_changes_than_are_taken_up_at_once_all_show(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "MARKS_MAX", 1)
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent\nana@bakery: /task new Sweep 1h urgent")
    act(player, "bo@garden: /task 1\nbo@garden: /task 2")
    with player.store.write() as session:
        for number in (1, 2):
            session.exec(select(Task).where(Task.number == number)).one().title = f"Job {number}"
            cards.note(session, 1, f"task {number}")
    player.deliver()
    drawn = "".join(seen(player, "garden"))
    assert "Job 1" in drawn
    assert "Job 2" in drawn


def test_a_message_may_stop_being_a_card(store: Store) -> None:
    on_stage(store)
    with store.write() as session:
        room = chat_named(session, "garden")
        message = Message(Text.of("x"), subject="task 9")
        number = post(session, room, message, Priority.ASK, "k", NOW)
        assert number is not None
        cards.place(session, 1, room, number, message, NOW)
        session.flush()
        cards.release(session, 1, {"task 9"}, {number})
        session.flush()
        assert session.exec(select(Card).where(Card.subject == "task 9")).first() is None
