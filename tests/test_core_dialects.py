"""The stores' own ways: when a savepoint is set, how a broken connection is noticed, what a cursor remembers."""

from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy import insert
from sqlalchemy import text as sql
from sqlmodel import Session, func, select

from core import bulk, server_cursor
from core.store import Store, add_now
from core.tables_chat import Meta, Person


class StopError(Exception):
    """Ends a savepoint."""


def count_people(session: Session) -> int:
    return session.exec(select(func.count()).select_from(Person)).one()


def look_and_stop(session: Session) -> None:
    count_people(session)
    raise StopError


def add_and_stop(session: Session) -> None:
    add_now(session, Person())
    raise StopError


def many(session: Session) -> None:
    session.connection().execute(insert(Meta), [{"key": key, "value": ""} for key in "ab"])


def savepoints(session: Session) -> list[str]:
    """Return what the driver is told besides: SQLite can say, a server's savepoints show in what they take back."""
    found: list[str] = []
    driver = session.connection().connection.driver_connection
    assert driver is not None
    driver.set_trace_callback(lambda statement: found.append(statement) if "SAVEPOINT" in statement else None)
    return found


def test_a_savepoint_is_set_when_something_is_written_in_it(file_store: Store) -> None:
    with file_store.write() as session:
        told = savepoints(session)
        with pytest.raises(StopError), session.begin_nested():
            look_and_stop(session)
        with session.begin_nested():
            count_people(session)
        assert told == []
        with session.begin_nested():
            add_now(session, Person())
        assert len(told) == 1
        with pytest.raises(StopError), session.begin_nested(), session.begin_nested():
            add_and_stop(session)
        assert [one.split()[0] for one in told[1:]] == ["SAVEPOINT", "SAVEPOINT", "ROLLBACK", "ROLLBACK"]


def test_what_is_written_in_savepoints_is_taken_back_with_them(store: Store) -> None:
    with store.write() as session:
        with session.begin_nested():
            add_now(session, Person())
        with pytest.raises(StopError), session.begin_nested(), session.begin_nested():
            add_and_stop(session)
        with session.begin_nested():
            with pytest.raises(StopError), session.begin_nested():
                look_and_stop(session)
            add_now(session, Person())
        with suppress(StopError), session.begin_nested():
            session.add(Person())
            with session.begin_nested():
                count_people(session)
            add_and_stop(session)
        assert count_people(session) == 2
    with store.read() as session:
        assert count_people(session) == 2


def test_text_and_many_rows_at_once_belong_to_their_savepoint(store: Store) -> None:
    with store.write() as session:
        with suppress(StopError), session.begin_nested():
            session.connection().execute(sql("INSERT INTO meta (key, value) VALUES ('a', '')"))
            look_and_stop(session)
        with suppress(StopError), session.begin_nested():
            many(session)
            look_and_stop(session)
        assert session.exec(select(func.count()).select_from(Meta)).one() == 0


def test_rows_copied_to_a_server_belong_to_their_savepoint(server_store: Store) -> None:
    with server_store.write() as session:
        for key in "ab":
            with suppress(StopError), session.begin_nested():
                bulk.insert(session, Meta, ("key", "value"), [(key, "")])
                look_and_stop(session)
        with session.begin_nested():
            add_now(session, Person())
            bulk.insert(session, Meta, ("key", "value"), [("c", "")])
        assert session.exec(select(Meta.key)).all() == ["c"]


def test_a_cursor_remembers_what_rows_look_like(server_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_cursor, "REMEMBERED_MAX", 2)
    monkeypatch.setattr(server_cursor, "DESCRIPTIONS", {})
    with server_store.read() as session:
        for statement in ("SELECT 1 AS a", "SELECT 2 AS b", "SELECT 1 AS a", "SELECT 'x' AS c, 3 AS d"):
            row = session.connection().execute(sql(statement)).mappings().one()
            assert [f"{value!r} AS {name}" for name, value in row.items()] == statement.split("SELECT ")[1].split(", ")
        assert list(server_cursor.DESCRIPTIONS) == ["SELECT 'x' AS c, 3 AS d"]
        driver = session.connection().connection.cursor()
        for statement, name in (("SELECT 1 AS e", "e"), ("SELECT 2 AS f", "f")):
            driver.execute(statement)
            assert [column[0] for column in driver.description or ()] == [name]
