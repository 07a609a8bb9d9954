"""Taking back, for two minutes: everything is as it was before, unless somebody built on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, select

from core.tables import Backing, Batch, Bid, Claim, Contribution, Deed, Pledge, Product, Want
from tests.stage import act, on_stage, seen

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


STAYS = "It was built on or changed since: it stays"


@pytest.fixture
def player(store: Store) -> Player:
    """Two tasks, one open and one taking bids, and two loaves made with half an hour each."""
    return on_stage(
        store,
        """
        ana@bakery: /task new Sweep 1h x2 urgent
        ana@bakery: /task new Paint 2h
        ana@bakery: /made bread 2 1h
        cy@bakery: /confirm 3
        """,
    )


def first(player: Player, kind: str) -> int:
    """What the button under the first deed of a kind carries."""
    with player.store.read() as session:
        return session.exec(select(Deed.id).where(Deed.kind == kind).order_by(col(Deed.id)).limit(1)).one()


def undone(player: Player, who: str, does: str) -> str:
    """Do something and take it back; return the answer."""
    act(player, f"{who}@bakery: {does}\n{who}@bakery: /undo")
    return seen(player, "bakery")[0]


@pytest.mark.parametrize(
    ("does", "kind"),
    [
        ("/claim 1", "claim"),
        ("/bid 2 0.8", "bid"),
        ("/want bread", "want"),
        ("/bid bread 1.5 2", "want"),
        ("/did Mop 1h", "report"),
    ],
)
def test_a_deed_is_taken_back_once(player: Player, does: str, kind: str) -> None:
    assert undone(player, "bo", does) == f"Bo took it back: {kind}."
    act(player, "bo@bakery: /undo\n> There's nothing to take back")


def test_two_minutes_are_two_minutes(player: Player) -> None:
    act(player, "bo@bakery: /claim 1\nnow 2026-05-04 09:02\nbo@bakery: /undo\n> took it back")
    act(player, "bo@bakery: /claim 1\nnow 2026-05-04 09:05\nbo@bakery: /undo\n> more than two minutes ago")


def test_a_claim_taken_back_leaves_the_bid_and_the_word_that_stood(player: Player) -> None:
    act(
        player,
        """
        eli@garden: /bid 1 1.5
        bo@bakery: /claim 1
        bo@bakery: /done 1
        ana@bakery: /confirm 1 bo
        eli@garden: /back 1
        eli@garden: /claim 1
        """,
    )
    with player.store.read() as session:
        assert not session.exec(select(Bid)).all()
        assert not session.exec(select(Backing)).all()
    act(player, "eli@garden: /undo\n> took it back: claim")
    with player.store.read() as session:
        assert session.exec(select(Bid.weight)).all() == [150]
        assert len(session.exec(select(Backing)).all()) == 1


def test_a_claim_that_was_reported_stays_and_the_report_goes_first(player: Player) -> None:
    act(player, "bo@bakery: /claim 1\nbo@bakery: /done 1")
    act(player, "bo@bakery: /undo\n> took it back: report\nbo@bakery: /undo\n> took it back: claim")


def test_the_button_of_a_claim_that_was_reported_since_does_nothing(player: Player) -> None:
    act(player, "bo@bakery: /claim 1\nbo@bakery: /done 1")
    act(player, f"bo@bakery: /undo {first(player, 'claim')}\n> {STAYS}")


def test_the_button_of_a_report_that_was_replaced_or_taken_back_does_nothing(player: Player) -> None:
    act(player, "bo@bakery: /claim 1\nbo@bakery: /done 1\nbo@bakery: /done 1 2h")
    act(player, f"bo@bakery: /undo {first(player, 'done')}\n> {STAYS}")


def test_a_drop_can_be_taken_back_while_the_slot_is_free(player: Player) -> None:
    act(player, "bo@bakery: /claim 1\nbo@bakery: /drop 1\nbo@bakery: /undo\n> took it back: drop")
    act(player, "bo@bakery: /drop 1\ncy@bakery: /claim 1\neve@bakery: /claim 1\nbo@bakery: /undo\n> " + STAYS)


def test_a_drop_after_which_the_task_was_taken_again_or_called_off_stays(player: Player) -> None:
    act(player, "bo@bakery: /claim 1\nbo@bakery: /drop 1\nbo@bakery: /claim 1\nbo@bakery: /undo\n> claim")
    act(player, "ana@bakery: /task cancel 1\nana@bakery: [Yes]\nbo@bakery: /undo\n> " + STAYS)


def test_a_report_that_replaced_another_gives_way_to_it(player: Player) -> None:
    act(player, "bo@bakery: /claim 1\nbo@bakery: /done 1 1.5h slow\nbo@bakery: /done 1 9h\nbo@bakery: /undo")
    with player.store.read() as session:
        row = session.exec(select(Claim).where(Claim.note == "slow")).one()
        assert (row.hours, row.stage) == (1500, "confirm")
        assert row.deadline_at is not None
    act(player, "bo@bakery: /done 1 9h\nbo@bakery: /done 1 1h\nbo@bakery: /undo")
    with player.store.read() as session:
        row = session.exec(select(Claim).where(Claim.hours == 9000)).one()
        assert (row.stage, row.deadline_at) == ("", None)


@pytest.mark.parametrize("word", ["/confirm 1", "/dispute 1"])
def test_a_report_somebody_answered_stays(player: Player, word: str) -> None:
    act(player, f"bo@bakery: /claim 1\nbo@bakery: /done 1\ncy@bakery: {word}\nbo@bakery: /undo\n> {STAYS}")


def test_a_report_half_confirmed_stays(player: Player) -> None:
    act(player, "ana@bakery: /project set confirmations 2\nbo@bakery: /claim 1\nbo@bakery: /done 1")
    act(player, f"cy@bakery: /confirm 1\nbo@bakery: /undo\n> {STAYS}")


def test_a_bid_taken_back_is_the_bid_before(player: Player) -> None:
    act(player, "bo@bakery: /bid 2 0.9\nbo@bakery: /bid 2 0.5\nbo@bakery: /undo")
    with player.store.read() as session:
        assert session.exec(select(Bid.weight)).all() == [90]


def test_a_bid_that_has_won_stays(player: Player) -> None:
    act(player, "now 2026-05-10 17:59\nbo@bakery: /bid 2 0.9\nnow 2026-05-10 18:00\nbo@bakery: /undo\n> " + STAYS)


def test_a_want_taken_back_is_the_want_before(player: Player) -> None:
    act(player, "bo@bakery: /bid bread 1.5 2\nbo@bakery: /want bread every:round\nbo@bakery: /undo")
    with player.store.read() as session:
        want = session.exec(select(Want)).one()
        assert (want.units, want.bid, want.every_round, want.ended_at) == (2, 1500, 0, None)


def test_a_want_before_which_does_not_fit_any_more_stays_away(player: Player) -> None:
    act(player, "ana@bakery: /good new jam\nbo@bakery: /bid bread 2 2\nbo@bakery: /bid bread 1\nbo@bakery: /bid jam 4")
    with player.store.read() as session:
        second = session.exec(select(Deed.id).where(Deed.kind == "want").order_by(col(Deed.id))).all()[1]
    act(player, f"bo@bakery: /undo {second}\n> {STAYS}")


def test_a_want_before_that_cost_nothing_yet_fits_always(player: Player) -> None:
    act(player, "ana@bakery: /good new jam\nbo@bakery: /want jam\nbo@bakery: /bid jam 4\nbo@bakery: /undo\n> want")
    with player.store.read() as session:
        assert session.exec(select(Want.maximum)).one() is None


def test_only_the_last_of_the_same_can_be_taken_back(player: Player) -> None:
    act(player, "bo@bakery: /want bread\nbo@bakery: /want bread 2")
    act(player, f"bo@bakery: /undo {first(player, 'want')}\n> {STAYS}")


def test_a_want_that_ended_or_went_through_a_round_stays(player: Player) -> None:
    act(player, "now 2026-05-10 17:59\nbo@bakery: /want bread 3\nbo@bakery: /unwant bread")
    act(player, f"bo@bakery: /undo {first(player, 'want')}\n> {STAYS}")
    act(player, f"bo@bakery: /want bread 3\nnow 2026-05-10 18:00\nbo@bakery: /undo\n> {STAYS}")


def test_a_want_given_up_stands_again_as_it_stood(player: Player) -> None:
    act(player, "bo@bakery: /bid bread 1.5 2 every:round\nbo@bakery: /unwant bread")
    act(player, "bo@bakery: [Undo]\n> Bo wants again: bread: 2 loaves, at most 1.5 h each, every round")
    with player.store.read() as session:
        want = session.exec(select(Want)).one()
        assert (want.units, want.bid, want.every_round, want.ended_at) == (2, 1500, 1, None)


@pytest.mark.parametrize(
    "between",
    [
        "bo@bakery: /want bread",
        "ana@bakery: /good new jam\nbo@bakery: /bid jam 4",
        "ana@bakery: /project archive\nana@bakery: [Yes]",
    ],
    ids=["wanted anew", "something else holds what was free", "its maker closed"],
)
def test_a_want_given_up_that_cannot_stand_again_stays_away(player: Player, between: str) -> None:
    act(player, "bo@bakery: /bid bread 2 2 from:hill\nbo@bakery: /unwant bread")
    with player.store.read() as session:
        deed = session.exec(select(Deed.id).where(Deed.kind == "unwant")).one()
    act(player, f"{between}\nbo@dm: /undo {deed}\n> {STAYS}")


def test_a_want_of_what_nobody_had_made_stays_away_once_it_is_made(player: Player) -> None:
    act(player, "ana@bakery: /good new jam\nbo@bakery: /want jam\nbo@bakery: /unwant jam\nana@bakery: /made jam 1 1h")
    act(player, f"cy@bakery: /confirm 4\nbo@bakery: /undo\n> {STAYS}")


def test_a_pledge_is_taken_back_unless_it_is_kept_in_part(player: Player) -> None:
    act(player, "ana@bakery: /pledge bread 3\nana@bakery: /undo\n> took it back: pledge")
    act(player, "ana@bakery: /pledge bread 3\nbo@bakery: /made bread 1 1h\nana@bakery: /undo\n> " + STAYS)


def test_a_batch_taken_apart_leaves_everything_as_it_was(player: Player) -> None:
    act(player, "ana@bakery: /pledge bread 3\nbo@bakery: /did Bake 2h for:bread\ncy@bakery: /confirm 4")
    act(player, "ana@bakery: /made bread 4\nana@bakery: /undo\n> took it back: batch")
    with player.store.read() as session:
        assert session.exec(select(Batch.units)).all() == [2]
        assert session.exec(select(Pledge.made)).one() == 0
        assert session.exec(select(Product.last_average)).one() == 500
        made, gathering = session.exec(select(Contribution.batch_id).order_by(col(Contribution.id))).all()
        assert made is not None
        assert gathering is None


def test_a_batch_with_ones_own_work_goes_with_its_report(player: Player) -> None:
    act(player, "ana@bakery: /made bread 4 1h\nana@bakery: [Undo]\n> took it back: batch\nbo@bakery: /confirm 4")
    act(player, "bo@bakery: /task 4\n> cancelled")


@pytest.mark.parametrize(
    "between",
    [
        "cy@bakery: /confirm 4",
        "cy@bakery: /dispute 4",
        "bo@bakery: /made bread 1 1h",
    ],
)
def test_a_batch_that_somebody_built_on_stays(player: Player, between: str) -> None:
    act(player, f"ana@bakery: /made bread 4 1h\n{between}\nana@bakery: /undo\n> {STAYS}")


def test_a_batch_half_confirmed_stays(player: Player) -> None:
    act(player, "ana@bakery: /project set confirmations 2\nbo@bakery: /made bread 4 1h\ncy@bakery: /confirm 4")
    act(player, f"bo@bakery: /undo\n> {STAYS}")


def test_a_large_batch_that_another_project_confirmed_stays(player: Player) -> None:
    act(player, "bo@bakery: /did Bake 4h for:bread\ncy@bakery: /confirm 4\nana@bakery: /made bread 2")
    act(player, f"dee@garden: /confirm bread\nana@bakery: /undo\n> {STAYS}")


def test_a_batch_of_which_a_unit_was_given_stays_even_if_it_came_back(player: Player) -> None:
    act(
        player,
        f"""
        bo@bakery: /did Bake 1h for:bread
        cy@bakery: /confirm 4
        eli@garden: /want bread 4 max:1
        now 2026-05-10 17:59
        ana@bakery: /made bread 2
        now 2026-05-10 18:00
        eli@garden: /missing bread
        ana@bakery: /return bread Eli
        ana@bakery: /undo
        > {STAYS}
        """,
    )


def test_a_batch_whose_report_was_rejected_is_gone_already(player: Player) -> None:
    act(player, "dee@garden: /good new salad\neli@garden: /made salad 1 1h\nbo@garden: /dispute 4")
    act(player, f"dee@garden: /reject 4 no\neli@garden: /undo\n> {STAYS}")


def test_a_card_shows_undo_only_while_it_holds(player: Player) -> None:
    act(player, "bo@bakery: /claim 1\n> \\[Undo\\]\nbo@bakery: /undo\nbo@bakery: /task 1\n!> \\[Undo\\]")
    act(player, "bo@bakery: /claim 1\nnow 2026-05-04 09:03\nbo@bakery: /task 1\n!> \\[Undo\\]")
    act(player, "bo@bakery: /drop 1\n> \\[Undo\\]\ncy@bakery: /claim 1\ncy@bakery: /done 1\n> \\[Undo\\]")
    act(player, "eve@bakery: /confirm 1\n!> \\[Undo\\]")
