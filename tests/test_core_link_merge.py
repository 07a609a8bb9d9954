"""Two members who turn out to be one person: what was theirs is one member's, each thing once, and sums stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select

from core import ledger
from core.audit import check
from core.errors import BelowLimitTogetherError
from core.leaving import leave
from core.ledger import TransferKind
from core.members import join, join_project, make_maintainer, membership_of, selves, take_break
from core.merging import merge
from core.settings import MemberSettings
from core.tables import (
    Deed,
    GivenUnit,
    Membership,
    Transfer,
    Want,
)
from core.undo import remember
from tests.linked import put_together
from tests.village import DAY, Village


@pytest.fixture
def village(village: Village) -> Village:
    """The village with its garden; bread and salad are made."""
    village.good()
    village.good("salad", "garden")
    return village


def test_balances_add_up_and_what_was_recognised_counts_for_the_limit(village: Village) -> None:
    village.batch(4, 4000, by="Bo")
    village.batch(2, 3000, "salad", by="Eve", project="garden")
    village.want("Dee", 3, bid=1000)
    village.want("Eve", 1, bid=1000)
    village.want("Cy", 2, bid=1500, good="salad")
    village.next_round()
    session, bo, eve = village.session, village.people["Bo"], village.people["Eve"]
    limits = [ledger.standing(session, one).limit for one in (bo, eve)]
    assert limits == [9000, 8000]
    credited = [ledger.recognised_of(session, one) for one in (bo, eve)]
    merged = put_together(village, "Eve", "Bo")
    assert merged.member is bo
    assert merged.balances == {bo.id: merged.balances[bo.id], eve.id: merged.balances[eve.id]}
    assert sum(merged.balances.values()) == merged.balance
    assert ledger.recognised_of(session, bo) == sum(credited)
    assert ledger.recognised(session, village.pool.id)[bo.id] == sum(credited)
    assert ledger.standing(session, bo).limit == 10_000
    assert village.balance("Eve") == ledger.recognised_of(session, eve) == 0
    kinds = {row.kind for row in session.exec(select(Transfer).where(col(Transfer.key).startswith("merge:")))}
    assert kinds == {TransferKind.EFFORT, TransferKind.MERGE}
    village.next_round()


def test_an_allowance_is_not_doubled(village: Village) -> None:
    village.batch(10, 10_000, by="Bo")
    for name in ("Eve", "Cy"):
        village.want(name, 3, bid=1500)
    session, cy = village.session, village.people["Cy"]
    assert ledger.standing(session, cy).free == 500
    merged = put_together(village, "Cy", "Eve")
    assert merged.replaced == ("bread",)
    assert ledger.standing(session, cy).free == 500
    assert ledger.standing(session, cy).limit == 5000


def test_wants_that_no_longer_fit_end_the_newest_first(village: Village) -> None:
    for name in ("jam", "tea", "oats"):
        village.good(name)
    village.want("Cy", 3, bid=1000, good="jam")
    village.later(hours=1)
    village.want("Eve", 2, bid=1500, good="salad")
    village.later(hours=1)
    village.want("Eve", 1, bid=0, good="oats")
    village.want("Cy", 1, bid=1000, good="tea")
    merged = put_together(village, "Cy", "Eve")
    assert merged.ended == ("tea", "salad")
    standing = [want.units for want in village.session.exec(select(Want).where(col(Want.ended_at).is_(None)))]
    assert sorted(standing) == [1, 3]
    assert ledger.standing(village.session, merged.member).free == 2000


def test_of_two_wants_the_newer_stays_and_keeps_both_places(village: Village) -> None:
    old = village.want("Eve", 2, bid=500, every_round=True)
    old.got, old.waited = 1, 2
    village.later(hours=1)
    new = village.want("Cy", 1, bid=900)
    new.got, new.waited = 1, 3
    assert put_together(village, "Eve", "Cy").replaced == ("bread",)
    assert (old.ended_at, new.ended_at) == (village.now, None)
    assert (new.got, new.waited, new.bid, new.units) == (2, 3, 900, 1)


def test_the_older_of_two_wants_goes_whoever_it_is(village: Village) -> None:
    old = village.want("Cy", 1, bid=900)
    village.later(hours=1)
    new = village.want("Eve", 2, bid=500)
    put_together(village, "Eve", "Cy")
    assert old.ended_at is not None
    assert (new.ended_at, new.member_id) == (None, village.people["Cy"].id)


def test_units_go_along_with_their_wants(village: Village) -> None:
    village.batch(2, 2000)
    village.want("Eve", 1, bid=2000)
    village.next_round()
    put_together(village, "Cy", "Eve")
    unit = village.session.exec(select(GivenUnit)).one()
    assert unit.member_id == village.people["Cy"].id
    village.next_round()


def test_who_owes_more_together_than_one_may_is_refused(village: Village) -> None:
    village.set(levy="0")
    village.batch(6, 6000, by="Bo")
    for name in ("Cy", "Eve"):
        village.want(name, 3, bid=1000)
    village.next_round()
    owed = village.balance("Cy") + village.balance("Eve")
    assert owed < -5000
    with pytest.raises(BelowLimitTogetherError) as refused:
        merge(village.session, village.people["Cy"], village.people["Eve"], village.now)
    assert (refused.value.pool, refused.value.balance, refused.value.least) == ("Valley", owed, -5000)


# Rights and settings


def test_rights_are_those_of_both(village: Village) -> None:
    session = village.session
    village.people["Eve"].steward = 1
    village.join("Cy", "garden")
    make_maintainer(session, village.projects["garden"], village.people["Eve"], village.now)
    make_maintainer(session, village.projects["bakery"], village.people["Eve"], village.now)
    village.people["Cy"].settings = MemberSettings.change({}, "hours", "4h")
    settings = MemberSettings.change(MemberSettings.change({}, "hours", "9h"), "digest", "on")
    village.people["Eve"].settings = settings
    cy = put_together(village, "Eve", "Cy").member
    assert cy.steward == 1
    roles = session.exec(select(Membership).where(Membership.member_id == cy.id)).all()
    assert sorted((role.project_id, role.maintainer) for role in roles) == sorted(
        (one.id, 1) for one in village.projects.values()
    )
    assert (MemberSettings(cy.settings).hours, MemberSettings(cy.settings).digest) == (4000, "on")


def test_who_was_let_in_once_is_in(village: Village) -> None:
    village.set_project("garden", admission="ask")
    join_project(village.session, village.projects["garden"], village.people["Cy"], village.now)
    village.people["Cy"].admitted_at = None
    eve = put_together(village, "Cy", "Eve").member
    assert eve.name == "Eve"
    role = membership_of(village.session, village.projects["garden"], eve)
    assert role is not None
    assert role.admitted_at is not None


@pytest.mark.parametrize("resting", ["Cy", "Eve"])
def test_the_longer_time_off_counts(village: Village, resting: str) -> None:
    for name, days in (("Cy", 3), ("Eve", 3)):
        take_break(village.people[name], timedelta(days=days + 9 * (name == resting)), village.now)
    village.people[resting].exempt_from, village.people[resting].exempt_project_id = village.now, 7
    cy = put_together(village, "Cy", "Eve").member
    assert cy.break_until == village.now + 12 * DAY
    assert (cy.exempt_from, cy.exempt_until, cy.exempt_project_id) == (village.now, None, 7)


def test_what_is_left_of_the_other_is_no_name_and_no_place(village: Village) -> None:
    remember(village.session, village.people["Eve"], "want", 1, {}, village.now)
    remember(village.session, village.people["Cy"], "want", 1, {}, village.now)
    cy, eve = village.people["Cy"], village.people["Eve"]
    village.people["Bo"].name_key = f"former member {eve.id}"
    put_together(village, "Cy", "Eve")
    assert eve.name == f"Former member {eve.id} 2"
    assert (eve.person_id, eve.steward, eve.settings, eve.left_at) == (None, 0, {}, village.now)
    assert village.session.exec(select(Deed)).all() == []
    assert selves(village.session, cy) == [cy, eve]


def test_three_accounts_are_one_member_in_the_end(village: Village) -> None:
    village.batch(4, 4000, by="Eve")
    village.want("Ana", 1, bid=1000)
    village.next_round()
    put_together(village, "Dee", "Eve")
    put_together(village, "Cy", "Dee")
    cy = village.people["Cy"]
    assert [one.id for one in selves(village.session, cy)] == [cy.id, *(village.people[n].id for n in ("Dee", "Eve"))]
    assert ledger.recognised_of(village.session, cy) == 1000


# Those who left


def test_who_left_in_debt_owes_it_again(village: Village) -> None:
    village.set(levy="0")
    village.batch(2, 2000)
    village.want("Eve", 2, bid=1000)
    village.next_round()
    owed = village.balance("Eve")
    leave(village.session, village.people["Eve"], village.now)
    village.session.flush()
    merged = merge(village.session, village.people["Eve"], village.people["Cy"], village.now)
    assert owed < 0
    assert merged.balances[village.people["Eve"].id] == owed
    assert village.balance("Cy") == merged.balance == sum(merged.balances.values())
    assert check(village.session, village.pool) == []
    village.next_round()


def test_who_is_there_stays_though_the_other_is_older(village: Village) -> None:
    leave(village.session, village.people["Cy"], village.now)
    eve = put_together(village, "Cy", "Eve").member
    assert (eve.name, eve.left_at) == ("Eve", None)


def test_two_who_left_owe_both_debts_when_they_come_back(village: Village) -> None:
    village.set(levy="0")
    village.batch(4, 4000)
    for name in ("Cy", "Eve"):
        village.want(name, 2, bid=1000)
    village.next_round()
    owed = village.balance("Cy") + village.balance("Eve")
    for name in ("Cy", "Eve"):
        leave(village.session, village.people[name], village.now)
    village.session.flush()
    cy = merge(village.session, village.people["Cy"], village.people["Eve"], village.now).member
    assert (cy.left_at, village.balance("Cy")) == (village.now, 0)
    assert check(village.session, village.pool) == []
    join(village.session, village.pool, cy.person_id or 0, "Cy", village.now)
    assert village.balance("Cy") == owed < 0


# The next round


def test_at_settlement_one_person_has_one_share(village: Village) -> None:
    village.batch(2, 2000, by="Bo")
    village.want("Ana", 1, bid=2000)
    village.want("Dee", 1, bid=2000)
    village.want("Bo", 1, bid=1900)
    put_together(village, "Cy", "Eve")
    shares = village.outcome().shares
    assert [one.member_id for one in shares] == [village.people[name].id for name in ("Ana", "Bo", "Cy", "Dee")]
