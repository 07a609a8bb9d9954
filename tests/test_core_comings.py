"""Chats that come, go and open again, and who is told of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from core.chat import binding, comings, outbox
from core.chat.message import Failure, Incoming, Message, Priority
from core.chat.notices_chats import tell_closed
from core.chat.text import Text
from core.identity import Place, chat_of
from core.tables_chat import Account, Chat, Outbox
from tests.stage import act, event, on_stage, seen, send, write

if TYPE_CHECKING:
    from core.chat.transcript import Player
    from core.store import Store

CLOSED = "I can't write in a chat of Hill Bakery any more. Is the bot still in it, and may it write there?"


def later(player: Player, wait: timedelta) -> None:
    """Let time pass and see what is sent."""
    player.now += wait
    send(player, event(Incoming.DELETE, "", "elsewhere"))


def off(store: Store) -> set[str]:
    with store.read() as session:
        return {f"{chat.address}/{chat.topic}" for chat in session.exec(select(Chat)) if chat.off_at is not None}


# Greetings


def test_a_greeting_waits_for_a_code_that_comes_along(store: Store) -> None:
    player = on_stage(store)
    send(player, event(Incoming.ADDED, "fay", "workshop"))
    write(player, "fay", "workshop", "/start")
    assert len(seen(player, "workshop")) == 1
    later(player, comings.GREETING_DELAY)
    assert player.shown == []


def test_who_founds_at_once_needs_no_greeting(store: Store) -> None:
    player = on_stage(store)
    send(player, event(Incoming.ADDED, "fay", "workshop"))
    write(player, "fay", "workshop", "/pool new Tools")
    later(player, comings.GREETING_DELAY)
    assert player.shown == []


def test_other_words_do_not_keep_us_from_greeting(store: Store) -> None:
    player = on_stage(store)
    send(player, event(Incoming.ADDED, "fay", "workshop"))
    write(player, "fay", "workshop", "look, a bot")
    later(player, comings.GREETING_DELAY)
    assert "Hello!" in seen(player, "workshop")[0]


def test_a_group_that_only_moved_is_not_greeted(store: Store) -> None:
    player = on_stage(store)
    send(player, event(Incoming.ADDED, "ana", "superbakery"))
    send(player, event(Incoming.MOVED, "", "bakery", moved_to="superbakery"))
    later(player, comings.GREETING_DELAY)
    assert player.shown == []
    write(player, "bo", "superbakery", "/project")
    assert "Hill Bakery in Valley" in seen(player, "superbakery")[0]


# Going and coming back


def test_who_is_gone_from_a_group_is_gone_from_its_topics(store: Store) -> None:
    player = on_stage(store)
    for topic in ("", "kitchen", "cellar"):
        write(player, "bo", "house", "/privacy", topic=topic)
    send(player, event(Incoming.GONE, "", "house", topic="cellar"))
    assert off(store) == {"house/cellar"}
    send(player, event(Incoming.GONE, "", "house"))
    assert off(store) == {"house/", "house/kitchen", "house/cellar"}
    send(player, event(Incoming.BACK, "", "house", topic="cellar"))
    assert off(store) == {"house/", "house/kitchen"}
    send(player, event(Incoming.BACK, "", "house"))
    assert off(store) == set()


def test_maintainers_hear_in_private_that_their_channel_is_closed(store: Store) -> None:
    player = on_stage(store, "ana@dm: /start\ndee@dm: /start")
    send(player, event(Incoming.GONE, "", "bakery"))
    assert [(one.chat, one.text) for one in player.shown] == [("dm:ana", CLOSED)]
    send(player, event(Incoming.GONE, "", "bakery"))
    assert player.shown == []  # that is nothing new
    for kind in (Incoming.BACK, Incoming.GONE):
        send(player, event(kind, "", "bakery"))
        assert player.shown == []  # and a chat that comes and goes is told of once a day
    player.now += timedelta(days=1)
    for kind in (Incoming.BACK, Incoming.GONE):
        send(player, event(kind, "", "bakery"))
    assert seen(player, "dm:ana") == [CLOSED]


def test_where_no_maintainer_can_be_reached_the_stewards_hear(store: Store) -> None:
    player = on_stage(store, "ana@dm: /start")
    send(player, event(Incoming.GONE, "", "dm:dee"))
    send(player, event(Incoming.GONE, "", "garden"))
    assert [one.chat for one in player.shown] == ["dm:ana"]
    assert "Sunny Garden" in player.shown[0].text


def test_a_message_that_cannot_be_sent_says_so_too(store: Store) -> None:
    player = on_stage(store, "ana@dm: /start")
    with store.write() as session:
        room = chat_of(session, Place("console", "bakery"))
        row = outbox.post(session, room, Message(Text.of("Hi")), Priority.REPLY, "k", player.now)
        assert row is not None
        (delivery,) = binding.bind(session, "console", player.now, count=1)
        outbox.failed(session, delivery.id, Failure("kicked", gone=True), player.now)
        tell_closed(session, room, player.now)
    later(player, timedelta(0))
    assert seen(player, "dm:ana") == [CLOSED]


@pytest.mark.parametrize("address", ["workshop", "dm:bo"])
def test_nobody_hears_of_chats_that_are_no_channel(store: Store, address: str) -> None:
    player = on_stage(store, "ana@dm: /start\nbo@dm: /start")
    send(player, event(Incoming.GONE, "", address))
    assert player.shown == []


def test_nobody_hears_of_a_project_that_is_closed(store: Store) -> None:
    player = on_stage(store, "ana@dm: /start\nana@bakery: /project archive sure")
    send(player, event(Incoming.GONE, "", "bakery"))
    assert player.shown == []


# Those who hide who they are


@pytest.mark.parametrize("words", ["/tasks", "!claim 1"])
def test_who_hides_is_told_how_to_be_known_once_a_day(store: Store, words: str) -> None:
    player = on_stage(store)
    hidden = event(Incoming.NAMELESS, "", "bakery", text=words, ref="w")
    send(player, hidden)
    assert "You write as the group" in seen(player, "bakery")[0]
    send(player, hidden)
    assert player.shown == []
    player.now += timedelta(days=1)
    send(player, hidden)
    assert len(player.shown) == 1
    with store.read() as session:
        assert {row.user_id for row in session.exec(select(Account))} == {"ana", "bo", "dee"}


def test_only_if_they_meant_us(store: Store) -> None:
    player = on_stage(store)
    for words in ("/weather", "tasks"):
        send(player, event(Incoming.NAMELESS, "", "bakery", text=words))
        assert player.shown == []
    send(player, event(Incoming.NAMELESS, "", "bakery", text="hello", addressed=True))
    assert len(player.shown) == 1


def test_an_answer_without_a_name_too(store: Store) -> None:
    player = on_stage(store)
    send(player, event(Incoming.NAMELESS, "", "bakery", text="1.5", reply_to="a card of ours"))
    assert len(player.shown) == 1


# Questions after a press


def test_a_question_after_a_press_says_whom_it_is_for(store: Store) -> None:
    act(on_stage(store), "fay@workshop: /start\nfay@workshop: [Found a pool]\n> What is it called")
    with store.read() as session:
        fay = session.exec(select(Account).where(Account.user_id == "fay")).one()
        asked = [Message.from_json(row.payload) for row in session.exec(select(Outbox)) if "answers" in row.payload]
        assert [one.mentions for one in asked if one.answers == "pool new"] == [(fay.id,)]


def test_a_founded_pool_offers_to_add_groups(store: Store) -> None:
    player = act(on_stage(store), "fay@dm: /pool new Hill")
    with store.read() as session:
        row = session.exec(select(Outbox).order_by("id")).all()[-1]
        message = Message.from_json(row.payload)
    assert message.group_link is not None
    label, parameter = message.group_link
    assert label == "Add a group"
    assert parameter.removeprefix("join-") in seen(player, "dm:fay")[0]
    assert not message.can_merge
