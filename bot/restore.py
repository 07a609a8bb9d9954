"""`dpool restore`: a backup, of this or an older dpool, goes into an empty database of either kind."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bot.clock import Clock
from bot.database import chosen, looked_into, same_database
from bot.errors import UserError
from bot.moving import copy_to
from core.schema import StoreError, is_newest, prepare
from core.store import Store

if TYPE_CHECKING:
    from argparse import Namespace
    from datetime import datetime


def command(arguments: Namespace) -> int:
    """Restore a backup; return 1 if something in it is not as it must be."""
    path, target = Path(arguments.file), chosen(arguments)
    if same_database(str(path), target):
        raise UserError("The backup and the database to restore it into are the same file.")
    with TemporaryDirectory(prefix="dpool-") as folder:
        now, draft = Clock()(), Path(folder) / "backup.db"
        _take(path, draft, now)
        with looked_into(str(draft)) as source:
            return copy_to(target, source, now)


def _take(path: Path, draft: Path, now: datetime) -> None:
    """Copy a backup, which is left as it is, and bring the copy up to date."""
    journal = path.with_name(f"{path.name}-wal")
    if journal.exists() and journal.stat().st_size:
        raise UserError(f"{path} is a database in use, and no backup. Make one of it: dpool backup")
    try:
        shutil.copyfile(path, draft)
        draft.chmod(0o600)
    except OSError as error:
        raise UserError(f"{path} can't be restored: {error.strerror}") from error
    store = Store(f"sqlite:///{draft}")
    try:
        if is_newest(store) is None:
            raise UserError(f"There is nothing in {path}.")
        _require_sound(path, draft)
        prepare(store, now)
    except StoreError as error:
        error.name = str(path)
        raise UserError(str(error)) from error
    finally:
        store.close()


def _require_sound(path: Path, draft: Path) -> None:
    with closing(sqlite3.connect(draft)) as connection:
        try:
            found = connection.execute("PRAGMA integrity_check").fetchone()
        except sqlite3.DatabaseError:
            found = None
    if found != ("ok",):
        raise UserError(f"{path} is damaged. Take another backup.")
