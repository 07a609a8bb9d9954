"""What an error of the database means: somebody was quicker, it is out of reach, or the program is wrong."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from core.trouble import Trouble, trouble_of


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (sqlite3.SQLITE_FULL, Trouble.OUTAGE),
        (sqlite3.SQLITE_IOERR_FSYNC, Trouble.OUTAGE),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Trouble.OUTAGE),
        (sqlite3.SQLITE_READONLY, Trouble.OUTAGE),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, Trouble.FAULT),
        (sqlite3.SQLITE_ERROR, Trouble.FAULT),
        (sqlite3.SQLITE_CORRUPT, Trouble.FAULT),
    ],
)
def test_what_an_error_of_sqlite_means(code: int, trouble: Trouble) -> None:
    error = sqlite3.OperationalError("something")
    error.sqlite_errorcode = code
    assert trouble_of(OperationalError("select", {}, error)) is trouble


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        ("40001", Trouble.CONFLICT),
        ("40P01", Trouble.CONFLICT),
        ("23505", Trouble.CONFLICT),
        ("57P01", Trouble.OUTAGE),
        ("53100", Trouble.OUTAGE),
        ("25006", Trouble.OUTAGE),
        (None, Trouble.OUTAGE),
        ("23503", Trouble.FAULT),
        ("42601", Trouble.FAULT),
    ],
)
def test_what_an_error_of_a_server_means(code: str | None, trouble: Trouble) -> None:
    error = psycopg.errors.lookup(code)("something") if code else psycopg.OperationalError("connection refused")
    assert trouble_of(DBAPIError("select", {}, error)) is trouble


def test_what_is_no_error_of_the_database_is_a_fault_but_for_want_of_a_connection() -> None:
    assert trouble_of(ValueError()) is Trouble.FAULT
    assert trouble_of(NoConnectionError()) is Trouble.OUTAGE
