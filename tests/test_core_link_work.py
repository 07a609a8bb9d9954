"""Work, bids and words of two members who turn out to be one person: each thing once, and nobody their own judge."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from core import ledger, reports, tasks
from core.batches import confirm_batch, waiting_for_project
from core.errors import NotOtherProjectError, OwnWorkError
from core.handing import offer_slot
from core.members import make_maintainer
from core.pledges import pledge
from core.tables import (
    Backing,
    Bid,
    Claim,
    Confirmation,
    Contribution,
    FreeTaking,
)
from core.wants import take_free
from tests.linked import put_together
from tests.village import DAY, Village

STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


@pytest.fixture
def village(village: Village) -> Village:
    """The village with its garden; bread and salad are made."""
    village.good()
    village.good("salad", "garden")
    return village


def test_of_two_slots_of_a_task_one_is_open_again(village: Village) -> None:
    task = village.post(slots=2, urgent=True)
    village.claim(task, "Cy")
    village.claim(task, "Eve")
    merged = put_together(village, "Cy", "Eve")
    assert merged.freed == (1,)
    assert [claim.member_id for claim in tasks.claims_of(village.session, task)] == [village.people["Cy"].id]
    village.claim(task, "Bo")


@pytest.mark.parametrize("reporter", ["Cy", "Eve"])
def test_of_two_slots_the_one_that_came_further_stays(village: Village, reporter: str) -> None:
    task = village.post(slots=3, urgent=True)
    for name in ("Cy", "Eve", "Bo"):
        village.claim(task, name)
    village.report(task, reporter, 700)
    put_together(village, "Cy", "Eve")
    cy = village.people["Cy"].id
    assert [(one.hours, one.member_id) for one in tasks.claims_of(village.session, task) if one.member_id == cy] == [
        (700, cy)
    ]


def test_slots_both_of_which_are_confirmed_stay_done(village: Village) -> None:
    task = village.post(slots=2, urgent=True)
    for name in ("Cy", "Eve"):
        village.claim(task, name)
        village.report(task, name)
        village.confirm(task, "Ana", name)
    assert put_together(village, "Cy", "Eve").freed == ()
    assert {one.member_id for one in village.session.exec(select(Contribution))} == {village.people["Cy"].id}


def test_who_holds_a_slot_neither_bids_nor_backs(village: Village) -> None:
    village.join("Eve", "bakery")
    task = village.post(slots=2, urgent=True)
    village.claim(task, "Cy")
    village.bid(task, "Eve", 90)
    reports.back(village.session, task, village.people["Eve"], village.now)
    put_together(village, "Cy", "Eve")
    assert village.session.exec(select(Bid)).all() == []
    assert village.session.exec(select(Backing)).all() == []


def test_of_two_bids_the_newer_stands(village: Village) -> None:
    one, two = village.post(), village.post()
    village.bid(one, "Cy", 80)
    village.bid(two, "Eve", 60)
    village.later(hours=1)
    village.bid(one, "Eve", 90)
    village.bid(two, "Cy", 70)
    put_together(village, "Cy", "Eve")
    found = village.session.exec(select(Bid.task_id, Bid.member_id, Bid.weight).order_by(col(Bid.task_id))).all()
    cy = village.people["Cy"].id
    assert found == [(one.id, cy, 90), (two.id, cy, 70)]


def test_nobody_confirms_their_own_work_through_another_account(village: Village) -> None:
    village.set_project("bakery", confirmations="2")
    task = village.post(urgent=True)
    village.claim(task, "Cy")
    village.report(task, "Cy")
    village.confirm(task, "Eve")
    put_together(village, "Cy", "Eve")
    assert village.session.exec(select(Confirmation)).all() == []
    with pytest.raises(OwnWorkError):
        village.confirm(task, "Cy")


def test_two_words_of_one_person_count_once(village: Village) -> None:
    village.set_project("bakery", confirmations="3")
    task = village.post(urgent=True)
    village.claim(task, "Bo")
    village.report(task, "Bo")
    village.confirm(task, "Cy")
    village.later(hours=1)
    village.confirm(task, "Eve")
    put_together(village, "Cy", "Eve")
    word = village.session.exec(select(Confirmation)).one()
    assert (word.member_id, word.at) == (village.people["Cy"].id, village.now)
    assert tasks.claims_of(village.session, task)[0].confirmed_at is None


def test_nobody_confirms_their_own_large_batch_through_another_project(village: Village) -> None:
    village.batch(4, 4000)
    village.work("Cy", 9000, "bread")
    village.made(2, by="Cy")
    put_together(village, "Cy", "Eve")
    cy = village.people["Cy"]
    batch = waiting_for_project(village.session, village.find("bread"), cy)
    with pytest.raises(NotOtherProjectError):
        confirm_batch(village.session, batch, cy, village.now)


def test_a_slot_offered_to_oneself_is_offered_no_more(village: Village) -> None:
    task = village.post(slots=2, urgent=True)
    claim = village.claim(task, "Cy")
    offer_slot(village.session, task, village.people["Cy"], village.people["Eve"])
    put_together(village, "Cy", "Eve")
    assert claim.offered_to_id is None


def test_a_free_good_taken_twice_was_taken_once(village: Village) -> None:
    village.good("manual", free="https://example.org")
    for name in ("Cy", "Eve"):
        take_free(village.session, village.find("manual"), village.people[name], village.now)
    put_together(village, "Cy", "Eve")
    assert village.session.exec(select(FreeTaking.member_id)).all() == [village.people["Cy"].id]


def test_waiting_effort_is_recognised_for_the_one_who_is_left(village: Village) -> None:
    village.batch(2, 2000, by="Cy")
    work = village.batch(2, 2000, "salad", by="Eve", project="garden")
    put_together(village, "Cy", "Eve")
    village.want("Ana", 2, bid=1000, good="salad")
    village.next_round()
    assert ledger.recognised_of(village.session, village.people["Cy"]) == work.effort
    assert village.balance("Cy") == work.effort


def test_pledges_and_disputes_go_along(village: Village) -> None:
    make_maintainer(village.session, village.projects["garden"], village.people["Eve"], village.now)
    good, product, eve = village.find("salad"), village.product("salad", "garden"), village.people["Eve"]
    pledged = pledge(village.session, good, product, eve, 3, village.now + DAY, village.now)
    task = village.post(urgent=True)
    claim = village.claim(task, "Bo")
    village.report(task, "Bo")
    reports.dispute(village.session, task, claim, village.people["Eve"], "no", village.now)
    put_together(village, "Cy", "Eve")
    cy = village.people["Cy"].id
    assert (pledged.pledge.member_id, claim.disputed_by_id) == (cy, cy)


def test_a_task_that_one_holds_and_the_other_reported_is_one_report(village: Village) -> None:
    task = village.post(slots=2, urgent=True)
    for name in ("Cy", "Eve"):
        village.claim(task, name)
        village.report(task, name)
        village.later(minutes=1)
    assert put_together(village, "Cy", "Eve").freed == (1,)
    village.confirm(task, "Ana")
    assert len(village.session.exec(select(Contribution)).all()) == 1
    ended = village.session.exec(select(Claim).where(col(Claim.ended_at).is_not(None))).one()
    assert ended.confirmed_at is None
