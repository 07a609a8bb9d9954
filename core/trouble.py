"""What an error of the database means to whoever meant to do something with it."""

from __future__ import annotations

import sqlite3
from enum import Enum

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError

PRIMARY_CODE = 0xFF  # SQLite's extended codes carry the primary one in their last byte
SQLITE_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# PostgreSQL's codes, some by their class: gone, no resources, told to stop, broken disk; read-only, no leave.
SERVER_OUTAGES = ("08", "53", "57", "58", "25006", "42501")
SERVER_CONFLICTS = frozenset(
    {"40001", "40P01", "55P03", "23505"}
)  # one of two was quicker, or each waited for the other


class Trouble(Enum):
    """What an error in a transaction means to whoever began it; in any case nothing was changed."""

    CONFLICT = "somebody was quicker: the same again will see what they did"
    OUTAGE = "the store is out of reach, full or locked: the same again later"
    FAULT = "the program is wrong, or the store is"


def trouble_of(error: BaseException) -> Trouble:
    """Tell what an error in a transaction means."""
    if isinstance(error, NoConnectionError):
        return Trouble.OUTAGE
    if not isinstance(error, DBAPIError):
        return Trouble.FAULT
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0) & PRIMARY_CODE
        return Trouble.OUTAGE if code in SQLITE_OUTAGES else Trouble.FAULT
    code = getattr(error.orig, "sqlstate", None) or ""
    if code in SERVER_CONFLICTS:
        return Trouble.CONFLICT
    is_gone = error.connection_invalidated or not code
    return Trouble.OUTAGE if is_gone or code.startswith(SERVER_OUTAGES) else Trouble.FAULT


def line_of(error: BaseException) -> str:
    """Return the first line of what the driver says, for the log."""
    return str(getattr(error, "orig", error)).strip().split("\n", maxsplit=1)[0]
