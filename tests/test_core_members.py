"""People in a pool: how they come in, what they may, when they count as active, and when they are left in peace."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from core import leaving, ledger, members
from core.errors import LastOfKindError, NotMaintainerError, NotStewardError
from core.events import Joined, JoinRequested
from core.ledger import Entry, TransferKind
from core.store import add, add_now
from core.tables import Member, Project, Round
from core.tables_chat import Person
from core.timing import current_round
from tests.cases import table
from tests.conftest import NOW, found, person_in

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.store import Store
    from core.tables import Pool


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


LATER = NOW + timedelta(days=1)


def project_in(session: Session, pool: Pool, name: str, **settings: str) -> Project:
    row = Project(pool_id=pool.id, name=name, name_key=name.casefold(), settings=settings, created_at=NOW)
    return add(session, row)


def names(found: list[Member] | list[Project]) -> str:
    return " ".join(one.name for one in found)


# Coming in


def test_who_joins_an_open_pool_is_in(store: Store) -> None:
    with store.write() as session:
        pool, ana = found(session)
        person = add_now(session, Person())
        ben, events = members.join(session, pool, person.id, "Ben", NOW)
        session.flush()
        assert (ben.name, ben.person_id, ben.joined_at, ben.admitted_at, events) == ("Ben", person.id, NOW, NOW, [])
        assert members.join(session, pool, person.id, "Other", LATER) == (ben, [])
        assert (ben.name, ben.joined_at) == ("Ben", NOW)
        assert members.member_of(session, pool.id, person.id) is ben
        assert members.member_of(session, pool.id + 1, person.id) is None
        assert ana.id != ben.id


def test_who_joins_a_pool_that_asks_waits(store: Store) -> None:
    with store.write() as session:
        pool, _ana = found(session, admission="ask")
        person = add_now(session, Person())
        ben, events = members.join(session, pool, person.id, "Ben", NOW)
        assert ben.admitted_at is None
        assert events == [JoinRequested(pool, None, ben)]
        session.flush()
        assert members.join(session, pool, person.id, "Ben", LATER) == (ben, [])


@pytest.mark.parametrize("admission", ["open", "ask"])
def test_who_left_comes_in_like_anybody(store: Store, admission: str) -> None:
    with store.write() as session:
        pool, _ana = found(session, admission=admission)
        ben = person_in(session, pool, "Ben")
        ben.left_at = NOW
        session.flush()
        again, events = members.join(session, pool, ben.person_id or 0, "Ben", LATER)
        assert (again, again.left_at, again.joined_at) == (ben, None, LATER)
        assert ben.admitted_at == (LATER if admission == "open" else None)
        assert events == ([] if admission == "open" else [JoinRequested(pool, None, ben)])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ben", "Ben"), ("Ana", "Ana 2"), ("\u0410na", "\u0410na 2"), ("ANA\u200b", "ANA 2"), ("", "Somebody"),
        ("\u202e", "Somebody"), (" \u3164 ", "Somebody"), (" Ben\n of  Hill ", "Ben of Hill"), ("\u202eneB", "neB"),
        ("x" * 500, "x" * 60), ("Ben\ud83d", "Ben"),
    ],
)  # fmt: skip
def test_a_member_has_a_name_that_can_be_seen_and_told_apart(store: Store, name: str, shown: str) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        assert members.new_member(session, pool, name, None, NOW).name == shown
    with store.write() as session:
        pool, _ana = found(session, code_from=lambda size: b"\x07" * size)
        assert members.new_member(session, pool, "Ana", None, NOW).name == "Ana 2"


def test_people_without_a_phone_are_members_too(store: Store) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        olga, paul = (members.new_member(session, pool, name, None, NOW) for name in ("Olga", "Paul"))
        session.flush()
        assert (olga.person_id, paul.person_id) == (None, None)
        assert members.count_members(session, pool.id) == 3
        olga.left_at = NOW
        assert members.count_members(session, pool.id) == 2


@pytest.mark.parametrize("admission", ["open", "ask"])
def test_a_project_takes_members(store: Store, admission: str) -> None:
    with store.write() as session:
        pool, ana = found(session)
        project = project_in(session, pool, "Hill", admission=admission)
        membership, events = members.join_project(session, project, ana, NOW)
        session.flush()
        is_open = admission == "open"
        assert membership.admitted_at == (NOW if is_open else None)
        assert events == ([Joined(project, ana)] if is_open else [JoinRequested(pool, project, ana)])
        assert members.is_in(session, project, ana) is is_open
        assert members.count_in(session, project) == int(is_open)
        assert members.join_project(session, project, ana, LATER) == (membership, [])
        assert members.membership_of(session, project, ana) is membership
        assert names(members.projects_of(session, ana)) == ("Hill" if is_open else "")


# Who belongs where

PLACES = table("""
    nobody            |           | False | False | False |
    in                | hill      | True  | False | False | Hill
    in another        | valley    | False | False | True  | Valley
    in both           | hill valley | True | False | True | Hill Valley
    maintains         | hill*     | True  | True  | False | Hill
    maintains another | hill valley* | True | False | True | Hill Valley
    asked             | hill?     | False | False | False |
    asked another     | hill valley? | True | False | False | Hill
    in a closed one   | closed    | False | False | True  |
""")


@pytest.mark.parametrize(("places", "is_in", "maintains", "is_elsewhere", "projects"), PLACES)
def test_who_belongs_where(
    store: Store, places: str, is_in: str, maintains: str, is_elsewhere: str, projects: str
) -> None:
    with store.write() as session:
        pool, ana = found(session)
        known = {name: project_in(session, pool, name.title()) for name in ("hill", "valley", "closed")}
        known["closed"].archived_at = NOW
        for place in places.split():
            project = known[place.rstrip("*?")]
            membership, _events = members.join_project(session, project, ana, NOW)
            membership.maintainer = int(place.endswith("*"))
            membership.admitted_at = None if place.endswith("?") else NOW
        session.flush()
        hill = known["hill"]
        assert str(members.is_in(session, hill, ana)) == is_in
        assert str(members.is_maintainer(session, hill, ana)) == maintains
        assert str(members.is_in_another(session, hill.id, ana)) == is_elsewhere
        assert names(members.projects_of(session, ana)) == projects
        assert names(members.maintainers(session, hill)) == ("Ana" if maintains == "True" else "")


# Roles


def test_only_maintainers_may(store: Store) -> None:
    with store.write() as session:
        pool, ana = found(session)
        project = project_in(session, pool, "Hill")
        for name in ("Ben", "Cleo", "Dan", "Eva"):
            members.make_maintainer(session, project, person_in(session, pool, name), NOW)
        session.flush()
        with pytest.raises(NotMaintainerError) as refused:
            members.require_maintainer(session, project, ana)
        assert (refused.value.project, refused.value.names) == ("Hill", ("Ben", "Cleo", "Dan"))
        members.require_maintainer(session, project, members.maintainers(session, project)[0])


def test_only_stewards_may(store: Store) -> None:
    with store.write() as session:
        pool, ana = found(session)
        ben, cleo = person_in(session, pool, "Ben"), person_in(session, pool, "Cleo")
        members.require_steward(session, pool, ana)
        cleo.steward, cleo.left_at = 1, NOW
        with pytest.raises(NotStewardError) as refused:
            members.require_steward(session, pool, ben)
        assert (refused.value.pool, refused.value.names) == ("Valley", ("Ana",))


@pytest.mark.parametrize("admission", ["open", "ask"])
def test_a_maintainer_is_in_whatever_the_project_asks(store: Store, admission: str) -> None:
    with store.write() as session:
        pool, ana = found(session)
        project = project_in(session, pool, "Hill", admission=admission)
        members.make_maintainer(session, project, ana, NOW)
        session.flush()
        members.make_maintainer(session, project, ana, LATER)
        membership = members.membership_of(session, project, ana)
        assert membership is not None
        assert (membership.admitted_at, membership.maintainer) == (NOW, 1)


def test_the_last_maintainer_stays(store: Store) -> None:
    with store.write() as session:
        pool, ana = found(session)
        project, ben = project_in(session, pool, "Hill"), person_in(session, pool, "Ben")
        members.remove_maintainer(session, project, ben)
        members.make_maintainer(session, project, ana, NOW)
        session.flush()
        with pytest.raises(LastOfKindError) as refused:
            members.remove_maintainer(session, project, ana)
        assert (refused.value.role, refused.value.name) == ("maintainer", "Hill")
        members.make_maintainer(session, project, ben, NOW)
        members.remove_maintainer(session, project, ana)
        members.remove_maintainer(session, project, ana)
        assert names(members.maintainers(session, project)) == "Ben"
        assert members.is_in(session, project, ana)


def test_the_last_steward_stays(store: Store) -> None:
    with store.write() as session:
        pool, ana = found(session)
        ben = person_in(session, pool, "Ben")
        members.remove_steward(session, pool, ben)
        with pytest.raises(LastOfKindError) as refused:
            members.remove_steward(session, pool, ana)
        assert (refused.value.role, refused.value.name) == ("steward", "Valley")
        ben.steward = 1
        members.remove_steward(session, pool, ana)
        assert names(members.stewards(session, pool)) == "Ben"


# Active, on a break, exempted


@pytest.mark.parametrize(("number", "since"), [(4, None), (5, 1), (6, 2), (7, None), (8, None), (9, None)])
def test_the_last_four_rounds_make_somebody_active(store: Store, number: int, since: int | None) -> None:
    """Rounds 1 and 2 were held, 3 is open; a pool of fewer than five rounds is younger than that."""
    with store.write() as session:
        pool, _ana = found(session)
        for one, state in enumerate(("done", "done", "open"), 1):
            row = current_round(session, pool.id) if one == 1 else Round(pool_id=pool.id, number=one, opened_at=NOW)
            row.state, row.due_at = state, NOW + timedelta(weeks=one)
            if one > 1:
                add(session, row)
        session.flush()
        expected = NOW + timedelta(weeks=since) if since else None
        assert members.active_since(session, pool.id, number) == expected


EXEMPT = table("""
    neither                         |        |    |        |    | False
    a break before it opened        | -1     | 30 |        |    | True
    a break as it opened            | 0      | 30 |        |    | False
    a break begun since             | 1      | 30 |        |    | False
    a break without an end          | -1     |    |        |    | True
    a break that ended since        | -9     | 5  |        |    | False
    a break that ends as it is due  | -9     | 7  |        |    | False
    a break that ends just after    | -9     | 8  |        |    | True
    exempted since                  |        |    | 1      | 30 | True
    exempted as it is due           |        |    | 7      | 30 | True
    exempted afterwards             |        |    | 8      | 30 | False
    exempted without an end         |        |    | 1      |    | True
    exempted no more                |        |    | -9     | 7  | False
    a late break, but exempted      | 1      | 30 | 1      | 30 | True
""")


@pytest.mark.parametrize(("begin", "end", "exempt", "exempt_end", "expected"), EXEMPT)
def test_who_need_not_share(begin: str, end: str, exempt: str, exempt_end: str, expected: str) -> None:
    """Days from the opening of a round that is due on day 7."""

    def day(text: str) -> datetime | None:
        return NOW + timedelta(days=int(text)) if text else None

    member = Member(name="Ana", break_from=day(begin), break_until=day(end))
    member.exempt_from, member.exempt_until = day(exempt), day(exempt_end)
    assert str(members.is_exempt(member, NOW, NOW + timedelta(days=7))) == expected


def test_a_break_begins_at_once() -> None:
    member = Member(name="Ana")
    members.take_break(member, timedelta(days=14), NOW)
    assert (member.break_from, member.break_until) == (NOW, NOW + timedelta(days=14))
    assert not members.is_exempt(member, NOW - timedelta(days=1), NOW + timedelta(days=6))
    assert members.is_exempt(member, NOW + timedelta(days=6), NOW + timedelta(days=13))


def test_who_leaves_in_debt_and_comes_back_owes_it_again(store: Store) -> None:
    with store.write() as session:
        pool, ana = found(session)
        bo = person_in(session, pool, "Bo")
        debt = Entry("debt", TransferKind.COST, bo.id, ledger.COMMONS, 2_000, "")
        ledger.transfer(session, pool, debt, NOW)
        for _time in range(2):
            leaving.leave(session, bo, NOW)
            assert ledger.balance(session, pool.id, bo.id) == 0
            member, _events = members.join(session, pool, bo.person_id or 0, "Bo", NOW)
            assert (member.id, ledger.balance(session, pool.id, bo.id)) == (bo.id, -2_000)
        assert ana.left_at is None


def test_who_leaves_with_something_left_over_has_given_it_to_all(store: Store) -> None:
    with store.write() as session:
        pool, _ana = found(session)
        bo = person_in(session, pool, "Bo")
        ledger.transfer(session, pool, Entry("credit", TransferKind.EFFORT, None, bo.id, 2_000, ""), NOW)
        leaving.leave(session, bo, NOW)
        members.join(session, pool, bo.person_id or 0, "Bo", NOW)
        assert ledger.balance(session, pool.id, bo.id) == 0
