"""Copying whole databases, between files and servers: the same rows, once, whoever interrupts it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, delete, select, update

from core import audit, copying
from core.copying import (
    DifferentCopyError,
    NotEmptyError,
    OtherCopyError,
    contents,
    copy_into,
    is_half_done,
    transferred,
)
from core.schema import UnreachableStoreError, is_newest
from core.store import Store, add_now
from core.tables import Pool, Transfer
from core.tables_chat import Delivery, Inbox, Meta, Outbox, Person, Press
from tests.conftest import NOW
from tests.operations import empty_on, file_with_life
from tests.test_core_schema import ADD, revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import Database


BOTH_WAYS = pytest.mark.parametrize(("source", "target"), [("file", "server"), ("server", "file")], indirect=True)


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> Iterator[Store]:
    """A pool that has lived a little, in a file if nothing else is asked for."""
    first = Store(f"sqlite:///{file_with_life(empty_database, tmp_path / 'first' / 'life.db')}")
    with first.write() as session:
        session.add(Press(key="é:ß", account_id=1, at=NOW))  # which is sorted in another way by each server
        session.add(Press(key="E:s", account_id=1, at=NOW))
        session.add(Meta(key="matrix:token", value="\u2603 100% 'quoted'"))
    if getattr(request, "param", "file") == "file":
        yield first
    else:
        store: Store = request.getfixturevalue("server_store")
        with first.read() as session:
            copy_into(store, session)
        yield store
    first.close()


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path) -> Iterator[Store]:
    """An empty database, on a server if nothing else is asked for."""
    if getattr(request, "param", "server") == "file":
        found = Store(f"sqlite:///{shutil.copyfile(empty_database, tmp_path / 'target.db')}")
    else:
        found = Store(empty_on(request.getfixturevalue("server_database").server))
    yield found
    found.close()


def copy(source: Store, target: Store, on_progress: Callable[[str, int, int], None] = lambda *_figures: None) -> None:
    with source.read() as session:
        copy_into(target, session, on_progress)


@pytest.mark.parametrize("source", ["file", "server"], indirect=True)
def test_a_store_says_whether_it_is_up_to_date(source: Store, tmp_path: Path) -> None:
    assert is_newest(source) is True
    assert is_newest(source, versions=revision(tmp_path / "versions", ADD)) is False
    source.close()


def test_an_empty_place_says_so(tmp_path: Path, server_database: Database) -> None:
    assert is_newest(Store(f"sqlite:///{tmp_path / 'new.db'}")) is None
    store = Store(server_database.server.create("nothing"))
    assert is_newest(store) is None
    store.close()
    with pytest.raises(UnreachableStoreError, match="cannot be reached"):
        is_newest(Store(server_database.server.url("nowhere")))
    assert not (tmp_path / "new.db").exists()


@BOTH_WAYS
def test_everything_is_copied_and_the_source_is_as_it_was(source: Store, target: Store) -> None:
    with source.read() as session:
        before, sums = contents(session), transferred(session)
    progress: list[tuple[str, int, int]] = []
    copy(source, target, lambda *figures: progress.append(figures))
    with source.read() as old, target.read() as new:
        assert contents(old) == contents(new) == before
        assert transferred(new) == sums
        assert sum(sums.values()) > 0
        assert not is_half_done(new)
        pool = new.exec(select(Pool)).one()
        assert audit.check(new, pool) == audit.replay(new, pool) == []
        assert {table: total for table, _count, total in progress} == {
            name: content.rows for name, content in before.items() if content.rows
        }


@BOTH_WAYS
def test_numbers_go_on_from_the_last_that_was_given(source: Store, target: Store) -> None:
    with source.write() as session:
        gone = add_now(session, Inbox(platform="console", event_id="gone", chat="room", received_at=NOW)).id
        session.exec(delete(Inbox).where(col(Inbox.id) == gone))
        session.exec(delete(Outbox))
        session.exec(delete(Delivery))
    with source.read() as session:
        people = max(session.exec(select(Person.id)).all())
    copy(source, target)
    with target.write() as session:
        assert add_now(session, Inbox(platform="console", event_id="next", chat="room", received_at=NOW)).id == gone + 1
        assert add_now(session, Person()).id == people + 1


def test_an_empty_database_is_copied(file_store: Store, target: Store) -> None:
    copy(file_store, target)
    with target.read() as session:
        assert {content.rows for content in contents(session).values()} == {0}
    with target.write() as session:
        assert add_now(session, Person()).id == 1


@BOTH_WAYS
def test_who_is_interrupted_goes_on_where_it_ended(
    source: Store, target: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BATCH_ROWS", 3)
    copied: list[tuple[str, int]] = []

    class KilledError(Exception):
        pass

    def interrupt(table: str, count: int, _total: int) -> None:
        copied.append((table, count))
        if len(copied) % 7 == 0:
            raise KilledError

    runs = 0
    while True:
        runs += 1
        try:
            copy(source, target, interrupt)
        except KilledError:
            with target.read() as session:
                assert is_half_done(session)
        else:
            break
    assert runs > 3
    assert len(set(copied)) == len(copied)  # no batch was copied twice
    with source.read() as old, target.read() as new:
        assert contents(old) == contents(new)


def begun(source: Store, target: Store) -> None:
    """Leave a half-done copy."""

    def interrupt(*_figures: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        copy(source, target, interrupt)


def test_what_is_not_empty_is_left_alone(source: Store, file_store: Store) -> None:
    with file_store.write() as session:
        session.add(Person(language="de"))
    with pytest.raises(NotEmptyError, match=r"There is something in the database .*dpool.db already"):
        copy(source, file_store)
    with file_store.read() as session:
        assert sum(content.rows for content in contents(session).values()) == 1


def test_a_half_of_something_else_is_no_beginning(source: Store, target: Store) -> None:
    begun(source, target)
    with source.write() as session:
        session.add(Person(language="de"))
    with pytest.raises(OtherCopyError, match="a half-done copy of another database, or of one that has changed"):
        copy(source, target)


def test_a_copy_that_is_different_is_not_taken(source: Store, target: Store) -> None:
    def spoil(table: str, count: int, total: int) -> None:
        if table == "transfer" and count == total:
            with target.write() as session:
                session.exec(update(Transfer).values(amount=col(Transfer.amount) + 1))

    with pytest.raises(DifferentCopyError, match=r"is different: transfer\. Empty it"):
        copy(source, target, spoil)
    with target.read() as session:
        assert is_half_done(session)
