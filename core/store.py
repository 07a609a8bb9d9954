"""The store: one engine, write and read transactions, and the numbering of a pool's rows.

SQLite runs with WAL, synchronous=FULL, foreign keys on and BEGIN IMMEDIATE for everything that writes, so that two
writers wait for each other instead of losing updates. On PostgreSQL the lock of a pool does the same within the pool.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlmodel import Session, SQLModel

from core.tables import Pool, PoolRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sqlite3 import Connection as SqliteConnection

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.orm import Session as OrmSession

BUSY_SECONDS_MAX = 15
POSTGRES_NAMES = frozenset({"postgres", "postgresql"})
LOCKED_POOLS = "dpool_locked_pools"
Row = TypeVar("Row", bound=SQLModel)


class Store:
    """A database by its URL. `write()` is one transaction that commits as a whole, `read()` one unchanging view.

    `path` is the file of an SQLite database, None for every other store.
    """

    def __init__(self, url: str, *, busy_seconds: int = BUSY_SECONDS_MAX) -> None:
        """Prepare the engine; nothing is opened before the first transaction."""
        self.url = url
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        in_memory = parsed.database in {None, "", ":memory:"}
        self.path = Path(parsed.database or "") if self.is_sqlite and not in_memory else None
        if self.is_sqlite:
            self.engine: Engine = create_engine(parsed, connect_args={"timeout": busy_seconds})
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            options: dict[str, Any] = {}
        else:
            # The driver that is installed, whatever the URL of a hosting service says.
            parsed = parsed.set(drivername="postgresql+psycopg") if parsed.drivername in POSTGRES_NAMES else parsed
            self.engine = create_engine(parsed, pool_pre_ping=True)
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = self.engine.execution_options(dpool_reads=True, **options)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session whose changes are committed together at the end, or not at all."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees one state of the store and can change nothing."""
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
    """Begin to read or to write: one connection serves both in turn. A reader that tries to write is refused."""
    reads = connection.get_execution_options().get("dpool_reads", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reads else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def lock_pool(session: Session, pool_id: int) -> Pool:
    """Return the pool, locked against other writers until the transaction ends, as the last of them left it.

    A pool is one shard: everything a command or a round changes in it waits here, other pools go on.
    """
    pool = _locked(session, pool_id)
    if pool is None:
        raise LookupError(pool_id)
    return pool


def _locked(session: OrmSession, pool_id: int) -> Pool | None:
    """Lock a pool once. What was read before the lock may be out of date, so all of it is read again with the lock."""
    locked: set[int] = session.info.setdefault(LOCKED_POOLS, set())
    if pool_id in locked:
        return session.get(Pool, pool_id)
    known = session.identity_map.get(session.identity_key(Pool, pool_id))
    is_changed = known is not None and session.is_modified(known)
    pool = session.get(Pool, pool_id, with_for_update=True, populate_existing=not is_changed)
    locked.add(pool_id)
    return pool


@event.listens_for(Session, "after_soft_rollback")
def _forget_locks(session: OrmSession, _transaction: object) -> None:
    """Let a savepoint that is rolled back take the locks with it that were taken in it."""
    session.info.pop(LOCKED_POOLS, None)


def pool_of(session: Session, row: PoolRow) -> Pool:
    """Return the pool a row belongs to."""
    return session.get_one(Pool, row.pool_id)


def add(session: Session, row: Row) -> Row:
    """Add a row. A pool's row gets its number at once, from the pool's own count, so that it can be referred to."""
    if isinstance(row, PoolRow):
        pool = lock_pool(session, row.pool_id)
        pool.last_id += 1
        row.id = pool.last_id
    session.add(row)
    return row


def add_now(session: Session, row: Row) -> Row:
    """Add a row whose number comes from the store and is needed at once."""
    session.add(row)
    session.flush()
    return row


@event.listens_for(Session, "before_flush")
def _count_revision(session: OrmSession, _context: object, _instances: object) -> None:
    """Every change of a pool's rows or settings raises its revision, so that a round knows its snapshot is old."""
    changed = {row.pool_id for row in (*session.new, *session.deleted) if isinstance(row, PoolRow)}
    for row in session.dirty:
        if isinstance(row, PoolRow) and session.is_modified(row):
            changed.add(row.pool_id)
        elif isinstance(row, Pool) and inspect(row).attrs.settings.history.has_changes():
            changed.add(row.id)
    for pool_id in changed:
        pool: Any = _locked(session, pool_id)
        pool.revision += 1
