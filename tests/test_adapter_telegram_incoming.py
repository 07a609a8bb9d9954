"""What Telegram reports becomes an event, or none; whatever shape it has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.telegram.incoming import Us, press_of, read
from core.chat.message import Event, Incoming
from core.identity import Place, Sender

US = Us(99, "Dpool_Bot")
BO = {"id": 7, "is_bot": False, "first_name": "Bo", "last_name": "Ek", "username": "bo"}
GROUP = {"id": -5, "type": "group", "title": "Bakery"}
SUPERGROUP = {"id": -1005, "type": "supergroup", "title": "Bakery", "is_forum": True}
PRIVATE = {"id": 7, "type": "private", "first_name": "Bo"}
BAKERY = Place("telegram", "-5", title="Bakery")
OURS = {"message_id": 3, "chat": GROUP, "from": {"id": 99, "is_bot": True, "first_name": "dpool"}}
ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}


def message(words: str = "", **fields: Any) -> dict[str, Any]:
    base = {"message_id": 12, "date": 1, "chat": GROUP, "from": BO}
    return base | ({"text": words} if words else {}) | {key.rstrip("_"): value for key, value in fields.items()}


def heard(words: str = "", **fields: Any) -> Event | None:
    return read({"update_id": 1, "message": message(words, **fields)}, US)


def test_a_command_in_a_group() -> None:
    expected = Event("1", Incoming.TEXT, BAKERY, Sender("telegram", "7", "Bo Ek", "bo"), "/tasks", "-5/12")
    assert heard("/tasks") == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("/tasks@dpool_bot 30m", ("/tasks 30m", True)),
        ("/tasks@DPOOL_BOT", ("/tasks", True)),
        ("@dpool_bot want bread 2", ("want bread 2", True)),
        ("@Dpool_Bot, want bread", ("want bread", True)),
        ("!want “rye bread” — 2", ("!want “rye bread” — 2", False)),
    ],
)
def test_our_name(words: str, expected: tuple[str, bool]) -> None:
    event = heard(words)
    assert event is not None
    assert (event.text, event.addressed) == expected


@pytest.mark.parametrize("words", ["/tasks@other_bot", "hello all", "12", "@somebody hello", "@dpool_bot", ""])
def test_other_talk_in_a_group_is_not_kept(words: str) -> None:
    assert heard(words) is None


def test_everything_in_private_is_for_us() -> None:
    event = heard("hello", chat=PRIVATE)
    assert event is not None
    assert (event.place, event.text) == (Place("telegram", "7", private=True), "hello")


def test_an_answer_to_our_message() -> None:
    event = heard("1.5", reply_to_message=OURS)
    assert event is not None
    assert event.reply_to == "-5/3"
    assert heard("1.5", reply_to_message=OURS | {"from": BO}) is None


def test_words_below_a_picture_count() -> None:
    event = heard(caption="/done 12 2h", photo=[])
    assert event is not None
    assert event.text == "/done 12 2h"


@pytest.mark.parametrize(
    "fields",
    [
        {"forward_origin": {"type": "user", "date": 1, "sender_user": BO}},
        {"via_bot": {"id": 5, "is_bot": True, "first_name": "x"}},
        {"guest_query_id": "1"},
        {"from_": {"id": 8, "is_bot": True, "first_name": "Other"}},
        {"from_": {}},
        {"sender_chat": {"id": -100777, "type": "channel", "title": "News"}, "is_automatic_forward": True},
        {"chat": {"id": -100777, "type": "channel", "title": "News"}},
    ],
)
def test_what_nobody_in_the_group_wrote_is_ignored(fields: dict[str, Any]) -> None:
    assert heard("/forget sure", **fields) is None


def test_who_writes_as_the_group_is_nobody_yet() -> None:
    event = heard("/tasks", sender_chat=GROUP, from_=ANONYMOUS)
    assert event is not None
    assert (event.kind, event.sender, event.text) == (Incoming.NAMELESS, None, "/tasks")


def test_topics() -> None:
    in_topic = heard("/tasks", chat=SUPERGROUP, message_thread_id=44, is_topic_message=True)
    in_general = heard("/tasks", chat=SUPERGROUP, message_thread_id=45)  # a thread of replies, no topic
    assert in_topic is not None
    assert in_general is not None
    assert (in_topic.place.topic, in_general.place.topic) == ("44", "")


def test_a_topic_opened_again() -> None:
    event = heard(chat=SUPERGROUP, message_thread_id=44, is_topic_message=True, forum_topic_reopened={})
    assert event is not None
    assert (event.kind, event.place.topic) == (Incoming.BACK, "44")


def test_an_edit_is_no_new_command() -> None:
    event = read({"update_id": 2, "edited_message": message("/want bread 9")}, US)
    assert event is not None
    assert event.kind is Incoming.EDIT


def test_a_group_that_moves() -> None:
    event = heard(migrate_to_chat_id=-1009)
    assert event is not None
    assert (event.kind, event.place, event.moved_to) == (Incoming.MOVED, BAKERY, "-1009")


def test_a_press() -> None:
    below = {"message_id": 3, "chat": SUPERGROUP, "message_thread_id": 44, "is_topic_message": True, "date": 1}
    update = {"update_id": 5, "callback_query": {"id": "q1", "from": BO, "message": below, "data": "17:0"}}
    event = read(update, US)
    assert event is not None
    assert (event.kind, event.choice, event.press_ref, event.place.topic) == (Incoming.PRESS, "17:0", "q1", "44")
    assert press_of(update) == "q1"
    assert press_of({"update_id": 5, "callback_query": {"id": "q2"}}) == "q2"  # to be answered, though it means nothing


def member(status: str, **fields: bool) -> dict[str, Any]:
    return {"user": {"id": 99}, "status": status, **fields}


MUTE = member("restricted", is_member=True, can_send_messages=False)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (member("left"), member("member"), Incoming.ADDED),
        (member("kicked"), member("administrator"), Incoming.ADDED),
        (member("member"), member("administrator"), Incoming.BACK),
        (member("member"), member("kicked"), Incoming.GONE),
        (member("administrator"), member("left"), Incoming.GONE),
        (member("member"), MUTE, Incoming.GONE),
        (MUTE, member("restricted", is_member=True, can_send_messages=True), Incoming.BACK),
        (member("member"), member("restricted", is_member=False, can_send_messages=True), Incoming.GONE),
        (member("left"), MUTE, Incoming.GONE),
    ],
)  # fmt: skip
def test_being_in_a_group_or_not(old: dict[str, Any], new: dict[str, Any], kind: Incoming) -> None:
    change = {"chat": GROUP, "from": BO, "date": 1, "old_chat_member": old, "new_chat_member": new}
    event = read({"update_id": 6, "my_chat_member": change}, US)
    assert event is not None
    assert (event.kind, event.place) == (kind, BAKERY)


@pytest.mark.parametrize(("new", "kind"), [("kicked", Incoming.GONE), ("member", Incoming.BACK)])
def test_being_blocked_or_not(new: str, kind: Incoming) -> None:
    change = {"chat": PRIVATE, "from": BO, "date": 1, "old_chat_member": {}, "new_chat_member": member(new)}
    event = read({"update_id": 6, "my_chat_member": change}, US)
    assert event is not None
    assert event.kind is kind


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"id": 7, "first_name": "Bo"}, "Bo"),
        ({"id": 7, "first_name": "", "username": "bo"}, "bo"),
        ({"id": 7}, "7"),
        ({"id": 7, "first_name": "B\x00o", "last_name": "\ud800"}, "B\ufffdo \ufffd"),
    ],
)  # fmt: skip
def test_a_name_to_show(user: dict[str, Any], name: str) -> None:
    event = heard("/me", from_=user)
    assert event is not None
    assert event.sender is not None
    assert event.sender.name == name


@pytest.mark.parametrize(
    "update",
    [
        None,
        [],
        {},
        {"update_id": "1", "message": message("/me")},
        {"update_id": True, "message": message("/me")},
        {"update_id": 2**70, "message": message("/me")},
        {"update_id": 1, "message": "x"},
        {"update_id": 1, "message": message("/me", chat=[])},
        {"update_id": 1, "message": message("/me", chat={"id": 1.5, "type": "group"})},
        {"update_id": 1, "poll": {"id": "x"}},
        {"update_id": 1, "callback_query": {"id": "q", "from": BO}},
        {"update_id": 1, "my_chat_member": {"chat": {"id": -100, "type": "channel"}}},
    ],
)
def test_what_has_no_sense_is_no_event(update: object) -> None:
    assert read(update, US) is None


SHAPES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "chat", "from", "text", "type", "message", "data", "sender_chat", "reply_to_message"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["message", "edited_message", "callback_query", "my_chat_member"]),
    st.dictionaries(st.sampled_from(sorted(message("x"))), SHAPES, max_size=6),
)
def test_no_shape_is_a_fault(kind: str, content: dict[str, Any]) -> None:
    event = read({"update_id": 1, kind: message("/me") | content}, US)
    assert event is None or Event.from_json(event.to_json()) == event
