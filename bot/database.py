"""Opening the database: what can be wrong with it is one line, and it is left as it was."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from bot.config import database_url
from bot.errors import UserError
from core.schema import StoreError, claim_exclusively, prepare
from core.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


def file_of(database: str) -> Path | None:
    """Return the file of a SQLite database; None for one on a server. Raises UserError."""
    url = make_url(_url(database))
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


@contextmanager
def opened(database: str, now: datetime, *, alone: bool = True) -> Iterator[Store]:
    """Open a database by its URL or file, a file for this process `alone`; it is made if it is not there.

    Raises UserError, also for what goes wrong with it later on.
    """
    url = make_url(_url(database))
    shown = str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    try:
        store = Store(_url(database))
    except ModuleNotFoundError:
        raise UserError(f"{shown}: for PostgreSQL, install dpool[postgres]") from None
    try:
        with claim_exclusively(store) if alone else nullcontext():
            prepare(store, now)
            yield store
    except StoreError as error:
        raise UserError(str(error)) from error
    except DBAPIError as error:
        first_line = str(error.orig).strip().split("\n", maxsplit=1)[0]
        raise UserError(f"The database {shown} can't be used: {first_line}") from error
    finally:
        store.close()


def _url(database: str) -> str:
    try:
        return database_url(database)
    except ValueError as error:
        raise UserError(f"{database}: {error}") from None
