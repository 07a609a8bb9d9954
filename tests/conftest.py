"""Fixtures for all tests: an empty store of each kind, migrated once, as new for each test; a pool to put into it."""

from __future__ import annotations

import hashlib
import logging
import shutil
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

from bot.log import OURS, SILENT
from core.members import new_member
from core.projects import found_pool
from core.schema import open_store
from core.store import Store, add_now
from core.tables_chat import Account, Person
from tests import postgres
from tests.postgres import Database
from tests.village import Village

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlmodel import Session

    from core.tables import Member, Pool

# A busy machine is slow, and that is no fault of what it tests.
settings.register_profile("dpool", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dpool")
NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
STORES = {"sqlite": "file_store", "postgresql": "server_store"}
# Long ones, which are there to show something else than that a branch does what it should. To measure which branches
# run takes more than half as long again as to run them.
UNMEASURED = (
    "test_bot_demo.py",
    "test_core_link_properties.py",
    "test_docs*.py",
    "test_matrix_*.py",
    "test_power_loss.py",
    "test_processes.py",
    "test_sharding.py",
    "test_simulation.py",
    "test_telegram_*.py",
    "test_time.py",
    "test_torture.py",
    "test_transcripts.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Leave out of the coverage what is there to show something else."""
    coverage = Coverage.current() if any(map(item.path.match, UNMEASURED)) else None
    if coverage is None:
        return (yield)
    coverage.stop()
    try:
        return (yield)
    finally:
        coverage.start()


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """Put logging back as it was: what a program sets up for its process would hide things from the next test."""
    factory, root = logging.getLogRecordFactory(), logging.getLogger()
    handlers, loggers = root.handlers[:], [root, *map(logging.getLogger, (*OURS, *SILENT))]
    levels = [one.level for one in loggers]
    yield
    logging.setLogRecordFactory(factory)
    root.handlers[:] = handlers
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without a row. Every worker of xdist makes its own."""
    path = tmp_path_factory.mktemp("template") / "dpool.db"
    open_store(f"sqlite:///{path}", NOW).close()  # the last connection takes the journal back into the file
    return path


@pytest.fixture
def file_store(empty_database: Path, tmp_path: Path) -> Iterator[Store]:
    """A SQLite store of its own for each test, empty and ready to use; its file is `store.path`."""
    path = tmp_path / "dpool.db"
    shutil.copyfile(empty_database, path)
    found = Store(f"sqlite:///{path}")
    yield found
    found.close()


@pytest.fixture(scope="session")
def server_database() -> Iterator[Database]:
    """A database on a PostgreSQL server, migrated. Every worker of xdist has its own server."""
    with postgres.running() as server, closing(Database(server, NOW)) as database:
        yield database


@pytest.fixture
def server_store(server_database: Database) -> Iterator[Store]:
    """A PostgreSQL store, empty and ready to use."""
    server_database.clear()
    found = Store(server_database.url)
    yield found
    found.close()


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    """A store, empty and ready to use: whatever needs one is tried on each of `STORES`."""
    found: Store = request.getfixturevalue(STORES[request.param])
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try tests on both kinds of store, or on those that their module names in a `STORES` of its own."""
    if "store" in metafunc.fixturenames:
        metafunc.parametrize("store", getattr(metafunc.module, "STORES", [*STORES]), indirect=True)


@pytest.fixture
def village(store: Store) -> Iterator[Village]:
    """The village with its garden, before anything is made."""
    with store.write() as session:
        yield Village(session).garden()


@pytest.fixture
def filled(file_store: Store) -> Path:
    """A database of our newest revision with somebody in it, closed."""
    with file_store.write() as session:
        person = add_now(session, Person(language="de"))
        session.add(Account(platform="console", user_id="ana", person_id=person.id))
    file_store.close()
    assert file_store.path is not None
    return file_store.path


def entropy() -> Callable[[int], bytes]:
    """Randomness that is the same in every test."""
    drawn = count()
    return lambda size: hashlib.shake_256(f"dpool test {next(drawn)}".encode()).digest(size)


def found(session: Session, *, code_from: Callable[[int], bytes] | None = None, **settings: str) -> tuple[Pool, Member]:
    """Found a pool with Ana as its steward. A second pool in one store needs a code from elsewhere."""
    person = add_now(session, Person())
    return found_pool(session, "Valley", settings, (person.id, "Ana"), NOW, code_from or entropy())


def person_in(session: Session, pool: Pool, name: str) -> Member:
    """Add somebody to a pool, admitted."""
    person = add_now(session, Person())
    member = new_member(session, pool, name, person.id, NOW)
    member.admitted_at = NOW
    return member
