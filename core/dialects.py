"""The dialects of both stores: SQLAlchemy's own, but savepoints are set when something is written in them.

Most commands only read, or are refused before they write. What is only read in a savepoint outlasts its rollback, locks
included. Those that were set end with the transaction. Who means to survive an error of a server while only reading
calls `set_now` first: without a savepoint, the whole transaction is lost.
"""

from __future__ import annotations

from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING, Protocol, cast
from weakref import WeakKeyDictionary

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.default import DefaultDialect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from socket import socket

    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.default import DefaultExecutionContext
    from sqlalchemy.engine.interfaces import (
        DBAPIConnection,
        DBAPICursor,
        ExecutionContext,
        _DBAPIMultiExecuteParams,
    )

    from core.server_cursor import Cursor

FILE = "sqlite+dpool"
SERVER = "postgresql+dpool"
PUT_OFF: WeakKeyDictionary[Connection, list[str]] = WeakKeyDictionary()


class ServerCursor(Protocol):
    """What psycopg's cursor takes besides: without a plan of its own, several statements are sent at once."""

    def execute(self, query: str, *, prepare: bool) -> object:
        """Execute statements."""


class LateSavepoints(DefaultDialect):
    """A dialect that puts a savepoint off until something is written in it."""

    supports_statement_cache = True

    def do_savepoint(self, connection: Connection, name: str) -> None:
        """Remember a savepoint."""
        PUT_OFF.setdefault(connection, []).append(name)

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        """Go back to a savepoint; where it was not set, there is nothing to take back."""
        if not _dropped(connection, name):
            PUT_OFF.pop(connection, None)
            connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {name}")

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        """Let what was written since a savepoint be part of what it is in."""
        _dropped(connection, name)

    def do_execute(
        self,
        cursor: DBAPICursor,
        statement: str,
        parameters: Sequence[object] | Mapping[str, object] | None,
        context: ExecutionContext | None = None,
    ) -> None:
        """Execute a statement; before one that writes, set the savepoints that were put off."""
        if context is not None and _writes(cast("DefaultExecutionContext", context)):
            self.set_late(context.root_connection, cursor)
        cursor.execute(statement, parameters)

    def do_executemany(
        self,
        cursor: DBAPICursor,
        statement: str,
        parameters: _DBAPIMultiExecuteParams,
        context: ExecutionContext | None = None,
    ) -> None:
        """Execute a statement many times, which only those are that write."""
        self.set_late(cast("DefaultExecutionContext", context).root_connection, cursor)
        cursor.executemany(statement, parameters)

    def set_late(self, connection: Connection, cursor: DBAPICursor) -> None:
        """Set the savepoints that were put off."""
        statements = [f"SAVEPOINT {name}" for name in PUT_OFF.pop(connection, ())]
        if statements:
            self.set_all(cursor, statements)

    def set_all(self, cursor: DBAPICursor, statements: Sequence[str]) -> None:
        """Execute statements that set savepoints."""
        for statement in statements:
            cursor.execute(statement)


class FileDialect(LateSavepoints, SQLiteDialect_pysqlite):
    """SQLite."""

    supports_statement_cache = True


class ServerDialect(LateSavepoints, PGDialect_psycopg):
    """PostgreSQL."""

    supports_statement_cache = True

    def do_execute(
        self,
        cursor: DBAPICursor,
        statement: str,
        parameters: Sequence[object] | Mapping[str, object] | None,
        context: ExecutionContext | None = None,
    ) -> None:
        """Execute a statement, known to the cursor."""
        if hasattr(cursor, "asked"):
            cast("Cursor", cursor).asked = statement
        super().do_execute(cursor, statement, parameters, context)

    def set_all(self, cursor: DBAPICursor, statements: Sequence[str]) -> None:
        """Execute statements that set savepoints, in one go."""
        cast("ServerCursor", cursor).execute(";".join(statements), prepare=False)

    def do_ping(self, dbapi_connection: DBAPIConnection) -> bool:
        """Tell whether a connection holds, without asking: one that broke has something to read before it is used."""
        with DefaultSelector() as selector:
            selector.register(cast("socket", dbapi_connection), EVENT_READ)
            return not selector.select(0)


def server_cursor() -> type[Cursor]:
    """Return the cursor for connections to a server. Raises ModuleNotFoundError where the driver is missing."""
    from core.server_cursor import Cursor

    return Cursor


def set_now(connection: Connection) -> None:
    """Set the savepoints that were put off, before something is written past SQLAlchemy."""
    if connection in PUT_OFF:
        cast("LateSavepoints", connection.dialect).set_late(connection, connection.connection.cursor())


def _writes(context: DefaultExecutionContext) -> bool:
    """Tell whether a statement may write: text is not looked into."""
    return context.compiled is None or context.is_text or context.isinsert or context.isupdate or context.isdelete


def _dropped(connection: Connection, name: str) -> bool:
    """Forget a savepoint that was not set, and those in it; return whether it was one."""
    names = PUT_OFF.get(connection, [])
    if name not in names:
        return False
    del names[names.index(name) :]
    return True


registry.register("sqlite.dpool", __name__, "FileDialect")
registry.register("postgresql.dpool", __name__, "ServerDialect")
