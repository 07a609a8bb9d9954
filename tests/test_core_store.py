"""The store: what a transaction sees and keeps, who waits for whom, how rows are numbered and changes counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, SQLModel, col, func, select

from core.store import Store, add, add_now, lock_pool, pool_of, see
from core.tables import Good, Pool
from core.tables_chat import Meta, Person
from core.trouble import Trouble, trouble_of
from tests.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator


class StopError(Exception):
    """Ends a transaction."""


def good(pool: Pool, name: str) -> Good:
    return Good(pool_id=pool.id, name=name, name_key=name, created_at=NOW)


def new_pool(session: Session, code: str) -> Pool:
    return add_now(session, Pool(name=code, code=code, founded_at=NOW))


def add_and_stop(session: Session, *_pools: Pool) -> None:
    add_now(session, Person())
    raise StopError


def count_people(session: Session) -> int:
    return session.exec(select(func.count()).select_from(Person)).one()


@contextmanager
def asked(store: Store) -> Iterator[list[str]]:
    """Collect the statements that reach the database."""
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(store.engine, "before_cursor_execute", note)
    yield statements
    event.remove(store.engine, "before_cursor_execute", note)


# Where it is


@pytest.mark.parametrize(
    ("url", "path", "driver"),
    [
        ("sqlite:///some/dpool.db", Path("some/dpool.db"), "sqlite+dpool"),
        ("sqlite:////var/dpool.db", Path("/var/dpool.db"), "sqlite+dpool"),
        ("sqlite://", None, "sqlite+dpool"),
        ("sqlite:///:memory:", None, "sqlite+dpool"),
        ("postgres://ana@host/dpool", None, "postgresql+dpool"),
        ("postgresql://ana@host/dpool", None, "postgresql+dpool"),
        ("postgresql+psycopg://ana@host/dpool", None, "postgresql+dpool"),
    ],
)
def test_a_url_says_where_the_store_is(url: str, path: Path | None, driver: str) -> None:
    store = Store(url)
    assert (store.url, store.path, store.engine.url.drivername) == (url, path, driver)
    assert store.is_sqlite == driver.startswith("sqlite")


def test_on_a_server_a_reader_has_one_view_and_no_leave_to_write() -> None:
    store = Store("postgresql://ana@host/dpool")
    with store.read() as session:
        options = session.get_bind().get_execution_options()
    assert (options["isolation_level"], options["postgresql_readonly"]) == ("REPEATABLE READ", True)
    with store.write() as session:
        assert dict(session.get_bind().get_execution_options()) == {}


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
def test_sqlite_is_set_up_for_safety(file_store: Store, pragma: str, value: object) -> None:
    for _again in range(2):
        with file_store.write() as session:
            assert session.connection().exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
        with file_store.read() as session:
            assert session.connection().exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


# Transactions


def test_a_transaction_is_kept_as_a_whole_or_not_at_all(store: Store) -> None:
    with store.write() as session:
        session.add_all([Person(), Person()])
    with pytest.raises(StopError), store.write() as session:
        add_and_stop(session)
    with store.read() as session:
        assert count_people(session) == 2


def test_a_savepoint_takes_back_its_own_part_only(store: Store) -> None:
    with store.write() as session:
        session.add(Person())
        with pytest.raises(StopError), session.begin_nested():
            add_and_stop(session)
    with store.read() as session:
        assert count_people(session) == 1


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(store: Store) -> None:
    with store.read() as reader:
        assert count_people(reader) == 0
        with store.write() as writer:
            writer.add(Person())
        assert count_people(reader) == 0
    with store.read() as reader:
        assert count_people(reader) == 1


def test_a_reader_can_change_nothing(store: Store) -> None:
    for _again in range(2):
        with store.read() as session, pytest.raises(DBAPIError, match=r"read-?only"):
            add_now(session, Person())
        with store.write() as session:
            session.add(Person())
    with store.read() as session:
        assert count_people(session) == 2


def test_a_reader_does_not_wait_for_a_writer(store: Store) -> None:
    with store.write() as writer:
        add_now(writer, Person())
        with store.read() as reader:
            assert count_people(reader) == 0


def test_no_update_is_lost(store: Store) -> None:
    with store.write() as session:
        pool = new_pool(session, "0")

    def count_up(_worker: int) -> None:
        for _time in range(10):
            with store.write() as session:
                row = lock_pool(session, pool.id)
                row.name = str(int(row.name) + 1)

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(count_up, range(8)))
    with store.read() as session:
        assert session.get_one(Pool, pool.id).name == "80"


def test_a_second_writer_waits_only_so_long(file_store: Store) -> None:
    hasty = Store(file_store.url, busy_seconds=0)
    with file_store.write() as session:
        add_now(session, Person())
        with pytest.raises(OperationalError, match="locked"), hasty.write() as second:
            second.get(Person, 1)
    with hasty.write() as second:
        assert second.get(Person, 1) is not None
    hasty.close()


# Pools


def test_a_pool_that_is_not_there_cannot_be_locked(store: Store) -> None:
    with store.write() as session, pytest.raises(LookupError, match="7"):
        lock_pool(session, 7)


def test_a_lock_brings_what_was_written_before_it(server_store: Store) -> None:
    """On a server, what was read before the lock may be old; here the same transaction writes past the session."""
    with server_store.write() as session:
        pool = new_pool(session, "A")
        session.connection().exec_driver_sql("UPDATE pool SET last_id = 41")
        assert pool.last_id == 0
        assert add(session, good(pool, "bread")).id == 42
        with asked(server_store) as statements:
            assert lock_pool(session, pool.id) is pool
        assert statements == []


def test_a_pool_that_is_locked_holds_up_no_other(server_store: Store) -> None:
    with server_store.write() as session:
        first, second = new_pool(session, "A").id, new_pool(session, "B").id
    with server_store.write() as session:
        lock_pool(session, first)
        with server_store.write() as other:
            assert lock_pool(other, second).name == "B"
            other.connection().exec_driver_sql("SET LOCAL lock_timeout = 1")
            with pytest.raises(OperationalError, match="lock timeout") as caught:
                lock_pool(other, first)
    assert trouble_of(caught.value) is Trouble.CONFLICT


# What was read before a lock


def test_what_was_read_before_a_lock_is_read_again_with_it(server_store: Store) -> None:
    with server_store.write() as session:
        first, second = new_pool(session, "A"), new_pool(session, "B")
        rows = [add(session, good(pool, name)) for pool, name in ((first, "a"), (first, "b"), (second, "c"))]
        keys = [(row.pool_id, row.id) for row in rows]
    with server_store.write() as session:
        mine = [session.get_one(Good, key) for key in keys]
        mine[1].unit = "mine"
        with server_store.write() as other:
            for key in keys:
                other.get_one(Good, key).name += " anew"
        lock_pool(session, first.id)
        assert [row.name for row in mine] == ["a anew", "b anew", "c"]
        assert mine[1].unit == "mine"


def test_what_was_read_with_a_pool_that_has_not_changed_is_not_read_again(server_store: Store) -> None:
    with server_store.write() as session:
        add(session, good(pool := new_pool(session, "A"), "a"))
    for is_quicker in (False, True):
        with server_store.write() as session:
            see(session, session.get_one(Pool, pool.id))
            mine = session.get_one(Good, (pool.id, 1))
            if is_quicker:
                with server_store.write() as other:
                    other.get_one(Good, (pool.id, 1)).unit = "loaf"
            lock_pool(session, pool.id)
            with asked(server_store) as statements:
                assert mine.unit == ("loaf" if is_quicker else "")
            assert len(statements) == is_quicker


def test_a_lock_keeps_what_the_transaction_itself_has_changed(store: Store) -> None:
    with store.write() as session:
        pool = new_pool(session, "A")
        pool.name = "Renamed"
        assert lock_pool(session, pool.id).name == "Renamed"
    with store.read() as session:
        assert session.get_one(Pool, 1).name == "Renamed"


def test_a_savepoint_that_is_rolled_back_takes_its_locks_with_it(server_store: Store) -> None:
    with server_store.write() as session:
        pool = new_pool(session, "A")
        with pytest.raises(StopError), session.begin_nested():
            add_and_stop(session, lock_pool(session, 1))
        session.refresh(pool)
        session.connection().exec_driver_sql("UPDATE pool SET last_id = 41")
        assert lock_pool(session, 1).last_id == 41


def test_every_pool_numbers_its_own_rows(store: Store) -> None:
    with store.write() as session:
        first, second = new_pool(session, "A"), new_pool(session, "B")
        rows = [add(session, good(pool, name)) for pool, name in ((first, "a"), (first, "b"), (second, "a"))]
        assert [row.id for row in rows] == [1, 2, 1]
        assert pool_of(session, rows[2]) is second
        assert add(session, Meta(key="a", value="b")).value == "b"
    with store.read() as session:
        assert session.get_one(Pool, 1).last_id == 2
        assert session.get_one(Good, (1, 2)).name == "b"


def revisions(store: Store) -> list[int]:
    with store.read() as session:
        return list(session.exec(select(Pool.revision).order_by(col(Pool.id))))


@pytest.mark.parametrize(
    ("table", "key", "field", "value", "raised"),
    [
        (Good, (1, 1), "name", "Bread", True),
        (Good, (1, 1), "name", "bread", False),
        (Pool, 1, "settings", {"limit": "3 h"}, True),
        (Pool, 1, "settings", {}, False),
        (Pool, 1, "name", "Hill", False),
        (Meta, "a", "value", "c", False),
    ],
)
def test_a_pool_counts_its_changes_and_no_others(
    store: Store, table: type[SQLModel], key: object, field: str, value: object, raised: bool
) -> None:
    with store.write() as session:
        pools = new_pool(session, "A"), new_pool(session, "B")
        add(session, good(pools[0], "bread"))
        session.add(Meta(key="a", value="b"))
    before = revisions(store)
    with store.write() as session:
        setattr(session.get_one(table, key), field, value)
    assert revisions(store) == [before[0] + raised, before[1]]
    with store.read() as session:
        assert getattr(session.get_one(table, key), field) == value


def test_a_pool_counts_what_comes_and_goes(store: Store) -> None:
    with store.write() as session:
        pool = new_pool(session, "A")
        row = add(session, good(pool, "bread"))
        assert pool.revision == 0
        session.flush()
        assert pool.revision == 1
        session.delete(row)
    assert revisions(store) == [2]
