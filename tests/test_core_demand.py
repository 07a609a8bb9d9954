"""Who could make what is missing: by what was made lately, else evenly; and whose makers should talk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from core import demand
from core.tables import Good
from tests.stage import act, on_stage

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


@pytest.fixture
def player(store: Store) -> Player:
    """Two projects make bread."""
    return on_stage(store, "dee@garden: /good new bread\neli@garden: /tasks")


def parts(player: Player, missing: int) -> list[int]:
    with player.store.read() as session:
        return [part.units for part in demand.split(session, session.exec(select(Good)).one(), missing)]


@pytest.mark.parametrize(("missing", "split"), [(4, [2, 2]), (5, [3, 2]), (1, [1, 0]), (0, [0, 0])])
def test_where_nobody_made_any_lately_it_is_even(player: Player, missing: int, split: list[int]) -> None:
    assert parts(player, missing) == split


def test_who_made_more_lately_is_asked_for_more(player: Player) -> None:
    act(player, "bo@bakery: /made bread 3 1h\neli@garden: /made bread 1 1h")
    assert parts(player, 8) == [6, 2]
    act(player, "now 2026-06-14 18:00")
    assert parts(player, 8) == [4, 4]


def test_a_closed_project_is_not_asked(player: Player) -> None:
    act(player, "dee@garden: /project archive\ndee@garden: [Yes]")
    assert parts(player, 3) == [3]
    act(player, "ana@bakery: /project archive\nana@bakery: [Yes]")
    assert parts(player, 3) == []


def test_makers_far_apart_are_named_the_cheaper_first(player: Player) -> None:
    act(player, "bo@bakery: /made bread 1 1h\nana@bakery: /confirm 1")
    with player.store.read() as session:
        assert demand.all_far_apart(session, 1) == {}
    act(player, "eli@garden: /made bread 1 1.26h\ndee@garden: /confirm 2")
    with player.store.read() as session:
        (found,) = demand.all_far_apart(session, 1).values()
        assert [one.last_average for one in found] == [1000, 1260]
