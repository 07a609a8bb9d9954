"""A crash at every statement of a command leaves the store as it was before or after, and it is done once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.event import listen, remove

from core.chat import inbox
from core.chat.dispatch import dispatch_all, dispatch_next
from core.chat.message import Incoming
from tests.stage import dump, event, on_stage, posted

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


OPENING = (
    "ana@bakery: /task new Dishes 1h urgent\nana@bakery: /made bread 2 1h\nbo@bakery: /confirm 2\nbo@garden: /task 1"
)
COMMANDS = ("/claim 1", "/want bread", "/claim 99")


class Crash(BaseException):
    """The process ends here: nothing catches it, nothing is tidied up."""


class Fuse:
    """Ends the process at the n-th statement."""

    def __init__(self, store: Store, left: int) -> None:
        self.left = left
        self.engine = store.engine
        listen(self.engine, "before_cursor_execute", self.burn)

    def burn(self, *_: Any) -> None:
        """Count a statement."""
        self.left -= 1
        if self.left < 0:
            raise Crash

    def put_out(self) -> bool:
        """Take it away; say whether it went off."""
        remove(self.engine, "before_cursor_execute", self.burn)
        return self.left < 0


def said(player: Player, command: str) -> None:
    """Keep a command in the inbox."""
    found = event(Incoming.TEXT, "cy", "bakery", text=command)
    with player.store.write() as session:
        inbox.receive(session, "console", "crash", "bakery", found.to_json(), player.now)


def outcome(player: Player) -> tuple[dict[str, list[Any]], list[str]]:
    """What the pool knows and what was said."""
    return dump(player.store), [one.plain() for one in posted(player.store)]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_crash_at_every_statement(store: Store, command: str) -> None:
    player = on_stage(store, OPENING)
    said(player, command)
    before = outcome(player)
    crashes, after = 0, before
    while after == before:
        fuse = Fuse(store, crashes)
        with suppress(Crash):
            dispatch_next(player.house, player.now)
        if not fuse.put_out():
            break
        assert outcome(player) == before
        crashes += 1
    after = outcome(player)
    assert crashes > 10
    assert len(after[1]) > len(before[1])
    assert dispatch_all(player.house, player.now) == 0
    assert outcome(player) == after


def test_a_fault_at_every_statement_is_tried_again(store: Store) -> None:
    """Faults the program survives: the next try finds nothing half done."""
    player = on_stage(store, OPENING)
    said(player, "/claim 1")
    fuse = Fuse(store, 20)
    with pytest.raises(Crash):
        dispatch_next(player.house, player.now)
    fuse.put_out()
    assert dispatch_all(player.house, player.now) == 1
    assert sum("#1 is yours, Cy" in text for text in outcome(player)[1]) == 1
