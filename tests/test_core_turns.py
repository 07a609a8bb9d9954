"""Threads that write to one file take turns."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from sqlalchemy.exc import OperationalError

from core.store import Store
from core.tables_chat import Person


def test_who_waits_for_a_writer_too_long_is_told_by_sqlite(file_store: Store) -> None:
    hurried = Store(file_store.url, busy_seconds=0)
    with hurried.write() as first:
        first.add(Person())
        first.flush()
        with pytest.raises(OperationalError, match="locked"), hurried.write() as second:
            second.add(Person())
    hurried.close()


def test_who_has_written_lets_others_go_first(file_store: Store) -> None:
    """Two wait while the first writes; when it comes back at once, both have been there."""
    order: list[str] = []
    begun = [Event(), Event()]

    def write(name: str, started: Event) -> None:
        started.set()
        with file_store.write():
            order.append(name)

    with ThreadPoolExecutor(2) as others:
        with file_store.write():
            waiting = [others.submit(write, name, started) for name, started in zip("ab", begun, strict=True)]
            assert all(started.wait(10) for started in begun)
            time.sleep(0.1)  # they have begun to wait
        with file_store.write():
            order.append("first again")
        assert [one.result(10) for one in waiting] == [None, None]
    assert order.index("first again") > 0
