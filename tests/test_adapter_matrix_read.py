"""Matrix events become the pool's: who, where, what; whatever shape they have. Pure, by tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from adapters.matrix import raw
from adapters.matrix.incoming import Us, press, press_parts, pressed, read, spoken_to
from adapters.matrix.locked import is_locked
from adapters.matrix.numbers import KEYS, index_of
from adapters.matrix.presence import heard, since_arrival
from adapters.matrix.rooms import CREATOR_POWER, Room
from core.chat.message import Event, Incoming

POOL, ANA, BO = "@pool:valley.test", "@ana:valley.test", "@bo:valley.test"
US = Us.of(POOL, "The Pool")


def state(kind: str, content: dict[str, Any], key: str = "", sender: str = ANA, **more: Any) -> dict[str, Any]:
    return {
        "type": f"m.room.{kind}",
        "state_key": key,
        "sender": sender,
        "content": content,
        "event_id": f"${kind}{key}",
        **more,
    }


def member(user: str, membership: str, before: str = "", **content: Any) -> dict[str, Any]:
    unsigned = {"prev_content": {"membership": before}} if before else {}
    return state("member", {"membership": membership, **content}, user, unsigned=unsigned)


def room_of(*events: dict[str, Any]) -> Room:
    room = Room("!room:valley.test")
    for event in events:
        room.apply(event)
    return room


def text(body: Any, sender: Any = ANA, **content: Any) -> dict[str, Any]:
    shown = {"msgtype": "m.text", "body": body, **content}
    return {"type": "m.room.message", "event_id": "$1", "sender": sender, "content": shown}


def reply(answered: str, **more: Any) -> dict[str, Any]:
    return {"m.relates_to": {"m.in_reply_to": {"event_id": answered}, **more}}


def taken(event: dict[str, Any], *, is_private: bool = False) -> Event | None:
    return read(event, room_of(member(ANA, "join", displayname="Ana")), US, is_private=is_private)


# Texts


@pytest.mark.parametrize(
    ("body", "mentioned", "found"),
    [
        ("!tasks", False, ("!tasks", False)),
        ("/tasks", False, ("/tasks", False)),
        ("pool: tasks", False, ("tasks", True)),
        ("Pool, tasks", False, ("tasks", True)),
        ("@pool tasks", False, ("tasks", True)),
        ("@pool:valley.test tasks", False, ("tasks", True)),
        ("pool:valley.test: tasks", False, ("tasks", True)),
        ("The Pool: want bread", False, ("want bread", True)),
        ("the pool want bread", True, ("want bread", True)),
        ("the pool is cold", False, ("the pool is cold", False)),
        ("pools: two", True, ("pools: two", False)),
        ("ask @pool", True, ("ask @pool", False)),
        ("@pool", False, ("start", True)),
        ("!tasks@pool", False, ("!tasks", True)),
        ("!tasks@poolbot", False, None),
        ("@pool:elsewhere.test tasks", False, ("@pool:elsewhere.test tasks", False)),
    ],
)
def test_being_spoken_to(body: str, mentioned: bool, found: tuple[str, bool] | None) -> None:
    assert spoken_to(body, US, is_mentioned=mentioned) == found


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (text("!help"), ("!help", "", "", False)),
        (text("hello"), None),
        (text("pool: hello"), ("hello", "", "", True)),
        (text("!help", POOL), None),
        (text("!help", msgtype="m.notice"), None),
        (text("!help", msgtype="m.emote"), None),
        (text({"a": 1}), None),
        (text("!help") | {"state_key": ""}, None),
        (text("!help") | {"event_id": ""}, None),
        (text("!help") | {"event_id": "$" + "x" * 255}, None),
        (text("!help") | {"content": []}, None),
        (text("1.5", **reply("$7")), ("1.5", "$7", "", False)),
        (text("> <@pool:valley.test> 1\n> 2\n\n1.5", **reply("$7")), ("1.5", "$7", "", False)),
        (text("> 1", **reply("$7", rel_type="m.thread", event_id="$5", is_falling_back=True)), None),
        (
            text("!help", **reply("$7", rel_type="m.thread", event_id="$5", is_falling_back=True)),
            ("!help", "", "$5", False),
        ),
        (
            text("2", **reply("$7", rel_type="m.thread", event_id="$5", is_falling_back=False)),
            ("2", "$7", "$5", False),
        ),
        (text("!a\0b\ud800"), ("!ab?", "", "", False)),
    ],
)
def test_texts(event: dict[str, Any], found: tuple[str, str, str, bool] | None) -> None:
    one = taken(event)
    assert (one and (one.text, one.reply_to, one.place.topic, one.addressed)) == found
    assert one is None or (one.kind, one.ref) == (Incoming.TEXT, "$1")


def test_in_private_everything_is_for_the_bot() -> None:
    one = taken(text("hello"), is_private=True)
    assert one is not None
    assert (one.text, one.place.private, one.place.title) == ("hello", True, "")
    assert one.sender is not None
    assert (one.sender.user_id, one.sender.name, one.sender.handle) == (ANA, "Ana", "ana")


def test_edits_and_redactions_name_what_they_change() -> None:
    relation: dict[str, Any] = {"m.relates_to": {"rel_type": "m.replace", "event_id": "$0"}}
    relation["m.new_content"] = {"msgtype": "m.text", "body": "!tasks"}
    edit = taken(text("* !help", **relation))
    assert edit is not None
    assert (edit.kind, edit.ref, edit.text) == (Incoming.EDIT, "$0", "!tasks")
    for redaction in ({"redacts": "$0", "content": {}}, {"content": {"redacts": "$0"}}):
        one = taken({"type": "m.room.redaction", "event_id": "$2", "sender": ANA, **redaction})
        assert one is not None
        assert (one.kind, one.ref) == (Incoming.DELETE, "$0")
    assert taken({"type": "m.room.redaction", "event_id": "$2", "sender": ANA, "content": {}}) is None


# Presses


def reaction(key: Any, sender: str = ANA, ref: str = "$9") -> dict[str, Any]:
    relation = {"rel_type": "m.annotation", "event_id": ref, "key": key}
    return {"type": "m.reaction", "event_id": "$3", "sender": sender, "content": {"m.relates_to": relation}}


def test_numbers() -> None:
    assert [index_of(key) for key in KEYS] == list(range(10))
    assert [index_of(key) for key in ("1\u20e3", "1", "👍", "0\ufe0f\u20e3", "")] == [0, None, None, None, None]


@pytest.mark.parametrize(
    "event", [reaction("👍"), reaction(3), reaction(KEYS[0], POOL), reaction(KEYS[0], ref=""), text("1")]
)
def test_what_is_no_press(event: dict[str, Any]) -> None:
    assert pressed(event, US) is None


def test_a_number_under_our_message_is_a_press() -> None:
    event, room = reaction(KEYS[1]), room_of(member(ANA, "join"))
    found = pressed(event, US)
    assert found is not None
    target = {"sender": POOL, "content": {"m.relates_to": {"rel_type": "m.thread", "event_id": "$5"}}}
    one = press(event, found, target, room, US, is_private=False)
    assert one is not None
    assert (one.kind, one.choice, one.reply_to, one.place.topic) == (Incoming.PRESS, "1", "$9", "$5")
    assert press_parts(one.press_ref) == (ANA, "$9")
    assert press(event, found, {"sender": BO}, room, US, is_private=False) is None
    assert press(event, found, {}, room, US, is_private=False) is None


# Rooms


def test_a_room_knows_who_is_there_and_what_it_is_called() -> None:
    room = room_of(
        member(ANA, "join", displayname=" A\u202ena\u200b "), member(BO, "invite"), state("name", {"name": "Mill\n2"})
    )
    assert room.people == {ANA, BO}
    assert [room.name_of(one) for one in (ANA, BO, POOL)] == ["Ana", "bo", "pool"]
    assert room.title == "Mill 2"
    room.apply(member(BO, "leave"))
    assert room.others(POOL) == {ANA}
    assert room_of(state("canonical_alias", {"alias": "#mill:valley.test"})).title == "#mill:valley.test"
    assert not room.is_encrypted
    assert room_of(state("encryption", {"algorithm": "m.megolm.v1.aes-sha2"})).is_encrypted


LEVELS = {"users": {BO: 50}, "users_default": 10, "invite": 50}


@pytest.mark.parametrize(
    ("create", "levels", "powers"),
    [
        ({"room_version": "11"}, LEVELS, [10, 50, 10]),
        ({"room_version": "12"}, LEVELS, [CREATOR_POWER, 50, 10]),
        ({"room_version": "12", "additional_creators": [BO, 7]}, LEVELS, [CREATOR_POWER, CREATOR_POWER, 10]),
        ({"room_version": "10"}, None, [100, 0, 0]),
        ({}, None, [100, 0, 0]),
        ({"room_version": "org.example.1"}, LEVELS, [10, 50, 10]),
        ({"room_version": "10"}, {"users": {ANA: "75", BO: "x"}, "users_default": True}, [75, 0, 0]),
    ],
)
def test_power(create: dict[str, Any], levels: dict[str, Any] | None, powers: list[int]) -> None:
    room = room_of(state("create", create), *([state("power_levels", levels)] if levels else []))
    assert [room.power_of(one) for one in (ANA, BO, POOL)] == powers


@pytest.mark.parametrize(("sender", "found"), [(ANA, "!new"), (BO, "!new"), ("@cy:valley.test", "")])
def test_only_who_may_invite_says_where_a_room_goes_on(sender: str, found: str) -> None:
    tombstone = state("tombstone", {"replacement_room": "!new"}, sender=sender)
    room = room_of(state("create", {"room_version": "12"}), state("power_levels", LEVELS), tombstone)
    assert room.replacement == found


# Being there


@pytest.mark.parametrize(
    ("happened", "kept"),
    [
        ("a b", "a b"),
        ("a invite>join b", "+ b"),
        ("a >join b", "+ b"),
        ("a join>leave b", "a +"),
        ("a join>leave b leave>invite invite>join c", "a + + + c"),
        ("a join>join b", "a + b"),
        ("a join>ban b", "a +"),
    ],
)
def test_what_is_written_while_one_is_away_is_not_heard(happened: str, kept: str) -> None:
    events = []
    for word in happened.split():
        before, mark, after = word.partition(">")
        events.append(member(POOL, after, before) if mark else text(word))
    assert ["+" if "state_key" in one else one["content"]["body"] for one in heard(events, POOL)] == kept.split()
    assert since_arrival(events, POOL) == (">join" in happened and "join>join" not in happened)


# Whatever it is

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMED = (
    "type content sender event_id state_key body msgtype m.relates_to rel_type key unsigned m.new_content m.mentions "
    "user_ids m.in_reply_to membership users displayname algorithm"
)
NAMES = some.sampled_from(NAMED.split())
KINDS = some.sampled_from(["m.room.message", "m.reaction", "m.room.member", "m.room.create", "m.room.power_levels"])
HOSTILE = some.dictionaries(NAMES, JSON | some.dictionaries(NAMES, JSON, max_size=5), max_size=8)


@given(HOSTILE, KINDS, some.sampled_from(["", ANA, POOL]))
def test_no_event_is_too_strange(event: dict[str, Any], kind: str, key: str) -> None:
    room = room_of(event | {"type": kind, "state_key": key})
    event = event | {"type": kind}
    read(event, room, US, is_private=False)
    found = pressed(event, US)
    assert found is None or press(event, found, event, room, US, is_private=False) is None
    assert isinstance(room.title + room.name_of(ANA) + room.predecessor + room.replacement, str)
    assert isinstance(room.power_of(ANA), int)
    is_locked(event)
    list(heard([event], POOL))


@pytest.mark.parametrize(
    ("value", "found"),
    [(3, 3), ("12", 12), ("1_0", 7), ("٣", 7), (True, 7), (2.5, 7), (2**60, 7), ("9" * 99, 7), (None, 7)],
)
def test_figures(value: Any, found: int) -> None:
    assert raw.number({"a": value}, "a", 7) == found
