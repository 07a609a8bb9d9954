"""The console: a terminal as a chat platform. One sits there as one of the pool's people and sees every channel.

What is typed goes the way of every message: inbox, dispatch, outbox. The few words below are the console's own.
"""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from adapters import console_words as words
from adapters import known, seat
from adapters.known import PLATFORM, PRIVATE, Known
from adapters.plain import Page
from adapters.post import Carrier, Door
from adapters.screen import Screen
from core.chat import refusals
from core.chat.dispatch import dispatch_next
from core.chat.due import run_due
from core.chat.message import Event, Incoming
from core.chat.say import Say
from core.errors import Refusal
from core.moments import read_moment
from core.timetable import read_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from adapters.seat import Button
    from core.chat.handling import House
    from core.chat.message import Failure
    from core.chat.port import Parcel
    from core.identity import Place, Sender

MENTION = re.compile(r"@d?pool\b[,:]?\s+(.+)", re.IGNORECASE | re.DOTALL)
PERSON = re.compile(r"@([^\W\d][\w-]{0,31})(?:\s+(?=[/!#\d])(.+))?", re.DOTALL)
CHANNEL = re.compile(r"#([^\W\d][\w-]{0,31})(?:\s+(?=[/!\d])(.+))?", re.DOTALL)
NUMBER = re.compile(r"(?:re\s+)?([0-9]{1,2})(?:(?:\s*:\s*|\s+)(\S.*))?", re.DOTALL | re.IGNORECASE)
TASK = re.compile(r"#([0-9]{1,9})")
NOW = re.compile(r"now(?:\s+(\S.*))?", re.IGNORECASE)
AHEAD = re.compile(r"\+\s?([0-9]{1,6})\s?(w|d|h|m)")
UNITS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
AHEAD_MAX = timedelta(days=366)
STEP_MIN = timedelta(minutes=1)  # should due work ever ask for the same moment again, time goes on all the same
OTHERS_SECONDS = 1.0
FIRST_PERSON, FIRST_CHANNEL = "ana", "bakery"


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
    repeats_safely = True
    sends_apart = False

    def __init__(self, house: House, clock: Clock, write: Callable[[str], object], page: Page | None = None) -> None:
        self.house = house
        self.store = house.store
        self.clock = clock
        self.seat = seat.load(self.store)
        self.screen = Screen(write, page or Page(), self.seat, Known(read_zone(house.timezone)), clock)
        self.carrier = Carrier(self.store, self, clock, parallel=1)
        self._door = Door(self.store, clock, lambda: None)
        self._is_stepping = False
        self._others: set[str] = set()

    # The port

    async def start(self) -> None:
        """Sit down where one sat last, and catch up."""
        self.clock.ahead = timedelta(seconds=self.seat.ahead_seconds)
        self._look()
        there = self.screen.known
        self.seat.who = self.seat.who or next(iter(there.people), FIRST_PERSON)
        self.seat.where = self.seat.where or next(iter(there.channels), FIRST_CHANNEL)
        await asyncio.to_thread(known.open_private, self.store, self.seat.who)
        self._look()
        self.screen.welcome()
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
        message, place, now = parcel.message, parcel.place, self.clock()
        if place.private and place.address != self._place(PRIVATE).address:
            self._remember(place.address.partition(":")[2])
        elif message.toast_for:
            if message.text:
                self.screen.tell(f"({message.text})")
        elif parcel.edits and place.address != self._place(self.seat.where).address:
            self.screen.change(place, message, now)
        else:
            mark = words.CHANGED if parcel.edits else ""
            self.screen.message(place, message, parcel.delivery_id, ref, now, mark)
        return ref

    # Lines

    @property
    def prompt(self) -> str:
        """What stands before a line: who one is, and where."""
        return f"{self.screen.name(self.seat.who)} #{self.seat.where}> "

    async def handle(self, line: str) -> bool:
        """Do what a line says; return whether to go on."""
        text = line.strip()
        if text.casefold() in {"quit", "exit"}:
            return False
        self._is_stepping, self.screen.has_shown = True, False
        try:
            await self._do(text)
        finally:
            self._is_stepping = False
            await asyncio.to_thread(self.seat.save, self.store)
        return True

    async def _do(self, text: str) -> None:
        if text.casefold() in OWN_WORDS:
            OWN_WORDS[text.casefold()](self.screen)
        elif match := NOW.fullmatch(text):
            await self._now(match[1] or "")
        elif match := MENTION.fullmatch(text):
            await self._say(match[1], addressed=True)
        elif match := PERSON.fullmatch(text):
            await self._be(match[1].casefold(), match[2] or "")
        elif match := CHANNEL.fullmatch(text):
            await self._go(match[1].casefold(), match[2] or "")
        elif match := NUMBER.fullmatch(text):
            await self._use(int(match[1]), match[2] or "")
        elif match := TASK.fullmatch(text):
            self.screen.tell(words.A_TASK.format(number=match[1]))
        elif text:
            await self._say(text)
        else:
            await self._settle()

    async def _say(self, text: str, *, addressed: bool = False) -> None:
        token, place = self._token(), self._place(self.seat.where)
        await self._put(Event(token, Incoming.TEXT, place, self._sender(), text, token, addressed=addressed))
        if not self.screen.has_shown:
            self.screen.tell(words.NOBODY)

    async def _use(self, number: int, text: str) -> None:
        """Press a button, or answer the message it is under."""
        button, tell = self.seat.buttons.get(number), self.screen.tell
        private, _, handle = button.address.rpartition(":") if button else ("", "", "")
        if button is None:
            tell(words.NO_NUMBER.format(number=number))
        elif private and handle != self.seat.who:
            tell(words.NOT_YOURS.format(name=self.screen.name(handle), handle=handle))
        elif button.index < 0 and not text:
            tell(words.NEEDS_TEXT.format(number=number))
        else:
            await self._put(self._event(button, text))
            if not self.screen.has_shown:
                tell(words.NOT_ASKED)

    def _event(self, button: Button, text: str) -> Event:
        private, _, handle = button.address.rpartition(":")
        place, token = known.place(handle, PRIVATE if private else button.address), self._token()
        if text:
            return Event(token, Incoming.TEXT, place, self._sender(), text, token, button.ref)
        choice = f"{button.delivery_id}:{button.index}"
        return Event(token, Incoming.PRESS, place, self._sender(), choice=choice, press_ref=token)

    async def _put(self, event: Event) -> None:
        await self._door.receive([event])
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
        is_new = handle not in self.screen.known.people
        self.seat.who = handle
        await asyncio.to_thread(known.open_private, self.store, handle)
        self._look()
        if is_new:
            self.screen.tell(words.NEWCOMER.format(name=self.screen.name(handle)))
        if rest or self.seat.where == PRIVATE:
            await self._arrive(rest)

    async def _go(self, channel: str, rest: str) -> None:
        self.seat.where = channel
        if channel != PRIVATE and channel not in self.screen.known.channels:
            self.screen.tell(words.NEW_CHANNEL.format(channel=channel))
        await self._arrive(rest)

    async def _arrive(self, rest: str) -> None:
        if rest:
            await self._do(rest)
        else:
            self.screen.recent(self.store)

    # The clock

    async def _now(self, text: str) -> None:
        try:
            if text:
                await self._go_to(self._moment(text))
        except Refusal as refusal:
            say = Say("en", self.screen.known.zone, self.clock())
            self.screen.print(refusals.line(say, refusal))
        except OverflowError:
            self.screen.tell(words.TOO_FAR)
        else:
            self.screen.tell(words.NOW.format(now=self.screen.when(self.clock(), full=True)))

    def _moment(self, text: str) -> datetime:
        """Return the moment that is meant. Raises a Refusal, or OverflowError if it is too far away."""
        now, match = self.clock(), AHEAD.fullmatch(text.casefold())
        until = now + int(match[1]) * UNITS[match[2]] if match else read_moment(text, now, self.screen.known.zone)
        if until - now > AHEAD_MAX:
            raise OverflowError
        return until

    async def _go_to(self, until: datetime) -> None:
        """Do everything that is due until then, each at its moment. The clock is kept before anything depends on it."""
        due = await asyncio.to_thread(run_due, self.house, self.clock())
        while due is not None and due < until:
            moment = max(due, self.clock())
            await asyncio.to_thread(self._set_clock, moment)
            due = await asyncio.to_thread(run_due, self.house, self.clock())
            await self.carrier.flush()
            due = max(due, moment + STEP_MIN) if due else None
        await asyncio.to_thread(self._set_clock, until)
        await self._settle()

    def _set_clock(self, now: datetime) -> None:
        self.seat.ahead_seconds = self.clock.set(now).total_seconds()
        self.seat.save(self.store)

    # Small things

    def _remember(self, handle: str) -> None:
        """Remember that somebody else got something in private: it is said once, for all of them."""
        if not self._is_stepping and not self._others:
            asyncio.get_running_loop().call_later(OTHERS_SECONDS, self._tell_others)
        self._others.add(handle)

    def _tell_others(self) -> None:
        if self._others:
            handles, self._others = sorted(self._others), set()
            names = ", ".join(map(self.screen.name, handles))
            self.screen.tell(words.OTHERS.format(names=names, handle=handles[0]))

    def _look(self) -> None:
        self.screen.known = known.look(self.store, self.seat.who, self.seat.where, self.screen.known.zone)

    def _place(self, channel: str) -> Place:
        return known.place(self.seat.who, channel)

    def _sender(self) -> Sender:
        return known.sender(self.seat.who)

    def _token(self) -> str:
        return self.house.entropy(8).hex()


OWN_WORDS: dict[str, Callable[[Screen], None]] = {
    "help": lambda screen: screen.tell(words.HELP),
    "?": lambda screen: screen.tell(words.HELP),
    "@": Screen.people,
    "#": Screen.channels,
}
