"""Why: every outcome with the figures behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stage import act, on_stage

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


SUNDAY = "now 2026-05-10 18:00"


@pytest.fixture
def player(store: Store) -> Player:
    """The small pool as it is."""
    return on_stage(store)


def test_before_any_round_there_is_nothing_to_explain(player: Player) -> None:
    act(player, "bo@dm: /why bread\n> No round has been held yet\nbo@dm: /rounds\n> No round has been held yet")
    act(player, "bo@dm: /history\n> Nothing has moved your balance yet\nbo@dm: /wants\n> You want nothing")
    act(player, "bo@dm: /why\n> Balance: 0 h")


def test_a_good_that_came_later(player: Player) -> None:
    act(player, f"{SUNDAY}\nana@bakery: /good new jam\nbo@dm: /why jam\n> jam was not there yet in round 1")


def test_a_want_for_what_was_not_there(player: Player) -> None:
    act(player, f"bo@bakery: /want bread\n{SUNDAY}\nbo@dm: /why bread")
    act(player, "bo@dm: /why bread\n> Round 1: 1 wanted, 0 there. There was none of what you wanted")


def test_all_that_was_wanted(player: Player) -> None:
    act(player, f"bo@bakery: /made bread 3 3h\nana@bakery: /confirm 1\neli@garden: /bid bread 2\n{SUNDAY}")
    act(player, "eli@dm: /why bread\n> Round 1: 1 wanted, 3 there; cost 1 h, your bid 2 h; you got 1 loaf")


def test_what_would_have_got_one_more_and_when_no_bid_would(player: Player) -> None:
    act(player, "ana@bakery: /good set bread rule:effort\nbo@bakery: /made bread 3 3h\nana@bakery: /confirm 1")
    act(player, f"eli@garden: /bid bread 2 2\nfay@garden: /bid bread 2 2\ngus@garden: /bid bread 0.5\n{SUNDAY}")
    shown = []
    for who in ("eli", "fay"):
        act(player, f"{who}@dm: /why bread")
        shown += [one.text for one in player.shown]
    assert any("you got 1 loaf; no bid would have got one more" in text for text in shown)
    act(player, "gus@dm: /why bread\n> your bid 0.5 h; 1 h would have got one")


def test_in_an_auction_a_higher_bid_gets_one_more(player: Player) -> None:
    act(player, "bo@bakery: /made bread 3 3h\nana@bakery: /confirm 1")
    act(player, f"eli@garden: /bid bread 2 2\nfay@garden: /bid bread 1.5 2\n{SUNDAY}")
    act(player, "fay@dm: /why bread\n> you got 1 loaf; 2 h would have got one more")


def test_a_task_that_nobody_wanted_rises(player: Player) -> None:
    act(player, "bo@bakery: /task new Paint 2h\nbo@dm: /why 1\n> The last round did not decide about it")
    act(player, f"{SUNDAY}\nbo@dm: /why 1\n> Round 1: no bid at ×1 or less\nnow 2026-05-17 18:00")
    act(player, "bo@dm: /why 1\n> Nobody took it, so its weight rose from ×1 to ×1.1")


def test_a_task_that_was_competed_for(player: Player) -> None:
    act(player, f"bo@bakery: /task new Paint 2h\nbo@bakery: /bid 1 0.8\nana@bakery: /bid 1 0.6\n{SUNDAY}")
    act(player, "bo@dm: /why 1\n> Round 1: 2 bids at ×1 or less\n> The lowest won, at the lowest losing bid: ×0.8")


def test_a_task_with_room_for_all(player: Player) -> None:
    act(player, f"bo@bakery: /task new Paint 2h\nbo@bakery: /bid 1 0.8\n{SUNDAY}")
    act(player, "bo@dm: /why 1\n> Round 1: no more bids than places, so it counts ×1")


def test_work_that_is_not_recognised_yet_says_what_it_waits_for(player: Player) -> None:
    act(player, "dee@garden: /good new manual free:url\ndee@garden: /did Write 1h for:manual\neli@garden: /confirm 1")
    act(player, "dee@dm: /why 1\n> 0 h of 1 h recognised. The rest counts when others get manual")
    act(
        player,
        "bo@bakery: /did Bake 3h for:bread\nana@bakery: /confirm 2\nbo@dm: /why 2\n> It counts in the next batch",
    )
    act(player, "bo@dm: /why\n> Waiting: 3 h, confirmed and not yet wanted\n> 3 h of #2 Bake. Why\\? /why 2")
    act(player, "ana@bakery: /made bread 3\nbo@dm: /why 2\n> 0 of 3 bread given out")
    act(player, f"eli@garden: /bid bread 2\n{SUNDAY}\nbo@dm: /why 2\n> 1 h of 3 h recognised. 1 of 3 bread given out")
    act(
        player,
        "bo@bakery: /did Mop 1h\nana@bakery: /confirm 3\nbo@dm: /why 3\n> It counts once another project backs it",
    )
    act(player, "eli@garden: /back 3\nbo@dm: /why 3\n> The rest counts at the next rounds")


def test_history_says_what_each_transfer_was_for(player: Player) -> None:
    act(
        player,
        f"""
        bo@bakery: /made bread 3 3h
        ana@bakery: /confirm 1
        eli@garden: /bid bread 2 2
        fay@garden: /bid bread 3
        gus@garden: /bid bread 1.5
        {SUNDAY}
        bo@dm: /history
        > \\+3 h · #1 3 bread
        > round 1, shared with all
        eli@dm: /history
        > -3 h · bread
        eli@dm: /missing bread
        ana@bakery: /return bread eli
        eli@dm: /history
        > \\+1.5 h · returned: bread
        ana@bakery: /correct 1 bo 2h too long
        bo@dm: /history
        > -.* h · effort recognised: too long
        """,
    )


def test_a_long_history_is_paged(player: Player) -> None:
    act(player, "bo@bakery: /made bread 20 2h\nana@bakery: /confirm 1")
    for week in ("05-10", "05-17", "05-24", "05-31", "06-07"):
        act(player, f"eli@garden: /bid bread 2\nnow 2026-{week} 18:00")
    act(player, "eli@dm: /history\n> Sun 18:00\neli@dm: [More]\n> 10 May")


def test_a_confirmation_by_itself_is_told_to_who_did_the_work(player: Player) -> None:
    act(player, "bo@bakery: /task new Paint 2h urgent\nbo@bakery: /claim 1\nbo@bakery: /done 1\nnow 2026-05-06 09:00")
    act(player, "bo@dm: /me\n> Waiting: 2 h")
