"""`dpool backup`: a copy of a database in one file, made and compared while dpool runs."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError

from bot.clock import Clock
from bot.database import chosen, looked_into, reason_of
from bot.errors import UserError
from bot.moving import copied
from core.schema import prepare
from core.store import Store

if TYPE_CHECKING:
    from argparse import Namespace
    from datetime import datetime

    from sqlmodel import Session

PRIVATE = 0o600


def command(arguments: Namespace) -> int:
    """Make a backup; return 1 if it is a true copy of something that is not as it must be."""
    path = Path(arguments.file)
    if path.exists():
        raise UserError(f"{path} is there already. Name another file; nothing was changed.")
    if not path.parent.is_dir():
        raise UserError(f"There is no folder for {path}. Make it, or name another place.")
    with looked_into(chosen(arguments)) as store, store.read() as session:
        return _make(path, session, Clock()())


def _make(path: Path, session: Session, now: datetime) -> int:
    """Copy what a session sees into a file, which appears when it is whole and on the disk."""
    try:
        with TemporaryDirectory(prefix=".dpool-", dir=path.parent) as folder:
            made = Path(folder) / path.name
            code = _write(made, session, now)
            _seal(made)
            made.replace(path)
            _sync(path.parent)
    except OSError as error:
        raise UserError(f"{path} could not be written: {error.strerror}") from error
    print(f"{path} is written: {path.stat().st_size:,} bytes.")
    return code


def _write(made: Path, session: Session, now: datetime) -> int:
    store = Store(f"sqlite:///{made}")
    # No commit waits for the disk: until the file is there as a whole, nobody needs a part of it.
    listen(store.engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    try:
        prepare(store, now)
        return copied(store, session)
    except DBAPIError as error:
        raise UserError(f"The backup could not be made: {reason_of(error)}") from error
    finally:
        store.close()


def _seal(made: Path) -> None:
    """Make one file of it that needs no other beside it, look it over, and wait until it is on the disk."""
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        whole = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if not whole or broken is not None:
        raise UserError("The backup came out damaged, so it was thrown away. See that the disk is sound.")
    made.chmod(PRIVATE)
    _sync(made)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
