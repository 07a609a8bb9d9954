"""A player: lets people write, reply and press as they would, on a store and a clock of its own."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlmodel import select

from core.chat import binding, inbox, outbox
from core.chat.addressing import addressed
from core.chat.commands import table
from core.chat.dispatch import House, dispatch_all
from core.chat.due import run_due
from core.chat.message import Event, Incoming, Message, Priority
from core.identity import Place, Sender, account_of, chat_of
from core.tables_chat import Account, Chat, Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlmodel import Session

    from core.store import Store

PRESS = re.compile(r"\[(?P<label>[^\]]+)\] *")
BOT_NAMES = frozenset({"pool", "dpool"})
START = datetime(2026, 1, 1, tzinfo=UTC)


class StepError(Exception):
    """A line of a transcript does not hold, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Something a chat has seen: a new message, or an edit of one."""

    chat: str
    text: str
    is_new: bool


def as_plain(platform: str, message: Message) -> str:
    """Return a message as plain lines, with the sign before commands that people type on its platform."""
    return message.plain("!" if platform == "matrix" else "/")


@dataclass(slots=True)
class Player:
    """Plays steps against a store. `on_shown` is called for everything that chats see, as `render` makes it look.

    What it remembers is what people see and remember; the program itself has only its store.
    """

    store: Store
    on_shown: Callable[[Shown], None] = lambda _shown: None
    render: Callable[[str, Message], str] = as_plain
    now: datetime = START
    shown: list[Shown] = field(default_factory=list)
    messages: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    last_sent: dict[tuple[str, str], str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    known: set[tuple[str, str]] = field(default_factory=set)
    count: int = 0
    drawn: int = 0
    house: House = field(init=False)

    def __post_init__(self) -> None:
        """Start the program."""
        self._start()

    def _start(self) -> None:
        self.house = House(self.store, table(), self._entropy, on_fault=self.faults.append)

    def _entropy(self, count: int) -> bytes:
        """Give randomness that is the same in every play."""
        self.drawn += 1
        return hashlib.shake_256(f"dpool play {self.drawn}".encode()).digest(count)

    # Steps

    def go_to(self, until: datetime) -> None:
        """Run everything that is due up to an instant, each at its moment."""
        if until < self.now and self.count:
            raise StepError(f"the clock does not go back: it is {self.now:%Y-%m-%d %H:%M}")
        self.shown = []
        due = run_due(self.house, self.now)
        while due is not None and due <= until and not self.faults:
            self.now = max(self.now, due)
            due = run_due(self.house, self.now)
            self.deliver()
        self.now = until
        self.deliver()

    def say(self, platform: str, who: str, chat: str, text: str, *, reply: str = "", edit: bool = False) -> None:
        """Let somebody write, reply, edit or press."""
        self.shown = []
        self.count += 1
        key, place = chat_key(platform, who, chat), _place(platform, who, chat)
        event = self._event(key, place, _sender(platform, who), text, reply, edit=edit)
        if event is None:
            return
        with self.store.write() as session:
            order_key = f"{place.platform}:{place.address}"
            inbox.receive(session, platform, event.event_id, order_key, event.to_json(), self.now)
        dispatch_all(self.house, self.now)
        self.deliver()

    def _event(self, key: str, place: Place, sender: Sender, text: str, reply: str, *, edit: bool) -> Event | None:
        """Return what the platform tells us; nothing of a command for another bot."""
        press = PRESS.fullmatch(text)
        if press is not None:
            choice = self._find_choice(key, press["label"])
            return Event(f"{self.count}", Incoming.PRESS, place, sender, choice=choice, press_ref=f"p{self.count}")
        reply_to = self._find(key, reply) if reply else ""
        heard = addressed(text.replace("\\n", "\n"), BOT_NAMES)
        if heard is None:
            return None
        words, is_addressed = heard
        if not edit:
            ref = self.last_sent[key, sender.user_id] = f"u{self.count}"
            return Event(f"{self.count}", Incoming.TEXT, place, sender, words, ref, reply_to, is_addressed)
        ref = self.last_sent.get((key, sender.user_id), "")
        if not ref:
            raise StepError(f"{sender.name} has written nothing in {key} to edit")
        return Event(f"{self.count}", Incoming.EDIT, place, sender, words, ref, addressed=is_addressed)

    def _find_choice(self, key: str, label: str) -> str:
        wanted = label.casefold()
        for delivery, message in self._newest_first(key):
            labels = [choice.label.casefold() for choice in message.choices]
            begins = [one for one in labels if one.startswith(wanted)]
            if begins:
                return f"{delivery.id}:{labels.index(wanted if wanted in labels else begins[0])}"
        raise StepError(f"no button [{label}] in {key}")

    def _find(self, key: str, pattern: str) -> str:
        for delivery, message in self._newest_first(key):
            if any(re.search(pattern, line, re.IGNORECASE) for line in message.plain().split("\n")):
                return delivery.ref or ""
        raise StepError(f"no message in {key} matches /{pattern}/")

    def _newest_first(self, key: str) -> Iterator[tuple[Delivery, Message]]:
        """Yield a chat's messages as they look now."""
        for delivery_id in reversed(self.messages[key]):
            with self.store.read() as session:
                delivery = session.get_one(Delivery, delivery_id)
                delivery = outbox.message_shown(session, delivery.chat_id, delivery.ref or "") or delivery
            yield delivery, Message.from_json(delivery.payload)

    def restart(self) -> None:
        """Let go of everything in memory and start again on the same store."""
        self.shown = []
        self.store.close()
        self._start()
        with self.store.write() as session:
            for platform in _platforms(session):
                outbox.recover(session, platform)
        dispatch_all(self.house, self.now)
        run_due(self.house, self.now)
        self.deliver()

    # What chats see

    def deliver(self) -> None:
        """Let everything that waits be sent and seen."""
        with self.store.read() as session:
            platforms = _platforms(session)
        for platform in platforms:
            while self._deliver_next(platform):
                pass

    def _deliver_next(self, platform: str) -> bool:
        with self.store.write() as session:
            delivery = binding.bind_next(session, platform, self.now, card_seconds=0)
            if delivery is None:
                return False
            outbox.sent(session, {delivery.id: f"b{delivery.id}"}, self.now)
            key = self._key_of(session, session.get_one(Chat, delivery.chat_id))
        message = Message.from_json(delivery.payload)
        is_new = delivery.edits is None and delivery.priority != Priority.TOAST
        if is_new:
            self.messages[key].append(delivery.id)
        text = self.render(platform, message)
        if text:
            shown = Shown(key, text, is_new)
            self.shown.append(shown)
            self.on_shown(shown)
        return True

    def _key_of(self, session: Session, chat: Chat) -> str:
        if chat.account_id is None:
            return _prefixed(chat.platform, chat.address)
        return _prefixed(chat.platform, f"dm:{session.get_one(Account, chat.account_id).user_id}")


def _platforms(session: Session) -> list[str]:
    return sorted(session.exec(select(Chat.platform).distinct()))


def _prefixed(platform: str, name: str) -> str:
    return name if platform == "console" else f"{platform}:{name}"


def _shown_name(name: str) -> str:
    return name[:1].upper() + name[1:]


def _sender(platform: str, who: str) -> Sender:
    handle = who.casefold()
    return Sender(platform, handle, _shown_name(handle), handle)


def _place(platform: str, who: str, chat: str) -> Place:
    if chat.casefold() == "dm":
        return Place(platform, f"dm:{who.casefold()}", private=True)
    return Place(platform, chat.casefold(), title=_shown_name(chat.casefold()))


def chat_key(platform: str, who: str, chat: str) -> str:
    """Return what a transcript calls the chat that somebody writes in."""
    return _prefixed(platform, f"dm:{who.casefold()}" if chat.casefold() == "dm" else chat.casefold())


def open_private(player: Player, platform: str, who: str) -> None:
    """Private chats are open from the start: a person can be reached as soon as they are known."""
    if (platform, who) in player.known:
        return
    player.known.add((platform, who))
    with player.store.write() as session:
        account = account_of(session, _sender(platform, who))
        chat_of(session, _place(platform, who, "dm"), account)
