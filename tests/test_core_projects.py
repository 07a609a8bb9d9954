"""Pools and projects: founding, codes that are used once, channels and settings."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from core.codes import CODE_LETTERS, digest_of, new_code
from core.errors import ChannelTakenError, NameTakenError, UnknownCodeError
from core.events import ProjectFounded
from core.identity import Place, chat_of
from core.members import is_maintainer
from core.projects import (
    change_setting,
    channel_code,
    count_projects,
    found_pool,
    link_channel,
    new_project,
    pool_by_code,
    project_of_chat,
    projects,
)
from core.settings import UnfitSettingError, UnknownSettingError
from core.store import add_now
from core.tables_chat import Chat, Code, Person
from core.timing import current_round
from tests.conftest import NOW, entropy, found

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.store import Store
    from core.tables import Member, Pool, Project


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


MINUTE = timedelta(minutes=1)


def chat(session: Session, address: str = "hill") -> Chat:
    return chat_of(session, Place("console", address))


def hill(session: Session, name: str = "Hill") -> tuple[Pool, Member, Project, Chat]:
    """A pool with a project and its channel."""
    pool, ana = found(session)
    here = chat(session, name)
    return pool, ana, new_project(session, pool, name, ana, here, NOW).project, here


# Codes


def test_a_code_is_drawn_without_bias_from_letters_that_cannot_be_mixed_up() -> None:
    assert set("01ILOU") & set(CODE_LETTERS) == set()
    bytes_ = cycle([*range(240, 256), *range(240)])
    letters = "".join(new_code(lambda size: bytes(next(bytes_) for _ in range(size))) for _ in range(30)).replace(
        "-", ""
    )
    assert {letters.count(letter) for letter in CODE_LETTERS} == {8}


def test_a_code_reads_well() -> None:
    codes = {new_code(entropy()), new_code(entropy())}
    assert len(codes) == 1
    assert re.fullmatch(f"[{CODE_LETTERS}]{{4}}-[{CODE_LETTERS}]{{4}}", codes.pop())


def test_of_a_code_only_its_hash_is_kept() -> None:
    assert digest_of("k7q2-m4pd") == digest_of("K7Q2-M4PD") == hashlib.sha256(b"K7Q2-M4PD").hexdigest()


# Founding


def test_a_pool_begins_with_its_steward_and_an_open_round(store: Store) -> None:
    with store.write() as session:
        person = add_now(session, Person())
        settings = {"rounds": "mon 07:00", "timezone": "Europe/Berlin"}
        pool, ana = found_pool(session, "Valley", settings, (person.id, "Ana"), NOW, entropy())
        session.flush()
        assert (pool.name, pool.settings, pool.founded_at) == ("Valley", settings, NOW)
        assert (ana.name, ana.person_id, ana.steward, ana.admitted_at) == ("Ana", person.id, 1, NOW)
        row = current_round(session, pool.id)
        assert (row.number, row.local, row.due_at) == (1, "2026-05-11 07:00", pool.round_due_at)
        assert pool_by_code(session, pool.code.lower()) is pool


@pytest.mark.parametrize("code", ["", "AAAA-AAAA", "%", "\u200b"])
def test_a_wrong_code_opens_nothing(store: Store, code: str) -> None:
    with store.write() as session:
        found(session)
        with pytest.raises(UnknownCodeError) as refused:
            pool_by_code(session, code)
        assert refused.value.code == code


def test_two_pools_never_share_a_code(store: Store) -> None:
    with store.write() as session:
        found(session)
        with pytest.raises(IntegrityError, match=r"pool[._]code"), session.begin_nested():
            found(session)


# Settings


@pytest.mark.parametrize(
    ("key", "value", "kept", "due"),
    [
        ("levy", "2h", "2 h", "2026-05-10 18:00"),
        ("rounds", "Mon 7:00", "mon 07:00", "2026-05-11 07:00"),
        ("timezone", "tokyo", "Asia/Tokyo", "2026-05-10 09:00"),
    ],
)
def test_a_setting_is_kept_and_moves_the_round(store: Store, key: str, value: str, kept: str, due: str) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        change_setting(session, pool, key, value, NOW)
    with store.read() as session:
        again = session.get_one(type(pool), pool.id)
        assert again.settings == {key: kept}
        assert f"{again.round_due_at:%Y-%m-%d %H:%M}" == due


def test_a_setting_that_does_not_fit_changes_nothing(store: Store) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        with pytest.raises(UnfitSettingError):
            change_setting(session, pool, "levy", "much", NOW)
        with pytest.raises(UnknownSettingError):
            change_setting(session, pool, "price", "1", NOW)
        assert pool.settings == {}


# Projects and their channels


def test_a_project_begins_with_its_maintainer_and_channel(store: Store) -> None:
    with store.write() as session:
        pool, ana = found(session, admission="ask")
        here = chat(session)
        event = new_project(session, pool, "Hill Bakery", ana, here, NOW)
        session.flush()
        project = event.project
        assert event == ProjectFounded(project, ana)
        assert (project.name, project.name_key, project.created_at) == ("Hill Bakery", "hill bakery", NOW)
        assert is_maintainer(session, project, ana)
        assert project_of_chat(session, here) is project
        assert (count_projects(session, pool.id), projects(session, pool.id)) == (1, [project])
        project.archived_at = NOW
        assert (count_projects(session, pool.id), projects(session, pool.id)) == (0, [])


@pytest.mark.parametrize("name", ["Hill", "HILL", "H\u0456ll", "Hi\u200bll"])
def test_a_projects_name_is_its_own(store: Store, name: str) -> None:
    with store.write() as session:
        pool, ana, _project, _here = hill(session)
        with pytest.raises(NameTakenError) as refused:
            new_project(session, pool, name, ana, chat(session, "other"), NOW)
        assert (refused.value.kind, refused.value.name) == ("project", "Hill")
        assert count_projects(session, pool.id) == 1


def test_a_channel_has_one_project(store: Store) -> None:
    with store.write() as session:
        pool, ana, _project, here = hill(session)
        with pytest.raises(ChannelTakenError) as refused:
            new_project(session, pool, "Other", ana, here, NOW)
        assert refused.value.project == "Hill"


@pytest.mark.parametrize(("pool_id", "project_id"), [(None, None), (1, None), (None, 1)])
def test_a_chat_without_a_project_is_no_channel(store: Store, pool_id: int | None, project_id: int | None) -> None:
    with store.write() as session:
        here = chat(session)
        here.pool_id, here.project_id = pool_id, project_id
        assert project_of_chat(session, here) is None


def test_a_code_links_one_more_channel_once(store: Store) -> None:
    with store.write() as session:
        pool, _ana, project, _here = hill(session)
        code = channel_code(session, project, NOW, entropy())
        there, elsewhere = chat(session, "there"), chat(session, "elsewhere")
        assert link_channel(session, there, code.lower(), NOW + 10 * MINUTE) is project
        assert (there.pool_id, there.project_id) == (pool.id, project.id)
        with pytest.raises(UnknownCodeError):
            link_channel(session, elsewhere, code, NOW)
        assert elsewhere.project_id is None
        assert code not in str(session.exec(select(Code)).one())


@pytest.mark.parametrize("case", ["late", "wrong", "other purpose", "archived"])
def test_a_code_that_does_not_hold_links_nothing(store: Store, case: str) -> None:
    with store.write() as session:
        _pool, _ana, project, _here = hill(session)
        code = channel_code(session, project, NOW, entropy())
        project.archived_at = NOW if case == "archived" else None
        session.flush()
        if case == "other purpose":
            session.exec(select(Code)).one().purpose = "account"
        typed = "AAAA-AAAA" if case == "wrong" else code
        late = 11 * MINUTE if case == "late" else MINUTE
        there = chat(session, "there")
        with pytest.raises(UnknownCodeError) as refused:
            link_channel(session, there, typed, NOW + late)
        assert (refused.value.code, there.project_id) == (typed, None)


def test_a_channel_of_another_project_is_not_taken_over(store: Store) -> None:
    with store.write() as session:
        pool, ana, project, _here = hill(session)
        other = chat(session, "other")
        new_project(session, pool, "Valley", ana, other, NOW)
        code = channel_code(session, project, NOW, entropy())
        with pytest.raises(ChannelTakenError) as refused:
            link_channel(session, other, code, NOW)
        assert refused.value.project == "Valley"
        link_channel(session, chat(session, "there"), code, NOW)
