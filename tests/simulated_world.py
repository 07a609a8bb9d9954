"""A world for the simulation: production store and code, with platforms, a clock and accidents made up around."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select

from core.chat import binding, inbox, outbox
from core.chat.commands import table
from core.chat.dispatch import House, dispatch_next
from core.chat.due import run_due
from core.chat.message import Event, Failure, Incoming, Message
from core.rounds.hold import decide_outside, hold
from core.schema import open_store
from core.store import Store
from core.tables import Pool
from core.tables_chat import Account, Chat
from tests.simulated_chats import Shown, chat_key, chat_of, has_line, index_of, interleaved, place_of, sender_of
from tests.simulated_steps import Again, Clock, Crash, Fault, How, Post, Press, Race, Step, Trouble, Work, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.tables_chat import Delivery
    from tests.postgres import Database

PLATFORMS = ("console", "matrix", "telegram")
START = datetime(2026, 5, 4, 9, tzinfo=UTC)
SECRET = re.compile(r"/project link (\w{4}-\w{4})|/link (\w{4}-\w{4})")
TABLE = table()
FAILURES = {
    Trouble.BUSY: Failure("busy", retry_seconds=5),
    Trouble.GONE: Failure("blocked", gone=True),
    Trouble.UNKNOWN: Failure("timeout", retry_seconds=1, ambiguous=True),
}


class Died(BaseException):
    """The process is gone: nothing in it may catch this."""


@dataclass(slots=True)
class State:
    """What platforms and people know; it outlives every crash of ours."""

    now: datetime = START
    count: int = 0
    drawn: int = 0
    drawn_for_good: int = 0
    written: list[Event] = field(default_factory=list)
    arrived: list[Event] = field(default_factory=list)
    shown: dict[str, list[Shown]] = field(default_factory=lambda: defaultdict(list))
    arrivals: Counter[int] = field(default_factory=Counter)
    secrets: list[str] = field(default_factory=list)
    accidents: int | None = None
    accident: type[BaseException] = Died
    troubles: list[tuple[Trouble, int]] = field(default_factory=list)
    store_failed: bool = False


class World:
    """Plays steps. `sent` is what went out since somebody last looked. There is one world at a time."""

    def __init__(self, contents: Any = None, state: State | None = None) -> None:
        """Begin with what another world left, by default with an empty store."""
        self.shelf = current_shelf()
        self.store = self.shelf.store
        self.shelf.put(contents)
        self.state = state or State()
        self.sent: list[tuple[str, Message]] = []
        self.at_work = False  # accidents happen to us, not to who looks on
        self.house = House(self.store, TABLE, self._entropy)
        for name, act in self._watched():
            sqlalchemy_event.listen(self.store.engine, name, act)

    def close(self) -> Any:
        """Let go of the store; return what it holds."""
        for name, act in self._watched():
            sqlalchemy_event.remove(self.store.engine, name, act)
        self.store.close()
        return self.shelf.take()

    def _watched(self) -> tuple[tuple[str, Callable[..., None]], ...]:
        return (("before_cursor_execute", self._before_statement), ("commit", self._before_commit))

    def _entropy(self, count: int) -> bytes:
        self.state.drawn += 1
        return hashlib.shake_256(f"simulation {self.state.drawn}".encode()).digest(count)

    # Accidents

    def _before_statement(self, *_details: object) -> None:
        self._tick()

    def _before_commit(self, _connection: object) -> None:
        self._tick()
        self.state.drawn_for_good = self.state.drawn

    def _tick(self) -> None:
        if self.state.accidents is None or not self.at_work:
            return
        self.state.accidents -= 1
        if self.state.accidents < 0:
            self.state.accidents = None
            if self.state.accident is Died:
                raise Died
            self.state.store_failed = True
            raise OperationalError("simulated", None, sqlite3.OperationalError("disk I/O error"))

    def _restart(self) -> None:
        self.store.close()
        self.state.accidents = None
        self.state.drawn = self.state.drawn_for_good  # what nobody has seen of chance is as good as new
        with self.store.write() as session:
            for platform in PLATFORMS:
                outbox.recover(session, platform)

    def _surviving(self, work: Callable[[], object]) -> None:
        """Do something, however often the process dies of it; a store that failed once is simply asked again."""
        while True:
            self.at_work = True
            try:
                work()
            except Died:
                self._restart()
            except OperationalError:
                if not self.state.store_failed:
                    raise
                self.state.store_failed = False
            else:
                return
            finally:
                self.at_work = False

    # Steps

    def do(self, step: Step) -> None:
        """Let something happen."""
        match step:
            case Write() | Press():
                event = self._written(step) if isinstance(step, Write) else self._pressed(step)
                if event is not None:
                    self.state.written.append(event)
            case Again(back):
                if back < len(self.state.arrived):
                    self.state.written.append(self.state.arrived[-1 - back])
            case Work(order):
                self._work(order)
            case Clock(minutes, outage):
                self._go_to(self.state.now + timedelta(minutes=minutes), outage=outage)
            case Crash(statements) | Fault(statements):
                self.state.accidents = statements
                self.state.accident = Died if isinstance(step, Crash) else OperationalError
            case Post(trouble, after):
                self.state.troubles.append((trouble, after))
            case Race(minutes):
                self._race(minutes)

    def _written(self, step: Write) -> Event:
        self.state.count += 1
        key, number = chat_key(step.platform, step.who, step.chat), self.state.count
        replied = next(
            (one for one in reversed(self.state.shown[key]) if step.reply and has_line(one, step.reply)), None
        )
        return Event(
            f"{number}",
            Incoming.EDIT if step.edits else Incoming.TEXT,
            place_of(step.platform, step.who, step.chat),
            sender_of(step.platform, step.who),
            self._filled(step.text),
            f"u{number}",
            replied.ref if replied else "",
            step.addressed,
        )

    def _filled(self, text: str) -> str:
        """Put in codes, which are known only once it comes to that."""
        if "{code" in text:
            with self.store.read() as session:
                codes = session.exec(select(Pool.code).order_by(col(Pool.id))).all()
            for place, code in enumerate(codes):
                text = text.replace(f"{{code{place}}}", code)
        return text.replace("{secret}", self.state.secrets[-1]) if self.state.secrets else text

    def _pressed(self, step: Press) -> Event | None:
        shown = self.state.shown[chat_key(step.platform, step.who, step.chat)]
        found = [(one, index) for one in reversed(shown) if (index := index_of(one.message, step.label)) >= 0]
        if len(found) <= step.age:
            return None
        one, index = found[step.age]
        self.state.count += 1
        number = self.state.count
        place, sender = place_of(step.platform, step.who, step.chat), sender_of(step.platform, step.who)
        if step.how is How.NUMBER:
            return Event(f"{number}", Incoming.TEXT, place, sender, f"{index + 1}", f"u{number}", one.ref)
        if step.how is How.REACTION:
            return Event(f"{number}", Incoming.PRESS, place, sender, reply_to=one.ref, choice=f"{index}")
        choice = f"{one.delivery_id}:{index}"
        return Event(f"{number}", Incoming.PRESS, place, sender, choice=choice, press_ref=f"p{number}")

    # What we do

    def _work(self, order: int) -> None:
        if order:
            self.state.written = interleaved(self.state.written, random.Random(order))
        self._surviving(self._receive)
        self._surviving(self._dispatch)
        self._run_due()
        self._surviving(self._deliver)

    def _run_due(self) -> datetime | None:
        due: list[datetime | None] = []
        self._surviving(lambda: due.append(run_due(self.house, self.state.now)))
        self.state.store_failed = False
        return due[-1]

    def _receive(self) -> None:
        """Keep what was written. What is not acknowledged comes again."""
        while self.state.written:
            one = self.state.written[0]
            with self.store.write() as session:
                inbox.receive(session, one.place.platform, one.event_id, chat_of(one), one.to_json(), self.state.now)
            self.state.arrived.append(one)
            self.state.written.pop(0)

    def _dispatch(self) -> None:
        while dispatch_next(self.house, self.state.now):
            self._tick()
            self.state.store_failed = False

    def _go_to(self, until: datetime, *, outage: bool) -> None:
        self._work(0)
        if outage:
            self.state.now = until
        due = self._run_due()
        while due is not None and due <= until:
            self.state.now = max(self.state.now, due)
            due = self._run_due()
        self.state.now = max(self.state.now, until)
        self._work(0)

    def _race(self, minutes: int) -> None:
        """Decide due rounds as a slow second process would, let everything else happen, then write them down."""
        self.state.now += timedelta(minutes=minutes)
        now = self.state.now
        with self.store.read() as session:
            pools = list(session.exec(select(Pool.id)))
        decided = [(pool_id, decide_outside(self.store, pool_id, now)) for pool_id in pools]
        half = len(decided) // 2
        for part, first in ((decided[:half], True), (decided[half:], False)):
            if not first:
                self._work(0)
            for pool_id, decision in part:
                if decision is not None:
                    with self.store.write() as session:
                        hold(session, pool_id, decision, now, self._entropy)
        self._work(0)

    # Sending

    def _deliver(self) -> None:
        for platform in PLATFORMS:
            while self._deliver_next(platform):
                self._tick()

    def _deliver_next(self, platform: str) -> bool:
        with self.store.write() as session:
            delivery = binding.bind_next(session, platform, self.state.now, card_seconds=0)
            if delivery is None:
                return False
            chat = session.get_one(Chat, delivery.chat_id)
            account = session.get(Account, chat.account_id) if chat.account_id else None
            key = f"{platform}:dm:{account.user_id}" if account else f"{platform}:{chat.address}"
        trouble = self._trouble()
        message = Message.from_json(delivery.payload)
        if trouble in {None, Trouble.UNKNOWN, Trouble.CRASH}:
            self._arrive(key, delivery, message)
        if trouble is Trouble.CRASH:
            raise Died
        with self.store.write() as session:
            if trouble is None:
                outbox.sent(session, {delivery.id: f"b{delivery.id}"}, self.state.now)
            else:
                outbox.failed(session, delivery.id, FAILURES[trouble], self.state.now)
        return True

    def _trouble(self) -> Trouble | None:
        waiting = [(trouble, after - 1) for trouble, after in self.state.troubles]
        self.state.troubles = [(trouble, after) for trouble, after in waiting if after >= 0]
        return next((trouble for trouble, after in waiting if after < 0), None)

    def _arrive(self, key: str, delivery: Delivery, message: Message) -> None:
        self.sent.append((key, message))
        self.state.arrivals[delivery.id] += delivery.edits is None
        self.state.shown[key].append(Shown(delivery.id, delivery.ref or f"b{delivery.id}", message))
        found = SECRET.search(str(message.text))
        if found:
            self.state.secrets.append(found[1] or found[2])


class Shelf(Protocol):
    """Where worlds are, one after the other. The engine of its store compiles every statement once."""

    store: Store

    def __hash__(self) -> int:
        """Tell one from another."""
        ...

    def put(self, contents: Any) -> None:
        """Let the store hold what was taken from it, or nothing."""
        ...

    def take(self) -> Any:
        """Return what the store holds."""
        ...


class FileShelf:
    """Worlds in a file."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="dpool-simulation-")) / "dpool.db"
        self.store = Store(f"sqlite:///{self.path}")
        sqlalchemy_event.listen(self.store.engine, "connect", _hasten)

    def put(self, contents: Any) -> None:
        self.path.write_bytes(contents or _empty_store())

    def take(self) -> Any:
        return self.path.read_bytes()


class ServerShelf:
    """Worlds in a database on a server."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = Store(database.url)

    def put(self, contents: Any) -> None:
        if contents is None:
            self.database.clear()
        else:
            self.database.load(contents)

    def take(self) -> Any:
        return self.database.save()


@cache
def file_shelf() -> FileShelf:
    """Return where worlds are unless `on_shelf` says something else."""
    return FileShelf()


CHOSEN: list[Shelf] = []


def current_shelf() -> Shelf:
    """Return where worlds are now."""
    return CHOSEN[-1] if CHOSEN else file_shelf()


@contextmanager
def on_shelf(shelf: Shelf) -> Iterator[None]:
    """Let worlds be somewhere else."""
    CHOSEN.append(shelf)
    try:
        yield
    finally:
        CHOSEN.remove(shelf)
        shelf.store.close()


def clear_away() -> None:
    """Remove the store of all worlds from the disk, when no more are to come."""
    file_shelf().store.close()
    shutil.rmtree(file_shelf().path.parent)
    file_shelf.cache_clear()


@cache
def _empty_store() -> bytes:
    """Return a store without a row; to migrate one takes longer than most histories."""
    with tempfile.TemporaryDirectory(prefix="dpool-simulation-") as folder:
        path = Path(folder) / "empty.db"
        open_store(f"sqlite:///{path}", START).close()
        return path.read_bytes()


def _hasten(connection: sqlite3.Connection, _record: object) -> None:
    """Nobody pulls the plug on a simulation: what SQLite has handed to the system is safe enough."""
    connection.execute("PRAGMA synchronous=OFF")
