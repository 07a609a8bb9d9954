"""The wire between processes on one PostgreSQL database.

Everything hangs on one connection: the server lets go of a process's locks when it ends, however it ends, and carries
the words that commits announce.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, TypeAlias
from zlib import crc32

import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.chat.dispatch import CHANGED
from core.chat.inbox import RECEIVED
from core.chat.outbox import WRITTEN
from core.trouble import line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from core.store import Store

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
log = logging.getLogger(__name__)
WORDS = (RECEIVED, WRITTEN, CHANGED)
LOOK_SECONDS = 1.0  # how often a part that another process has is asked for
RETRY_SECONDS = 1.0
STOP_SECONDS_MAX = 10.0
NUMBER_BITS = 31
PART_LOCK, ALIVE_LOCK = 0x64706303, 0x64706304  # "dpc" and a number: the classes of these locks
# The server notices within ten seconds that the machine of a process has vanished.
SETTINGS = "SET tcp_keepalives_idle = 4; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 2"
TRY = "SELECT pg_try_advisory_lock(%s, %s)"
LET_GO = "SELECT pg_advisory_unlock(%s, %s)"
HELD = text(
    """SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
    AND classid::bigint = :kind AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
)


class ServerWire:
    """A thread with a connection of its own. What it is asked for it does within a second, as long as there is one."""

    def __init__(self, store: Store, on_word: Callable[[str], None]) -> None:
        self.number = secrets.randbits(NUMBER_BITS)
        self._store = store
        self._on_word = on_word
        self._lock = Lock()
        self._wanted: set[str] = set()
        self._had: set[str] = set()
        self._refused: set[str] = set()
        self._is_connected = False
        self._is_stopping = Event()
        self._thread = Thread(target=self._run, name="wire", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Let go of everything, at once for all to see."""
        self._is_stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS_MAX)

    def say(self, *words: str) -> None:
        """Do nothing: the server carries the words, to this process too, with the commit."""

    def take(self, part: str) -> None:
        """Have a part as soon as it is free."""
        with self._lock:
            self._wanted.add(part)

    def drop(self, part: str) -> None:
        """Have a part no longer."""
        with self._lock:
            self._wanted.discard(part)

    def has(self, part: str) -> bool:
        """Tell whether this process has a part, as far as it can see."""
        return self._is_connected and part in self._had

    def is_elsewhere(self, part: str) -> bool:
        """Tell whether another process has a part that was asked for more than a moment ago."""
        return self._is_connected and part in self._refused

    def is_taken(self, part: str) -> bool:
        """Tell whether any process has a part; asks the server."""
        return _number(part) in self._held(PART_LOCK)

    def alive(self) -> Collection[int]:
        """Return the numbers of the processes that are there; asks the server."""
        return self._held(ALIVE_LOCK)

    def _held(self, kind: int) -> set[int]:
        with self._store.read() as session:
            return set(session.connection().scalars(HELD, {"kind": kind}))

    def _run(self) -> None:
        is_away = False
        while not self._is_stopping.is_set():
            try:
                with self._connected() as connection:
                    is_away = False
                    self._attend(connection)
            except (DBAPIError, psycopg.Error) as error:
                if not is_away:
                    log.warning("the database is out of reach: %s", line_of(error))
                is_away = True
                self._is_stopping.wait(RETRY_SECONDS)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        found = self._store.engine.raw_connection()
        try:
            driver = found.driver_connection
            if not isinstance(driver, psycopg.Connection):
                raise TypeError(type(driver))
            driver.autocommit = True
            yield driver
        finally:
            self._is_connected = False  # before anything else: another process may have what we had from now on
            found.invalidate()  # with the connection the locks go

    def _attend(self, connection: Connection) -> None:
        """Listen, and settle who has what, until told to stop. Raises psycopg.Error."""
        connection.execute(SETTINGS)
        for word in WORDS:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(word)))
        _lock(connection, ALIVE_LOCK, self.number)
        self._settle(connection, set())
        for word in WORDS:  # whatever was said while nobody listened
            self._on_word(word)
        while not self._is_stopping.is_set():
            heard = connection.notifies(timeout=LOOK_SECONDS, stop_after=1)
            for word in dict.fromkeys(one.channel for one in heard):
                self._on_word(word)
            self._settle(connection, self._had)

    def _settle(self, connection: Connection, had: set[str]) -> None:
        """Take what is wanted and free, drop what is not wanted any more."""
        with self._lock:
            wanted = set(self._wanted)
        for part in had - wanted:
            connection.execute(LET_GO, (PART_LOCK, _number(part)))
        got = {part for part in wanted - had if _lock(connection, PART_LOCK, _number(part))}
        self._had = (had & wanted) | got
        self._refused = wanted - self._had
        self._is_connected = True
        if got:
            self._on_word(CHANGED)  # who has the tick from now on has to look what is due


def _lock(connection: Connection, kind: int, number: int) -> bool:
    return connection.execute(TRY, (kind, number)).fetchone() == (True,)


def _number(part: str) -> int:
    return crc32(part.encode()) >> 1
