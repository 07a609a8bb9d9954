"""Several events in one transaction of a server: each as if alone, all about one pool; what only reads waits not."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import text as sql
from sqlmodel import col, select

from core.chat import cards, dispatch, inbox
from core.chat.command import Commands, Press, Table, Who
from core.chat.commands import table
from core.chat.dispatch import TOGETHER_MAX, Dispatched, dispatch_some
from core.chat.handling import House
from core.chat.message import Event, Incoming, Message, Priority, Reply
from core.chat.outbox import post
from core.chat.text import Text
from core.identity import Place, Sender, account_of, chat_of, speaker_of
from core.members import join_project
from core.store import OtherPoolError, add_now, lock_pool, see
from core.tables import Member, Membership, Pool
from core.tables_chat import Card, Inbox, Person
from tests.conftest import NOW
from tests.stage import chat_named, on_stage, posted

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.chat.context import Context
    from core.chat.transcript import Player
    from core.store import Store

HILL = """
eve@forge: /pool new Hill
eve@forge: /project new Forge
"""


def two_pools(store: Store) -> Player:
    """Valley, with its bakery and garden, and Hill, with its forge."""
    return on_stage(store, HILL)


def text(number: int, who: str, chat: str, words: str) -> Event:
    sender = Sender("console", who, who.capitalize(), who)
    return Event(f"t{number}", Incoming.TEXT, Place("console", chat), sender, text=words, ref=f"t{number}")


def receive(store: Store, *lines: str) -> None:
    """Keep what people write, each line "who@chat: words"."""
    with store.write() as session:
        for number, line in enumerate(lines):
            (who, chat), words = line.split(": ")[0].split("@"), line.split(": ", maxsplit=1)[1]
            one = text(number, who, chat, words)
            inbox.receive(session, "console", one.event_id, f"console:{chat}", one.to_json(), NOW)


def answers(store: Store) -> list[str]:
    return [str(one.text).split("\n")[0] for one in posted(store) if one.reply_to.startswith("t")]


def waiting(store: Store) -> list[str]:
    with store.read() as session:
        return list(session.exec(select(Inbox.event_id).where(col(Inbox.done_at).is_(None)).order_by(col(Inbox.id))))


# One pool at a time


def add_and_lock(session: Session, pool_id: int) -> Pool:
    add_now(session, Person())
    return lock_pool(session, pool_id)


def test_a_transaction_that_has_a_pool_takes_no_other(server_store: Store) -> None:
    two_pools(server_store)
    with server_store.together() as session_of_next:
        with session_of_next() as session:
            lock_pool(session, 1)
            add_now(session, Person())
        with pytest.raises(OtherPoolError, match="2"), session_of_next() as session:
            add_and_lock(session, 2)
        with session_of_next() as session:
            assert lock_pool(session, 1).name == "Valley"
    with server_store.read() as session:
        assert len(session.exec(select(Person)).all()) == 5


def test_an_event_alone_may_be_about_several_pools(server_store: Store) -> None:
    two_pools(server_store)
    with server_store.together() as session_of_next:
        with session_of_next() as session:
            add_now(session, Person())
        with session_of_next() as session:
            assert [lock_pool(session, pool_id).name for pool_id in (1, 2)] == ["Valley", "Hill"]


def test_events_of_another_pool_wait_for_the_next_transaction(server_store: Store) -> None:
    player = two_pools(server_store)
    receive(
        server_store,
        "ana@bakery: /task new Bake 1h",
        "eve@forge: /task new Weld 1h",
        "dee@garden: /task new Weed 1h",
        "eve@forge: /task new File 1h",
        "bo@bakery: /task new Sweep 1h",
        "bo@bakery: /task new Mop 1h",
    )
    assert dispatch_some(player.house, NOW) == Dispatched(3, may_be_more=True)
    assert waiting(server_store) == ["t1", "t3", "t5"]
    assert dispatch_some(player.house, NOW) == Dispatched(2, may_be_more=True)
    assert dispatch_some(player.house, NOW) == Dispatched(1, may_be_more=False)
    shown = [line.split(" · ")[0] for line in answers(server_store)]
    assert shown == ["#1 Bake", "#2 Weed", "#3 Sweep", "#1 Weld", "#2 File", "#4 Mop"]


@pytest.mark.parametrize("count", [TOGETHER_MAX - 1, TOGETHER_MAX])
def test_whether_more_may_wait_is_known_without_another_look(store: Store, count: int) -> None:
    player = on_stage(store)
    receive(store, *(f"ana@bakery: /task new T{number} 1h" for number in range(count)))
    assert dispatch_some(player.house, NOW) == Dispatched(count, may_be_more=count == TOGETHER_MAX)


def test_who_is_refused_leaves_the_pool_locked_for_the_next(server_store: Store) -> None:
    """A savepoint that is rolled back takes its own locks with it, not those that were there before."""
    player = two_pools(server_store)
    receive(
        server_store,
        "ana@bakery: /task new Bake 1h",
        "zoe@bakery: /claim 77",
        "bo@bakery: /claim 1",
        "eve@forge: /task new Weld 1h",
    )
    assert dispatch_some(player.house, NOW).handled == 3
    assert answers(server_store)[1].startswith("There's no #77")


def test_who_is_refused_may_still_hold_the_pool(server_store: Store) -> None:
    player = two_pools(server_store)
    receive(server_store, "zoe@bakery: /claim 77", "eve@forge: /task new Weld 1h")
    assert dispatch_some(player.house, NOW) == Dispatched(1, may_be_more=True)
    assert dispatch_some(player.house, NOW) == Dispatched(1, may_be_more=False)


def test_who_cannot_be_told_of_a_fault_holds_up_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    player = on_stage(store)
    monkeypatch.setattr(dispatch, "_apologise", ask_for_what_is_not_there)
    monkeypatch.setattr(dispatch, "_handle", ask_for_what_is_not_there)
    receive(store, "ana@bakery: /me")
    for _time in range(dispatch.FAULTS_MAX):
        assert waiting(store) == ["t0"]
        assert dispatch_some(player.house, NOW).handled == 1
    assert waiting(store) == []


def ask_for_what_is_not_there(_house: House, session: Session, *_arguments: object) -> None:
    session.connection().exec_driver_sql("SELECT nothing FROM nowhere")


def test_a_new_name_waits_for_who_is_at_the_account_too(server_store: Store) -> None:
    on_stage(server_store)
    ana = Sender("console", "ana", "Anna", "ana")
    with server_store.write() as first:
        account_of(first, replace(ana, name="Ana"))
        with server_store.write() as second:
            assert account_of(second, ana).name == "Ana"
    with server_store.write() as session:
        assert account_of(session, ana).name == "Anna"


# What only reads


def change(store: Store, name: str) -> None:
    """Let somebody else change the first pool."""
    with store.write() as other:
        pool = lock_pool(other, 1)
        pool.settings = {**pool.settings, "name": name}


def looking(store: Store, quickly: list[str]) -> tuple[House, list[str]]:
    """A house with a command that only reads, during which somebody else changes the pool, as often as is in a list."""
    topic, runs = Commands("test"), list[str]()

    @topic("look", who=Who.ANY, does="look", press=Press.AGAIN)
    def look(context: Context) -> Reply:
        if quickly:
            change(store, name := quickly.pop())
            if name == "broken":
                raise ZeroDivisionError
        runs.append(context.pool.settings.get("name", ""))
        return context.reply(Text.of(f"Seen: {runs[-1]}"))

    commands = Table([topic])
    commands.commands += table().commands
    return House(store, commands, secrets.token_bytes), runs


def test_what_only_reads_does_not_wait_for_the_pool(server_store: Store) -> None:
    on_stage(server_store)
    house, runs = looking(server_store, [])
    receive(server_store, "ana@bakery: /look")
    with server_store.write() as other:
        lock_pool(other, 1)
        assert dispatch_some(house, NOW).handled == 1
    assert runs == [""]


def test_what_was_read_while_it_changed_is_read_again(server_store: Store) -> None:
    on_stage(server_store)
    house, runs = looking(server_store, ["Vale"])
    receive(server_store, "ana@bakery: /look")
    assert dispatch_some(house, NOW).handled == 1
    assert runs == ["", "Vale"]
    assert answers(server_store) == ["Seen: Vale"]


def test_what_went_wrong_while_it_changed_is_no_fault(server_store: Store) -> None:
    on_stage(server_store)
    house, runs = looking(server_store, ["broken"])
    receive(server_store, "ana@bakery: /look")
    assert dispatch_some(house, NOW).handled == 1
    assert (runs, answers(server_store)) == (["broken"], ["Seen: broken"])
    with server_store.read() as session:
        assert session.exec(select(Inbox.fault).where(Inbox.event_id == "t0")).one() == ""


def test_what_the_database_refuses_while_reading_is_what_it_said(server_store: Store) -> None:
    on_stage(server_store)
    topic, faults = Commands("test"), list[Exception]()

    @topic("look", who=Who.ANY, does="look", press=Press.AGAIN)
    def look(context: Context) -> Reply:
        context.session.connection().execute(sql("SELECT nothing FROM nowhere"))
        return context.reply(Text.of("Seen"))

    commands = Table([topic])
    commands.commands += table().commands
    receive(server_store, "ana@bakery: /look")
    assert dispatch_some(House(server_store, commands, secrets.token_bytes, on_fault=faults.append), NOW).handled == 1
    assert [type(getattr(one, "orig", one)) for one in faults] == [psycopg.errors.UndefinedTable]


def test_who_joins_by_reading_does_so_in_the_pool_as_it_is(
    server_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_stage(server_store)
    house, runs = looking(server_store, [])
    names = ["Vale"]

    def join_late(*arguments: Any) -> Any:
        if names:
            change(server_store, names.pop())
        return join_project(*arguments)

    monkeypatch.setattr("core.chat.access.join_project", join_late)
    receive(server_store, "bo@garden: /look")
    assert dispatch_some(house, NOW).handled == 1
    assert runs == ["Vale"]
    with server_store.read() as session:
        assert len(session.exec(select(Membership).join(Member).where(Member.name == "Bo")).all()) == 2


@pytest.mark.parametrize("is_late", [False, True])
def test_a_card_that_shows_what_has_changed_since_is_drawn_anew(server_store: Store, is_late: bool) -> None:
    on_stage(server_store, "ana@bakery: /task new Bake 1h urgent")
    with server_store.write() as session:
        see(session, session.get_one(Pool, 1))
        if is_late:
            with server_store.write() as other:
                lock_pool(other, 1).revision += 1
        room = chat_named(session, "garden")
        message = Message(Text.of("#1 Bake"), subject="task 1")
        number = post(session, room, message, Priority.REPLY, "k", NOW)
        assert number is not None
        cards.place(session, 1, room, number, message, NOW)
    with server_store.read() as session:
        card = session.exec(select(Card).where(Card.chat_id == room.id)).one()
        assert card.marked_at == (NOW if is_late else None)


def test_who_speaks_where_is_known_at_once(store: Store) -> None:
    on_stage(store, HILL + "ana@forge: /me")
    ana = Sender("console", "ana", "Ana", "ana")
    with store.write() as session:
        account, chat, members = speaker_of(session, ana, Place("console", "forge"))
        assert (account.user_id, chat.address) == ("ana", "forge")
        assert [(one.pool_id, one.name) for one in members] == [(1, "Ana"), (2, "Ana")]
        new, room, none = speaker_of(session, Sender("console", "new", "New"), Place("console", "nowhere"))
        assert (new, room, none) == (account_of(session, Sender("console", "new", "New")), room, [])
        assert chat_of(session, Place("console", "nowhere")) is room
        again, same, _members = speaker_of(session, Sender("console", "ana", "Anna", "ana"), Place("console", "dm:ana"))
        assert (again, again.name, same.address) == (account, "Anna", "dm:ana")
