"""Dispatch: each event once, all or nothing; what is for us and what is not; presses, replies, moves."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import col, select

from core.chat import comings, inbox, outbox
from core.chat.command import Commands, Press, Table, Who
from core.chat.dispatch import House, dispatch_all, dispatch_next, dispatch_some
from core.chat.message import Choice, Failure, Incoming, Message, Priority, Reply, Where
from core.chat.parameters import Kind, Parameter
from core.chat.text import Text
from core.errors import NoWantError
from core.identity import account_of, chat_of, home_of, move_chat
from core.tables_chat import Account, Card, Chat, Delivery, Inbox, Outbox
from core.tables_chat import Press as PressRow
from tests.stage import act, chat_named, dump, event, on_stage, posted, press, seen, send, write

if TYPE_CHECKING:
    from core.chat.context import Context
    from core.chat.player import Player
    from core.store import Store

WENT_WRONG = "That went wrong here, and nothing was changed. It has been noted."
TOO_OLD = "That button is too old. Type what you want instead."


def with_commands(player: Player, topic: Commands) -> Player:
    """Give a player's program some commands of the test's own."""
    house = player.house
    player.house = House(player.store, Table([topic, *_topics(player)]), house.entropy, on_fault=player.faults.append)
    return player


def _topics(player: Player) -> list[Commands]:
    rest = Commands("rest")
    rest.commands = list(player.house.table.commands)
    return [rest]


# Faults of the program


def test_a_fault_is_undone_tried_again_and_set_aside_with_one_line(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    topic = Commands("test")

    @topic("break it", who=Who.ANY, does="fail")
    def break_it(context: Context) -> Reply:
        context.member.name = "changed"
        context.session.flush()
        raise ZeroDivisionError

    player = with_commands(on_stage(store), topic)
    before = dump(store)
    with caplog.at_level(logging.ERROR):
        write(player, "bo", "bakery", "/break it")
    assert seen(player, "bakery") == [WENT_WRONG]
    assert dump(store) == before
    assert len(player.faults) == 3
    assert len(caplog.records) == 3
    with store.read() as session:
        assert session.exec(select(Inbox).where(Inbox.fault != "")).one().fault == " ".join(["ZeroDivisionError"] * 3)
    write(player, "bo", "bakery", "/me")
    assert seen(player, "dm:bo")


@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_fault_among_many_undoes_nobody_elses(store: Store, place: int) -> None:
    topic, runs = Commands("test"), list[str]()

    @topic("break it", who=Who.ANY, does="fail")
    def break_it(context: Context) -> Reply:
        runs.append(context.text)
        raise ZeroDivisionError

    player = with_commands(on_stage(store), topic)
    texts = [f"/task new Job {number} 1h" for number in range(5)]
    texts.insert(place, "/break it")
    with store.write() as session:
        for number, text in enumerate(texts):
            one = event(Incoming.TEXT, "bo", "bakery", text=text, ref=f"b{number}")
            inbox.receive(session, "console", f"b{number}", "console:bakery", one.to_json(), player.now)
    while dispatch_some(player.house, player.now).may_be_more:
        pass
    answers = [str(message.text).split(" · ", maxsplit=1)[0] for message in posted(store) if message.reply_to]
    jobs = [f"#{number + 1} Job {number}" for number in range(5)]
    assert answers[-6:] == [*jobs[:place], WENT_WRONG, *jobs[place:]]
    assert len(player.faults) == 3
    with store.read() as session:
        assert session.exec(select(Inbox).where(col(Inbox.done_at).is_(None))).all() == []


def test_a_fault_that_passes_is_tried_again_and_answered_once(store: Store) -> None:
    topic, faults = Commands("test"), [RuntimeError(), RuntimeError()]

    @topic("stumble", who=Who.ANY, does="fail twice")
    def stumble(context: Context) -> Reply:
        if faults:
            raise faults.pop()
        return context.reply(Text.of("up again"))

    player = with_commands(on_stage(store), topic)
    write(player, "bo", "bakery", "/stumble")
    assert seen(player, "bakery") == ["up again"]


@pytest.mark.parametrize("broken", ["core.chat.notices.tell", "core.chat.handling.Handling._send"])
def test_a_refusal_where_there_should_be_none_is_a_fault_too(
    store: Store, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    player = on_stage(store)

    def refuse(*_: Any) -> None:
        raise NoWantError("bread")

    monkeypatch.setattr(broken, refuse)
    write(player, "bo", "bakery", "/goods")
    assert seen(player, "bakery") == [WENT_WRONG]


def test_an_event_nobody_can_read_blocks_nobody(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    player = on_stage(store)
    with store.write() as session:
        session.add(Inbox(platform="console", event_id="bad", chat="c", payload={"kind": "?"}, received_at=player.now))
    write(player, "bo", "bakery", "/goods")
    assert seen(player, "bakery")
    assert "nobody could be told" in caplog.text


def test_a_fault_in_an_event_without_a_sender_is_set_aside_quietly(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = on_stage(store)
    monkeypatch.setattr("core.chat.comings.move_chat", lambda *_: 1 / 0)
    send(player, event(Incoming.MOVED, "", "bakery", moved_to="new"))
    assert player.shown == []
    assert not dispatch_next(player.house, player.now)


def test_a_store_out_of_reach_is_no_fault_of_the_event(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    player = on_stage(store)
    monkeypatch.setattr("core.chat.inbox.waiting", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        dispatch_next(player.house, player.now)


def test_a_fault_counted_late_leaves_what_was_done_meanwhile(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have handled the event before this one could count its fault."""
    player = on_stage(store)
    monkeypatch.setattr("core.chat.dispatch.FAULTS_MAX", 1)

    def handle_and_fail(house: House, *_: Any) -> None:
        del house
        raise ZeroDivisionError

    monkeypatch.setattr("core.chat.dispatch._handle", handle_and_fail)
    original = store.write

    class Busy:
        def __init__(self) -> None:
            self.count = 0

        def __call__(self) -> Any:
            self.count += 1
            if self.count == 1:
                with original() as session:
                    session.exec(select(Inbox).where(col(Inbox.done_at).is_(None))).one().done_at = player.now
            return original()

    with store.write() as session:
        place = event(Incoming.TEXT, "bo", "bakery", text="/me")
        payload = {**place.to_json(), "event_id": "late"}
        session.add(Inbox(platform="console", event_id="late", chat="c", payload=payload, received_at=player.now))
    monkeypatch.setattr(store, "write", Busy())
    assert dispatch_all(player.house, player.now) == 1
    assert WENT_WRONG not in [str(one.text) for one in posted(store)]


def test_a_refusal_undoes_all_but_its_answer(store: Store) -> None:
    topic = Commands("test")

    @topic("begin", who=Who.ANY, does="refuse late")
    def begin(context: Context) -> Reply:
        context.member.name = "changed"
        context.session.flush()
        raise NoWantError("bread")

    player = with_commands(on_stage(store), topic)
    before = dump(store)
    write(player, "eve", "bakery", "/begin")
    assert seen(player, "bakery") == ["You have no want for bread. To have one: /want bread"]
    assert dump(store) == before


# What is for us


def test_in_a_group_only_commands_and_words_to_us_are_for_us(store: Store) -> None:
    player = on_stage(store)
    for words in ("hello all", "want bread", "/dance", "!!! wow", "/12", "", "12", "[x"):
        write(player, "bo", "bakery", words)
        assert player.shown == [], words
    write(player, "bo", "bakery", "!goods")
    assert "bread" in seen(player, "bakery")[0]
    write(player, "bo", "bakery", "goods", addressed=True)
    assert "bread" in seen(player, "bakery")[0]
    write(player, "bo", "bakery", "/dance", addressed=True)
    assert seen(player, "bakery") == ["I don't know 'dance'. What I can do: /help"]
    write(player, "bo", "bakery", "", addressed=True)
    assert "What's next?" in seen(player, "bakery")[0]


def test_in_private_every_word_is_for_us(store: Store) -> None:
    player = on_stage(store)
    write(player, "bo", "dm:bo", "goods")
    assert "bread" in seen(player, "dm:bo")[0]
    write(player, "bo", "dm:bo", "what do you have?")
    assert "bread" in seen(player, "dm:bo")[0]
    write(player, "bo", "dm:bo", "sing\u202e \u200b")
    assert seen(player, "dm:bo") == ["I don't know 'sing'. What I can do: /help"]


@pytest.mark.parametrize("kind", [Incoming.EDIT, Incoming.DELETE])
def test_a_command_edited_or_deleted_later_changes_nothing(store: Store, kind: Incoming) -> None:
    player = on_stage(store)
    write(player, "bo", "bakery", "/want bread 2")
    before = dump(store)
    send(player, event(kind, "bo", "bakery", text="/want bread 9", ref="w"))
    assert player.shown == []
    assert dump(store) == before


def test_nobody_in_particular_is_not_answered(store: Store) -> None:
    player = on_stage(store)
    write(player, "", "bakery", "/goods")
    press(player, "", "bakery", "1:0")
    assert player.shown == []


def test_the_bot_greets_where_it_is_added(store: Store) -> None:
    player = on_stage(store)
    send(player, event(Incoming.ADDED, "fay", "workshop"))
    assert player.shown == []  # it waits for what may come along
    player.now += comings.GREETING_DELAY
    send(player, event(Incoming.EDIT, "fay", "workshop"))
    assert "Hello!" in seen(player, "workshop")[0]


# Replies


def test_a_reply_answers_the_question_of_a_message(store: Store) -> None:
    player = on_stage(store, "bo@bakery: /goods bread")
    act(player, "bo@bakery re /most hours/: 1.5\n> 1 loaf, at most 1\\.5 h")
    act(player, "cy@bakery re /most hours/: 2\n> at most 2 h\n> \\[I meant 2 loaves\\]")


def test_people_may_talk_under_a_card(store: Store) -> None:
    player = on_stage(store, "bo@bakery: /goods bread")
    act(player, "bo@bakery re /most hours/: looks tasty!\nbakery= 0\n!> .")
    act(player, "bo@bakery re /most hours/: 5000\n> won't do: more than 0, at most 1000 h")
    act(player, "bo@bakery re /most hours/: @pool looks tasty!\n> .\n= 1")
    act(player, "bo@bakery re /most hours/: @pool goods\n> bread")
    act(player, "bo@dm: /goods bread\nbo@dm re /most hours/: what is there\n> bread")


def test_a_question_of_another_time_is_silent(store: Store) -> None:
    player = on_stage(store)
    with store.write() as session:
        room = chat_named(session, "bakery")
        row = Delivery(key="k", platform="console", chat_id=room.id, priority=1, state="sent", ref="old")
        row.payload, row.created_at = Message(Text.of("?"), answers="dance").to_json(), player.now
        session.add(row)
    write(player, "bo", "bakery", "now", reply_to="old")
    assert player.shown == []


def test_a_number_in_reply_presses_a_choice(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent\nana@bakery: /task new Floor 1h urgent")
    act(player, "bo@bakery: /tasks\nbo@bakery re /#2/: 2\n> #2.*Bo")
    act(player, "bo@bakery re /#1/: 2\n> did that already")
    assert player.shown[0].is_new  # who typed gets a message: there is no press to answer
    for words in ("0", "9", "1x", "007"):
        act(player, f"bo@bakery re /#1/: {words}\nbakery= 0")


def test_a_number_may_belong_to_the_answer(store: Store) -> None:
    player = on_stage(store, "bo@bakery: /goods bread\nbo@bakery re /most hours/: 1\n> at most 1 h")
    act(player, "fay@mill: /pool new Mill\nfay@mill re /one of its projects/: 1\n> Mill.* is a project of Mill")


def test_a_reply_to_somebody_else_is_none_to_us(store: Store) -> None:
    player = on_stage(store, "bo@bakery: /unwant bread")
    write(player, "bo", "bakery", "1.5", reply_to="u1")
    assert player.shown == []
    act(player, "bo@bakery re /no want/: 1.5\nbakery= 0")


# Presses


def newest(player: Player, chat: str) -> Delivery:
    with player.store.read() as session:
        return session.get_one(Delivery, player.messages[chat][-1])


def test_a_press_takes_effect_once_for_each(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /goods")
    act(player, "bo@bakery: [Want bread]\n> Bo, bread: 1 loaf")
    act(player, "bo@bakery: [Want bread]\n> You did that already")
    act(player, "cy@bakery: [Want bread]\n> Cy, bread: 1 loaf")
    with store.read() as session:
        assert len(session.exec(select(PressRow)).all()) == 2


def test_a_press_that_is_for_all_takes_effect_once_in_all(store: Store) -> None:
    topic = Commands("test")

    @topic("offer", who=Who.ANY, does="offer")
    def offer(context: Context) -> Reply:
        return context.reply(Text.of("who?"), Choice("Mine", "mine"))

    @topic("mine", who=Who.ANY, does="take", press=Press.ONCE)
    def mine(context: Context) -> Reply:
        return context.reply(Text.of(f"{context.member.name}'s"))

    player = with_commands(on_stage(store), topic)
    act(player, "ana@bakery: /offer\nbo@bakery: [Mine]\n> Bo's")
    act(player, "ana@bakery: [Mine]\n> Bo did that already")


def test_paging_may_be_repeated(store: Store) -> None:
    player = on_stage(store)
    for number in range(6):
        act(player, f"ana@bakery: /task new Job{number} 1h urgent")
    act(player, "bo@bakery: /tasks\n> Job0\n!> Job5")
    for _ in range(2):
        act(player, "bo@bakery: [More]\n> Job5\n= 0\nbo@bakery: [Back]\n> Job0\n= 0")


def test_a_press_refused_can_be_pressed_again(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent\ncy@garden: /tasks")
    act(player, "bo@bakery: /claim 1\ncy@garden: [Claim #1]\n> taken by Bo\nbo@bakery: /drop 1")
    act(player, "cy@garden: [Claim #1]\n> #1 is yours, Cy")


@pytest.mark.parametrize(
    "choice", ["", ":", "1", "x:0", "1:", ":0", "1:-1", "²:0", "1:٣", "999999:0", "1:999", "9" * 30 + ":0", "1:0:0"]
)
def test_a_forged_press_comes_to_nothing(store: Store, choice: str) -> None:
    player = on_stage(store)
    before = dump(store)
    press(player, "bo", "bakery", choice)
    assert seen(player, "bakery") == [TOO_OLD]
    assert dump(store) == before


def test_somebody_elses_button_is_not_ours_to_press(store: Store) -> None:
    player = on_stage(store, "ana@dm: /goods")
    theirs = newest(player, "dm:ana")
    press(player, "bo", "dm:bo", f"{theirs.id}:0")
    assert seen(player, "dm:bo") == [TOO_OLD]
    press(player, "bo", "bakery", "0", reply_to=theirs.ref or "")
    assert seen(player, "bakery") == [TOO_OLD]


def test_a_reaction_names_the_choice_under_a_message(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /goods")
    press(player, "bo", "bakery", "0", reply_to=newest(player, "bakery").ref or "")
    assert "Bo, bread: 1 loaf" in seen(player, "bakery")[0]


def test_a_choice_that_is_no_command_any_more_is_too_old(store: Store) -> None:
    topic = Commands("test")

    @topic("offer", who=Who.ANY, does="offer")
    def offer(context: Context) -> Reply:
        return context.reply(Text.of("who?"), Choice("Gone", "retired 1"))

    player = with_commands(on_stage(store), topic)
    act(player, "bo@bakery: /offer\nbo@bakery: [Gone]\n> too old")


def test_permission_is_checked_when_a_button_is_pressed(store: Store) -> None:
    player = on_stage(
        store,
        """
        ana@bakery: /project maintainer Bo
        bo@bakery: /project archive
        > \\[Yes
        ana@bakery: /project maintainer Bo off
        """.replace("        ", ""),
    )
    act(player, "bo@bakery: [Yes]\n> Only Hill Bakery's maintainers")


def test_every_press_is_answered_and_only_once(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent\nana@bakery: /goods")
    for choice in ("[Want bread]", "[Want bread]"):
        act(player, f"bo@bakery: {choice}")
        with store.read() as session:
            rows = session.exec(select(Outbox).where(Outbox.priority == Priority.TOAST).order_by(col(Outbox.id))).all()
            found = Message.from_json(rows[-1].payload)
        assert found.toast_for == f"p{player.count}"
    with store.read() as session:
        assert len(session.exec(select(Outbox).where(Outbox.priority == Priority.TOAST)).all()) == 2


def test_a_press_on_a_live_card_is_answered_by_a_toast_and_the_card_follows(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent")
    act(player, "bo@bakery: [Claim #1]\n> #1 is yours, Bo\n> Bo has it\nbakery= 0")


# Private answers


def test_what_is_private_goes_to_the_private_chat_or_offers_the_way(store: Store) -> None:
    player = on_stage(store)
    write(player, "fay", "bakery", "/me")
    assert seen(player, "bakery") == ["That's for you alone.\n[See mine]"]
    assert posted(store)[-1].link == ("See mine", "run-me")
    act(player, "fay@bakery: /me")
    assert seen(player, "bakery") == []
    assert "Fay" in seen(player, "dm:fay")[0]


def test_somebody_else_in_a_private_room_is_not_at_home_there(store: Store) -> None:
    player = on_stage(store, "ana@dm: /start")
    write(player, "bo", "dm:ana", "/me")
    assert "You're in no pool here" in seen(player, "dm:ana")[0]


# Chats that close, open and move


def test_a_chat_that_closes_gets_what_waited_once_it_is_back(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h")
    send(player, event(Incoming.GONE, "", "garden"))
    act(player, "now 2026-05-10 18:00\ngarden= 0")
    send(player, event(Incoming.BACK, "", "garden"))
    assert any("Round 1" in text for text in seen(player, "garden"))


def test_a_delivery_to_a_closed_chat_comes_again_when_somebody_writes_there(store: Store) -> None:
    player = on_stage(store)
    with store.write() as session:
        row = session.get_one(Delivery, player.messages["garden"][-1])
        row.state = "ready"
        outbox.failed(session, row.id, Failure("kicked", gone=True), player.now)
    write(player, "dee", "garden", "hello")
    assert "Sunny Garden" in seen(player, "garden")[0]


def test_a_chat_that_moves_loses_nothing(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent")
    old = newest(player, "bakery")
    send(player, event(Incoming.MOVED, "", "bakery", moved_to="superbakery"))
    press(player, "bo", "superbakery", f"{old.id}:0")
    assert seen(player, "superbakery")[0] == "#1 is yours, Bo."
    act(player, "ana@superbakery: /task new Floor 1h\nnow 2026-05-10 18:00\nsuperbakery> Round 1")
    with store.read() as session:
        assert session.exec(select(Chat).where(Chat.address == "bakery")).first() is None


def test_a_move_heard_of_twice_or_late_keeps_what_both_addresses_know(store: Store) -> None:
    player = on_stage(store, "bo@superbakery: /help\nana@bakery: /task new Dishes 1h urgent")
    old = newest(player, "bakery")
    for _ in range(2):
        send(player, event(Incoming.MOVED, "", "bakery", moved_to="superbakery"))
    send(player, event(Incoming.MOVED, "", "superbakery", moved_to="superbakery"))
    send(player, event(Incoming.MOVED, "", "superbakery"))
    with store.read() as session:
        assert session.exec(
            select(Chat.address).where(col(Chat.project_id).is_not(None)).order_by(col(Chat.id))
        ).all() == [
            "superbakery",
            "garden",
        ]
        assert (
            session.exec(select(Card).where(Card.subject == "task 1")).one().chat_id
            == chat_named(session, "superbakery").id
        )
    press(player, "bo", "superbakery", f"{old.id}:0")
    assert seen(player, "superbakery")[0] == "#1 is yours, Bo."


def test_topics_move_with_their_group(store: Store) -> None:
    with store.write() as session:
        for topic in ("", "7"):
            chat_of(session, event(Incoming.TEXT, "bo", "old", topic=topic).place)
        move_chat(session, chat_named(session, "old"), "new")
        assert sorted(chat.topic for chat in session.exec(select(Chat).where(Chat.address == "new"))) == ["", "7"]


def test_a_topic_of_a_projects_group_is_the_projects(store: Store) -> None:
    player = on_stage(store)
    send(player, event(Incoming.TEXT, "bo", "bakery", topic="7", text="/task new Dishes 1h"))
    assert "#1 Dishes" in seen(player, "bakery")[0]
    with store.write() as session:
        assert chat_named(session, "bakery", "7").project_id is None
        lonely = chat_of(session, event(Incoming.TEXT, "bo", "nowhere", topic="7").place)
        assert home_of(session, lonely) is lonely


def test_who_somebody_is_never_changes_with_the_name(store: Store) -> None:
    with store.write() as session:
        first = event(Incoming.TEXT, "bo", "x").sender
        assert first is not None
        account = account_of(session, first)
        renamed = type(first)("console", "bo", "B\u202eo\n" + "x" * 99, "bob")
        assert account_of(session, renamed) is account
        assert (account.name, account.handle) == (("Bo " + "x" * 99)[:60], "bob")
        assert len(session.exec(select(Account)).all()) == 1


def test_an_answer_in_place_is_new_where_nothing_was_pressed(store: Store) -> None:
    topic = Commands("test")

    @topic("page", Parameter("number", Kind.COUNT, optional=True), who=Who.ANY, does="page", press=Press.AGAIN)
    def page(context: Context, number: int = 1) -> Reply:
        return replace(context.reply(Text.of(f"page {number}"), Choice("Next", f"page {number + 1}")), where=Where.EDIT)

    player = with_commands(on_stage(store), topic)
    act(player, "bo@bakery: /page\n> page 1\n= 1\nbo@bakery: [Next]\n> page 2\n= 0\nbo@bakery: [Next]\n> page 3\n= 0")
