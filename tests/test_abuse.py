"""Abuse of commands that must come to nothing; numbers, names and forged buttons are in `test_bad_input.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from core.audit import check
from core.chat.message import Incoming
from core.chat.text import Style
from core.identity import Sender
from core.tables import Bid, GivenUnit, Pool, Task, Want
from tests.stage import act, dump, event, on_stage, posted, seen, send

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


@pytest.fixture
def player(store: Store) -> Player:
    """Bread on offer, a task that takes bids, and Cy and Eli about."""
    return on_stage(
        store,
        """
        cy@bakery: /tasks
        eli@garden: /tasks
        bo@bakery: /made bread 2 1h
        ana@bakery: /confirm 1
        ana@bakery: /task new Paint 2h
        """,
    )


@pytest.mark.parametrize(
    ("does", "label"),
    [
        ("/leave", "Yes, leave Valley"),
        ("/forget", "Yes, forget me"),
        ("/bid 2 0.9", "Lower"),
        ("/bid bread 2", "I meant 2 loaves"),
        ("/want bread", "Undo"),
        ("/claim 3", "Undo"),
    ],
)
def test_a_button_that_was_for_somebody_else_does_nothing(player: Player, does: str, label: str) -> None:
    act(player, f"ana@bakery: /task new Sweep 1h urgent\nbo@bakery: {does}")
    before = dump(player.store)
    act(player, f"cy@bakery: [{label}]\n> That button is for whoever asked")
    assert dump(player.store) == before


def test_a_button_of_one_pressed_for_another_through_as(player: Player) -> None:
    act(player, "ana@bakery: /member new Maria\nana@bakery: /as Maria bid 2 0.9")
    act(player, "bo@bakery: [Undo]\n> Maria has a phone, or is in none of your projects")
    act(player, "ana@bakery: [Lower]\n> Ana for Maria: Maria, you're in for #2 at ×0.81")
    with player.store.read() as session:
        assert session.exec(select(Bid.weight)).all() == [81]


def test_who_is_a_person_cannot_be_typed(player: Player) -> None:
    act(player, "cy@bakery: /only 1 leave sure\n> That button is for whoever asked. For yourself: /leave")
    act(player, "cy@bakery: /only 1 nonsense\n> There's nothing to take back")


def test_a_maintainer_cannot_hand_over_for_another_project(player: Player) -> None:
    act(player, "dee@garden: /good new bread\ncy@bakery: /bid bread 2\nnow 2026-05-10 18:00")
    act(player, "dee@garden: /handed bread cy\n> no bread for you to collect")
    with player.store.read() as session:
        assert session.exec(select(GivenUnit)).one().collected_at is None
    act(player, "dee@garden: /return bread cy\n> Cy has no bread to give back")


@pytest.mark.parametrize(
    "line",
    ["project set quiet off", "project archive", "project maintainer eli", "pledge bread 2", "exempt bo", "remove bo"],
)
def test_a_maintainer_of_one_project_is_nobody_in_another(player: Player, line: str) -> None:
    act(player, f"dee@bakery: /{line}\n> Only Hill Bakery's maintainers can do that: ask Ana")


def test_a_steward_is_no_maintainer(player: Player) -> None:
    act(player, "ana@garden: /good new salad\n> Only Sunny Garden's maintainers can do that: ask Dee")


def test_markup_in_a_title_is_no_markup(player: Player) -> None:
    title = "**bold** `/leave` <b>x</b> [x](http://y)"
    act(player, f"bo@bakery: /task new {title} 1h")
    spans = posted(player.store)[-1].text.spans
    assert title in str(posted(player.store)[-1].text)
    assert not [span for span in spans if span.style in {Style.COMMAND, Style.LINK}]


@pytest.mark.parametrize("word", ["@room", "@everyone", "@channel"])
def test_a_title_mentions_nobody(player: Player, word: str) -> None:
    act(player, f"bo@bakery: /task new Wake {word} 1h\n> Wake {word}")
    assert posted(player.store)[-1].mentions == ()


def test_quotes_in_a_name_do_not_get_out_of_it(player: Player) -> None:
    act(player, 'bo@bakery: /me set name Bo" sure "\nana@bakery: /remove Bo\n> Remove Bo')
    act(player, "ana@bakery: [Yes]\n> is out of Hill Bakery")


@pytest.mark.parametrize("name", ["12", "#12", "/leave", "!leave", "☺"])
def test_a_name_like_a_task_or_a_command_can_still_be_named(player: Player, name: str) -> None:
    act(player, "ana@bakery: /pool set admission ask")
    found = replace(event(Incoming.TEXT, "x", "bakery", text="/me"), sender=Sender("console", "x", name, "x"))
    send(player, found)
    act(player, f"ana@dm: [Admit Somebody {name}]\n> Somebody {name} is in Valley now")


def test_bid_spam_leaves_one_bid(player: Player) -> None:
    for weight in range(50, 70):
        act(player, f"cy@bakery: /bid 2 0.{weight}\ncy@bakery: /bid bread 0.{weight}")
    with player.store.read() as session:
        assert session.exec(select(Bid.weight)).all() == [69]
        assert [want.bid for want in session.exec(select(Want))] == [690]


def test_a_bid_at_the_last_second_counts_like_any_other_and_one_later_does_not(player: Player) -> None:
    act(player, "eli@garden: /bid 2 0.9\nnow 2026-05-10 17:59\ncy@bakery: /bid 2 0.5")
    act(player, "now 2026-05-10 18:00\nbakery> #2 Paint: Cy at ×0.9\nbo@bakery: /bid 2 0.1\n> #2 is taken by Cy")


def test_bidding_what_a_want_holds_already(player: Player) -> None:
    act(player, "ana@bakery: /good new jam\ncy@bakery: /bid bread 4\ncy@bakery: /bid jam 4\n> You have 1 h free")
    act(player, "cy@bakery: /bid bread 5\n> at most 5 h\ncy@bakery: /bid bread 5.01\n> You have 5 h free")


def test_an_export_has_nobody_elses_data(player: Player) -> None:
    act(player, "cy@bakery: /bid bread 2\neli@garden: /bid bread 3\ncy@dm: /export")
    text = "".join(seen(player, "dm:cy"))
    assert "2 h" in text
    assert "3 h" not in text
    assert "Eli" not in text
    act(player, "cy@bakery: /export")
    assert "when" not in "".join(seen(player, "bakery"))


def test_a_deletion_breaks_no_sums(player: Player) -> None:
    act(
        player,
        "cy@bakery: /bid bread 2\nnow 2026-05-10 18:00\ncy@dm: /forget\ncy@dm: [Yes]\nbo@dm: /forget\nbo@dm: [Yes]",
    )
    with player.store.read() as session:
        assert check(session, session.exec(select(Pool)).one()) == []
    act(player, "now 2026-05-17 18:00")
    with player.store.read() as session:
        assert check(session, session.exec(select(Pool)).one()) == []


def test_asking_to_be_let_in_again_and_again_tells_stewards_once(player: Player) -> None:
    act(player, "ana@bakery: /pool set admission ask\nzoe@bakery: /me\ndm:ana= 1")
    for command in ("me", "tasks", "claim 2", "want bread"):
        act(player, f"zoe@bakery: /{command}\ndm:ana= 0")
    act(player, "ana@dm: [Refuse Zoe]\nzoe@bakery: /me\ndm:ana= 0")


def test_a_group_cannot_make_a_private_chat_a_channel(player: Player) -> None:
    act(player, "bo@dm: /project new Ours\n> That's for a group chat")


def test_two_pools_of_one_name_have_two_labels(player: Player) -> None:
    act(player, "kim@bakery: /tasks\nlou@other: /pool new Valley\nlou@other: /project new Other\nkim@other: /tasks")
    act(player, "kim@dm: /me\n> \\[Valley\\] \\[Valley 2\\]")


def test_a_task_of_no_pool_of_ones_own_is_unknown(player: Player) -> None:
    act(player, "lou@other: /pool new Other\nlou@other: /project new Other\nlou@other: /claim 2\n> There's no #2")
    with player.store.read() as session:
        assert len(session.exec(select(Task)).all()) == 2
