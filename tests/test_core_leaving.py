"""Leaving, being forgotten, and projects that close: what was somebody's ends, the sums stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, select

from core import ledger
from core.audit import check
from core.tables import Batch, Bid, Claim, Deed, Member, Pledge, Pool, Task, Want
from core.tables_chat import Account, Person
from tests.stage import act, on_stage

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


@pytest.fixture
def player(store: Store) -> Player:
    """Bo has made two loaves, of which Eli got one, and has something of everything."""
    return on_stage(
        store,
        """
        bo@bakery: /made bread 2 3h
        ana@bakery: /confirm 1
        eli@garden: /bid bread 2
        now 2026-05-10 18:00
        ana@bakery: /task new Sweep 1h urgent
        ana@bakery: /task new Paint 2h
        bo@bakery: /claim 2
        bo@bakery: /bid 3 0.9
        bo@bakery: /want bread
        bo@bakery: /did Mop 1h
        """,
    )


def balances(player: Player) -> dict[int | None, int]:
    with player.store.read() as session:
        pool = session.exec(select(Pool)).one()
        assert check(session, pool) == []
        return ledger.balances(session, pool.id)


def named(player: Player, name: str) -> Member:
    with player.store.read() as session:
        return session.exec(select(Member).where(Member.name == name)).one()


def test_who_leaves_gives_their_balance_to_all_and_ends_what_was_theirs(player: Player) -> None:
    bo, before = named(player, "Bo"), balances(player)
    assert before[bo.id] > 0
    act(player, "bo@bakery: /leave\nbo@bakery: [Yes, leave Valley]\n> Bo has left Valley")
    after = balances(player)
    assert after[bo.id] == 0
    assert after[None] == before.get(None, 0) + before[bo.id]
    with player.store.read() as session:
        assert session.exec(select(Bid)).all() == []
        assert session.exec(select(Want).where(Want.member_id == bo.id)).one().ended_at is not None
        tasks = {task.number: task for task in session.exec(select(Task))}
        assert tasks[2].closed_at is None
        assert tasks[4].cancelled_at is not None
        assert all(claim.ended_at or claim.confirmed_at for claim in session.exec(select(Claim)))
    act(player, "now 2026-05-17 18:00")
    assert balances(player).get(None, 0) == 0


def test_who_leaves_in_debt_leaves_it_to_all(player: Player) -> None:
    eli = named(player, "Eli")
    assert balances(player)[eli.id] < 0
    act(player, "eli@dm: /leave\n> Your balance of -.* h goes to all\neli@dm: [Yes]\n> has left")
    assert balances(player)[eli.id] == 0


def test_who_is_forgotten_is_nobody_any_more_and_the_sums_stay(player: Player) -> None:
    act(
        player,
        """
        bo@bakery: /done 2 1h my secret note
        cy@bakery: /claim 3
        ana@bakery: /task new Shop 1h urgent
        cy@bakery: /claim 5
        cy@bakery: /done 5
        bo@bakery: /dispute 5 my secret reason
        bo@bakery: /break 2w
        """,
    )
    before = balances(player)
    act(player, "bo@dm: /forget\nbo@dm: [Yes, forget me]\n> Your name and notes are gone; only sums stay")
    after = balances(player)
    assert sum(after.values()) == sum(before.values()) == 0
    with player.store.read() as session:
        assert session.exec(select(Member).where(Member.name == "Bo")).all() == []
        gone = session.exec(select(Member).where(col(Member.name).startswith("Former member"))).one()
        assert (gone.person_id, gone.settings, gone.break_from) == (None, {}, None)
        assert "secret" not in repr([(row.note, row.dispute) for row in session.exec(select(Claim))])
        assert session.exec(select(Deed).where(Deed.member_id == gone.id)).all() == []
        account = session.exec(select(Account).where(Account.user_id == "bo")).one()
        assert (account.name, account.handle) == ("", "")
        assert session.get_one(Person, account.person_id).pool_id is None


def test_a_name_like_a_forgotten_ones_is_no_obstacle(player: Player) -> None:
    bo = named(player, "Bo")
    act(player, f"cy@bakery: /me set name Former member {bo.id}")
    act(player, "bo@dm: /forget\nbo@dm: [Yes]\n> Your name and notes are gone")
    assert named(player, f"Former member {bo.id} 2").person_id is None


def test_the_last_of_a_role_stays_unless_nobody_else_is_there(player: Player) -> None:
    act(player, "ana@dm: /leave\nana@dm: [Yes]\n> Valley needs a steward")
    act(player, "dee@dm: /leave\ndee@dm: [Yes]\n> Sunny Garden needs a maintainer")
    act(player, "ana@dm: /forget\nana@dm: [Yes]\n> needs a")
    act(player, "gil@hut: /pool new Hut\ngil@hut: /project new Hut\ngil@hut: /leave\ngil@hut: [Yes]\n> has left Hut")


def test_a_project_that_closes_takes_its_offers_tasks_and_pledges_along(player: Player) -> None:
    act(
        player,
        """
        ana@bakery: /task new Weekly 1h x2 every:week
        ana@bakery: /pledge bread 5
        cy@bakery: /want bread from:hill
        eli@dm: /want bread
        ana@bakery: /project archive
        ana@bakery: [Yes, close Hill Bakery]
        dm:cy> Hill Bakery is closed: your want for bread from there ended
        dm:eli!> closed
        """,
    )
    with player.store.read() as session:
        assert not session.exec(select(Batch).where(Batch.left > 0)).all()
        assert session.exec(select(Pledge)).one().ended_at is not None
        tasks = {task.number: task for task in session.exec(select(Task))}
        assert tasks[3].cancelled_at == tasks[5].cancelled_at == player.now
        assert tasks[5].next_at is None
        assert tasks[2].closed_at is None  # in Bo's hands
    balances(player)
    act(player, "bo@dm: /done 2\n> to be confirmed\nana@dm: /confirm 2\n> 1 h confirmed")
    act(player, "ana@bakery: /project\n> in no pool here")


def test_closing_a_project_that_is_closed_already_changes_nothing(player: Player) -> None:
    act(player, "dee@garden: /project archive\ndee@garden: [Yes]\ndee@garden: /pool\n> in no pool here")
    act(player, "now 2026-05-11 09:00\nana@dm: [Remove Sunny Garden]\n> is closed already")


def test_a_member_put_out_of_a_project_who_was_in_none_is_named(player: Player) -> None:
    act(player, "ana@bakery: /remove Eli\n> Eli isn't in Hill Bakery")
    act(player, "ana@bakery: /remove Ana\nana@bakery: [Yes]\n> Hill Bakery needs a maintainer")
    act(player, "ana@bakery: /remove Bo\nana@bakery: [Yes]\n> Bo is out of Hill Bakery")
    assert named(player, "Bo").left_at is None
