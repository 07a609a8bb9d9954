"""A stage for tests of the chat: people write to a player, and a test reads what they see."""

from __future__ import annotations

import shutil
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, literal_column, table
from sqlalchemy.event import listen
from sqlmodel import Session, col, select

from core.chat import inbox
from core.chat.dispatch import dispatch_all
from core.chat.message import Event, Incoming, Message
from core.chat.transcript import Player, play_line
from core.identity import Place, Sender
from core.store import Store
from core.tables_chat import Chat, Outbox
from tests.postgres import Database

if TYPE_CHECKING:
    from pathlib import Path

VALLEY = """
now 2026-05-04 09:00
ana@bakery: /pool new Valley
> code: (?P<code>\\w{4}-\\w{4})
ana@bakery: /project new Hill Bakery
dee@garden: /project new Sunny Garden {code}
ana@bakery: /good new bread unit:loaf
bo@bakery: /me
"""
# Tables of the post: everything else is what a pool knows.
POST = frozenset(
    {"inbox", "outbox", "delivery", "press", "card", "mark", "account", "person", "chat", "alembic_version", "meta"}
)


def act(player: Player, script: str) -> Player:
    """Play lines of a transcript."""
    chat = ""
    for line in filter(None, map(str.strip, script.split("\n"))):
        chat = play_line(player, line, chat)
        assert not player.faults, player.faults
    return player


@dataclass(frozen=True)
class Scene:
    """A store and what people remember, as they were when a script had been played."""

    contents: Any  # as the kind of store has it
    player: dict[str, Any]


def hurried(store: Store) -> Store:
    """Let a store not wait for the disk: tests are over before the power fails. The tests' server never does."""
    if store.is_sqlite:
        listen(store.engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    return store


def _played(store: Store, script: str) -> dict[str, Any]:
    """Play a script and return what people remember."""
    player = act(Player(store), script)
    store.close()
    names = ("now", "messages", "last_sent", "kept", "count", "drawn")
    return {name: getattr(player, name) for name in names}


@cache
def _scene_in_file(empty: Path, script: str) -> Scene:
    """Play a script once, in a copy of an empty store."""
    path = empty.with_name("played.db")
    shutil.copyfile(empty, path)
    remembered = _played(hurried(Store(f"sqlite:///{path}")), script)
    return Scene(path.read_bytes(), remembered)


@cache
def _scene_on_server(url: str, script: str) -> Scene:
    """Play a script once, in an empty database."""
    database = Database.by_url[url]
    database.clear()
    remembered = _played(Store(url), script)
    return Scene(database.save(), remembered)


def on_stage(store: Store, script: str = "") -> Player:
    """Set a small pool up: Hill Bakery (Ana, Bo) makes bread, Sunny Garden (Dee) is the other project."""
    if store.path is None:
        scene = _scene_on_server(store.url, VALLEY + script)
        Database.by_url[store.url].load(scene.contents)
    else:
        empty = store.path.parents[1] / "empty.db"  # of this worker and run
        if not empty.exists():
            store.close()
            shutil.copyfile(store.path, empty)
        scene = _scene_in_file(empty, VALLEY + script)
        store.path.write_bytes(scene.contents)
    player = Player(hurried(store))
    for name, value in scene.player.items():
        setattr(player, name, deepcopy(value))
    return player


def seen(player: Player, chat: str) -> list[str]:
    """What a chat saw in the last step."""
    return [one.text for one in player.shown if one.chat == chat]


def send(player: Player, event: Event) -> None:
    """Let an event of any kind come in, and see what happens."""
    player.shown = []
    player.count += 1
    with player.store.write() as session:
        kept = replace(event, event_id=event.event_id or f"e{player.count}")
        inbox.receive(session, "console", kept.event_id, "chat", kept.to_json(), player.now)
    dispatch_all(player.house, player.now)
    player.deliver()


def event(kind: Incoming, who: str, address: str, **more: Any) -> Event:
    """An event as the console's adapter would keep it."""
    sender = Sender("console", who, who.capitalize(), who) if who else None
    private = address.startswith("dm:")
    return Event("", kind, Place("console", address, more.pop("topic", ""), private=private), sender, **more)


def press(player: Player, who: str, address: str, choice: str, **more: Any) -> None:
    """Press what a button carries, forged or not."""
    send(player, event(Incoming.PRESS, who, address, choice=choice, press_ref="p", **more))


def write(player: Player, who: str, address: str, words: str, **more: Any) -> None:
    """Write words as they are, without what a transcript makes of them."""
    send(player, event(Incoming.TEXT, who, address, text=words, ref=f"w{player.count}", **more))


def dump(store: Store) -> dict[str, list[Any]]:
    """Everything the pools know, table by table."""
    with store.read() as session:
        run = session.connection().execute
        names = sorted(set(inspect(store.engine).get_table_names()) - POST)
        return {name: list(map(repr, run(select(literal_column("*")).select_from(table(name))))) for name in names}


def chat_named(session: Session, address: str, topic: str = "") -> Chat:
    """The chat at an address."""
    return session.exec(select(Chat).where(Chat.address == address, Chat.topic == topic)).one()


def posted(store: Store) -> list[Message]:
    """Everything that was ever put into the outbox, in order."""
    with store.read() as session:
        return [Message.from_json(row.payload) for row in session.exec(select(Outbox).order_by(col(Outbox.id)))]
