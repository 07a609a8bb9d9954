"""What columns and tables take: exact instants, any JSON, no text for numbers, and references that hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from core.columns import Instant, Json
from core.store import Store, add, add_now
from core.tables import Bid, Member, Membership, Pool, Project
from core.tables_chat import Account, Inbox
from tests.conftest import NOW, found, person_in

FIRST, LAST = datetime.fromisoformat("0001-01-03"), datetime.fromisoformat("9999-12-29")
DIALECT = Store("sqlite://").engine.dialect


def test_references_are_checked_at_the_end_and_stay_in_their_pool(store: Store) -> None:
    with store.write() as session:
        pool, ana = found(session)
        other = add_now(session, Pool(name="B", code="B", founded_at=NOW))
        assert pool.id != other.id
        pool_ids, ana_id = (pool.id, other.id), ana.id
    for pool_id, fits in zip(pool_ids, (True, False), strict=True):
        with store.write() as session:
            project = add(session, Project(pool_id=pool_id, name="Hill", name_key="hill", created_at=NOW))
            project_id = project.id
        if fits:
            link(store, pool_id, project_id, ana_id)
        else:
            with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
                link(store, pool_id, project_id, ana_id)
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), store.write() as session:
        add_now(session, Account(platform="console", user_id="ana", person_id=99))


def link(store: Store, pool_id: int, project_id: int, member_id: int) -> None:
    with store.write() as session:
        row = Membership(pool_id=pool_id, project_id=project_id, member_id=member_id, joined_at=NOW)
        add(session, row)
        session.flush()


def test_text_is_no_number(store: Store) -> None:
    with store.write() as session:
        pool, ana = found(session)
        bid: Any = Bid(pool_id=pool.id, task_id=1, member_id=ana.id, at=NOW)
        bid.weight = "much"
        with pytest.raises(DBAPIError, match=r"cannot store TEXT|invalid input syntax"), session.begin_nested():
            add(session, bid)


def test_an_instant_without_a_zone_is_refused(store: Store) -> None:
    naive = NOW.replace(tzinfo=None)
    with store.write() as session, pytest.raises(StatementError, match="offset-naive"), session.begin_nested():
        session.add(Pool(name="A", code="A", founded_at=naive))


@given(st.datetimes(FIRST, LAST), st.integers(-720, 720))
def test_instants_are_exact(wall: datetime, minutes: int) -> None:
    instant = wall.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    kept = Instant().process_bind_param(instant, DIALECT)
    back = Instant().process_result_value(kept, DIALECT)
    assert isinstance(kept, int)
    assert back == instant
    assert back is not None
    assert back.tzinfo is UTC


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=3), one, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_json_comes_back_and_fits_into_any_database(value: object) -> None:
    kept = Json().process_bind_param(value, DIALECT)
    assert Json().process_result_value(kept, DIALECT) == value
    assert "\x00" not in kept
    kept.encode()


def test_what_a_platform_sent_is_kept_even_if_it_is_no_text(store: Store) -> None:
    payload = {"text": "half an emoji \ud83d, and nothing \x00"}
    with store.write() as session:
        session.add(Inbox(platform="console", event_id="1", payload=payload, received_at=NOW))
    with store.read() as session:
        assert session.get_one(Inbox, 1).payload == payload


def test_a_member_has_one_name_in_a_pool(store: Store) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        assert person_in(session, pool, "Ana").name == "Ana 2"
        with pytest.raises(IntegrityError, match=r"(?i)unique"), session.begin_nested():
            add(session, Member(pool_id=pool.id, name="ana", name_key="ana", joined_at=NOW))
