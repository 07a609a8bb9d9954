"""The store: one engine, write and read transactions, and the numbering of a pool's rows.

SQLite runs with WAL, synchronous=FULL, foreign keys on and BEGIN IMMEDIATE for everything that writes, so that two
writers wait for each other instead of losing updates. On PostgreSQL the lock of a pool does the same within the pool;
what only reads goes on without it, and looks afterwards whether it read one state.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import bindparam, create_engine, event, func, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_of

from core import dialects
from core.tables import Pool, PoolRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.orm import Session as OrmSession
    from sqlalchemy.orm.session import JoinTransactionMode
    from sqlalchemy.sql.functions import Function

BUSY_SECONDS_MAX = 15
ANALYSED_ROWS_MAX = 1000  # of each index: enough to plan by, and done in a moment
POSTGRES_NAMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
LOCKED_POOLS = "dpool_locked_pools"
LOCKED_BEFORE = "dpool_pools_locked_before"
HELD_POOLS = "dpool_pools_held"
HELD_BEFORE = "dpool_pools_held_before"
READS = "dpool_pools_read_without_lock"
SEEN = "dpool_seen_revisions"
KEPT_ROWS = "dpool_kept_rows"
# A server that vanishes without a word is noticed within half a minute, one that does not answer at the start sooner.
SERVER_OPTIONS = {
    "application_name": "dpool",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
LOCK = select(Pool).where(col(Pool.id) == bindparam("pool_id")).with_for_update()  # every command: built once
REVISION = select_of(col(Pool.revision)).where(col(Pool.id) == bindparam("pool_id"))
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
        self._busy_seconds = busy_seconds
        self._next_turn, self._turn = Lock(), Lock()
        if self.is_sqlite:
            self.engine: Engine = create_engine(
                parsed.set(drivername=dialects.FILE),
                hide_parameters=True,  # they hold what people write, and errors end up in logs
                connect_args={"timeout": busy_seconds},
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            options: dict[str, Any] = {}
        else:
            # The driver that is installed, whatever the URL of a hosting service says.
            parsed = parsed.set(drivername=dialects.SERVER) if parsed.drivername in POSTGRES_NAMES else parsed
            options = {name: value for name, value in SERVER_OPTIONS.items() if name not in parsed.query}
            options["cursor_factory"] = dialects.server_cursor()
            self.engine = create_engine(parsed, hide_parameters=True, pool_pre_ping=True, connect_args=options)
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = self.engine.execution_options(dpool_reads=True, **options)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session whose changes are committed together at the end, or not at all."""
        with self._in_turn(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let the threads that write to a SQLite file queue up: SQLite itself would have each look again and again.

        Who has just had its turn cannot take the next one before who waits. Who waits too long goes on, and SQLite
        decides.
        """
        if not self.is_sqlite:
            yield
            return
        with self._next_turn:
            has_turn = self._turn.acquire(timeout=self._busy_seconds)
        try:
            yield
        finally:
            if has_turn:
                self._turn.release()

    @contextmanager
    def together(self) -> Iterator[Callable[[], AbstractContextManager[Session]]]:
        """Give sessions, one after another, whose changes are committed together at the end.

        On a server, where others may wait for a pool while this waits for another, a session that needs one more than
        the sessions before it have locked raises an OtherPoolError, and what it did is taken back. Any other error
        takes back everything.
        """
        mode: JoinTransactionMode = "conditional_savepoint" if self.is_sqlite else "create_savepoint"
        with self._in_turn(), self.engine.begin() as connection:
            # A lock may outlast the savepoint it was taken in: what may be held is more than what is locked for sure.
            locked: set[int] = set()
            held: set[int] = set()

            @contextmanager
            def part() -> Iterator[Session]:
                info = {LOCKED_POOLS: locked, LOCKED_BEFORE: frozenset(locked)}
                info |= {HELD_POOLS: held, HELD_BEFORE: frozenset(held)}
                with (
                    Session(connection, expire_on_commit=False, join_transaction_mode=mode, info=info) as session,
                    session.begin(),
                ):
                    yield session

            yield part

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees one state of the store and can change nothing."""
        with Session(self._reader, autoflush=False, expire_on_commit=False) as session:
            yield session

    def analyse(self) -> None:
        """Count anew how the rows are spread, so that queries are planned for their number.

        A server does so by itself, within some minutes. Connections to a file read it when they are opened.
        """
        with self.engine.begin() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql(f"PRAGMA analysis_limit={ANALYSED_ROWS_MAX}")
            connection.exec_driver_sql("ANALYZE")
        if self.path is not None:
            self.engine.dispose()

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


class OtherPoolError(Exception):
    """The transaction has locked pools, and needs another one."""

    def __init__(self, pool_id: int) -> None:
        """Name the other pool."""
        super().__init__(pool_id)
        self.pool_id = pool_id


class ChangedMeanwhileError(Exception):
    """A pool that was read without its lock is not as it was any more."""

    def __init__(self, pool_id: int) -> None:
        """Name the pool."""
        super().__init__(pool_id)
        self.pool_id = pool_id


def is_on_server(session: OrmSession) -> bool:
    """Tell whether other processes may be at work on the same store."""
    return session.get_bind().dialect.name == "postgresql"


def announce(session: Session, *words: str) -> None:
    """Wake whoever listens for these words in other processes, with the commit. On a file there is nobody."""
    if is_on_server(session):
        session.connection().execute(select(*map(announced, words)))


def announced(word: str) -> Function[str]:
    """Return what a server does to announce a word, to be part of a statement."""
    return func.pg_notify(word, "")


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
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
    if not is_on_server(session):
        return session.get(Pool, pool_id)  # whoever writes to a file has all of it
    held_before = session.info.get(HELD_BEFORE)
    if held_before and pool_id not in held_before:
        raise OtherPoolError(pool_id)
    locked.add(pool_id)
    session.info.get(HELD_POOLS, locked).add(pool_id)
    known = session.identity_map.get(session.identity_key(Pool, pool_id))
    is_changed = known is not None and session.is_modified(known)
    options = {"populate_existing": not is_changed}
    pool = session.scalars(LOCK, {"pool_id": pool_id}, execution_options=options).first()
    if is_changed or pool is None or pool.revision != session.info.get(SEEN, {}).get(pool_id):
        if pool_id in session.info.get(READS, ()):
            raise ChangedMeanwhileError(pool_id)
        _forget_rows(session, pool_id)
    return pool


def see(session: Session, pool: Pool) -> None:
    """Note that a pool was read before anything else of it: if it is the same when it is locked, so is all the rest."""
    session.info.setdefault(SEEN, {})[pool.id] = pool.revision


@contextmanager
def one_state(session: Session) -> Iterator[None]:
    """Let pools be read without their locks, see `seen_pool`: all that is read of each must be one state of it.

    Raises ChangedMeanwhileError where it was not, whatever came of it, or when a pool that has changed is locked.
    """
    reads: set[int] = session.info.setdefault(READS, set())
    try:
        yield
        _require_unchanged(session, reads)
    except DBAPIError:
        raise
    except Exception:
        _require_unchanged(session, reads)
        raise
    finally:
        del session.info[READS]


def seen_pool(session: Session, pool_id: int) -> Pool | None:
    """Return a pool without its lock, if it was seen before anything else of it and `one_state` looks after it."""
    if pool_id not in session.info.get(SEEN, {}) or READS not in session.info:
        return None
    session.info[READS].add(pool_id)
    return session.get(Pool, pool_id)


def _require_unchanged(session: Session, pool_ids: Collection[int]) -> None:
    for pool_id in pool_ids:
        if not _is_mine(session, pool_id):
            revision = session.exec(REVISION, params={"pool_id": pool_id}).one()
            if revision != session.info[SEEN][pool_id]:
                raise ChangedMeanwhileError(pool_id)


def _is_mine(session: Session, pool_id: int) -> bool:
    """Tell whether nobody else can change a pool until the transaction ends."""
    return not is_on_server(session) or pool_id in session.info.get(LOCKED_POOLS, ())


def is_unchanged(session: Session, pool_id: int) -> bool:
    """Lock a pool; tell whether what was read of it before shows it as it is."""
    is_mine = _is_mine(session, pool_id)
    return lock_pool(session, pool_id).revision == session.info.get(SEEN, {}).get(pool_id) or is_mine


def _forget_rows(session: OrmSession, pool_id: int) -> None:
    """Let the rows of a pool that were read before its lock be read again, but for what was changed here."""
    for row in session.identity_map.values():
        if isinstance(row, PoolRow) and not session.is_modified(row):
            identity = inspect(row).identity
            if identity is not None and identity[0] == pool_id:
                session.expire(row)


@event.listens_for(Session, "loaded_as_persistent")
def _keep(session: OrmSession, row: object) -> None:
    """Hold what was read for as long as the session lasts: it would be read again each time nobody else holds it."""
    session.info.setdefault(KEPT_ROWS, []).append(row)


@event.listens_for(Session, "after_soft_rollback")
def _forget_locks(session: OrmSession, _transaction: object) -> None:
    """Let a savepoint that is rolled back take the locks with it that were taken in it."""
    session.info.get(LOCKED_POOLS, set()).intersection_update(session.info.get(LOCKED_BEFORE, ()))


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
