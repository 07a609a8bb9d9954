"""A database that is down, full, slow, read-only or somebody else's: commands wait, or one line says what is wrong."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlmodel import func, select

from bot.cli import main
from core.schema import open_store
from core.store import Store
from core.tables import Pool
from core.tables_chat import Inbox
from tests import postgres
from tests.conftest import NOW
from tests.crew import ROOMS, Crew, crew

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Server

OTHERS_OUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'pool' AND pid <> pg_backend_pid()"
FULL = """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE SQLSTATE '53100' USING MESSAGE = 'no space left'; END $$"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that may be stopped; what it has said is committed is kept when it crashes."""
    with postgres.running(settings=("fsync=off",)) as found:
        yield found


@pytest.fixture(scope="module")
def running(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """One process that lives through everything that happens to its database."""
    url = server.create("pool")
    open_store(url, NOW).close()
    with closing(Store(url)) as store, crew(store, tmp_path_factory.mktemp("crew")) as found:
        found.start("all 1")
        found.found_pool()
        yield found


class Trial:
    """People write while something is wrong with the database, and are answered when it is right again."""

    def __init__(self, running: Crew) -> None:
        self.running = running
        self.before = len(set(running.answered()))

    def write(self) -> None:
        for number in range(8):
            self.running.say((ROOMS[number % 4], "ana", f"/task new {number + self.before} 1h"))

    def goes_on(self) -> None:
        """Everything is answered, once, and nothing was a fault of the program."""
        expected = self.before + 8
        self.running.until_answered(expected)
        assert sorted(self.running.answered()) == sorted(f"m{number}" for number in range(expected))
        assert "Traceback" not in self.running.log()
        with self.running.store.read() as session:
            assert session.exec(select(func.max(Inbox.fault))).one() == ""
            assert session.exec(select(Pool.last_task_number)).one() == expected - 1 - len(ROOMS)


@pytest.fixture
def trial(running: Crew) -> Trial:
    return Trial(running)


@pytest.mark.parametrize("signal", ["INT", "QUIT"])
def test_a_server_that_is_stopped_or_crashes_is_waited_for(trial: Trial, server: Server, signal: str) -> None:
    said_count = trial.running.log().count("does not answer")
    trial.write()
    server.stop("INT" if signal == "INT" else "QUIT")
    try:
        trial.running.until(lambda: trial.running.log().count("does not answer") > said_count)
    finally:
        server.start()  # the other tests need it
    trial.goes_on()


def test_connections_that_break_are_made_anew(trial: Trial, server: Server) -> None:
    server.execute(OTHERS_OUT)
    trial.write()
    server.execute(OTHERS_OUT)
    trial.goes_on()


def test_a_database_that_is_read_only_for_a_while_is_waited_for(trial: Trial, server: Server) -> None:
    server.execute("ALTER DATABASE pool SET default_transaction_read_only = on")
    server.execute(OTHERS_OUT)
    trial.write()
    trial.running.until(lambda: "read-only transaction" in trial.running.log())
    server.execute("ALTER DATABASE pool RESET default_transaction_read_only")
    server.execute(OTHERS_OUT)
    trial.goes_on()


@pytest.mark.parametrize("table", ["inbox", "outbox", "delivery"])
def test_a_full_disk_is_waited_for(trial: Trial, table: str) -> None:
    said_count = trial.running.log().count("no space left")
    with trial.running.store.engine.begin() as connection:
        connection.exec_driver_sql(FULL)
        connection.exec_driver_sql(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION full_disk()")
    trial.write()
    trial.running.until(lambda: trial.running.log().count("no space left") > said_count)
    with trial.running.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP FUNCTION full_disk CASCADE")
    trial.goes_on()


def test_a_slow_database_is_waited_for(trial: Trial) -> None:
    with trial.running.store.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE inbox, delivery IN ACCESS EXCLUSIVE MODE")
        trial.write()
        assert not threading.Event().wait(1.5)
    trial.goes_on()


# What is wrong from the start


def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str) -> str:
    """Run the bot, which ends at once, and return the one line it says."""
    path = tmp_path / "c.yaml"
    path.write_text(f"database: {url}\n")
    assert main(("run", "--config", str(path))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_server_that_is_down_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = told(tmp_path, capsys, f"postgresql://me:secret@/pool?host={tmp_path}")
    assert line.startswith("The database postgresql://me:***@/pool")
    assert line.endswith("cannot be reached. See that it runs, and check its address and password.")


def test_a_database_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], server: Server
) -> None:
    assert "cannot be reached" in told(tmp_path, capsys, server.url("nowhere"))


def test_a_database_that_may_not_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], server: Server
) -> None:
    server.create("closed")
    server.execute("CREATE ROLE guest LOGIN")
    assert "cannot be written. Let its user make tables" in told(tmp_path, capsys, server.url("closed", "guest"))
    server.execute("ALTER DATABASE closed SET default_transaction_read_only = on")
    assert "cannot be written. Let its user make tables" in told(tmp_path, capsys, server.url("closed"))


def test_a_disk_that_is_full_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], server: Server) -> None:
    url = server.create("crowded")
    with closing(Store(url)) as store, store.engine.begin() as connection:
        connection.exec_driver_sql(FULL.replace("trigger", "event_trigger"))
        connection.exec_driver_sql("CREATE EVENT TRIGGER full_disk ON ddl_command_start EXECUTE FUNCTION full_disk()")
    assert told(tmp_path, capsys, url).startswith("There is no room left for the database postgresql://")


def test_the_database_of_another_program_or_a_newer_dpool_is_told_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], server: Server
) -> None:
    url = server.create("theirs")
    with closing(Store(url)) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (id int)")
    assert "belongs to another program" in told(tmp_path, capsys, url)
    url = server.create("newer")
    open_store(url, NOW).close()
    with closing(Store(url)) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert "was written by a newer dpool (revision 9999)" in told(tmp_path, capsys, url)
