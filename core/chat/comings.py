"""Chats that come, go, move and open again; and those in them who do not show who they are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, delete, select, update

from core.chat import outbox
from core.chat.desk import Desk
from core.chat.handling import SIGN, Handling, House
from core.chat.message import Event, Incoming, Message, Priority
from core.chat.notices_chats import switch_off
from core.identity import move_chat
from core.tables_chat import Account, Chat, Outbox

if TYPE_CHECKING:
    from sqlmodel import Session

GREETING, GREETING_DELAY = "greeting:", timedelta(seconds=3)
SPEAKING = frozenset({Incoming.TEXT, Incoming.PRESS})
COMING = frozenset({Incoming.ADDED, Incoming.BACK})
AGAIN = "start"  # what is typed to be greeted


def open_up(session: Session, event: Event, chat: Chat) -> None:
    """Let a chat in which something happens be written to again; who is back in a group is back in its topics."""
    if event.kind in SPEAKING:
        outbox.switch_on(session, chat)
    elif event.kind in COMING:
        for one in _with_topics(session, chat):
            outbox.switch_on(session, one)


def follow(house: House, desk: Desk, event: Event, chat: Chat) -> bool:
    """Handle what is about a chat and not from anybody; return whether it was that."""
    if event.kind is Incoming.GONE:
        for one in _with_topics(desk.session, chat):
            switch_off(desk.session, one, desk.now, house.language)
    elif event.kind is Incoming.MOVED:
        move_chat(desk.session, chat, event.moved_to)
        _drop_greeting(desk.session, event.place.platform, event.moved_to)
    elif event.kind is Incoming.NAMELESS:
        _answer_nameless(house, desk, event, chat)
    elif event.kind is Incoming.UNREADABLE:
        _tell_unreadable(desk, chat)
    else:
        return False
    return True


def greet(house: House, desk: Desk, event: Event, chat: Chat, account: Account) -> None:
    """Greet a chat we came into, in a moment: it may turn out that it only moved, or that a code comes along."""
    greeting = Desk(desk.session, desk.now, f"{GREETING}{desk.key}", language=house.language)
    Handling(house, greeting, event, chat, account).run("start", answer_silence=True)
    query = update(Outbox).where(col(Outbox.key).startswith(f"{greeting.key}:", autoescape=True))
    desk.session.exec(query.values(not_before=desk.now + GREETING_DELAY))


def drop_greeting_for(session: Session, event: Event, chat: Chat) -> None:
    """Drop the greeting that waits when somebody asks for one, perhaps with the code of a link, or knows what to do."""
    is_command = SIGN.match(event.text) is not None
    is_nobodys = chat.pool_id is None and chat.account_id is None
    if is_command and (is_nobodys or event.text[1:].startswith(AGAIN)):
        _drop_greeting(session, chat.platform, chat.address)


def _drop_greeting(session: Session, platform: str, address: str) -> None:
    there = select(Chat.id).where(Chat.platform == platform, Chat.address == address)
    query = delete(Outbox).where(col(Outbox.chat_id).in_(there), col(Outbox.delivery_id).is_(None))
    session.exec(query.where(col(Outbox.key).startswith(GREETING, autoescape=True)))


def _with_topics(session: Session, chat: Chat) -> list[Chat]:
    """Return a group's chat with those of its topics; of a topic that alone."""
    if chat.topic:
        return [chat]
    query = select(Chat).where(Chat.platform == chat.platform, Chat.address == chat.address).order_by(col(Chat.id))
    return list(session.exec(query))


def _answer_nameless(house: House, desk: Desk, event: Event, chat: Chat) -> None:
    """Tell somebody who hides who they are how to be known, once a day in a chat, if they meant us."""
    is_command = SIGN.match(event.text) is not None and house.table.find(event.text[1:]) is not None
    if not (is_command or event.addressed or event.reply_to):
        return
    say = desk.say_in(chat)
    text = say(
        "You write as the group, so I can't tell who you are. Use the buttons, "
        "or turn off 'Remain anonymous' in your rights as an admin."
    )
    message, key = Message(text, reply_to=event.ref), f"nameless:{chat.id}:{desk.now.date()}"
    outbox.post(desk.session, chat, message, Priority.REPLY, key, desk.now)


def _tell_unreadable(desk: Desk, chat: Chat) -> None:
    say = desk.say_in(chat)
    text = say(
        "I can't read some messages here: they are encrypted, and I never got their key. Please write them again. "
        "If I stay silent then, remove me from this room and invite me again."
    )
    desk.post(chat, Message(text), Priority.REPLY)
