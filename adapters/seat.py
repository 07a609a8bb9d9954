"""Where somebody sits at the console: as whom, in which channel, at which time, with which buttons on screen.

It is kept in the store, so that the next start continues where this one ends, with the numbers still on screen.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from core.tables_chat import Meta

if TYPE_CHECKING:
    from core.store import Store

KEY = "console"
NUMBERS_MAX = 99


@dataclass(frozen=True, slots=True)
class Button:
    """What a number on screen stands for: a choice of a delivery, or (`index` -1) the answer that a message asks for.

    `ref` and `address` are those of the message it is under.
    """

    delivery_id: int
    index: int
    ref: str
    address: str
    command: str


@dataclass(slots=True)
class Seat:
    """Who sits where. Numbers go up to 99, then begin anew, so that all that is in sight differ."""

    who: str = ""
    where: str = ""
    ahead_seconds: float = 0.0
    last: int = 0
    buttons: dict[int, Button] = field(default_factory=dict)
    saved: str = ""

    def number(self, button: Button) -> int:
        """Return the number of a button; one that was there before on the same message keeps its own."""
        for number, known in self.buttons.items():
            if (known.ref, known.address, known.command) == (button.ref, button.address, button.command):
                self.buttons[number] = button
                return number
        self.last = self.last % NUMBERS_MAX + 1
        self.buttons[self.last] = button
        return self.last

    def save(self, store: Store) -> None:
        """Keep everything, if something has changed."""
        value = asdict(self)
        del value["saved"]
        text = json.dumps(value)
        if text != self.saved:
            with store.write() as session:
                session.merge(Meta(key=KEY, value=text))
            self.saved = text


def load(store: Store) -> Seat:
    """Return the seat as it was left; an empty one if nobody has sat here yet."""
    with store.read() as session:
        row = session.get(Meta, KEY)
    if row is None:
        return Seat()
    value = json.loads(row.value)
    value["buttons"] = {int(number): Button(**button) for number, button in value["buttons"].items()}
    return Seat(**value, saved=row.value)
