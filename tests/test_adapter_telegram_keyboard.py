"""Buttons under a message on a phone, and whom a question is for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telegram import ForceReply, InlineKeyboardMarkup

from adapters.telegram.keyboard import asked, under
from core.chat.message import Choice, Message, Priority
from core.chat.port import Parcel
from core.chat.text import Text
from core.identity import Place, Sender

GROUP, PRIVATE = Place("telegram", "-5"), Place("telegram", "7", private=True)
ACCOUNTS = {3: Sender("telegram", "77", "Bo")}


def parcel(place: Place = GROUP, *, edits: str = "", delivery_id: int = 17, **fields: Any) -> Parcel:
    message = Message(Text.of("Hi"), **fields)
    return Parcel(delivery_id, "k", 1, 1, place, Priority.REPLY, message, edits, ACCOUNTS)


def rows(*labels: str) -> list[list[str]]:
    markup = under(parcel(choices=tuple(Choice(label, "x") for label in labels)), "dpool_bot")
    assert isinstance(markup, InlineKeyboardMarkup)
    return [[button.text for button in row] for row in markup.inline_keyboard]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["Claim #12"], [["Claim #12"]]),
        (["Done #1", "Drop #1", "Undo"], [["Done #1", "Drop #1", "Undo"]]),
        (["Confirm #12", "Dispute #12", "Undo"], [["Confirm #12", "Dispute #12"], ["Undo"]]),
        (["Yes: Hill Bakery", "Add a group"], [["Yes: Hill Bakery", "Add a group"]]),
        (["Remove Sunny Garden", "Undo"], [["Remove Sunny Garden"], ["Undo"]]),
        ([f"#{one}" for one in range(1, 6)], [["#1", "#2", "#3"], ["#4", "#5"]]),
    ],
)
def test_labels_show_on_a_phone(labels: list[str], expected: list[list[str]]) -> None:
    assert rows(*labels) == expected


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 2**63 - 1), st.lists(st.text(min_size=1, max_size=200), min_size=1, max_size=12))
def test_what_a_button_carries_always_fits(delivery_id: int, labels: list[str]) -> None:
    markup = under(parcel(delivery_id=delivery_id, choices=tuple(Choice(one, "x") for one in labels)), "dpool_bot")
    assert isinstance(markup, InlineKeyboardMarkup)
    buttons = [button for row in markup.inline_keyboard for button in row]
    assert [button.text for button in buttons] == labels
    carried = [str(button.callback_data) for button in buttons]
    assert carried == [f"{delivery_id}:{place}" for place in range(len(labels))]
    assert all(len(one.encode()) <= 64 for one in carried)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"link": ("See mine", "run-me")}, "https://t.me/dpool_bot?start=run-me"),
        ({"link": ("See mine", "run-é x")}, "https://t.me/dpool_bot"),
        ({"group_link": ("Add a group", "join-K7Q2-M4PD")}, "https://t.me/dpool_bot?startgroup=join-K7Q2-M4PD"),
    ],
)
def test_links(fields: dict[str, Any], url: str) -> None:
    markup = under(parcel(**fields), "dpool_bot")
    assert isinstance(markup, InlineKeyboardMarkup)
    assert [button.url for row in markup.inline_keyboard for button in row] == [url]


@pytest.mark.parametrize(
    ("one", "is_asked"),
    [
        (parcel(answers="done 1", reply_to="-5/3"), True),
        (parcel(PRIVATE, answers="done 1"), True),
        (parcel(answers="done 1", mentions=(3,)), True),  # named, as they only pressed a button
        (parcel(answers="done 1"), False),  # for nobody in particular: the whole group would be asked
        (parcel(answers="done 1", reply_to="-5/3", edits="-5/9"), False),
        (parcel(reply_to="-5/3"), False),
    ],
)
def test_a_question_opens_the_reply_of_one_person(one: Parcel, is_asked: bool) -> None:
    markup = under(one, "dpool_bot")
    assert isinstance(markup, ForceReply) is is_asked
    assert not isinstance(markup, ForceReply) or markup.selective


def test_only_a_question_without_buttons_names_somebody() -> None:
    assert asked(parcel(answers="done 1", mentions=(3,))) == ACCOUNTS[3]
    assert asked(parcel(answers="done 1", mentions=(3,), choices=(Choice("1 h", "done 1 1h"),))) is None
    assert asked(parcel(mentions=(3,))) is None
