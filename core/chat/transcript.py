"""Transcripts: a chat played against an empty store and a clock of its own, through the same way as the real thing."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlmodel import select

from core.chat import inbox, outbox
from core.chat.addressing import addressed
from core.chat.commands import table
from core.chat.dispatch import House, dispatch_all
from core.chat.due import run_due
from core.chat.message import Event, Incoming, Message, Priority
from core.identity import Place, Sender, account_of, chat_of
from core.store import Store
from core.tables_chat import Account, Chat, Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlmodel import Session

STEP = re.compile(
    r"(?:(?P<platform>\w+):)?(?P<who>[\w-]+)@(?P<chat>[\w-]+)"
    r"(?: re /(?P<reply>(?:\\/|[^/])+)/| (?P<edit>edit))?: (?P<text>.*)",
    re.IGNORECASE,
)
CHECK = re.compile(r"(?P<chat>[\w:-]*?)(?P<sign>!?>|=) ?(?P<pattern>.*)")
PRESS = re.compile(r"\[(?P<label>[^\]]+)\]")
KEPT = re.compile(r"\{(\w+)\}")
BOT_NAMES = frozenset({"pool", "dpool"})
START = datetime(2026, 1, 1, tzinfo=UTC)


class MismatchError(Exception):
    """A transcript says something else than what happened."""

    def __init__(self, path: str, number: int, reason: str) -> None:
        """Say where and why."""
        super().__init__(f"{path}:{number}: {reason}")


@dataclass(frozen=True, slots=True)
class Shown:
    """Something a chat has seen: a new message, or an edit of one."""

    chat: str
    text: str
    is_new: bool


@dataclass(slots=True)
class Player:
    """Plays steps against a store. `on_shown` is called for everything that chats see."""

    store: Store
    on_shown: Callable[[Shown], None] = lambda _shown: None
    now: datetime = START
    shown: list[Shown] = field(default_factory=list)
    messages: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    last_sent: dict[tuple[str, str], str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    count: int = 0
    drawn: int = 0

    @property
    def house(self) -> House:
        """What dispatch needs; its randomness is the same in every play."""
        return House(self.store, table(), self._entropy)

    def _entropy(self, count: int) -> bytes:
        self.drawn += 1
        return hashlib.shake_256(f"dpool play {self.drawn}".encode()).digest(count)

    # Steps

    def go_to(self, until: datetime) -> None:
        """Run everything that is due up to an instant, each at its moment."""
        self.shown = []
        due = run_due(self.house, self.now)
        while due is not None and due <= until:
            self.now = max(self.now, due)
            due = run_due(self.house, self.now)
            self._deliver()
        self.now = until
        self._deliver()

    def say(self, platform: str, who: str, chat: str, text: str, *, reply: str = "", edit: bool = False) -> None:
        """Let somebody write, reply, edit or press."""
        self.shown = []
        self.count += 1
        sender, place = _sender(platform, who), _place(platform, who, chat)
        key = _chat_key(platform, who, chat)
        press = PRESS.fullmatch(text)
        if press is not None:
            event = self._press(place, sender, key, press["label"])
        else:
            reply_to = self._find(key, reply) if reply else ""
            kind = Incoming.EDIT if edit else Incoming.TEXT
            words, is_addressed = addressed(text.replace("\\n", "\n"), BOT_NAMES) or (text, False)
            event = Event(f"{self.count}", kind, place, sender, words, f"u{self.count}", reply_to, is_addressed)
        with self.store.write() as session:
            inbox.receive(
                session, platform, event.event_id, f"{place.platform}:{place.address}", event.to_json(), self.now
            )
        dispatch_all(self.house, self.now)
        self._deliver()

    def _press(self, place: Place, sender: Sender, key: str, label: str) -> Event:
        wanted = label.casefold()
        for delivery_id in reversed(self.messages[key]):
            with self.store.read() as session:
                delivery = self._newest(session, delivery_id)
                message = Message.from_json(delivery.payload)
            labels = [choice.label.casefold() for choice in message.choices]
            index = (
                labels.index(wanted)
                if wanted in labels
                else next((n for n, one in enumerate(labels) if one.startswith(wanted)), -1)
            )
            if index >= 0:
                return Event(f"{self.count}", Incoming.PRESS, place, sender, choice=f"{delivery.id}:{index}")
        reason = f"no button [{label}] in {key}"
        raise LookupError(reason)

    def _newest(self, session: Session, delivery_id: int) -> Delivery:
        delivery = session.get_one(Delivery, delivery_id)
        return outbox.message_shown(session, delivery.chat_id, delivery.ref or "") or delivery

    def _find(self, key: str, pattern: str) -> str:
        for delivery_id in reversed(self.messages[key]):
            with self.store.read() as session:
                delivery = self._newest(session, delivery_id)
            text = Message.from_json(delivery.payload).plain()
            if any(re.search(pattern, line, re.IGNORECASE) for line in text.splitlines()):
                return delivery.ref or ""
        reason = f"no message like /{pattern}/ in {key}"
        raise LookupError(reason)

    def restart(self) -> None:
        """Let go of everything in memory and start again on the same store."""
        self.store.close()
        self.store = Store(self.store.url)

    # What chats see

    def _deliver(self) -> None:
        with self.store.read() as session:
            platforms = sorted(session.exec(select(Chat.platform).distinct()))
        for platform in platforms:
            while self._deliver_next(platform):
                pass

    def _deliver_next(self, platform: str) -> bool:
        with self.store.write() as session:
            delivery = outbox.bind_next(session, platform, self.now, card_seconds=0)
            if delivery is None:
                return False
            outbox.sent(session, delivery.id, f"b{delivery.id}", self.now)
            key = self._key_of(session, session.get_one(Chat, delivery.chat_id))
        message = Message.from_json(delivery.payload)
        is_new = delivery.edits is None and delivery.priority != Priority.TOAST
        if is_new:
            self.messages[key].append(delivery.id)
        text = message.plain("!" if platform == "matrix" else "/")
        if text:
            shown = Shown(key, text, is_new)
            self.shown.append(shown)
            self.on_shown(shown)
        return True

    def _key_of(self, session: Session, chat: Chat) -> str:
        if chat.account_id is None:
            return _prefixed(chat.platform, chat.address)
        return _prefixed(chat.platform, f"dm:{session.get_one(Account, chat.account_id).user_id}")


def _prefixed(platform: str, name: str) -> str:
    return name if platform == "console" else f"{platform}:{name}"


def _sender(platform: str, who: str) -> Sender:
    handle = who.casefold()
    return Sender(platform, handle, handle[:1].upper() + handle[1:], handle)


def _place(platform: str, who: str, chat: str) -> Place:
    if chat.casefold() == "dm":
        return Place(platform, f"dm:{who.casefold()}", private=True)
    return Place(platform, chat.casefold(), title="")


def _chat_key(platform: str, who: str, chat: str) -> str:
    return _prefixed(platform, f"dm:{who.casefold()}" if chat.casefold() == "dm" else chat.casefold())


def play(path: Path, store: Store, write: Callable[[str], None]) -> None:
    """Play a transcript file against an empty store. Raises MismatchError at the first line that does not hold."""
    player = Player(
        store, lambda shown: write("\n".join(f"    {shown.chat}| {line}" for line in shown.text.splitlines()))
    )
    chat = ""
    for number, line in _lines(path):
        text = line.strip()
        step = STEP.fullmatch(_filled(player, text))
        write(text)
        try:
            if text == "restart":
                player.restart()
            elif text.startswith("now "):
                player.go_to(datetime.fromisoformat(text.removeprefix("now ")).replace(tzinfo=UTC))
            elif step is not None:
                platform = (step["platform"] or "console").casefold()
                chat = _chat_key(platform, step["who"], step["chat"])
                open_private(player, platform, step["who"])
                player.say(
                    platform,
                    step["who"],
                    step["chat"],
                    step["text"],
                    reply=step["reply"] or "",
                    edit=bool(step["edit"]),
                )
            else:
                chat = check(player, text, chat)
        except (LookupError, ValueError, re.error) as error:
            raise MismatchError(str(path), number, str(error)) from None


def open_private(player: Player, platform: str, who: str) -> None:
    """Private chats are open from the start: a person can be reached as soon as they are known."""
    with player.store.write() as session:
        account = account_of(session, _sender(platform, who))
        chat_of(session, _place(platform, who, "dm"), account)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _filled(player: Player, text: str, *, escape: bool = False) -> str:
    def value(match: re.Match[str]) -> str:
        kept = player.kept.get(match[1])
        if kept is None:
            return match[0]
        return re.escape(kept) if escape else kept

    return KEPT.sub(value, text)


def check(player: Player, text: str, chat: str) -> str:
    """Check one line of a transcript against what the last step showed; return the chat it was about."""
    match = CHECK.fullmatch(text)
    if match is None:
        reason = f"not a step or a check: {text}"
        raise ValueError(reason)
    chat = match["chat"].casefold() or chat
    lines = [line for shown in player.shown if shown.chat == chat for line in shown.text.splitlines()]
    if match["sign"] == "=":
        count = sum(shown.is_new for shown in player.shown if shown.chat == chat)
        if count != int(match["pattern"]):
            reason = f"{count} new messages in {chat}, not {match['pattern']}"
            raise LookupError(reason)
        return chat
    pattern = re.compile(_filled(player, match["pattern"], escape=True), re.IGNORECASE)
    found = next((one for one in map(pattern.search, lines) if one), None)
    if (found is None) == (match["sign"] == ">"):
        said = "\n      ".join(lines) or "nothing"
        reason = (
            f"{'no' if found is None else 'a'} line in {chat} matches /{pattern.pattern}/, said there:\n      {said}"
        )
        raise LookupError(reason)
    if found is not None:
        player.kept.update({name: value for name, value in found.groupdict().items() if value is not None})
    return chat
