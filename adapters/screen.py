"""What the console shows: a clean stream of blocks, each under a line that says where and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters import console_words as words
from adapters import known
from adapters.known import PRIVATE
from adapters.plain import row
from adapters.seat import Button
from core.chat.text import Span, Style, Text, joined
from core.moments import show_moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from adapters.known import Known
    from adapters.plain import Page
    from adapters.seat import Seat
    from core.chat.message import Message
    from core.identity import Place
    from core.store import Store


class Screen:
    """Shows messages to whoever sits in `seat`. `known` is what there is; `has_shown` if anything was shown lately."""

    def __init__(
        self, write: Callable[[str], object], page: Page, seat: Seat, there: Known, clock: Callable[[], datetime]
    ) -> None:
        self.seat = seat
        self.known = there
        self.has_shown = False
        self._write = write
        self._page = page
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()

    def tell(self, text: str) -> None:
        """Show words of the console itself."""
        self.print(Text((Span(text.rstrip("\n")),)))

    def print(self, text: Text, indent: str = "") -> None:
        """Show a text."""
        self.has_shown = True
        self._write("\n".join(self._page.lines(text, indent)))

    def welcome(self) -> None:
        """Say where one is and what to try."""
        there, seat = self.known, self.seat
        where = words.YOUR_CHAT if seat.where == PRIVATE else f"#{seat.where}"
        if not there.pool:
            self.tell(words.NO_POOL.format(name=self.name(seat.who), where=where))
            return
        text = words.WELCOME.format(
            pool=there.pool,
            members=there.members,
            projects=there.projects,
            name=self.name(seat.who),
            where=where,
            now=self.when(self._clock(), full=True),
            round=self.when(there.round_due_at) if there.round_due_at else "–",
            good=min((good for good in there.goods if " " not in good), key=len, default="bread"),
            other=next((one for one in there.people if one != seat.who), "bo"),
            channel=next((one for one in there.channels if one != seat.where), "garden"),
        )
        self.tell(text)

    def message(self, place: Place, message: Message, delivery_id: int, ref: str, at: datetime, mark: str = "") -> None:
        """Show a message; its buttons carry their numbers."""
        self._seen.add((place.address, ref))
        self._head(place, self.when(at), mark)
        self.print(joined([message.text, *(message.file or ())]), "  ")
        labels = [(index, choice.label, choice.command) for index, choice in enumerate(message.choices)]
        if message.answers:
            labels.append((-1, words.ANSWER, message.answers))
        numbered = [
            f"[{self.seat.number(Button(delivery_id, index, ref, place.address, command))} {label}]"
            for index, label, command in labels
        ]
        if numbered:
            self.print(row(numbered, Style.COMMAND), "  ")

    def change(self, place: Place, message: Message, at: datetime) -> None:
        """Show on a line or two that a message elsewhere has changed."""
        self._head(place, self.when(at), words.CHANGED)
        self.print(Text.of(str(message.text).split("\n", maxsplit=1)[0]), "  ")

    def recent(self, store: Store) -> None:
        """Show what was last said where one is now, as far as it was not shown before."""
        place = known.place(self.seat.who, self.seat.where)
        for delivery, message in known.recent(store, place):
            ref = delivery.ref or ""
            if (place.address, ref) not in self._seen:
                self.message(place, message, delivery.id or 0, ref, delivery.sent_at or self._clock(), words.EARLIER)

    def people(self) -> None:
        """List who there is."""
        self._list([f"@{handle}" for handle in self.known.people], f"@{self.seat.who}")

    def channels(self) -> None:
        """List which channels there are."""
        named = [f"#{name} ({project})" if project else f"#{name}" for name, project in self.known.channels.items()]
        self._list([*named, f"#{PRIVATE} (in private)"], f"#{self.seat.where}")

    def _list(self, named: list[str], mine: str) -> None:
        self.print(row([f"{one}*" if one.split()[0] == mine else one for one in named], Style.PLAIN))

    def _head(self, place: Place, *facts: str) -> None:
        name = words.PRIVATE_CHAT.format(name=self.name(self.seat.who)) if place.private else f"#{place.address}"
        is_here = known.place(self.seat.who, self.seat.where).address == place.address
        shown = [fact for fact in (*facts, words.HERE if is_here else "") if fact]
        self.print(Text.of(name, Style.BOLD) + "".join(f" · {fact}" for fact in shown))

    def when(self, instant: datetime, *, full: bool = False) -> str:
        """Show an instant by the pool's clock."""
        zone = self.known.zone
        shown = show_moment(instant, zone, self._clock())
        local = instant.astimezone(zone)
        return f"{shown.split()[0]} {local.day} {local:%b %H:%M}" if full else shown

    def name(self, handle: str) -> str:
        """Return what somebody is called."""
        return self.known.people.get(handle) or known.sender(handle).name
