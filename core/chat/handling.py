"""Handling one text or one press: what it means, who may, what is answered. All in the transaction it is given."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlmodel import select

from core import codes
from core.chat import access, arguments, notices, outbox, wizard
from core.chat.command import Command, Press, Table
from core.chat.context import Context
from core.chat.message import Choice, Event, Incoming, Message, Priority, Reply, Where
from core.chat.parameters import Kind, MissingError
from core.chat.plain_words import as_command
from core.chat.text import Text
from core.clean import shorten
from core.errors import NotAdmittedError, Refusal, UnknownCodeError
from core.identity import private_chat
from core.numbers import NumberBoundsError, tries_number
from core.store import ChangedMeanwhileError, lock_pool, one_state
from core.tables_chat import Account, Card, Chat, Delivery, Person
from core.tables_chat import Press as PressRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.chat.desk import Desk
    from core.store import Store

TEXT_LENGTH_MAX = 20_000
SIGN = re.compile(r"[/!](?=[^\W\d_])")
CHOICE = re.compile(r"(?:(?P<delivery>[0-9]{1,18}):)?(?P<index>[0-9]{1,3})")
CHOICE_NUMBER = re.compile(r"[1-9][0-9]?")
TAKES_NUMBERS = arguments.NUMBERS | arguments.FREE | {Kind.TASK, Kind.TIMES, Kind.TEXT}


def _only_logged(_error: Exception) -> None:
    """Do no more about a fault than to log it."""


@dataclass(frozen=True, slots=True)
class House:
    """What dispatch needs from outside: the store, the commands, randomness, and the language of newcomers.

    `on_fault` hears of every fault of the program, which is logged and survived.
    """

    store: Store
    table: Table
    entropy: Callable[[int], bytes]
    language: str = "en"
    timezone: str = "UTC"
    on_fault: Callable[[Exception], None] = _only_logged


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
        elif not self._answer(text, is_for_us=is_for_us) and is_for_us:
            self.run(as_command(text) or text or "start", answer_silence=True)

    def _answer(self, text: str, *, is_for_us: bool) -> bool:
        """Take a plain reply to one of our messages as the answer it asked for, or as the number of a choice."""
        shown = outbox.message_shown(self.session, self.chat.id, self.event.reply_to) if self.event.reply_to else None
        if shown is None:
            return False
        message = Message.from_json(shown.payload)
        is_number = CHOICE_NUMBER.fullmatch(text) is not None and int(text) <= len(message.choices)
        if is_number and not self._takes_numbers(message.answers):
            self._press(shown, int(text) - 1)
            return True
        if not message.answers:
            return False
        context = self._completed(message.answers, text)
        if not self._is_readable(context):
            if not is_for_us and self._lacks(context) in {"", self._lacks(self.context(message.answers))}:
                return True  # people talk to each other under our messages
            if self.house.table.find(text) or as_command(text):
                return False
        carried = next((choice for choice in message.choices if choice.pool_id), Choice("", ""))
        self.run_command(context, carried.pool_id, carried.project_id, answer_silence=is_for_us)
        return True

    def _completed(self, answers: str, text: str) -> Context:
        """Return the context of an answer. In answer to a question for hours, their unit may be left out."""
        context = self.context(f"{answers} {text}")
        if not tries_number(text) or self._is_readable(context):
            return context
        in_hours = self.context(f"{answers} {text}h")
        return in_hours if self._is_readable(in_hours) else context

    def _takes_numbers(self, answers: str) -> bool:
        """Tell whether a number in reply belongs to the command that is asked for."""
        found = self.house.table.find(answers)
        return found is not None and any(one.kind in TAKES_NUMBERS for one in found[0].parameters)

    def _is_readable(self, context: Context) -> bool:
        found = self.house.table.find(context.text)
        if found is None:
            return False
        try:
            arguments.read(found[1], found[0].parameters, context.now, context.say.zone)
        except NumberBoundsError:
            return True
        except Refusal:
            return False
        return True

    def _lacks(self, context: Context) -> str:
        """Return the name of what a command still needs, if nothing else is wrong with it."""
        found = self.house.table.find(context.text)
        if found is None:
            return ""
        try:
            arguments.read(found[1], found[0].parameters, context.now, context.say.zone)
        except MissingError as missing:
            return missing.name
        except Refusal:
            pass
        return ""

    def run(self, text: str, *, answer_silence: bool) -> None:
        """Run a text as a command; with `answer_silence` also say that it is none."""
        self.run_command(self.context(text), 0, 0, answer_silence=answer_silence)

    # A press

    def press(self) -> None:
        """Handle a press: `choice` names delivery and index, or the index of a choice under the message `reply_to`."""
        choice = CHOICE.fullmatch(self.event.choice)
        shown = self._message_pressed(choice["delivery"]) if choice else None
        if choice is not None and shown is not None:
            self._press(shown, int(choice["index"]))
        else:
            self._toast_too_old()
        if not self.is_answered:
            self._toast(Text())

    def _message_pressed(self, delivery_id: str | None) -> Delivery | None:
        """Return the delivery whose choice was pressed, if it was sent to this chat."""
        if not delivery_id:
            return outbox.message_shown(self.session, self.chat.id, self.event.reply_to)
        shown = self.session.get(Delivery, int(delivery_id))
        return shown if shown is not None and shown.chat_id == self.chat.id else None

    def _press(self, shown: Delivery, index: int) -> None:
        choices = Message.from_json(shown.payload).choices
        if index >= len(choices):
            self._toast_too_old()
            return
        choice = choices[index]
        self.pressed = shown
        context = self.context(choice.command)
        found = self.house.table.find(choice.command)
        key = self._press_key(found[0], shown, index) if found else ""
        known = self.session.get(PressRow, key) if key else None
        if known is not None:
            who = self.session.get_one(Account, known.account_id)
            is_mine, say = who.id == self.account.id, context.say
            self._toast(say("You did that already.") if is_mine else say("{name} did that already.", name=who.name))
            return
        is_done = self.run_command(context, choice.pool_id, choice.project_id, answer_silence=True)
        if is_done and key:
            self.session.add(PressRow(key=key, account_id=self.account.id, at=self.desk.now))

    def _press_key(self, command: Command, shown: Delivery, index: int) -> str:
        if command.press is Press.AGAIN:
            return ""
        who = "" if command.press is Press.ONCE else str(self.account.id)
        return f"{shown.id}:{index}:{who}"

    def _toast(self, text: Text) -> None:
        """Answer a press; who typed a choice's number gets a message."""
        self.is_answered = True
        if self.event.kind is Incoming.PRESS:
            self.desk.post(self.chat, Message(text, toast_for=self.event.press_ref or "-"), Priority.TOAST)
        else:
            self.desk.post(self.chat, Message(text, reply_to=self.event.ref), Priority.REPLY)

    def _toast_too_old(self) -> None:
        say = self.desk.say_in(self.chat)
        self._toast(say("That button is too old. Type what you want instead."))

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
            member_ids=self.desk.member_ids(self.account.person_id),
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
        access.remember(context, pool_id)
        try:
            with self.session.begin_nested(), one_state(self.session):
                access.admit(context, command, pool_id, project_id)
                values = arguments.read(rest, command.parameters, context.now, context.say.zone)
                if "code" in values:
                    codes.check_tries(self.account, context.now)
                replies = context.run(command, values)
                self.session.flush()
        except ChangedMeanwhileError as error:
            self.session.expire_all()
            lock_pool(self.session, error.pool_id)
            return self.run_command(self.context(context.text), pool_id, project_id, answer_silence=answer_silence)
        except Refusal as refusal:
            self.session.expire_all()
            self._refuse(context, refusal, context.pool_id if context.has_pool else pool_id)
            return False
        for reply in replies:
            self._send(context, reply)
        self._tell(context)
        return True

    def _tell(self, context: Context) -> None:
        notices.tell(self.desk, context.events)
        self.desk.draw()

    def _refuse(self, context: Context, refusal: Refusal, pool_id: int) -> None:
        context.events.clear()
        if isinstance(refusal, UnknownCodeError):
            codes.count_wrong(self.account, context.now)
        if isinstance(refusal, NotAdmittedError):
            access.ask_to_join(context)
            self._tell(context)
        reply = wizard.answer(context, refusal)
        if self.event.kind is Incoming.PRESS and not reply.choices and not reply.answers:
            self._toast(reply.text)
            return
        choices = tuple(replace(one, pool_id=one.pool_id or pool_id) for one in reply.choices)
        message = Message(reply.text, choices, reply.answers, reply_to=self.event.ref, mentions=self._asked(reply))
        self.desk.post(self.chat, message, Priority.REPLY)

    def _unknown(self, context: Context) -> None:
        if self.event.kind is Incoming.PRESS:
            self._toast_too_old()
            return
        line = context.say("I don't know '{word}'. What I can do: `/help`", word=shorten(context.text.split()[0]))
        self.desk.post(self.chat, Message(line, reply_to=self.event.ref), Priority.REPLY)

    # Answering

    def _send(self, context: Context, reply: Reply) -> None:
        pool_id = context.pool_id if context.has_pool else 0
        choices = tuple(replace(one, pool_id=one.pool_id or pool_id) for one in reply.choices)
        message = Message(
            reply.text,
            choices,
            reply.answers,
            reply.subject,
            self.event.ref,
            mentions=self._asked(reply),
            group_link=reply.group_link,
            file=reply.file,
        )
        if reply.where is Where.PRIVATE and not context.is_private:
            self._send_private(context, message, pool_id)
        elif reply.where is Where.EDIT and self.pressed is not None:
            edits = self.pressed.edits or self.pressed.id
            self.desk.post(self.chat, replace(message, edits=edits, reply_to=""), Priority.EDIT)
        elif self.pressed is not None and reply.subject and self._shows(self.pressed, reply.subject):
            self._toast(Text.of(str(reply.text).split("\n", maxsplit=1)[0]))
        else:
            self.desk.post(self.chat, message, Priority.REPLY, pool_id=pool_id)

    def _asked(self, reply: Reply) -> tuple[int, ...]:
        """Return whom a question is for where no message of theirs shows it: who pressed a button."""
        return (self.account.id,) if self.event.kind is Incoming.PRESS and reply.answers else ()

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
        message = Message(text, reply_to=self.event.ref, mentions=(self.account.id,), link=link)
        self.desk.post(self.chat, message, Priority.REPLY)
