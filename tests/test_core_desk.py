"""The desk: messages in the right language, to the right chats, at the right time, each under its own key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, select

from core.chat.desk import Desk
from core.chat.message import Choice, Message, Priority
from core.chat.text import Text
from core.identity import Place, chat_of
from core.projects import found_pool
from core.tables import Member, Pool, Project
from core.tables_chat import Card, Chat, Outbox, Person
from tests.conftest import NOW, entropy
from tests.stage import act, chat_named, on_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlmodel import Session

    from core.chat.say import Say
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


@pytest.fixture
def session(store: Store) -> Iterator[Session]:
    on_stage(store)
    with store.write() as session:
        yield session


@pytest.fixture
def desk(session: Session) -> Desk:
    return Desk(session, NOW, "test")


def said(say: Say) -> Message:
    return Message(Text.of(f"said in {say.language}"))


def asked(number: int) -> Message:
    return Message(Text.of(f"#{number}?"), (Choice(f"Back #{number}", f"back {number}"),), subject=f"task {number}")


def new_rows(session: Session) -> list[Outbox]:
    return list(session.exec(select(Outbox).where(col(Outbox.key).startswith("test:")).order_by(col(Outbox.id))))


def addresses(session: Session) -> list[str]:
    return [address_of(session, row) for row in new_rows(session)]


def address_of(session: Session, row: Outbox) -> str:
    return session.get_one(Chat, row.chat_id).address


def member(session: Session, name: str) -> Member:
    return session.exec(select(Member).where(Member.name == name)).one()


def project(session: Session, name: str) -> Project:
    return session.exec(select(Project).where(Project.name == name)).one()


def test_a_chat_speaks_its_projects_language_else_its_pools_else_ours(session: Session) -> None:
    desk = Desk(session, NOW, "test", language="de")
    garden = chat_named(session, "garden")
    assert desk.say_in(chat_of(session, Place("console", "new"))).language == "de"
    assert desk.say_in(garden).language == "en"
    pool = session.exec(select(Pool)).one()
    pool.settings = {**pool.settings, "language": "de", "timezone": "Europe/Berlin"}
    assert desk.say_in(garden).language == "de"
    assert str(desk.say_in(garden).zone) == "Europe/Berlin"
    project(session, "Sunny Garden").settings = {"language": "en"}
    assert desk.say_in(garden).language == "en"
    garden.project_id = None
    assert desk.say_in(garden).language == "de"


def test_a_private_chat_speaks_its_persons_language(session: Session) -> None:
    desk = Desk(session, NOW, "test", language="de")
    home = chat_named(session, "dm:ana")
    person = session.get_one(Person, member(session, "Ana").person_id or 0)
    assert desk.say_in(home).language == "en"  # that of the only pool
    person.language = "de"
    assert desk.say_in(home).language == "de"


def test_in_private_the_pool_that_is_meant_gives_language_and_clock(session: Session) -> None:
    desk = Desk(session, NOW, "test", language="de")
    home, valley = chat_named(session, "dm:ana"), session.exec(select(Pool)).one()
    person = session.get_one(Person, member(session, "Ana").person_id or 0)
    hill, _ana = found_pool(
        session, "Hill", {"language": "de", "timezone": "Europe/Berlin"}, (person.id, "Ana"), NOW, entropy()
    )
    said = {
        "neither": desk.say_in(home).language,
        "asked for": str(desk.say_in(home, hill.id).zone),
    }
    person.pool_id = valley.id
    said["last"] = desk.say_in(home).language
    assert said == {"neither": "de", "asked for": "Europe/Berlin", "last": "en"}


def test_every_message_has_a_key_of_its_own(session: Session, desk: Desk) -> None:
    room = chat_named(session, "bakery")
    for _ in range(2):
        desk.post(room, Message(Text.of("x")), Priority.REPLY)
    assert [row.key for row in new_rows(session)] == ["test:1", "test:2"]
    assert Desk(session, NOW, "test").post(room, Message(Text.of("x")), Priority.REPLY) is None


def test_channels_hear_what_was_not_said_there(session: Session, desk: Desk) -> None:
    pool_id = session.exec(select(Pool)).one().id
    desk.here = chat_named(session, "bakery")
    desk.to_channels(pool_id, None, said)
    desk.to_channels(pool_id, project(session, "Hill Bakery").id, said)
    desk.to_channel(desk.here, lambda _say: None)
    assert addresses(session) == ["garden"]
    assert new_rows(session)[0].payload["merges"]


def test_members_hear_in_private_where_they_can(session: Session, desk: Desk) -> None:
    nobody = member(session, "Bo")
    desk.to_member(nobody, said)
    desk.to_member(nobody, lambda _say: None)
    chat_named(session, "dm:bo").off_at = NOW
    desk.to_member(nobody, said)
    nobody.person_id = None
    desk.to_member(nobody, said)
    assert addresses(session) == ["dm:bo"]


def test_a_notice_with_buttons_stays_a_message_of_its_own(session: Session, desk: Desk) -> None:
    desk.to_member(member(session, "Bo"), lambda _say: asked(1))
    assert "merges" not in new_rows(session)[0].payload


def test_quiet_hours_and_digests_hold_notices_back(session: Session, desk: Desk) -> None:
    garden, bo = project(session, "Sunny Garden"), member(session, "Bo")
    garden.settings, bo.settings = {"quiet": "08:00-10:30"}, {"digest": "on"}
    desk.to_channel(chat_named(session, "garden"), said)
    desk.to_member(bo, said)
    desk.to_member(member(session, "Dee"), said)
    moments = [row.not_before for row in new_rows(session)]
    assert moments == [datetime(2026, 5, 4, 10, 30, tzinfo=UTC), datetime(2026, 5, 5, 9, tzinfo=UTC), None]


def test_what_needs_an_action_is_asked_once_in_a_quarter_of_an_hour(session: Session) -> None:
    pool_id, bakery = session.exec(select(Pool)).one().id, project(session, "Hill Bakery")

    def ask(number: int, minutes: int) -> None:
        desk = Desk(session, NOW + timedelta(minutes=minutes), f"test:{number}")
        desk.ask_other_channels(pool_id, bakery.id, lambda _say: asked(number))
        desk.here = chat_named(session, "bakery")
        desk.ask_channels(pool_id, bakery.id, lambda _say: asked(number))

    ask(1, 0)
    first = new_rows(session)[-1]
    first.delivery_id = 1
    ask(2, 1)
    second = new_rows(session)[-1]
    assert second.not_before == NOW + timedelta(minutes=15)
    assert len(session.exec(select(Card).where(Card.outbox_id == second.id)).all()) == 1
    ask(3, 2)
    assert new_rows(session)[-1] is second
    assert [one[0] for one in second.payload["choices"]] == ["Back #2", "Back #3"]
    assert session.exec(select(Card).where(Card.outbox_id == second.id)).all() == []
    second.delivery_id = 2
    ask(4, 60)
    assert new_rows(session)[-1].not_before == NOW + timedelta(minutes=60)
    assert addresses(session) == ["garden"] * 3


def test_a_question_is_asked_where_it_was_not_raised(session: Session, desk: Desk) -> None:
    pool_id, bakery = session.exec(select(Pool)).one().id, project(session, "Hill Bakery")
    desk.ask_channels(pool_id, bakery.id, lambda _say: asked(1))
    assert addresses(session) == ["bakery"]


def test_no_message_asks_for_more_than_ten_things(session: Session, desk: Desk) -> None:
    pool_id, bakery = session.exec(select(Pool)).one().id, project(session, "Hill Bakery")
    for number in range(12):
        desk.ask_channels(pool_id, bakery.id, partial(lambda number, _say: asked(number), number))
    assert [len(row.payload["choices"]) for row in new_rows(session)] == [10, 2]


def test_marked_cards_follow_once_at_the_end(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent\nbo@garden: /task 1")
    act(player, "cy@bakery: /claim 1\n> #1 is yours, Cy\n= 1\ngarden> Cy has it\ngarden= 0")


def told(session: Session, desk: Desk, pool: Pool) -> list[str]:
    desk.to_stewards(pool, lambda _say: asked(1))
    return addresses(session)


def test_a_steward_whom_no_private_chat_reaches_is_asked_in_a_channel_of_theirs(session: Session, desk: Desk) -> None:
    pool = session.exec(select(Pool)).one()
    assert told(session, desk, pool) == ["dm:ana"]
    for chat in session.exec(select(Chat).where(Chat.address == "dm:ana")):
        chat.off_at = NOW
    assert told(session, desk, pool) == ["dm:ana", "bakery"]
    desk.to_stewards(pool, lambda _say: asked(2), but=member(session, "Ana").id)
    assert addresses(session) == ["dm:ana", "bakery"]
