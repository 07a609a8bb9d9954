"""Linking accounts in the chat: what is asked, and what is one person's then; abuse is in `test_core_link_abuse.py`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, select

from core import ledger
from core.audit import check
from core.rounds.hold import decide_outside, hold
from core.tables import Member, Pool
from core.tables_chat import Account, Person
from tests.linked import ASK, LINK, is_linked, people, two_platforms
from tests.stage import act, dump, seen

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


@pytest.fixture
def player(store: Store) -> Player:
    """Bo has baked in the console's bakery, and wants bread in a Telegram group; Eve is about."""
    return two_platforms(store)


def named(player: Player, name: str) -> Member:
    with player.store.read() as session:
        return session.exec(select(Member).where(Member.name == name)).one()


def test_nothing_changes_before_the_yes(player: Player) -> None:
    before = dump(player.store)
    act(player, ASK)
    after = dump(player.store)
    assert len(after.pop("code")) == len(before.pop("code")) + 1
    assert after == before
    assert not is_linked(player, "bo")


def test_linked_accounts_are_one_member_with_one_balance(player: Player) -> None:
    sums = [named(player, name) for name in ("Bo", "Bo 2")]
    with player.store.read() as session:
        together = sum(ledger.balance(session, one.pool_id, one.id) for one in sums)
    act(player, LINK)
    assert is_linked(player, "bo")
    with player.store.read() as session:
        pool = session.exec(select(Pool)).one()
        assert ledger.balance(session, pool.id, sums[0].id) == together
        assert ledger.balance(session, pool.id, sums[1].id) == 0
        assert check(session, pool) == []
    act(player, "telegram:bo@ovens: /members\n> Bo\n!> Bo 2\nbo@bakery: /members bo\n> Bo\n!> Former")


def test_who_is_new_on_a_platform_is_who_they_were_elsewhere(player: Player) -> None:
    act(
        player,
        """
        cy@bakery: /me
        cy@bakery: /language de
        matrix:cy@dm: !link
        > Your code: (?P<code>\\w{4}-\\w{4})
        cy@dm: /link {code}
        > Cy \\(@cy\\) auf Matrix
        > Valley: 0 h, von hier
        cy@dm: [Verbinden]
        matrix:cy@dm: !me
        > Cy
        """,
    )
    assert is_linked(player, "cy", "matrix")
    with player.store.read() as session:
        person = session.get_one(Person, people(player)["matrix", "cy"])
        assert person.language == "de"


def test_pools_in_which_only_one_is_are_both_persons(player: Player) -> None:
    act(
        player,
        """
        telegram:hal@hut: /pool new Hut
        telegram:hal@hut: /project new Hut
        telegram:bo@hut: /me
        telegram:eve@hut: /me
        telegram:eve@hut: /leave
        telegram:eve@hut: [Yes, leave Hut]
        """,
    )
    act(player, ASK)
    asked = "\n".join(seen(player, "telegram:dm:bo"))
    assert "Hut: 0 h, from here; you're Bo." in asked
    act(player, "telegram:bo@dm: [Link]\nbo@dm: /pool\n> \\[Hut\\]")
    act(
        player,
        """
        eve@bakery: /me
        telegram:eve@dm: /link
        > Your code: (?P<code>\\w{4}-\\w{4})
        eve@dm: /link {code}
        > Valley: 0 h here and 0 h there make 0 h; you're Eve
        !> Hut
        eve@dm: [Link]
        > you're Eve
        !> Hut
        """,
    )
    with player.store.read() as session:
        left = session.exec(select(Member).where(col(Member.left_at).is_not(None), Member.name == "Eve")).one()
        assert left.person_id == people(player)["console", "eve"]


def test_two_who_left_are_one_who_left(player: Player) -> None:
    act(player, "eve@bakery: /me\neve@bakery: /leave\neve@bakery: [Yes]\ntelegram:eve@ovens: /leave")
    act(player, "telegram:eve@ovens: [Yes]\neve@dm: /link\n> code: (?P<code>\\w{4}-\\w{4})")
    act(player, "telegram:eve@dm: /link {code}\n!> Valley\ntelegram:eve@dm: [Link]\n!> Valley\n> Linked")
    act(player, "eve@bakery: /me\ndm:eve> Balance: 0 h")


def test_a_third_account_is_linked_like_the_second(player: Player) -> None:
    act(player, LINK)
    act(
        player,
        """
        matrix:bo@dm: !link
        > Your code: (?P<code>\\w{4}-\\w{4})
        telegram:bo@dm: /link {code}
        telegram:bo@dm: [Link]
        > Bo \\(@bo\\) on Matrix
        matrix:dm:bo> Bo \\(@bo\\) on Telegram is one person with you now
        dm:bo= 0
        """,
    )
    assert len({people(player)[one, "bo"] for one in ("console", "telegram", "matrix")}) == 1
    act(player, "matrix:bo@dm: !me\n> Bo in Valley")


def test_cards_show_the_one_name(player: Player) -> None:
    act(player, "ana@bakery: /task new Sweep 1h urgent\ntelegram:bo@ovens: /claim 2\nbakery> Bo 2 has it")
    act(player, LINK)
    assert any("Bo has it" in one for one in seen(player, "bakery"))


def test_what_was_done_before_linking_is_not_undone(player: Player) -> None:
    act(player, "telegram:bo@dm: /want bread\n> Decided")
    act(player, LINK)
    act(player, "telegram:bo@dm: [Undo]\n> There's nothing to take back")


def test_who_is_forgotten_is_so_everywhere(player: Player) -> None:
    act(player, LINK)
    act(player, "telegram:bo@dm: /forget\ntelegram:bo@dm: [Yes, forget me]\n> Done")
    with player.store.read() as session:
        assert {one.name for one in session.exec(select(Account).where(Account.user_id == "bo"))} == {""}
        assert session.exec(select(Member).where(col(Member.name).startswith("Bo"))).all() == []


def test_what_was_done_as_the_other_is_in_the_history(player: Player) -> None:
    act(player, LINK)
    act(player, "telegram:bo@dm: /history\n> \\+1 h · #1 4 bread\n> -1 h · bread\n!> account")
    act(player, "bo@dm: /export\n> transfer cost,round 1,-1 h\n!> merge")


def test_a_round_that_was_decided_before_is_decided_again(player: Player) -> None:
    act(player, "telegram:bo@ovens: /want bread\nbo@bakery: /bid bread 1 1\nnow 2026-05-17 17:59")
    due = player.now + timedelta(minutes=1)
    with player.store.read() as session:
        pool_id = session.exec(select(Pool.id)).one()
    decided = decide_outside(player.store, pool_id, due)
    assert decided is not None
    act(player, LINK)
    with player.store.write() as session:
        held = hold(session, pool_id, decided, due, player.house.entropy)
        assert held is not None
        assert [want.units for want in held.inputs.wants] == [1]
        assert len(held.inputs.members) == len(decided.inputs.members) - 1
