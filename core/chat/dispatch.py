"""Dispatch: one event of the inbox in one transaction. Effects, answers and "done" commit together or not at all."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlmodel import Session, select

from core.chat import access, arguments, inbox, notices, outbox, wizard
from core.chat.command import Command, Press, Table
from core.chat.context import Context
from core.chat.desk import Desk
from core.chat.message import Event, Incoming, Message, Priority, Reply, Where
from core.chat.plain_words import as_command
from core.chat.text import Text
from core.errors import Refusal
from core.identity import account_of, chat_of, private_chat
from core.tables_chat import Account, Card, Chat, Delivery, Inbox, Person
from core.tables_chat import Press as PressRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from core.store import Store

log = logging.getLogger(__name__)
FAULTS_MAX = 3
TEXT_LENGTH_MAX = 20_000
INDEX_DIGITS_MAX = 3
ID_DIGITS_MAX = 18
SIGN = re.compile(r"[/!](?=[^\W\d_])")


@dataclass(frozen=True, slots=True)
class House:
    """What dispatch needs from outside: the store, the commands, randomness, and the language of newcomers."""

    store: Store
    table: Table
    entropy: Callable[[int], bytes]
    language: str = "en"
    timezone: str = "UTC"


def dispatch_next(house: House, now: datetime) -> bool:
    """Handle the oldest waiting event; return whether there was one.

    A fault of the program rolls everything back; after three the event is set aside and its sender told, once.
    """
    try:
        with house.store.write() as session:
            row = inbox.next_waiting(session)
            if row is None:
                return False
            _handle(house, session, row, now)
            row.done_at = now
    except Refusal:
        raise
    except Exception:
        log.exception("an event could not be handled")
        _set_aside(house, now)
    return True


def dispatch_all(house: House, now: datetime) -> int:
    """Handle everything that waits; return how many events that were."""
    count = 0
    while dispatch_next(house, now):
        count += 1
    return count


def _set_aside(house: House, now: datetime) -> None:
    with house.store.write() as session:
        row = inbox.next_waiting(session)
        if row is None:
            return
        row.fault = f"{row.fault}x"
        if len(row.fault) < FAULTS_MAX:
            return
        row.done_at = now
        event = Event.from_json(row.payload)
        if event.sender is not None and event.kind in {Incoming.TEXT, Incoming.PRESS}:
            account = account_of(session, event.sender)
            chat = chat_of(session, event.place, account)
            desk = Desk(session, now, f"in:{row.id}", language=house.language)
            text = desk.say_in(chat)("That went wrong here, and nothing was changed. It has been noted.")
            desk.post(chat, Message(text, reply_to=event.ref), Priority.REPLY)


def _handle(house: House, session: Session, row: Inbox, now: datetime) -> None:
    event = Event.from_json(row.payload)
    desk = Desk(session, now, f"in:{row.id}", language=house.language)
    account = account_of(session, event.sender) if event.sender is not None else None
    chat = chat_of(session, event.place, account)
    if event.kind in {Incoming.TEXT, Incoming.PRESS, Incoming.BACK, Incoming.ADDED}:
        chat.off_at = None
    if event.kind is Incoming.TEXT and account is not None:
        Handling(house, desk, event, chat, account).text()
    elif event.kind is Incoming.PRESS and account is not None:
        Handling(house, desk, event, chat, account).press()
    elif event.kind is Incoming.ADDED and account is not None:
        Handling(house, desk, event, chat, account).run("start", answer_silence=True)
    elif event.kind is Incoming.GONE:
        chat.off_at = now
    elif event.kind is Incoming.MOVED:
        _move(session, chat, event.moved_to)


def _move(session: Session, chat: Chat, address: str) -> None:
    """Let a chat (and its topics) go on at another address; what was known of that one so far is let go."""
    for one in session.exec(select(Chat).where(Chat.platform == chat.platform, Chat.address == chat.address)).all():
        query = select(Chat).where(Chat.platform == one.platform, Chat.address == address, Chat.topic == one.topic)
        other = session.exec(query).first()
        if other is not None:
            other.address = f"{other.address} (before {one.address})"
            session.flush()
        one.address = address


class Handling:
    """One text or press being handled."""

    def __init__(self, house: House, desk: Desk, event: Event, chat: Chat, account: Account) -> None:
        """Prepare to answer in `chat`."""
        self.house = house
        self.desk = desk
        self.session = desk.session
        self.event = event
        self.chat = chat
        self.account = account
        self.pressed: Delivery | None = None
        self.is_answered = False
        desk.here = chat

    # A text

    def text(self) -> None:
        """Handle what somebody typed: a command, an answer, words to the bot; everything else is not for us."""
        text = self.event.text[:TEXT_LENGTH_MAX].strip()
        is_for_us = self.event.addressed or self.chat.account_id is not None
        if SIGN.match(text):
            self.run(text[1:], answer_silence=is_for_us)
        elif not self._answer(text) and is_for_us:
            self.run(as_command(text) or text, answer_silence=True)

    def _answer(self, text: str) -> bool:
        """Take a plain reply to one of our messages as the answer it asked for, or as the number of a choice."""
        shown = outbox.message_shown(self.session, self.chat.id, self.event.reply_to) if self.event.reply_to else None
        if shown is None:
            return False
        message = Message.from_json(shown.payload)
        if message.answers:
            context = self.context(f"{message.answers} {text}")
            pool_id = next((choice.pool_id for choice in message.choices if choice.pool_id), 0)
            self.run_command(context, pool_id, 0, answer_silence=self.event.addressed or context.is_private)
            return True
        if text.isascii() and text.isdigit() and 0 < int(text[:3]) <= len(message.choices):
            self._press(shown, int(text[:3]) - 1)
            return True
        return False

    def run(self, text: str, *, answer_silence: bool) -> None:
        """Run a text as a command; with `answer_silence` also say that it is none."""
        self.run_command(self.context(text), 0, 0, answer_silence=answer_silence)

    # A press

    def press(self) -> None:
        """Handle a press: `choice` names delivery and index, or the index of a choice under the message `reply_to`."""
        delivery_id, _, index = self.event.choice.rpartition(":")
        if not index.isascii() or not index.isdigit() or len(index) > INDEX_DIGITS_MAX:
            return
        if delivery_id:
            shown = (
                self.session.get(Delivery, int(delivery_id))
                if delivery_id.isdigit() and len(delivery_id) <= ID_DIGITS_MAX
                else None
            )
        else:
            shown = outbox.message_shown(self.session, self.chat.id, self.event.reply_to)
        if shown is not None and shown.chat_id == self.chat.id:
            self._press(shown, int(index))
        else:
            self._toast(self.desk.say_in(self.chat)("That button is too old. Type what you want instead."))

    def _press(self, shown: Delivery, index: int) -> None:
        choices = Message.from_json(shown.payload).choices
        if index >= len(choices):
            return
        choice = choices[index]
        self.pressed = shown
        context = self.context(choice.command)
        found = self.house.table.find(choice.command)
        key = self._press_key(found[0] if found else None, shown, index)
        known = self.session.get(PressRow, key) if key else None
        if known is not None:
            who = self.session.get_one(Account, known.account_id)
            mine = who.id == self.account.id
            self._toast(
                context.say("You did that already.") if mine else context.say("{name} did that already.", name=who.name)
            )
            return
        is_done = self.run_command(context, choice.pool_id, choice.project_id, answer_silence=True)
        if is_done and key:
            self.session.add(PressRow(key=key, account_id=self.account.id, at=self.desk.now))

    def _press_key(self, command: Command | None, shown: Delivery, index: int) -> str:
        if command is None or command.press is Press.AGAIN:
            return ""
        who = "" if command.press is Press.ONCE else str(self.account.id)
        return f"{shown.id}:{index}:{who}"

    def _toast(self, text: Text) -> None:
        self.is_answered = True
        self.desk.post(self.chat, Message(text, toast_for=self.event.press_ref or "-"), Priority.TOAST)

    # Running a command

    def context(self, text: str) -> Context:
        """Return the context in which a text runs."""
        say, tell = self.desk.say_in(self.chat), self.desk.say_to(self.account.person_id, None)
        return Context(
            session=self.session,
            now=self.desk.now,
            entropy=self.house.entropy,
            table=self.house.table,
            account=self.account,
            chat=self.chat,
            say=say,
            tell=tell,
            text=text,
            pressed=self.pressed,
            defaults={"timezone": self.house.timezone, "language": self.house.language},
        )

    def run_command(self, context: Context, pool_id: int, project_id: int, *, answer_silence: bool) -> bool:
        """Run a context's text; return whether it took effect. A refusal undoes everything but its own answer."""
        found = context.table.find(context.text)
        if found is None:
            if answer_silence:
                self._unknown(context)
            return False
        command, rest = found
        try:
            with self.session.begin_nested():
                access.admit(context, command.who, pool_id, project_id)
                zone = context.say.zone
                values = arguments.read(rest, command.parameters, context.now, zone)
                replies = command.run(context, values)
                self.session.flush()
        except Refusal as refusal:
            self.session.expire_all()
            self._refuse(wizard.answer(context, refusal), pool_id)
            return False
        for reply in replies:
            self._send(context, reply)
        notices.tell(self.desk, context.events)
        self.desk.draw()
        if self.event.press_ref and not self.is_answered:
            self._toast(Text())
        return True

    def _unknown(self, context: Context) -> None:
        if self.event.kind is Incoming.TEXT:
            word = context.text.split(maxsplit=1)[0][:20] if context.text.split() else ""
            self._refuse(Reply(context.say("I don't know '{word}'. What I can do: `/help`", word=word)), 0)

    def _refuse(self, reply: Reply, pool_id: int) -> None:
        choices = tuple(replace(one, pool_id=one.pool_id or pool_id) for one in reply.choices)
        if self.event.kind is Incoming.PRESS and not choices and not reply.answers:
            self._toast(reply.text)
        else:
            message = Message(reply.text, choices, reply.answers, reply_to=self.event.ref)
            self.desk.post(self.chat, message, Priority.REPLY)

    def _send(self, context: Context, reply: Reply) -> None:
        message = Message(reply.text, reply.choices, reply.answers, reply.subject, self.event.ref, file=reply.file)
        pool_id = context.pool.id if context.has_pool else 0
        if reply.where is Where.PRIVATE and not context.is_private:
            self._send_private(context, message, pool_id)
        elif reply.where is Where.EDIT and self.pressed is not None:
            self.desk.post(
                self.chat,
                replace(message, edits=self.pressed.edits or self.pressed.id, reply_to=""),
                Priority.EDIT,
            )
        elif self.pressed is not None and reply.subject and self._shows(self.pressed, reply.subject):
            self._toast(Text.of(str(reply.text).split("\n", maxsplit=1)[0]))
        else:
            self.desk.post(self.chat, message, Priority.REPLY, pool_id=pool_id)

    def _shows(self, pressed: Delivery, subject: str) -> bool:
        """Tell whether the pressed message is the live card of a subject, so that it follows by itself."""
        query = select(Card.id).where(Card.chat_id == self.chat.id, Card.subject == subject)
        return pressed.payload.get("subject") == subject and self.session.exec(query).first() is not None

    def _send_private(self, context: Context, message: Message, pool_id: int) -> None:
        """Answer in the sender's private chat; where there is none yet, offer the way to it."""
        chat = private_chat(self.session, self.account.person_id, self.chat.platform)
        person = self.session.get_one(Person, self.account.person_id)
        person.pool_id = pool_id or person.pool_id
        if chat is not None:
            self.desk.post(chat, replace(message, reply_to=""), Priority.REPLY, pool_id=pool_id)
            return
        text = context.say("That's for you alone.")
        link = (str(context.say("See mine")), f"run-{context.text.split()[0]}")
        self.desk.post(self.chat, Message(text, reply_to=self.event.ref, link=link), Priority.REPLY)
