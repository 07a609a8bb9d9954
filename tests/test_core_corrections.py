"""Corrections of confirmed work: by a maintainer, with the reason, never below somebody's limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from core.audit import check
from core.tables import Contribution, Pool, Transfer
from tests.stage import act, on_stage

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


@pytest.fixture
def player(store: Store) -> Player:
    """Bo and Cy did a task together, and Bo baked a loaf that Eli got."""
    return on_stage(
        store,
        """
        ana@bakery: /task new Paint 4h x2 urgent
        bo@bakery: /claim 1
        cy@bakery: /claim 1
        bo@bakery: /done 1
        cy@bakery: /done 1
        ana@bakery: /confirm 1 bo
        ana@bakery: /confirm 1 cy
        bo@bakery: /made bread 1 2h
        ana@bakery: /confirm 2
        eli@garden: /bid bread 3
        now 2026-05-10 18:00
        """,
    )


def test_a_correction_takes_back_what_was_recognised_and_says_why(player: Player) -> None:
    act(
        player,
        """
        ana@bakery: /correct 2 1.5h he said so himself
        > Bo: 2 h corrected to 1.5 h. he said so himself
        dm:bo> #2: Bo's work is corrected from 2 h to 1.5 h. he said so himself
        """,
    )
    with player.store.read() as session:
        assert check(session, session.exec(select(Pool)).one()) == []
        assert session.exec(select(Transfer).where(Transfer.subject == "he said so himself")).one().amount == 500


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("bo@bakery: /correct 1 Bo 1h too much", "Only Hill Bakery's maintainers can do that: ask Ana"),
        ("ana@bakery: /correct 1 1h too much", "#1: whose, Bo / Cy"),
        ("ana@bakery: /correct 1 Zoe 1h too much", "#1: there's confirmed work of Bo and Cy only"),
        ("ana@bakery: /correct 99 1h too much", "There's no #99"),
        ("ana@bakery: /correct 1 Bo 1h", "Why"),
    ],
)
def test_what_cannot_be_corrected_so(player: Player, line: str, says: str) -> None:
    act(player, f"{line}\n> {says}")


def test_of_several_the_one_meant_can_be_pressed(player: Player) -> None:
    act(player, "ana@bakery: /correct 1 1h too much\nana@bakery: [Cy]\n> Cy: 4 h corrected to 1 h. too much")
    with player.store.read() as session:
        assert sorted(one.effort for one in session.exec(select(Contribution))) == [1000, 2000, 4000]


def test_nobody_corrects_their_own(player: Player) -> None:
    act(player, "ana@bakery: /did Mop 1h\nbo@bakery: /confirm 3\nana@bakery: /correct 3 2h more")
    act(player, "ana@bakery: /task 3\n> Ana: 1 h confirmed")


def test_what_somebody_has_spent_cannot_be_taken_back(player: Player) -> None:
    act(
        player,
        """
        dee@garden: /good new cider
        eli@garden: /made cider 2 13h
        dee@garden: /confirm 3
        bo@bakery: /pool
        ana@bakery: /pool set newcomer 0h
        bo@bakery: /bid cider 0.9 2
        ana@bakery: /pool set newcomer 5h
        bo@bakery: /want cider 1 max:6.6
        now 2026-05-17 18:00
        ana@bakery: /correct 2 0.01h nothing was done
        > Bo can give back .* h at most, not 1.99 h
        """,
    )
