"""The store: one engine, write and read transactions, and the numbering of a pool's rows.

SQLite runs with WAL, synchronous=FULL, foreign keys on and BEGIN IMMEDIATE for everything that writes, so that two
writers wait for each other instead of losing updates.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session as OrmSession
from sqlmodel import Session, SQLModel

from core.tables import Pool, PoolRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sqlite3 import Connection as SqliteConnection

    from sqlalchemy.engine import Connection, Engine

BUSY_SECONDS_MAX = 15
Row = TypeVar("Row", bound=SQLModel)


class Store:
    """A database by its URL. `write()` is one transaction that commits as a whole, `read()` one unchanging view."""

    def __init__(self, url: str) -> None:
        """Prepare the engine; nothing is opened before the first transaction."""
        self.url = url
        arguments: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS_MAX}} if url.startswith("sqlite") else {}
        self.engine: Engine = create_engine(url, **arguments)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            self._reader = self.engine
            self._writer = self.engine.execution_options(dpool_writes=True)
        else:
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ")
            self._writer = self.engine

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session whose changes are committed together at the end, or not at all."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees one state of the store and changes nothing."""
        with Session(self._reader, autoflush=False, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def _prepare_sqlite(connection: SqliteConnection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("dpool_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def lock_pool(session: Session, pool_id: int) -> Pool:
    """Return the pool, locked against other writers until the transaction ends.

    A pool is one shard: everything a command or a round changes in it waits here, other pools go on.
    """
    pool = session.get(Pool, pool_id, with_for_update=True)
    if pool is None:
        raise LookupError(pool_id)
    return pool


def pool_of(session: Session, row: PoolRow) -> Pool:
    """Return the pool a row belongs to."""
    return session.get_one(Pool, row.pool_id)


def add(session: Session, row: Row) -> Row:
    """Add a row. A pool's row gets its number at once, from the pool's own count, so that it can be referred to."""
    if isinstance(row, PoolRow):
        pool = pool_of(session, row)
        pool.last_id += 1
        row.id = pool.last_id
    session.add(row)
    return row


def add_now(session: Session, row: Row) -> Row:
    """Add a row whose number comes from the store and is needed at once."""
    session.add(row)
    session.flush([row])
    return row


@event.listens_for(OrmSession, "before_flush")
def _count_revision(session: OrmSession, _context: object, _instances: object) -> None:
    """Every change of a pool's rows raises its revision, so that a round knows whether its snapshot still holds."""
    changed = {row.pool_id for row in (*session.new, *session.dirty, *session.deleted) if isinstance(row, PoolRow)}
    for pool_id in changed:
        session.get_one(Pool, pool_id).revision += 1
