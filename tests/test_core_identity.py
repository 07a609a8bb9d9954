"""Who writes, and where: accounts, people and chats."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import func, select

from core.identity import (
    Place,
    Sender,
    account_of,
    channels_of,
    chat_of,
    home_of,
    memberships_of_person,
    move_chat,
    private_chat,
)
from core.members import new_member
from core.store import add_now
from core.tables import Pool
from core.tables_chat import Card, Chat, Delivery, Outbox, Person
from tests.conftest import NOW, found

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.store import Store

ANA = Sender("telegram", "7", "Ana", "ana_b")
DM = Place("telegram", "7", private=True)
GROUP = Place("telegram", "-100", title="Hill Bakery")


def count(session: Session, table: type[Person | Chat]) -> int:
    return session.exec(select(func.count()).select_from(table)).one()


def test_an_account_comes_with_a_person_and_stays_theirs(store: Store) -> None:
    with store.write() as session:
        first = account_of(session, ANA)
        shown = first.platform, first.user_id, first.name, first.handle
        assert shown == ("telegram", "7", "Ana", "ana_b")
        assert account_of(session, ANA) is first
        assert count(session, Person) == 1


@pytest.mark.parametrize("change", [{"name": "Ana B."}, {"handle": ""}, {"name": "X", "handle": "y"}])
def test_a_name_follows_the_platform(store: Store, change: dict[str, str]) -> None:
    with store.write() as session:
        first = account_of(session, ANA).id
    changed = replace(ANA, **change)
    with store.write() as session:
        account = account_of(session, changed)
        assert (account.id, account.name, account.handle) == (first, changed.name, changed.handle)


@pytest.mark.parametrize("other", [replace(ANA, user_id="8"), replace(ANA, platform="matrix")])
def test_only_platform_and_id_say_who_it_is(store: Store, other: Sender) -> None:
    """A handle may be recycled and a name be chosen: neither makes two people one."""
    with store.write() as session:
        first, second = account_of(session, ANA), account_of(session, other)
        assert first.id != second.id
        assert first.person_id != second.person_id


def test_a_chat_is_known_by_its_address_and_topic(store: Store) -> None:
    with store.write() as session:
        group = chat_of(session, GROUP)
        assert (group.title, group.account_id) == ("Hill Bakery", None)
        assert chat_of(session, replace(GROUP, title="")) is group
        assert group.title == "Hill Bakery"
        assert chat_of(session, replace(GROUP, title="Valley Bakery")).title == "Valley Bakery"
        topic = chat_of(session, replace(GROUP, topic="4"))
        assert topic.id != group.id
        assert chat_of(session, replace(GROUP, platform="matrix")).id not in {group.id, topic.id}


def test_a_private_chat_is_somebodys(store: Store) -> None:
    with store.write() as session:
        account = account_of(session, ANA)
        assert private_chat(session, account.person_id) is None
        chat = chat_of(session, DM, account)
        assert chat.account_id == account.id
        assert private_chat(session, account.person_id) is chat
        assert private_chat(session, account.person_id + 1) is None
        assert chat_of(session, GROUP, account).account_id is None


def test_a_private_chat_first_heard_of_without_its_person_becomes_theirs(store: Store) -> None:
    with store.write() as session:
        chat = chat_of(session, DM)
        assert chat.account_id is None
        account = account_of(session, ANA)
        assert chat_of(session, DM, account).account_id == account.id
        stranger = account_of(session, replace(ANA, user_id="8"))
        assert chat_of(session, DM, stranger).account_id == account.id


def test_a_person_is_reached_where_they_are(store: Store) -> None:
    with store.write() as session:
        account = account_of(session, ANA)
        chat = chat_of(session, DM, account)
        matrix = Sender("matrix", "@ana:x", "Ana")
        elsewhere = account_of(session, matrix)
        elsewhere.person_id = account.person_id
        room = chat_of(session, Place("matrix", "!room", private=True), elsewhere)
        assert private_chat(session, account.person_id, "matrix") is room
        assert private_chat(session, account.person_id, "telegram") is chat
        assert private_chat(session, account.person_id, "console") is chat
        chat.off_at = NOW
        assert private_chat(session, account.person_id, "telegram") is room
        room.off_at = NOW
        assert private_chat(session, account.person_id) is None


def channel(session: Session, place: Place, pool_id: int | None, project_id: int | None) -> Chat:
    chat = chat_of(session, place)
    chat.pool_id, chat.project_id = pool_id, project_id
    session.flush()
    return chat


def test_channels_are_found_by_pool_and_project(store: Store) -> None:
    with store.write() as session:
        rows = [(1, 1), (1, 2), (1, 1), (2, 1), (1, None), (None, None)]
        chats = [channel(session, Place("console", f"{n}"), *row) for n, row in enumerate(rows)]
        assert channels_of(session, 1) == chats[:3]
        assert channels_of(session, 1, 1) == [chats[0], chats[2]]
        assert channels_of(session, 2) == [chats[3]]
        assert channels_of(session, 3) == []


def test_a_topic_of_nobodys_is_part_of_its_group(store: Store) -> None:
    with store.write() as session:
        topic = chat_of(session, replace(GROUP, topic="4"))
        assert home_of(session, topic) is topic
        group = channel(session, GROUP, 1, 1)
        assert home_of(session, group) is group
        assert home_of(session, topic) is group
        topic.pool_id = 2
        assert home_of(session, topic) is topic
        assert home_of(session, chat_of(session, DM)).address == "7"


@pytest.mark.parametrize("address", ["", "-100"])
def test_a_chat_that_does_not_move_stays(store: Store, address: str) -> None:
    with store.write() as session:
        chat = channel(session, GROUP, 1, 1)
        move_chat(session, chat, address)
        assert (chat.address, count(session, Chat)) == ("-100", 1)


def test_a_chat_moves_with_its_topics(store: Store) -> None:
    with store.write() as session:
        chats = [channel(session, replace(GROUP, topic=topic), 1, 1) for topic in ("", "4")]
        other = channel(session, replace(GROUP, address="-7"), 1, 1)
        chats[0].off_at = NOW
        move_chat(session, chats[0], "-200")
        assert [(one.address, one.off_at) for one in (*chats, other)] == [("-200", None), ("-200", None), ("-7", None)]


@pytest.mark.parametrize(
    ("old_pool", "new_pool", "kept"), [(1, None, "old"), (None, 1, "new"), (1, 2, "old"), (None, None, "old")]
)
def test_a_chat_known_at_both_addresses_becomes_one_with_all_its_post(
    store: Store, old_pool: int | None, new_pool: int | None, kept: str
) -> None:
    with store.write() as session:
        old = channel(session, GROUP, old_pool, old_pool)
        new = channel(session, replace(GROUP, address="-200"), new_pool, new_pool)
        ids = {"old": old.id, "new": new.id}
        for chat in (old, new):
            text: dict[str, Any] = {"platform": "telegram", "chat_id": chat.id, "priority": 1, "created_at": NOW}
            row = add_now(session, Outbox(key=f"{chat.id}", **text))
            add_now(session, Delivery(key=f"{chat.id}", **text))
            add_now(session, Card(pool_id=1, subject="x", chat_id=chat.id, outbox_id=row.id))
        move_chat(session, old, "-200")
    with store.read() as session:
        chat = session.exec(select(Chat)).one()
        assert (chat.id, chat.address) == (ids[kept], "-200")
        for table in (Outbox, Delivery, Card):
            assert set(session.exec(select(table.chat_id))) == {chat.id}


def test_a_person_is_found_in_every_pool(store: Store) -> None:
    with store.write() as session:
        pool, ana = found(session)
        other = add_now(session, Pool(name="Hill", code="B", founded_at=NOW))
        again = new_member(session, other, "Ana", ana.person_id, NOW)
        new_member(session, other, "Ben", None, NOW)
        session.flush()
        person = ana.person_id or 0
        assert memberships_of_person(session, person) == [ana, again]
        ana.left_at = NOW
        assert memberships_of_person(session, person) == [again]
        assert pool.id < other.id
