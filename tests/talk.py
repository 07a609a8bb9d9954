"""People talk to a large pool: what they write goes through inbox, dispatch and outbox, without a platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.chat import inbox
from core.chat.commands import table
from core.chat.dispatch import dispatch_next
from core.chat.handling import House
from core.chat.message import Event, Incoming, Message
from core.identity import Place, Sender
from core.tables_chat import Outbox
from tests.village import entropy

if TYPE_CHECKING:
    from datetime import datetime

    from core.store import Store

PLATFORM = "bench"


@dataclass
class Talk:
    """A conversation with the pool of `tests.large`: people are called by their number, Ana's is 0."""

    store: Store
    now: datetime
    count: int = 0
    house: House = field(init=False)

    def __post_init__(self) -> None:
        self.house = House(self.store, table(), entropy)

    def receive(self, who: int, text: str, where: str = "") -> str:
        """Keep what somebody writes, in private unless `where` names a chat; return the key of its first answer."""
        self.count += 1
        place = Place(PLATFORM, where or f"dm {who}", private=not where)
        sender = Sender(PLATFORM, str(who), ("Ana", "Bo", "Cy")[who], f"p{who}")
        event = Event(f"t{self.count}", Incoming.TEXT, place, sender, text=text, ref=f"w{self.count}")
        with self.store.write() as session:
            inbox.receive(session, PLATFORM, event.event_id, place.address, event.to_json(), self.now)
        return event.event_id

    def dispatch(self) -> None:
        """Handle the oldest event."""
        assert dispatch_next(self.house, self.now)

    def say(self, who: int, text: str, where: str = "") -> list[str]:
        """Write something and have it handled; return the texts that it put into the outbox."""
        newest = self._newest()
        self.receive(who, text, where)
        self.dispatch()
        with self.store.read() as session:
            rows = session.exec(select(Outbox).where(col(Outbox.id) > newest).order_by(col(Outbox.id))).all()
        return [str(Message.from_json(row.payload).text) for row in rows]

    def _newest(self) -> int:
        with self.store.read() as session:
            return session.exec(select(Outbox.id).order_by(col(Outbox.id).desc()).limit(1)).first() or 0
