"""Reports of rounds: their own first, twelve lines at most, and in private what changed for oneself."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from core.chat.own_report import MemberOutcome, by_member
from core.chat.report import shared
from core.chat.say import Say
from core.rounds.inputs import CreditRow, Outcome, ShareRow, WantResult
from tests.conftest import NOW
from tests.stage import act, on_stage, seen, write

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


SUNDAY = "now 2026-05-10 18:00"


@pytest.fixture
def player(store: Store) -> Player:
    """The small pool as it is."""
    return on_stage(store)


def test_a_round_in_which_nothing_happens_is_not_told(player: Player) -> None:
    act(player, f"{SUNDAY}\nbakery= 0\ngarden= 0\nana@bakery: /round\n> Nothing to decide yet")
    act(player, "ana@bakery: /rounds\n> Round 1\nana@bakery: /rounds 1\n> secret")


def test_a_round_has_twelve_lines_its_own_first_and_the_rest_behind_a_button(player: Player) -> None:
    for number in range(1, 15):
        act(player, f"bo@bakery: /task new Bake {number} 1h\ndee@garden: /task new Weed {number} 1h")
    act(player, "ana@bakery: /round\n> … and 3 more")
    act(player, SUNDAY)
    for chat, first in (("bakery", "#1 Bake 1"), ("garden", "#2 Weed 1")):
        (report,) = [text for text in seen(player, chat) if "Round 1" in text]
        lines = report.split("\n")
        assert lines[1].startswith(first)
        assert len(lines) <= 13  # with its buttons
        assert "[All results]" in lines[-1]
    act(player, "bo@bakery: [All results]\n> #25 Bake 13\n!> secret\nbo@bakery: [More]\n> #28 Weed 14\n> secret")
    act(player, "bo@bakery: [Back]\n> #1 Bake 1")


def test_who_does_what_and_what_is_still_open(player: Player) -> None:
    act(player, f"bo@bakery: /task new Bake 1h x3\nbo@bakery: [I'd do it]\n{SUNDAY}")
    act(player, "bo@dm: /task 1")
    act(player, "now 2026-05-17 18:00\nbakery> #1 Bake: open at ×1.1")


def test_a_winner_hears_of_it_in_private(player: Player) -> None:
    act(player, "bo@bakery: /task new Bake 1h x2\nbo@bakery: [I'd do it]")
    act(
        player,
        f"{SUNDAY}\nbakery> #1 Bake: Bo at ×1, open at ×1\ndm:bo> #1 Bake is yours at ×1. When it's done: /done 1",
    )


def test_at_double_weight_the_round_says_so_once(player: Player) -> None:
    act(player, "ana@bakery: /pool set growth 50\nbo@bakery: /task new Bake 1h")
    act(player, f"{SUNDAY}\nbakery!> double\nnow 2026-05-17 18:00\nbakery!> double")
    act(player, "now 2026-05-24 18:00\nbakery> #1 Bake: open at ×2.25, an hour counts double by now")
    act(player, "now 2026-05-31 18:00\nbakery!> double")


def test_what_nobody_makes_any_more_is_told_to_all(player: Player) -> None:
    act(player, f"eli@garden: /want bread 3\nana@bakery: /project archive sure\n{SUNDAY}")
    assert "nobody makes it. You could? /good new bread" in seen(player, "garden")[0]


def test_several_makers_are_asked_for_their_parts_and_told_of_each_other_once(player: Player) -> None:
    act(
        player,
        f"""
        dee@garden: /good new bread
        bo@bakery: /made bread 1 1h
        ana@bakery: /confirm 1
        dee@garden: /made bread 1 2h
        eli@garden: /confirm 2
        bo@garden: /confirm bread
        eli@garden: /bid bread 2 2
        gus@garden: /bid bread 2 2
        fay@bakery: /bid bread 2 2
        {SUNDAY}
        bakery> bread: .* given, Hill Bakery .* h, Sunny Garden .* h, .* short, Hill Bakery .*\\?, Sunny Garden .*\\?
        bakery> \\[Pledge
        bakery> bread: 1 h each at Hill Bakery, 2 h at Sunny Garden. Sharing how helps both: ask Ana
        bakery= 1
        garden> Sharing how helps both
        garden= 1
        now 2026-05-17 18:00
        bakery!> Sharing how
        """,
    )


def test_what_is_left_over_comes_with_the_effort_that_is_not_recognised(player: Player) -> None:
    act(player, f"bo@bakery: /made bread 3 3h\nana@bakery: /confirm 1\neli@garden: /bid bread 2\n{SUNDAY}")
    act(player, "now 2026-05-17 18:00\nbakery> bread: 0 of 0 given, cost 0.9 h, 2 left over, 2 h not recognised")


def test_units_that_took_no_effort_leave_none_unrecognised(player: Player) -> None:
    act(player, "bo@bakery: /did Find 1m for:bread\nana@bakery: /confirm 1")
    act(player, f"ana@bakery: /made bread 10000\n{SUNDAY}\nbakery> left over\n!> not recognised")


def test_stewards_hear_once_that_common_work_waits_for_the_levy(player: Player) -> None:
    act(player, "ana@bakery: /pool set levy 0.5h\nbo@bakery: /did Roof 9h\nana@bakery: /confirm 1\neli@garden: /back 1")
    act(player, f"{SUNDAY}\ndm:ana> of common work waits: the levy is 0.5 h for each who shares")
    act(player, "ana@bakery: /pool set levy 0h\nnow 2026-05-17 18:00\ndm:ana!> common work waits")


def test_common_work_is_carried_by_all(player: Player) -> None:
    act(player, "bo@bakery: /did Roof 1h\nana@bakery: /confirm 1\neli@garden: /back 1")
    act(player, f"{SUNDAY}\nbakery> Common work, carried by 4: 0.25 h each\ndm:bo> Recognised: 1 h")
    act(player, "eli@dm: /why\n> Round 1: 1 h of common work among 4: -0.25 h")
    act(player, "bo@dm: /why 1\n> 1 h of 1 h recognised")


def test_what_a_want_came_to_is_told_in_private(player: Player) -> None:
    act(player, "ana@bakery: /good set bread pickup:Mill\nbo@bakery: /made bread 3 3h\nana@bakery: /confirm 1")
    act(player, "eli@garden: /bid bread 1.2 2\nfay@garden: /bid bread 1.1 2\ngus@garden: /bid bread 1")
    act(
        player,
        f"""
        {SUNDAY}
        dm:eli> You get 2 loaves of bread for 2.2 h
        dm:eli> Hill Bakery: Mill
        dm:fay> You get 1 loaf of bread for 1.1 h
        dm:fay> bread: 1 more not this time
        dm:fay> \\[Did not get bread\\] \\[Why bread\\]
        dm:gus> Not this time: bread
        dm:bo> Your share of the commons: \\+
        gus@dm: [Why bread]
        > Round 1: 5 wanted, 3 there; cost 1.1 h, your bid 1 h; 1.11 h would have got one|would have got one
        """,
    )


def test_who_cannot_cover_a_want_any_more_is_told(player: Player) -> None:
    act(player, "bo@bakery: /made bread 3 3h\nana@bakery: /confirm 1\neli@garden: /bid bread 2.5 2")
    act(
        player, f"ana@bakery: /pool set newcomer 3h\n{SUNDAY}\ndm:eli> bread: you can cover 1 of 2 only, the rest waits"
    )
    act(player, "eli@dm: /why bread\n> you got 1 loaf; you could cover 1 of 2: /tasks")


def test_a_want_at_cost_that_has_become_too_dear_asks_its_owner(player: Player) -> None:
    act(
        player,
        f"""
        bo@bakery: /made bread 2 1h
        ana@bakery: /confirm 1
        eli@garden: /want bread 2
        fay@garden: /want bread from:hill
        bo@bakery: /made bread 2 4h
        ana@bakery: /confirm 2
        dee@garden: /confirm bread
        {SUNDAY}
        dm:eli> bread is 1.25 h each by now; you'd pay at most 0.63 h
        dm:fay> bread is 1.25 h each by now
        eli@dm: /why bread
        > At cost it was above what you'd pay at most. To raise it: /bid bread HOURS
        eli@dm: [bread at 1.25 h]
        > Eli, bread: 2 loaves, at most 1.25 h each
        """,
    )


def test_who_got_nothing_and_gave_nothing_is_told_nothing() -> None:
    want = WantResult(1, 1, 7, 2, -1, 0, 0, 0, 0)
    credit = CreditRow(1, 8, 100, 0)
    assert by_member(Outcome(wants=[want], credits=[credit])) == {}
    found = by_member(Outcome(credits=[credit._replace(credited=100)]))
    assert found == {8: MemberOutcome(recognised=100)}


def test_who_has_no_private_chat_finds_the_way_to_what_changed_for_them_under_the_report(player: Player) -> None:
    act(player, "bo@bakery: /task new Bake 1h")
    write(player, "fay", "bakery", "/bid 1 1")
    act(player, f"{SUNDAY}\nbakery> #1 Bake: Fay at ×1\nbakery> \\[See mine\\]\ngarden!> See mine")
    act(player, "fay@dm: /me\nbo@bakery: /task new Bake 1h\nfay@bakery: /bid 2 1")
    act(player, "now 2026-05-17 18:00\nbakery> #2 Bake: Fay at ×1\nbakery!> See mine\ndm:fay> #2 Bake is yours")


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ([], ""),
        ([300, 300, 299], "Left over, shared by 3: 0.3 h each."),
        ([-250, -250], "Common work, carried by 2: 0.25 h each."),
        ([-250, -100], "Common work, carried by 2: 0.35 h in all; those near their limit carry less."),
    ],
)
def test_what_was_shared_is_one_figure_where_it_was_the_same_for_all(amounts: list[int], expected: str) -> None:
    outcome = Outcome(shares=[ShareRow(number, amount) for number, amount in enumerate(amounts, 1)])
    assert str(shared(outcome)(Say("en", ZoneInfo("UTC"), NOW))) == expected
