"""The console: a terminal as a chat platform. One sits there as one of the pool's people and sees every channel.

What is typed goes the way of every message: inbox, dispatch, outbox. The few words below are the console's own.
"""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from adapters import known, seat
from adapters.known import PLATFORM, PRIVATE
from adapters.plain import Page, row
from adapters.post import Carrier, Door
from adapters.seat import Button
from core.chat.dispatch import dispatch_next
from core.chat.due import run_due
from core.chat.message import Event, Incoming, Message
from core.chat.refusals import refuse
from core.chat.say import Say
from core.chat.text import Span, Style, Text, joined
from core.errors import Refusal
from core.moments import read_moment, show_moment
from core.timetable import read_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from core.chat.handling import House
    from core.chat.message import Failure
    from core.chat.port import Parcel
    from core.identity import Place, Sender

MENTION = re.compile(r"@d?pool\b[,:]?\s+(.+)", re.IGNORECASE | re.DOTALL)
PERSON = re.compile(r"@([^\W\d][\w-]{0,31})(?:\s+(?=[/!#\d])(.+))?", re.DOTALL)
CHANNEL = re.compile(r"#([^\W\d][\w-]{0,31})(?:\s+(?=[/!\d])(.+))?", re.DOTALL)
NUMBER = re.compile(r"(?:re\s+)?([0-9]{1,2})(?:(?:\s*:\s*|\s+)(\S.*))?", re.DOTALL | re.IGNORECASE)
AHEAD = re.compile(r"([0-9]{1,4}) ?(w|d|h|m)")
UNITS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
AHEAD_MAX = timedelta(days=366)
STEP_MIN = timedelta(minutes=1)
FIRST_PERSON, FIRST_CHANNEL = "ana", "bakery"

WELCOME = """\
{pool} · {members} people, {projects} projects · it is {now} · next round {round}
You are {name}, in #{channel}. You see what every channel receives.
Try    /tasks   /goods   /want bread 2   /me   /round      and then a number: it
       presses that button; a number and a text answers: 3 1.5
@bo    be somebody else      #garden  go to another channel      #dm  in private
now sun 18:00  or  now +3d   move the clock, and watch what happens until then
help   these words again     /help   what the pool can do     quit   or Ctrl-D
"""
HELP = """\
/…  !…         a command of the pool, said in your channel as the person you are
5              press the button with the number 5
5 1.5          answer the message that has a button with that number
@bo   @        be Bo; who there is      @bo /me  be Bo and say that
#garden   #    go to #garden; which channels there are; #dm is your private chat
now            what time it is
now +3d        move the clock (w, d, h, m), or  now sun 18:00
help   quit    this page; the end (Ctrl-D too). Next time it goes on from here.
"""
NO_POOL = "No pool here yet. To found one:  /pool new NAME"
NO_NUMBER = "There is no {number} on screen. /tasks and /goods show buttons."
NEEDS_TEXT = "Type your answer behind the number, like:  {number} 1.5"
NOT_YOURS = "That is in {name}'s private chat. First:  @{handle}"
A_TASK = "To see a task:  /task {number}"
NOBODY = "Nobody answers. What the pool should hear begins with / ; see: help"
NEWCOMER = "{name} is new here, and joins by using a command in a project's channel."
NEW_CHANNEL = "#{channel} is new and no project's yet:  /project new NAME"
BACKWARDS = "The clock only goes forward. It is {now}."
TOO_FAR = "At most a year at a time."
UNREADABLE = "I can't read '{text}' as a time. Try  now +3d  or  now sun 18:00"
OTHERS = "({names} got something in private. To read it, e.g.:  @{handle} #dm)"
ANSWER = "…your answer"


class Clock(Protocol):
    """A clock that can be moved ahead."""

    ahead: timedelta

    def __call__(self) -> datetime:
        """Return what time it is."""
        ...

    def set(self, now: datetime) -> timedelta:
        """Let it be this time now; return how far ahead that is."""
        ...


class Console:
    """The adapter, and what reads the lines somebody types."""

    platform = PLATFORM
    card_seconds = 0

    def __init__(self, house: House, clock: Clock, write: Callable[[str], object], page: Page | None = None) -> None:
        self.house = house
        self.store = house.store
        self.clock = clock
        self.write = write
        self.page = page or Page()
        self.door = Door(self.store, clock, lambda: None)
        self.carrier = Carrier(self.store, self, clock, parallel=1)
        self.seat = seat.load(self.store)
        self.known = known.Known(read_zone(house.timezone))
        self._is_stepping = False
        self._has_shown = False
        self._others: dict[str, str] = {}

    # The port

    async def start(self) -> None:
        """Sit down where one sat last, and catch up."""
        self.clock.ahead = timedelta(seconds=self.seat.ahead_seconds)
        self._look()
        people, channels = self.known.people, self.known.channels
        self.seat.who = self.seat.who or next(iter(people), FIRST_PERSON)
        self.seat.where = self.seat.where or next(iter(channels), FIRST_CHANNEL)
        await asyncio.to_thread(known.open_private, self.store, self.seat.who)
        self._look()
        self._welcome()
        await self.carrier.recover()
        await self._settle()

    async def run(self) -> None:
        """Nothing comes in by itself: lines are handed to `handle`."""

    async def stop(self) -> None:
        """Get up; the seat is kept."""
        self.seat.save(self.store)

    def is_caught_up(self) -> bool:
        """Nothing waits elsewhere."""
        return True

    def busy_chats(self) -> Collection[int]:
        """A terminal has no limits."""
        return ()

    async def send(self, parcel: Parcel) -> str | Failure:
        """Show a parcel, unless it is in somebody else's private chat."""
        ref = parcel.edits or f"m{parcel.delivery_id}"
        if parcel.place.private and parcel.place.address != self._place(PRIVATE).address:
            self._remember_other(parcel.place)
        elif parcel.message.toast_for:
            self._tell(f"({parcel.message.text})" if parcel.message.text else "")
        else:
            mark = "changed" if parcel.edits else ""
            self._show(parcel.place, parcel.message, parcel.delivery_id, ref, self.clock(), mark)
        return ref

    # Lines

    @property
    def prompt(self) -> str:
        """What stands before a line: who one is, and where."""
        return f"{self._name(self.seat.who)} #{self.seat.where}> "

    async def handle(self, line: str) -> bool:
        """Do what a line says; return whether to go on."""
        text = line.strip()
        self._is_stepping, self._has_shown = True, False
        try:
            if text.casefold() in {"quit", "exit"}:
                return False
            await self._do(text)
        finally:
            self._is_stepping = False
            await asyncio.to_thread(self.seat.save, self.store)
        return True

    async def _do(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if not text:
            await self._settle()
        elif text.casefold() in {"help", "?"}:
            self._tell(HELP)
        elif word.casefold() == "now":
            await self._now(rest.strip())
        elif text in {"@", "#"}:
            self._list(text)
        elif match := MENTION.fullmatch(text):
            await self._say(match[1], addressed=True)
        elif match := PERSON.fullmatch(text):
            await self._be(match[1].casefold(), match[2] or "")
        elif match := CHANNEL.fullmatch(text):
            await self._go(match[1].casefold(), match[2] or "")
        elif match := NUMBER.fullmatch(text):
            await self._use(int(match[1]), match[2] or "")
        elif text[0] == "#" and text[1:].isdigit():
            self._tell(A_TASK.format(number=text[1:]))
        else:
            await self._say(text)

    async def _say(self, text: str, *, addressed: bool = False) -> None:
        token = self._token()
        place = self._place(self.seat.where)
        await self._put(Event(token, Incoming.TEXT, place, self._sender(), text, token, addressed=addressed))
        if not self._has_shown:
            self._tell(NOBODY)

    async def _use(self, number: int, text: str) -> None:
        """Press a button, or answer the message it is under."""
        button = self.seat.buttons.get(number)
        if button is None:
            self._tell(NO_NUMBER.format(number=number))
            return
        private, _, handle = button.address.rpartition(":")
        if private and handle != self.seat.who:
            self._tell(NOT_YOURS.format(name=self._name(handle), handle=handle))
            return
        place = known.place(handle, PRIVATE if private else button.address)
        token = self._token()
        if text:
            await self._put(Event(token, Incoming.TEXT, place, self._sender(), text, token, button.ref))
        elif button.index < 0:
            self._tell(NEEDS_TEXT.format(number=number))
        else:
            choice = f"{button.delivery_id}:{button.index}"
            await self._put(Event(token, Incoming.PRESS, place, self._sender(), choice=choice, press_ref=token))

    async def _put(self, event: Event) -> None:
        await self.door.receive([event])
        await self._settle()

    async def _settle(self) -> None:
        """Let everything that waits be done and shown."""
        await asyncio.to_thread(self._work)
        await self.carrier.flush()
        self._tell_others()
        await asyncio.to_thread(self._look)

    def _work(self) -> None:
        while dispatch_next(self.house, self.clock()):
            pass
        run_due(self.house, self.clock())

    # Who and where

    async def _be(self, handle: str, rest: str) -> None:
        is_new = handle not in self.known.people
        self.seat.who = handle
        await asyncio.to_thread(known.open_private, self.store, handle)
        self._look()
        if rest:
            await self._do(rest)
            return
        self._tell(NEWCOMER.format(name=self._name(handle)) if is_new else "")
        self._show_recent()

    async def _go(self, channel: str, rest: str) -> None:
        self.seat.where = channel
        if rest:
            await self._do(rest)
            return
        if channel != PRIVATE and channel not in self.known.channels:
            self._tell(NEW_CHANNEL.format(channel=channel))
        self._show_recent()

    def _list(self, sign: str) -> None:
        if sign == "@":
            named = [f"@{handle}" for handle in self.known.people]
        else:
            named = [f"#{name} ({project})" if project else f"#{name}" for name, project in self.known.channels.items()]
            named.append(f"#{PRIVATE} (in private)")
        mine = f"{sign}{self.seat.who if sign == '@' else self.seat.where}"
        self._print(row([f"{one}*" if one.split()[0] == mine else one for one in named], Style.PLAIN))

    def _show_recent(self) -> None:
        """Show the last messages of where one is, with their buttons."""
        for delivery in known.recent(self.store, self._place(self.seat.where)):
            message, at = Message.from_json(delivery.payload), delivery.sent_at or self.clock()
            self._show(self._place(self.seat.where), message, delivery.id or 0, delivery.ref or "", at, "earlier")

    # The clock

    async def _now(self, text: str) -> None:
        if text:
            until = self._moment(text)
            if until is None:
                return
            await self._go_to(until)
        self._tell(f"It is {self._when(self.clock(), full=True)}.")

    def _moment(self, text: str) -> datetime | None:
        now = self.clock()
        if match := AHEAD.fullmatch(text.removeprefix("+").casefold()):
            until = now + int(match[1]) * UNITS[match[2]]
        else:
            try:
                until = read_moment(text, now, self.known.zone)
            except Refusal as refusal:
                line, _choices = refuse(Say("en", self.known.zone, now), refusal, text)
                self._print(line)
                return None
        if until - now > AHEAD_MAX:
            self._tell(TOO_FAR)
            return None
        return until

    async def _go_to(self, until: datetime) -> None:
        """Do everything that is due until then, each at its moment. The clock is kept before anything depends on it."""
        due = await asyncio.to_thread(run_due, self.house, self.clock())
        while due is not None and due < until:
            moment = max(due, self.clock())
            await asyncio.to_thread(self._set_clock, moment)
            due = await asyncio.to_thread(run_due, self.house, self.clock())
            if due is not None and due <= moment:
                due = moment + STEP_MIN
            await self.carrier.flush()
        await asyncio.to_thread(self._set_clock, until)
        await self._settle()

    def _set_clock(self, now: datetime) -> None:
        self.seat.ahead_seconds = self.clock.set(now).total_seconds()
        self.seat.save(self.store)

    # What is shown

    def _welcome(self) -> None:
        there = self.known
        if not there.pool:
            self._tell(NO_POOL)
            return
        due = self._when(there.round_due_at) if there.round_due_at else "–"
        facts = {"pool": there.pool, "members": there.members, "projects": there.projects, "round": due}
        name, now = self._name(self.seat.who), self._when(self.clock(), full=True)
        self._tell(WELCOME.format(name=name, channel=self.seat.where, now=now, **facts))

    def _show(self, place: Place, message: Message, delivery_id: int, ref: str, at: datetime, mark: str) -> None:
        """Show a message under a line that says where and when; its buttons carry their numbers."""
        here = self._place(self.seat.where).address == place.address
        name = f"{self._name(self.seat.who)}'s private chat" if place.private else f"#{place.address}"
        facts = [self._when(at), mark, "" if here else "elsewhere"]
        head = Text.of(name, Style.BOLD) + "".join(f" · {fact}" for fact in facts if fact)
        self._print(head)
        body = [message.text]
        if message.file is not None:
            body += [Text.of(f"{message.file[0]}:"), Text.of(message.file[1])]
        self._print(joined(body), "  ")
        labels = [(index, choice.label, choice.command) for index, choice in enumerate(message.choices)]
        if message.answers:
            labels.append((-1, ANSWER, message.answers))
        numbered = [
            f"[{self.seat.number(Button(delivery_id, index, ref, place.address, command))} {label}]"
            for index, label, command in labels
        ]
        if numbered:
            self._print(row(numbered, Style.COMMAND), "  ")

    def _remember_other(self, place: Place) -> None:
        handle = place.address.partition(":")[2]
        self._others[handle] = self._name(handle)
        if not self._is_stepping:
            asyncio.get_running_loop().call_later(1, self._tell_others)

    def _tell_others(self) -> None:
        """Say once who else got something in private."""
        if self._others:
            names = ", ".join(self._others.values())
            self._tell(OTHERS.format(names=names, handle=next(iter(self._others))))
            self._others = {}

    def _tell(self, text: str) -> None:
        if text:
            self._print(Text((Span(text.rstrip("\n")),)))

    def _print(self, text: Text, indent: str = "") -> None:
        self._has_shown = True
        self.write("\n".join(self.page.lines(text, indent)))

    # Small things

    def _look(self) -> None:
        self.known = known.look(self.store, self.seat.who, self.seat.where, self.known.zone)

    def _when(self, instant: datetime, *, full: bool = False) -> str:
        shown = show_moment(instant, self.known.zone, self.clock())
        day = instant.astimezone(self.known.zone)
        return f"{shown.split()[0]} {day.day} {day:%b %H:%M}" if full else shown

    def _name(self, handle: str) -> str:
        return self.known.people.get(handle) or known.sender(handle).name

    def _place(self, channel: str) -> Place:
        return known.place(self.seat.who, channel)

    def _sender(self) -> Sender:
        return known.sender(self.seat.who)

    def _token(self) -> str:
        return self.house.entropy(8).hex()
