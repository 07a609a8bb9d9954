"""Bad input and abuse, as far as the core meets it: one friendly line each, and nothing is half done."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from core.chat.message import Event, Incoming
from core.identity import Sender
from core.tables import Member, Task
from tests.stage import act, dump, event, on_stage, press, seen, send, write

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


LINE_MAX = 220
INTERNAL = re.compile(r"Traceback|Error\b|Exception|sqlite|core\.|None|0x[0-9a-f]{6}|\{|\\")
HUGE = "9" * 5000
TASK = "ana@bakery: /task new Dishes 1h urgent"


@pytest.fixture
def player(store: Store) -> Player:
    """A small pool with bread for sale to nobody and a task for Bo."""
    return on_stage(store, f"{TASK}\nbo@bakery: /claim 1\nana@bakery: /made bread 2 1h\ncy@bakery: /confirm 2")


def refused(player: Player, words: str, *, who: str = "cy", chat: str = "bakery", says: str = ".") -> str:
    """Say something that must be answered by one friendly line and change nothing."""
    before = dump(player.store)
    write(player, who, chat, words)
    answers = seen(player, chat)
    assert len(answers) == 1, answers
    line = answers[0].split("\n[")[0]  # choices that would help may follow
    assert "\n" not in line
    assert 0 < len(line) <= LINE_MAX
    assert not INTERNAL.search(line), line
    assert re.search(says, line), line
    assert dump(player.store) == before
    assert not player.faults
    return line


def named(user_id: str, name: str, address: str, words: str) -> Event:
    """A text of somebody who shows a name of their choice."""
    found = event(Incoming.TEXT, user_id, address, text=words)
    return replace(found, sender=Sender("console", user_id, name, name))


NUMBERS = {
    "nan": "NaN",
    "infinity": "inf",
    "exponent": "1e400",
    "minus": "-3",
    "typographic minus": "−3",
    "zero": "0",
    "2 to the 63rd": str(2**63),
    "5000 digits": HUGE,
    "other digits": "\u0661\u0662",
    "underscore": "1_000",
    "plus": "+5",
    "two points": "1..5",
    "comma and point": "1,000.5",
    "hexadecimal": "0x10",
    "superscript": "²",
    "full width": "\uff11\uff12",
    "fraction": "½",
}


@pytest.mark.parametrize("figure", NUMBERS.values(), ids=NUMBERS)
class TestNoNumber:
    """Whatever looks like a number and is none, wherever a number belongs."""

    def test_as_hours(self, player: Player, figure: str) -> None:
        refused(player, f"/bid bread {figure}")

    def test_as_a_limit(self, player: Player, figure: str) -> None:
        refused(player, f"/want bread max:{figure}")

    def test_as_a_count(self, player: Player, figure: str) -> None:
        refused(player, f"/want bread {figure}")

    def test_as_a_task(self, player: Player, figure: str) -> None:
        refused(player, f"/claim {figure}")

    def test_as_a_weight(self, player: Player, figure: str) -> None:
        refused(player, f"/bid 1 {figure}")

    def test_as_hours_of_work(self, player: Player, figure: str) -> None:
        refused(player, f"/task new Floor {figure}h")

    def test_as_units(self, player: Player, figure: str) -> None:
        refused(player, f"/made bread {figure}")


def test_a_fraction_of_a_unit_is_asked_about(player: Player) -> None:
    refused(player, "/want bread 2.5", says="whole number")


def test_an_unknown_good(player: Player) -> None:
    refused(player, "/want caviar", says="caviar")


def test_a_near_miss_is_asked_about(player: Player) -> None:
    refused(player, "/want bred", says="did you mean bread")


def test_an_unknown_task(player: Player) -> None:
    refused(player, "/claim 999", says="There's no #999")


def test_an_unknown_member(player: Player) -> None:
    refused(player, "/project maintainer Nobody", who="ana", says="Nobody")


def test_an_unknown_code(player: Player) -> None:
    refused(player, "/join AAAA-AAAA", says="AAAA-AAAA")


def test_an_unknown_setting(player: Player) -> None:
    refused(player, "/pool set colour red", who="ana", says="colour")


def test_an_unfit_setting(player: Player) -> None:
    refused(player, "/pool set limit NaN", who="ana", says="NaN")


@pytest.mark.parametrize("verb", ["done", "drop"])
def test_somebody_elses_task(player: Player, verb: str) -> None:
    refused(player, f"/{verb} 1", says="#1.*(Bo|don't have)")


def test_a_task_that_is_taken(player: Player) -> None:
    refused(player, "/claim 1", says="taken by Bo")


def test_ones_own_work(player: Player) -> None:
    act(player, "bo@bakery: /done 1")
    refused(player, "/confirm 1", who="bo", says="own work")


def test_what_only_others_may(player: Player) -> None:
    refused(player, "/pool code", says="stewards")
    refused(player, "/good new cake", says="maintainers")


def test_nothing_where_something_belongs(player: Player) -> None:
    for command in ("claim", "want", "bid", "done", "made", "join", "task new", "good new"):
        refused(player, f"/{command}")


@pytest.mark.parametrize("length", [201, 20_000, 100_000])
def test_a_title_without_end(player: Player, length: int) -> None:
    refused(player, f"/task new {'a' * length} 1h")


def test_a_title_of_accents_without_end(player: Player) -> None:
    refused(player, f"/task new {'a' + chr(0x301) * 15_000} 1h")


def test_a_command_that_is_all_options(player: Player) -> None:
    refused(player, "/task new " + "urgent " * 2000 + "1h")


def test_quotes_without_end_are_a_slip(player: Player) -> None:
    write(player, "cy", "bakery", '/want "bread')
    assert seen(player, "bakery")[0].startswith("Cy, bread: 1 loaf")
    refused(player, '/want "bread roll')


@pytest.mark.parametrize("name", ["\u202ebread", "br\u200bead\u0000", "bread\u2066\u2069"])
def test_control_and_bidi_characters_show_nothing_and_hide_nothing(player: Player, name: str) -> None:
    write(player, "cy", "bakery", f"/want {name}")
    assert seen(player, "bakery")[0].startswith("Cy, bread: 1 loaf")


def test_a_title_of_control_and_bidi_characters_is_clean(player: Player) -> None:
    write(player, "cy", "bakery", "/task new Sweep\u202e\u0000\u200b the\u2028floor\x1b[31m 1h")
    with player.store.read() as session:
        titles = [task.title for task in session.exec(select(Task))]
    assert "Sweep the floor[31m" in titles


def test_nothing_but_invisible_characters(player: Player) -> None:
    refused(player, "/task new \u200b\u202e 1h")


SQL = "'; DROP TABLE member; --"


def test_sql_is_a_title_like_any_other(player: Player) -> None:
    write(player, "cy", "bakery", f"/task new {SQL} 1h")
    with player.store.read() as session:
        assert SQL in [task.title for task in session.exec(select(Task))]
    refused(player, f"/want {SQL}")
    refused(player, "/want %")
    refused(player, "/want _read")


def test_markup_in_names_and_titles_is_shown_as_it_is(player: Player) -> None:
    act(player, "ana@bakery: /task new <b>**x**</b> `y` {name} @room 1h\n> <b>\\*\\*x\\*\\*</b> `y` \\{name\\} @room")


def test_formats_in_templates_are_values(player: Player) -> None:
    write(player, "cy", "bakery", "/want {0.__class__}")
    assert "{0.__class__}" in seen(player, "bakery")[0]


def test_a_name_that_looks_like_somebody_elses(player: Player) -> None:
    """Cyrillic letters, invisible ones and another case: the second Bo gets a number."""
    for number, name in enumerate(("\u0412\u043e", "B\u200bo", "\u202eBo", "BO"), 2):
        send(player, named(f"fake{number}", name, "bakery", "/goods"))
    with player.store.read() as session:
        names = [member.name for member in session.exec(select(Member))]
    assert len({name.casefold() for name in names}) == len(names)
    assert sum(name.endswith((" 2", " 3", " 4", " 5")) for name in names) == 4


def test_a_recycled_handle_is_nobody_known(player: Player) -> None:
    send(player, named("bo-new", "Bo", "dm:bo-new", "/me"))
    assert seen(player, "dm:bo-new")[0].startswith("You're in no pool here")


# Buttons


def test_a_button_pressed_twice(player: Player) -> None:
    act(player, "cy@bakery: /goods\ncy@bakery: [Want bread]\n> Cy, bread")
    before = dump(player.store)
    act(player, "cy@bakery: [Want bread]\n> You did that already")
    assert dump(player.store) == before


def test_forged_buttons(player: Player) -> None:
    before = dump(player.store)
    for choice in ("claim 1", "1:1:1", f"{HUGE}:0", "-1:0", "1:" + "0" * 64, "{}", "\x00", "\u0661:\u0662", "1e3:0"):
        press(player, "cy", "bakery", choice)
        assert seen(player, "bakery") == ["That button is too old. Type what you want instead."]
    assert dump(player.store) == before
    assert not player.faults


def test_every_button_of_another_chat(player: Player) -> None:
    before = dump(player.store)
    for number in range(1, 30):
        press(player, "zed", "attic", f"{number}:0")
        assert len(seen(player, "attic")) == 1
    assert dump(player.store) == before


def test_a_button_after_the_role_is_gone(player: Player) -> None:
    act(
        player,
        "ana@bakery: /project maintainer Bo\nbo@bakery: /project archive\nana@bakery: /project maintainer Bo off",
    )
    before = dump(player.store)
    act(player, "bo@bakery: [Yes]\n> Only Hill Bakery's maintainers")
    assert dump(player.store) == before


def test_the_admin_of_one_project_acting_on_another(player: Player) -> None:
    refused(player, "/made bread 2 1h", who="dee", chat="garden", says="Sunny Garden doesn't make bread")
    refused(player, "/task cancel 1", who="dee", chat="garden", says="#1")
    refused(player, "/pool set limit 99h", who="dee", chat="garden", says="stewards")


# Events


def test_a_backdated_or_repeated_event_is_taken_once(player: Player) -> None:
    once = replace(event(Incoming.TEXT, "cy", "bakery", text="/want bread 2"), event_id="same")
    send(player, once)
    before = dump(player.store)
    send(player, once)
    assert player.shown == []
    assert dump(player.store) == before


def test_bidding_what_is_held_already(player: Player) -> None:
    act(player, "cy@bakery: /bid bread 2 2\n> Cy, bread: 2 loaves")
    refused(player, "/bid bread 5 99", says="free")
    refused(player, "/task give 1 Cy", says="#1")


def test_a_chat_that_claims_to_move_onto_another(player: Player) -> None:
    """A forged move of a stranger's chat takes nothing away from the channel at that address."""
    act(player, "zed@attic: /help")
    send(player, event(Incoming.MOVED, "", "attic", moved_to="bakery"))
    act(player, "zed@attic: /goods\n> You're in no pool here\nbo@bakery: /goods\n> bread")
