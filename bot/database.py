"""Opening the database: what can be wrong with it is one line, and it is left as it was."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import text as sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from bot.config import database_url, load
from bot.errors import UserError
from core.copying import HalfDoneError, is_half_done
from core.schema import StoreError, claim_exclusively, is_newest, name_of, prepare
from core.store import Store

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator
    from datetime import datetime

OTHERS = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename IS NOT NULL
    AND leader_pid IS NULL AND pid <> pg_backend_pid() AND application_name IS DISTINCT FROM :own"""


def chosen(arguments: Namespace) -> str:
    """Return the database that was named, or that of the configuration that was named. Raises UserError."""
    return load(Path(arguments.config)).database if arguments.config else str(arguments.database)


def file_of(database: str) -> Path | None:
    """Return the file of a SQLite database; None for one on a server. Raises UserError."""
    url = make_url(_url(database))
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def same_database(first: str, second: str) -> bool:
    """Tell whether two names are of one database. Raises UserError."""
    files = file_of(first), file_of(second)
    if None not in files:
        return len({str(path and path.resolve()) for path in files}) == 1
    return make_url(_url(first)) == make_url(_url(second))


@contextmanager
def opened(database: str, now: datetime, *, alone: bool = True, half_done: bool = False) -> Iterator[Store]:
    """Open a database by its URL or file, a file for this process `alone`; it is made if it is not there.

    `half_done`: it may be a copy that is not finished. Raises UserError, also for what goes wrong with it later on.
    """
    with connected(database) as store, claim_exclusively(store) if alone else nullcontext():
        prepare(store, now)
        if not half_done:
            _require_whole(store)
        yield store


@contextmanager
def looked_into(database: str) -> Iterator[Store]:
    """Open a database that is there, to read it; it may be in use meanwhile. Raises UserError."""
    with connected(database) as store:
        require_there(store)
        _require_whole(store)
        yield store


@contextmanager
def claimed(database: str) -> Iterator[Store]:
    """Open a database that is there, to read it, and change not a byte: nobody may use it. Raises UserError."""
    with connected(database) as store:
        require_there(store)
        with claim_exclusively(store), closing(unchanging(store.path) if store.path else store) as reader:
            require_alone(store)
            _require_whole(reader)
            yield reader
            require_alone(store)


@contextmanager
def connected(database: str) -> Iterator[Store]:
    """Give a store that is not opened yet, and say in one line what goes wrong with it."""
    url = make_url(_url(database))
    if url.get_backend_name() != "sqlite":
        url = url.update_query_dict({"application_name": _application()})
    try:
        store = Store(url.render_as_string(hide_password=False))
    except ModuleNotFoundError:
        raise UserError(f"{url.render_as_string()}: for PostgreSQL, install dpool[postgres]") from None
    try:
        yield store
    except StoreError as error:
        raise UserError(str(error)) from error
    except DBAPIError as error:
        raise UserError(f"The database {name_of(store)} can't be used: {reason_of(error)}") from error
    finally:
        store.close()


def reason_of(error: DBAPIError) -> str:
    """Return what a database says, in one line."""
    return str(error.orig).strip().split("\n", maxsplit=1)[0]


def unchanging(path: Path) -> Store:
    """Return the store of a file that nobody writes to; reading it leaves no trace."""
    belonging = [path.with_name(path.name + ending) for ending in ("-wal", "-journal")]
    mode = {"mode": "ro"} if any(one.exists() for one in belonging) else {"immutable": "1"}
    url = URL.create("sqlite", database=f"file:{quote(str(path.resolve()))}", query={**mode, "uri": "true"})
    return Store(url.render_as_string())


def require_there(store: Store) -> None:
    """Refuse a database that is not there, or that an older dpool has written. Raises StoreError or UserError."""
    newest = is_newest(store)
    if newest is None:
        raise UserError(f"There is no database {name_of(store)}.")
    if not newest:
        raise UserError(f"An older dpool has written {name_of(store)}. Start dpool with it once, then try again.")


def require_alone(store: Store) -> None:
    """Refuse a database on a server to which others are connected."""
    if store.path is not None:
        return
    with store.read() as session:
        count = session.connection().execute(sql(OTHERS), {"own": _application()}).scalar_one()
    if count:
        raise UserError(f"Others are connected to {name_of(store)}. Stop dpool, and whatever else uses it, first.")


def _require_whole(store: Store) -> None:
    with store.read() as session:
        if is_half_done(session):
            raise HalfDoneError(name_of(store))


def _application() -> str:
    """Return what this process is called on a server."""
    return f"dpool {os.getpid()}"


def _url(database: str) -> str:
    try:
        return database_url(database)
    except ValueError as error:
        raise UserError(f"{database}: {error}") from None
