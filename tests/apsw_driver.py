"""What SQLAlchemy needs of a driver, over apsw: it lets a test put its own file system under SQLite.

Only what the store uses. `driver(vfs)` stands in for the module `sqlite3`.
"""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import apsw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAMES = (
    *("Error", "DatabaseError", "OperationalError", "IntegrityError", "InterfaceError", "ProgrammingError"),
    *("NotSupportedError", "DataError", "InternalError", "Binary", "paramstyle", "sqlite_version", "threadsafety"),
    *("sqlite_version_info", "PARSE_DECLTYPES", "PARSE_COLNAMES"),
)


class Cursor:
    """The rows of one statement, read at once."""

    arraysize = 1

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid = 0
        self.rows: list[Any] = []

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
        cursor = self.connection.cursor()
        cursor.exec_trace = self._describe
        before = self.connection.total_changes()
        try:
            self.rows = list(cursor.execute(statement, tuple(values)))
        except apsw.ConstraintError as error:
            raise sqlite3.IntegrityError(str(error)) from error
        self.rowcount = self.connection.total_changes() - before
        self.lastrowid = self.connection.last_insert_rowid()
        return self

    def executemany(self, statement: str, many: Sequence[Sequence[Any]]) -> Cursor:
        before = self.connection.total_changes()
        for values in many:
            self.execute(statement, values)
        self.rowcount = self.connection.total_changes() - before
        return self

    def _describe(self, cursor: apsw.Cursor, _statement: str, _values: object) -> bool:
        columns = cursor.get_description()
        self.description = [(name, None, None, None, None, None, None) for name, _type in columns] or None
        return True

    def fetchone(self) -> Any:
        return self.rows.pop(0) if self.rows else None

    def fetchmany(self, size: int = arraysize) -> list[Any]:
        taken, self.rows = self.rows[:size], self.rows[size:]
        return taken

    def fetchall(self) -> list[Any]:
        taken, self.rows = self.rows, []
        return taken

    def close(self) -> None:
        self.rows = []


class Connection:
    """One connection; `on_commit` hears of every transaction that has been committed."""

    isolation_level: str | None = ""

    def __init__(self, path: str, vfs: str, on_commit: Callable[[apsw.Connection], None]) -> None:
        self.connection = apsw.Connection(path, vfs=vfs)
        self.on_commit = on_commit

    def cursor(self) -> Cursor:
        return Cursor(self.connection)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
        return self.cursor().execute(statement, values)

    def create_function(self, *_arguments: Any, **_options: Any) -> None:
        """Take no function: the store uses none of its own."""

    def commit(self) -> None:
        if self.connection.in_transaction:
            has_written = self.connection.txn_state("main") == apsw.SQLITE_TXN_WRITE
            self.connection.execute("COMMIT")
            if has_written:
                self.on_commit(self.connection)

    def rollback(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        self.connection.close()


def driver(vfs: str, on_commit: Callable[[apsw.Connection], None]) -> SimpleNamespace:
    """Return a stand-in for `sqlite3` whose connections go through a file system of apsw's."""

    def connect(path: str, **_options: Any) -> Connection:
        return Connection(path, vfs, on_commit)

    return SimpleNamespace(connect=connect, **{name: getattr(sqlite3, name) for name in NAMES})
