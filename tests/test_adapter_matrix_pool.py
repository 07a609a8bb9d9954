"""What the pool makes of events that only Matrix brings."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.chat import inbox
from core.chat.commands import table
from core.chat.dispatch import dispatch_all
from core.chat.handling import House
from core.chat.message import Event, Incoming, Message
from core.identity import Place, Sender
from core.tables_chat import Account, Chat, Outbox
from tests.clocks import NOON

if TYPE_CHECKING:
    from core.store import Store

ANA = Sender("matrix", "@ana:valley.test", "Ana", "ana")
ROOM, PRIVATE = Place("matrix", "!room", title="Bakery"), Place("matrix", "!private", private=True)


def happen(store: Store, *events: Event) -> list[tuple[str, Message]]:
    """Let events be kept, each once, and handled; return what is to be sent, with its room."""
    with store.write() as session:
        for event in events:
            inbox.receive(session, "matrix", event.event_id, event.place.address, event.to_json(), NOON)
            session.flush()
    dispatch_all(House(store, table(), secrets.token_bytes), NOON)
    with store.read() as session:
        query = select(Chat.address, Outbox.payload).join(Chat, col(Chat.id) == col(Outbox.chat_id))
        return [
            (room, Message.from_json(dict(payload))) for room, payload in session.exec(query.order_by(col(Outbox.id)))
        ]


def test_what_cannot_be_read_is_told_to_the_room_once(store: Store) -> None:
    event = Event("unreadable DEVICE !room", Incoming.UNREADABLE, ROOM)
    ((room, message),) = happen(store, event, event)
    assert room == "!room"
    assert "I can't read some messages here" in str(message.text)
    assert len(happen(store, event)) == 1


def test_a_private_answer_says_whose_it_is_so_that_a_room_can_be_opened(store: Store) -> None:
    texts = ("/pool new Valley", "/me")
    shown = happen(store, *(Event(text, Incoming.TEXT, ROOM, ANA, text, text) for text in texts))
    room, message = shown[-1]
    with store.read() as session:
        ana = session.exec(select(Account)).one()
    assert (room, message.link, message.mentions) == ("!room", ("See mine", "run-me"), (ana.id,))
    opened = Event("opened", Incoming.TEXT, PRIVATE, ANA, f"/start {message.link[1]}" if message.link else "")
    room, message = happen(store, opened)[-1]
    assert room == "!private"
    assert "Ana in Valley" in str(message.text)


def test_a_private_room_that_others_enter_is_private_no_more(store: Store) -> None:
    happen(store, Event("1", Incoming.BACK, PRIVATE, ANA))
    with store.read() as session:
        assert session.exec(select(Chat)).one().account_id is not None
    happen(store, Event("2", Incoming.BACK, Place("matrix", "!private")))
    with store.read() as session:
        assert session.exec(select(Chat)).one().account_id is None
