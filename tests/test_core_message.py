"""Events and messages as values: what is kept reads back the same."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.chat.message import Choice, Event, Incoming, Message, Priority, asked_together, merged
from core.chat.text import Style, Text
from core.identity import Place, Sender

FULL = Message(
    Text.of("#1 Dishes", Style.BOLD),
    (Choice("Claim #1", "claim 1", 3, 4),),
    answers='bid "bread"',
    subject="task 1",
    reply_to="r",
    toast_for="p",
    mentions=(5, 6),
    link=("See mine", "run-me"),
    file=("mine.csv", "a,b\n"),
    merges=True,
    edits=7,
)


@pytest.mark.parametrize("sender", [None, Sender("console", "ana", "Ana", "ana")])
def test_an_event_reads_back(sender: Sender | None) -> None:
    place = Place("matrix", "!a:b", "thread", "Room", private=True)
    event = Event("e1", Incoming.PRESS, place, sender, "t", "r", "q", addressed=True, choice="1:2", press_ref="p")
    assert Event.from_json(json.loads(json.dumps(event.to_json()))) == event
    moved = replace(event, kind=Incoming.MOVED, moved_to="!c:d")
    assert Event.from_json(json.loads(json.dumps(moved.to_json()))) == moved


@pytest.mark.parametrize("message", [FULL, Message(Text.of("x"))])
def test_a_message_reads_back(message: Message) -> None:
    assert Message.from_json(json.loads(json.dumps(message.to_json()))) == message


def test_plain_lines_end_with_what_can_be_pressed() -> None:
    assert FULL.plain().split("\n") == ["#1 Dishes", "[Claim #1]", "[See mine]", "[mine.csv]", "a,b", ""]
    assert Message(Text.of("/me", Style.COMMAND)).plain("!") == "!me"


def test_only_bare_text_can_merge() -> None:
    bare = Message(Text.of("x"), mentions=(1,))
    assert bare.can_merge
    for name in ("choices", "answers", "subject", "link", "file"):
        assert not replace(bare, **{name: getattr(FULL, name)}).can_merge


def test_merged_notices_are_one_text_with_all_mentions() -> None:
    both = merged([Message(Text.of("a"), mentions=(1, 2)), Message(Text.of("b"), mentions=(2, 3))])
    assert str(both.text) == "a\nb"
    assert both.mentions == (1, 2, 3)


def test_asking_together_keeps_every_choice_once() -> None:
    first = Message(Text.of("a"), (Choice("Back #1", "back 1"),), subject="task 1", mentions=(1,))
    second = Message(Text.of("b"), (Choice("Back #1", "back 1"), Choice("Back #2", "back 2")), subject="task 2")
    both = asked_together(first, second)
    assert str(both.text) == "a\nb"
    assert [one.label for one in both.choices] == ["Back #1", "Back #2"]
    assert asked_together(first, replace(second, subject="task 1")).text == second.text


def test_what_leaves_first() -> None:
    assert sorted(Priority) == [Priority.TOAST, Priority.REPLY, Priority.EDIT, Priority.ASK, Priority.NOTICE]
