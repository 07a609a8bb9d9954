"""The inbox keeps every event once, and gives them back in their order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from core.chat import inbox
from tests.conftest import NOW

if TYPE_CHECKING:
    from core.store import Store


def test_an_event_is_kept_once_per_platform(store: Store) -> None:
    with store.write() as session:
        assert inbox.receive(session, "telegram", "1", "c", {"first": 1}, NOW)
        assert not inbox.receive(session, "telegram", "1", "c", {"second": 1}, NOW)
        assert inbox.receive(session, "matrix", "1", "c", {}, NOW)
    with store.write() as session:
        assert not inbox.receive(session, "telegram", "1", "other", {}, NOW)
        assert [row.payload for row in inbox.waiting(session, 1)] == [{"first": 1}]


def test_the_oldest_waits_first_whatever_its_stamp_says(store: Store) -> None:
    with store.write() as session:
        for number, hours in (("9", 0), ("1", -5), ("5", 3)):
            inbox.receive(session, "telegram", number, "c", {"n": number}, NOW + timedelta(hours=hours))
    found = []
    with store.write() as session:
        while rows := inbox.waiting(session, 1):
            found.append(rows[0].event_id)
            inbox.done(session, [rows[0].id], NOW)
            session.expire_all()
    assert found == ["9", "1", "5"]


def test_what_waits_is_counted_up_to_a_moment(store: Store) -> None:
    with store.write() as session:
        assert inbox.count_waiting(session) == 0
        inbox.receive(session, "telegram", "1", "c", {}, NOW)
        inbox.receive(session, "telegram", "2", "c", {}, NOW + timedelta(minutes=1))
        assert inbox.count_waiting(session) == 2
        assert inbox.count_waiting(session, NOW) == 1
