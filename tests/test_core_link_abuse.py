"""Every way to abuse the linking of accounts that must come to nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from core import linking
from core.chat.message import Incoming
from core.codes import digest_of
from core.errors import NothingToLinkError, UnknownCodeError
from core.identity import Sender, account_of
from core.tables_chat import Account, Code
from tests.conftest import NOW, entropy
from tests.linked import ASK, LINK, is_linked, people, two_platforms
from tests.stage import act, dump, event, seen, send

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


@pytest.fixture
def player(store: Store) -> Player:
    """Bo has baked in the console's bakery, and wants bread in a Telegram group; Eve is about."""
    return two_platforms(store)


def test_a_code_is_kept_as_a_hash_only(player: Player) -> None:
    act(player, "bo@dm: /link\n> Your code: (?P<code>\\w{4}-\\w{4})")
    code = player.kept["code"]
    assert not [row for rows in dump(player.store).values() for row in rows if code in row]
    with player.store.read() as session:
        assert session.exec(select(Code.digest).where(Code.purpose == "person")).all() == [digest_of(code)]


def test_a_link_code_cannot_be_guessed_by_trying(player: Player) -> None:
    act(player, "bo@dm: /link\n> Your code: (?P<code>\\w{4}-\\w{4})")
    for number in range(5):
        act(player, f"telegram:eve@dm: /link AAAA-BBB{number + 2}\n> doesn't work")
    act(player, "telegram:eve@dm: /link {code}\n> Too many wrong codes. Try again in ten minutes")
    act(player, "restart\ntelegram:eve@ovens: /link {code}\n> Too many wrong codes")
    act(player, "now 2026-05-10 18:09\ntelegram:eve@dm: /join {code}\n> Too many wrong codes")
    act(player, "telegram:bo@dm: /link {code}\n> Make these accounts one person")


def test_tries_are_forgotten_after_a_while_and_not_before(player: Player) -> None:
    act(player, "telegram:eve@dm: /link AAAA-BBBB\n" * 4)
    act(player, "now 2026-05-10 18:09\n" + "telegram:eve@dm: /link AAAA-BBBB\n" + "telegram:eve@dm: /link AAAA-BBBB")
    assert seen(player, "telegram:dm:eve") == ["Too many wrong codes. Try again in ten minutes."]
    act(player, "now 2026-05-10 18:10\n" + "telegram:eve@dm: /link AAAA-BBBB\n" * 5)
    assert seen(player, "telegram:dm:eve") == ["The code AAAA-BBBB doesn't work (any more). Ask for a new one."]
    act(player, "telegram:eve@dm: /link AAAA-BBBB\n> Too many")


def test_a_link_code_is_used_once(player: Player) -> None:
    act(player, LINK)
    act(player, "telegram:eve@dm: /link {code}\n> The code {code} doesn't work")
    act(player, "telegram:bo@dm: /link {code}\n> doesn't work")


def test_who_typed_a_code_first_is_the_only_one_who_can_link(player: Player) -> None:
    act(player, ASK)
    act(player, "telegram:eve@dm: /link {code}\n> doesn't work")
    with player.store.read() as session:
        row = session.exec(select(Code).where(Code.purpose == "person")).one()
    act(player, f"telegram:eve@dm: /link with {row.person_id}\n> There's nothing to link")
    assert not is_linked(player, "bo")


def test_two_type_a_code_at_once_and_one_gets_it(store: Store) -> None:
    with store.write() as session:
        owner = account_of(session, Sender("console", "bo", "Bo"))
        code = linking.issue(session, owner, NOW, entropy())
    together = Barrier(2)

    def redeem(who: str) -> bool:
        together.wait()
        with store.write() as session:
            try:
                linking.redeem(session, account_of(session, Sender("matrix", who, who)), code, NOW)
            except UnknownCodeError:
                return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(redeem, ("eve", "mallory"))) == [False, True]


def test_two_say_yes_at_once_and_one_links(store: Store) -> None:
    with store.write() as session:
        owner = account_of(session, Sender("console", "bo", "Bo"))
        code = linking.issue(session, owner, NOW, entropy())
        linking.redeem(session, account_of(session, Sender("matrix", "bo", "Bo")), code, NOW)
        person_id = owner.person_id
    together = Barrier(2)

    def confirm(_number: int) -> bool:
        together.wait()
        with store.write() as session:
            try:
                linking.link(session, account_of(session, Sender("matrix", "bo", "Bo")), person_id, NOW)
            except NothingToLinkError:
                return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(confirm, range(2))) == [False, True]
    with store.read() as session:
        assert len(set(session.exec(select(Account.person_id)))) == 1


def test_who_writes_meanwhile_from_the_other_account_is_the_one_person(store: Store) -> None:
    bo, other = Sender("console", "bo", "Bo"), Sender("matrix", "bo", "Bo")
    with store.write() as session:
        owner = account_of(session, bo)
        code = linking.issue(session, owner, NOW, entropy())
        account = account_of(session, other)
        linking.redeem(session, account, code, NOW)
        kept_id = min(owner.person_id, account.person_id)
    asked = Event()

    def write() -> int:
        with store.write() as session:
            found = account_of(session, other).person_id
            asked.set()
            return found

    with ThreadPoolExecutor(1) as threads:
        with store.write() as session:
            linking.link(session, account_of(session, other), kept_id, NOW)
            answer = threads.submit(write)
            assert not asked.wait(0.2)  # until it is decided, nobody can say whose account it is
        assert answer.result() == kept_id


def test_a_code_posted_in_public_is_void(player: Player) -> None:
    act(player, "bo@dm: /link\n> Your code: (?P<code>\\w{4}-\\w{4})")
    act(player, "bo@bakery: /link {code}\n> Here everybody could read it, so that code is void")
    act(player, "telegram:eve@dm: /link {code}\n> doesn't work")
    act(player, "telegram:eve@ovens: /link {code}\n> doesn't work")


def test_a_victim_who_types_an_attackers_code_reads_who_they_would_become(player: Player) -> None:
    act(player, "telegram:eve@dm: /link\n> Your code: (?P<code>\\w{4}-\\w{4})\nbo@dm: /link {code}")
    asked = seen(player, "dm:bo")[0].split("\n")
    assert asked[1:4] == [
        "Bo (@bo) on Console: this one",
        "Eve (@eve) on Telegram: where the code is from",
        "Each account can then act as you in every pool. Never use somebody else's code: they could act as you.",
    ]
    act(player, "bo@dm: [Link]\ntelegram:dm:eve> Bo \\(@bo\\) on Console is one person with you now")


def test_an_answer_to_an_old_question_links_nobody_else(player: Player) -> None:
    act(player, ASK)
    act(player, "telegram:eve@dm: /link\n> Your code: (?P<other>\\w{4}-\\w{4})\ntelegram:bo@dm: /link {other}")
    act(player, "telegram:bo@dm re /Bo .* on Console: where/: 1\n> There's nothing to link")
    assert len(set(people(player).values())) == len(people(player))


def test_a_code_of_a_person_linked_meanwhile_is_void(player: Player) -> None:
    act(player, "telegram:eve@dm: /link\n> Your code: (?P<other>\\w{4}-\\w{4})\nmatrix:eve@dm: !link {other}")
    act(player, "eve@dm: /link\n> Your code: (?P<code>\\w{4}-\\w{4})\ntelegram:eve@dm: /link {code}")
    act(player, "telegram:eve@dm: [Link]\n> Linked\nmatrix:eve@dm: [Link]\n> There's nothing to link")


def test_the_question_lasts_as_long_as_its_code(player: Player) -> None:
    act(player, ASK)
    act(player, "now 2026-05-10 18:11\ntelegram:bo@dm: [Link]\n> There's nothing to link")
    assert not is_linked(player, "bo")


def test_ones_own_code_links_nothing_and_is_not_used_up(player: Player) -> None:
    act(player, "bo@dm: /link\n> Your code: (?P<code>\\w{4}-\\w{4})\nbo@dm: /link {code}\n> That code is your own")
    act(player, "telegram:bo@dm: /link {code}\ntelegram:bo@dm: [Link]\n> Linked\nbo@dm: /link")
    act(player, "bo@dm: /link\n> Your code: (?P<code>\\w{4}-\\w{4})\ntelegram:bo@dm: /link {code}\n> your own")


def test_a_channels_code_links_no_account_and_the_other_way_round(player: Player) -> None:
    act(player, "ana@bakery: /project code\ndm:ana> link (?P<channel>\\w{4}-\\w{4})")
    act(player, "telegram:eve@dm: /link {channel}\n> doesn't work\neve@dm: /link\n> code: (?P<code>\\w{4}-\\w{4})")
    act(player, "telegram:eve@ovens2: /project link {code}\n> doesn't work")


def test_names_that_pretend_are_told_apart_by_what_is_unique(player: Player) -> None:
    liar = replace(
        event(Incoming.TEXT, "666", "dm:666", text="/link", ref="x"),
        sender=Sender("console", "666", "Bo (@bo) on Telegram\u202e", ""),
    )
    send(player, liar)
    code = seen(player, "dm:666")[0].split(": ")[1][:9]
    act(player, f"bo@dm: /link {code}\n> Bo \\(@bo\\) on Telegram \\(@666\\) on Console: where the code is from")


def test_an_allowance_is_not_doubled_by_linking_again(player: Player) -> None:
    act(player, LINK)
    limit = act(player, "bo@dm: /me\n> limit (?P<limit>\\d+)").kept["limit"]
    act(player, "matrix:bo@dm: !link\n> Your code: (?P<code>\\w{4}-\\w{4})\nbo@dm: /link {code}\nbo@dm: [Link]")
    assert act(player, "bo@dm: /me\n> limit (?P<limit>\\d+)").kept["limit"] == limit
    act(player, "telegram:bo@dm: /me\n> limit {limit} h")
