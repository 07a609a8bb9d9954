"""Savepoints that are set when something is written in them: most commands only read, or are refused before they write.

The dialects of both stores are SQLAlchemy's own but for that. What is only read in a savepoint outlasts its rollback,
locks included.
"""

from __future__ import annotations

from selectors import EVENT_READ, DefaultSelector
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Connection
from sqlalchemy.engine.default import DefaultDialect

FILE = "sqlite+dpool"
SERVER = "postgresql+dpool"
PUT_OFF: WeakKeyDictionary[Connection, list[str]] = WeakKeyDictionary()


class LateSavepoints(DefaultDialect):
    """A dialect that puts a savepoint off until something is written in it."""

    def do_savepoint(self, connection: Connection, name: str) -> None:
        """Remember a savepoint."""
        PUT_OFF.setdefault(connection, []).append(name)

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        """Go back to a savepoint; where it was not set, there is nothing to take back."""
        if not _dropped(connection, name):
            super().do_rollback_to_savepoint(connection, name)

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        """Let what was written since a savepoint be part of what it is in; the end of the transaction releases all."""
        _dropped(connection, name)

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Execute a statement; before one that writes, the savepoints that were put off are set."""
        if context is not None and _writes(context):
            _set(context.root_connection, cursor)
        super().do_execute(cursor, statement, parameters, context)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Execute a statement many times, as above."""
        if context is not None and _writes(context):
            _set(context.root_connection, cursor)
        super().do_executemany(cursor, statement, parameters, context)


class FileDialect(LateSavepoints, SQLiteDialect_pysqlite):
    """SQLite."""

    supports_statement_cache = True


class ServerDialect(LateSavepoints, PGDialect_psycopg):
    """PostgreSQL."""

    supports_statement_cache = True

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Tell whether a connection holds, without asking: one that broke has something to read before it is used."""
        with DefaultSelector() as selector:
            selector.register(dbapi_connection, EVENT_READ)
            return not selector.select(0)


def set_now(connection: Connection) -> None:
    """Set the savepoints that were put off, before something is written past SQLAlchemy."""
    if connection in PUT_OFF:
        _set(connection, connection.connection.cursor())


def _writes(context: Any) -> bool:
    """Tell whether a statement may write: text is not looked into."""
    return context.compiled is None or context.isinsert or context.isupdate or context.isdelete


def _set(connection: Connection, cursor: Any) -> None:
    names = PUT_OFF.pop(connection, ())
    if not names:
        return
    if connection.dialect.name == "sqlite":
        for name in names:
            cursor.execute(f"SAVEPOINT {name}")
    else:
        cursor.execute(";".join(f"SAVEPOINT {name}" for name in names), prepare=False)


def _dropped(connection: Connection, name: str) -> bool:
    """Forget a savepoint that was not set, and those in it; return whether it was one."""
    names = PUT_OFF.get(connection, [])
    if name not in names:
        return False
    del names[names.index(name) :]
    return True


registry.register("sqlite.dpool", __name__, "FileDialect")
registry.register("postgresql.dpool", __name__, "ServerDialect")
