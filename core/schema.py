"""Opening a store: an empty one is made, an older one migrated after a backup, whatever else is refused untouched."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from core.migrations import VERSIONS, config_of
from core.store import BUSY_SECONDS_MAX, Store
from core.trouble import PRIMARY_CODE, Trouble, trouble_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.engine import Connection

VERSION_TABLE = "alembic_version"
POOL_TABLE = "pool"
MIGRATION_LOCK = 0x64706F6F6C  # "dpool": what two processes that migrate one PostgreSQL database wait for


@dataclass(eq=False)
class StoreError(Exception):
    """The store cannot be used; `name` is its file, or its address without the password."""

    name: str


class NoFolderError(StoreError):
    """The folder of the database does not exist."""

    def __str__(self) -> str:
        return f"There is no folder for the database {self.name}. Make it, or name another place."


class NotADatabaseError(StoreError):
    """The file is something else, or damaged."""

    def __str__(self) -> str:
        return f"{self.name} is no database, or a damaged one. Name another file, or put a backup in its place."


class ReadOnlyStoreError(StoreError):
    """The file or its folder cannot be written."""

    def __str__(self) -> str:
        return f"The database {self.name} or its folder cannot be written. Allow it, or name another place."


class LockedStoreError(StoreError):
    """Another program keeps the database locked."""

    def __str__(self) -> str:
        return f"The database {self.name} is locked by another program. Close that, then try again."


class StoreInUseError(StoreError):
    """Another dpool runs on this database."""

    def __str__(self) -> str:
        return f"Another dpool is running on the database {self.name}. Stop that one first."


class ForeignStoreError(StoreError):
    """The database belongs to another program."""

    def __str__(self) -> str:
        return f"The database {self.name} belongs to another program. Name another one; nothing was changed."


class UnreachableStoreError(StoreError):
    """The database server does not answer, or lets nobody in."""

    def __str__(self) -> str:
        return f"The database {self.name} cannot be reached. See that it runs, and check its address and password."


class NoLeaveError(StoreError):
    """The server lets nobody write, or not this user."""

    def __str__(self) -> str:
        return f"The database {self.name} cannot be written. Let its user make tables there, or name another one."


class FullStoreError(StoreError):
    """There is no room left."""

    def __str__(self) -> str:
        return f"There is no room left for the database {self.name}. Make some, then try again."


# What is none of these (no leave, a broken disk) comes down to a file that cannot be written.
MEANINGS: dict[int, type[StoreError]] = {
    sqlite3.SQLITE_BUSY: LockedStoreError,
    sqlite3.SQLITE_NOTADB: NotADatabaseError,
    sqlite3.SQLITE_CORRUPT: NotADatabaseError,
    sqlite3.SQLITE_ERROR: ForeignStoreError,  # a table of ours that does not look like ours
    sqlite3.SQLITE_FULL: FullStoreError,
}
# The same of a server; what is none of these is one that cannot be reached.
SERVER_MEANINGS: dict[str, type[StoreError]] = {
    "25006": NoLeaveError,
    "42501": NoLeaveError,
    "53100": FullStoreError,
}


@dataclass(eq=False)
class NewerStoreError(StoreError):
    """A newer dpool has written the database; this one does not know its `revision`."""

    revision: str

    def __str__(self) -> str:
        return (
            f"The database {self.name} was written by a newer dpool (revision {self.revision}). "
            "Install that one; nothing was changed."
        )


@dataclass(eq=False)
class BackupFailedError(StoreError):
    """There was no room, or no leave, for the backup that comes before a migration."""

    backup: str

    def __str__(self) -> str:
        return f"The backup {self.backup} could not be written, so the database {self.name} was left as it was."


@dataclass(eq=False)
class MigrationFailedError(StoreError):
    """A migration failed and was undone. `backup` is empty where none was made; the cause is chained."""

    revision: str
    backup: str

    def __str__(self) -> str:
        kept = f" A backup is in {self.backup}." if self.backup else ""
        return f"The database {self.name} could not be migrated from revision {self.revision}, and is as it was.{kept}"


def open_store(
    url: str, now: datetime, *, versions: Sequence[Path] = (VERSIONS,), busy_seconds: int = BUSY_SECONDS_MAX
) -> Store:
    """Return the store of a URL, ready to use. Raises a StoreError."""
    store = Store(url, busy_seconds=busy_seconds)
    try:
        prepare(store, now, versions=versions)
    except StoreError:
        store.close()
        raise
    return store


def prepare(store: Store, now: datetime, *, versions: Sequence[Path] = (VERSIONS,)) -> None:
    """Bring a store to the newest revision of the folders `versions`; `now` names the backup. Raises a StoreError."""
    with _typed_errors(store):
        if store.path is not None:
            _look_at_file(store, store.path, versions)
        with store.engine.connect() as connection, _without_references(store, connection), connection.begin():
            _upgrade(store, connection, now, versions)


def is_newest(store: Store, *, versions: Sequence[Path] = (VERSIONS,)) -> bool | None:
    """Tell whether a store is at the newest revision, and change nothing; None if it is empty. Raises a StoreError."""
    with _typed_errors(store):
        if store.path is not None:
            heads = _look_at_file(store, store.path, versions)
        else:
            with store.engine.connect() as connection:
                heads = MigrationContext.configure(connection).get_current_heads()
                _check(store, set(inspect(connection).get_table_names()), heads, versions)
    newest = ScriptDirectory.from_config(config_of(versions)).get_heads()
    return set(heads) == set(newest) if heads else None


@contextmanager
def claim_exclusively(store: Store) -> Iterator[None]:
    """Keep every other process that claims this store out for as long as the context lasts. Raises StoreInUseError.

    Only a file needs that; on a server several processes may work together. The lock is the operating system's, by
    way of SQLite, and goes with the process however it ends; the empty file `<database>.lock` stays.
    """
    if store.path is None:
        yield
        return
    _require_folder(store, store.path)
    lock = store.path.with_name(f"{store.path.name}.lock")
    try:
        connection = sqlite3.connect(lock, timeout=0, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise _typed(store, error) from error
    with closing(connection):
        try:
            connection.execute("PRAGMA journal_mode=OFF")  # nothing is ever written, so no journal has to lie about
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            typed = _typed(store, error)
            raise (StoreInUseError(typed.name) if isinstance(typed, LockedStoreError) else typed) from error
        yield


def name_of(store: Store) -> str:
    """Return what a store is called to people: its file, or its address without the password."""
    url = make_url(store.url).difference_update_query(["application_name"])
    return str(store.path) if store.path else url.render_as_string(hide_password=True)


def _code(error: object) -> int:
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE


@contextmanager
def _typed_errors(store: Store) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise _typed(store, error) from error
    except DBAPIError as error:
        raise _typed(store, error.orig) from error


def _typed(store: Store, error: object) -> StoreError:
    """Return what the driver's error means to somebody who starts dpool."""
    name = name_of(store)
    if not store.path:
        return SERVER_MEANINGS.get(getattr(error, "sqlstate", None) or "", UnreachableStoreError)(name)
    return MEANINGS.get(_code(error), ReadOnlyStoreError)(name)


def _require_folder(store: Store, path: Path) -> None:
    if not path.parent.is_dir():
        raise NoFolderError(name_of(store))


def _look_at_file(store: Store, path: Path, versions: Sequence[Path]) -> tuple[str, ...]:
    """Return a file's revisions; refuse what is not ours before SQLite opens it for writing, which may change it."""
    _require_folder(store, path)
    if path.exists() and not path.is_file():
        raise NotADatabaseError(name_of(store))
    heads: tuple[str, ...] = ()
    if path.exists():
        with closing(_open_to_read(path)) as connection:
            tables = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            query = "SELECT version_num FROM alembic_version"
            heads = tuple(str(row[0]) for row in connection.execute(query)) if VERSION_TABLE in tables else ()
        _check(store, tables, heads, versions)
        # SQLite would open it all the same, and fail with the first message.
        if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise ReadOnlyStoreError(name_of(store))
    return heads


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Open a file so that nothing changes, in its folder neither: if no other file belongs to it, as unchanging."""
    belonging = [path.with_name(path.name + ending) for ending in ("-wal", "-journal")]
    mode = "mode=ro" if any(one.exists() for one in belonging) else "immutable=1"
    return sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True)


def _check(store: Store, tables: set[str], heads: tuple[str, ...], versions: Sequence[Path]) -> None:
    """Refuse what another program or a newer dpool wrote."""
    ours = {one.revision for one in ScriptDirectory.from_config(config_of(versions)).walk_revisions()}
    if tables - {VERSION_TABLE, "sqlite_sequence"} and (not heads or POOL_TABLE not in tables):
        raise ForeignStoreError(name_of(store))
    for head in heads:
        if head not in ours:
            raise NewerStoreError(name_of(store), head)


@contextmanager
def _without_references(store: Store, connection: Connection) -> Iterator[None]:
    """Let a migration build tables anew to which others refer; it checks the references at its end."""
    if not store.is_sqlite:
        yield
        return
    driver: Any = connection.connection.dbapi_connection
    driver.execute("PRAGMA foreign_keys=OFF")  # which does nothing once a transaction has begun
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _upgrade(store: Store, connection: Connection, now: datetime, versions: Sequence[Path]) -> None:
    """Migrate in the transaction that has begun, unless another process was faster."""
    if not store.is_sqlite:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    heads = MigrationContext.configure(connection).get_current_heads()
    _check(store, set(inspect(connection).get_table_names()), heads, versions)
    config = config_of(versions, connection)
    newest = ScriptDirectory.from_config(config).get_heads()
    if set(heads) == set(newest):
        return
    revision = ",".join(heads)
    backup = _back_up(store, store.path, revision, now) if store.path and heads else ""
    try:
        command.upgrade(config, "heads")
        if store.is_sqlite:
            _check_references(connection)
    except Exception as error:
        if isinstance(error, DBAPIError) and trouble_of(error) is Trouble.OUTAGE:
            raise
        raise MigrationFailedError(name_of(store), revision, backup) from error


def _check_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise ValueError(f"a row of {broken[0]} refers to none of {broken[2]}")


def _back_up(store: Store, path: Path, revision: str, now: datetime) -> str:
    """Copy the database as it is committed; it appears under its name only when it is whole."""
    backup = path.with_name(f"{path.name}.{revision}.{now:%Y%m%dT%H%M%SZ}.backup")
    partial = backup.with_name(f"{backup.name}.partial")
    try:
        partial.touch()
        shutil.copymode(path, partial)  # a backup is as private as what it copies
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as target:
            source.backup(target)
        partial.replace(backup)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise BackupFailedError(name_of(store), str(backup)) from error
    return str(backup)
