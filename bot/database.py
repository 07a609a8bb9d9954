"""Opening the database: what can be wrong with it is one line, and it is left as it was."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from bot.config import database_url
from bot.errors import UserError
from core.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


def prepare(store: Store, now: datetime) -> None:
    """Make or bring up to date what the database consists of."""
    del now
    SQLModel.metadata.create_all(store.engine)


@contextmanager
def opened(database: str, now: datetime) -> Iterator[Store]:
    """Open a database by its URL or file; it is made if it is not there. Raises UserError, also for faults later on."""
    try:
        url = make_url(database_url(database))
    except ValueError as error:
        raise UserError(f"{database}: {error}") from None
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    shown = str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    try:
        store = Store(url.render_as_string(hide_password=False))
    except ModuleNotFoundError:
        raise UserError(f"{shown}: for PostgreSQL, install dpool[postgres]") from None
    try:
        prepare(store, now)
        yield store
    except DBAPIError as error:
        raise UserError(f"{shown}: the database can't be used: {_first_line(error)}") from None
    finally:
        store.close()


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().split("\n", maxsplit=1)[0]
