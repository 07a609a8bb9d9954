"""Batches: what has gathered, one's own hours, far more effort than last time, and best-before dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from core import batches, reports
from core.errors import (
    FreeGoodError,
    NotAProductError,
    NothingGatheredError,
    NothingToConfirmError,
    NotOtherProjectError,
    OutOfBoundsError,
)
from core.events import BatchMade, BatchOffered, Confirmed
from core.pledges import pledge
from core.tables import Batch
from tests.village import DAY, Village

if TYPE_CHECKING:
    from core.store import Store


@pytest.fixture
def village(village: Village) -> Village:
    village.good()
    return village


def test_what_has_gathered_becomes_a_batch(village: Village) -> None:
    work = [village.work("Bo", 1000, "bread"), village.work("Cy", 500, "bread")]
    made = village.made(3)
    assert [type(event) for event in made.events] == [BatchOffered]
    assert (made.batch.effort, made.batch.left, made.batch.offered_at) == (1500, 3, village.now)
    assert [one.batch_id for one in work] == [made.batch.id] * 2
    assert village.product().last_average == 500
    assert batches.contributions_of(village.session, made.batch) == work
    with pytest.raises(NothingGatheredError):
        village.made(3)


def test_what_cannot_be_made(village: Village) -> None:
    village.good("manual", free="https://example.org")
    village.good("beer", "garden")
    with pytest.raises(FreeGoodError):
        village.made(3, good="manual")
    with pytest.raises(NotAProductError):
        village.made(3, good="beer")
    for units, hours in ((0, 1000), (10_001, 1000), (3, 0), (3, 1_000_001)):
        with pytest.raises(OutOfBoundsError):
            village.made(units, hours)
    task = village.post(urgent=True, product=village.product())
    village.claim(task, "Bo")
    village.report(task, "Bo")
    with pytest.raises(NothingGatheredError) as refused:
        village.made(3)
    assert refused.value.waiting == (task.number,)


def test_a_first_batch_with_ones_own_hours_needs_a_person(village: Village) -> None:
    made = village.made(10, 2500)
    assert made.report is not None
    row, task = made.report.claim, made.report.task
    assert (row.stage, row.deadline_at, row.weight, task.hours) == ("", None, 100, 2500)
    assert (made.batch.needs, made.batch.offered_at) == ("work", None)
    # Saying it again does not get round the person.
    assert village.report(task, "Bo", 2400).stage == ""
    village.confirm(task, "Eve")
    assert (made.batch.needs, made.batch.effort, made.batch.offered_at) == ("", 2400, village.now)
    assert village.product().last_average == 240


def test_the_estimate_of_a_later_batch_is_units_times_the_last_average(village: Village) -> None:
    village.batch(4, 2000)
    made = village.made(10, 5200)
    assert made.report is not None
    assert (made.report.task.hours, made.report.claim.stage) == (5000, "confirm")
    too_long = village.made(10, 7501)
    assert too_long.report is not None
    assert too_long.report.claim.stage == ""


# 0.5 h a unit last time: 1.25 x 0.5 h = 0.625 h, so 4 units may take 2.5 h
@pytest.mark.parametrize(("effort", "needs"), [(2500, ""), (2501, "project")])
def test_far_more_effort_than_last_time_needs_another_project(village: Village, effort: int, needs: str) -> None:
    village.batch(4, 2000)
    village.work("Bo", effort, "bread")
    made = village.made(4)
    assert (made.batch.needs, [type(event) for event in made.events]) == (needs, [BatchMade if needs else BatchOffered])


def test_in_a_pool_of_one_project_there_is_nobody_to_ask(store: Store) -> None:
    with store.write() as session:
        village = Village(session)
        village.good()
        village.batch(4, 2000)
        assert village.batch(4, 8000).needs == ""


def test_somebody_of_another_project_confirms_a_large_batch(village: Village) -> None:
    with pytest.raises(NothingToConfirmError):
        batches.waiting_for_project(village.session, village.find("bread"), village.people["Dee"])
    village.batch(4, 2000)
    large = village.batch(4, 8000)
    assert large.offered_at is None
    for name in ("Ana", "Bo"):
        with pytest.raises(NotOtherProjectError):
            batches.confirm_batch(village.session, large, village.people[name], village.now)
    batches.confirm_batch(village.session, large, village.people["Dee"], village.now)
    assert (large.needs, village.product().last_average) == ("", 2000)


def test_who_confirms_gets_the_batch_they_may_confirm(village: Village) -> None:
    village.good("bread", "garden")
    for project, name in (("bakery", "Bo"), ("garden", "Eve")):
        village.batch(4, 2000, by=name, project=project)
        assert village.batch(4, 8000, by=name, project=project).needs == "project"
    bread = village.find("bread")
    found = [batches.waiting_for_project(village.session, bread, village.people[one]) for one in ("Dee", "Ana")]
    assert [one.product_id for one in found] == [village.product().id, village.product("bread", "garden").id]


def test_own_hours_may_make_a_batch_large(village: Village) -> None:
    village.batch(4, 2000)
    made = village.made(4, 2600)
    assert made.report is not None
    row = made.report.claim
    confirmed, asked = reports.confirm(village.session, made.report.task, row, village.people["Ana"], village.now)
    assert isinstance(confirmed, Confirmed)
    assert isinstance(asked, BatchMade)
    assert (asked.batch.needs, asked.batch.effort) == ("project", 2600)


def test_a_rejected_report_takes_its_batch_apart(village: Village) -> None:
    bread, ana = village.find("bread"), village.people["Ana"]
    pledged = [
        pledge(village.session, bread, village.product(), ana, units, village.now + days * DAY, village.now).pledge
        for units, days in ((4, 1), (8, 2))
    ]
    kept = village.batch(2, 500)
    gathered = village.work("Cy", 500, "bread")
    made = village.made(9, 2500)
    assert made.report is not None
    assert [one.made for one in pledged] == [4, 7]
    reports.dispute(village.session, made.report.task, made.report.claim, village.people["Cy"], "", village.now)
    reports.reject(village.session, made.report.task, ana, "no", village.now)
    assert [one.made for one in pledged] == [2, 0]
    assert batches.gathering(village.session, village.product()) == [gathered]
    assert village.session.exec(select(Batch)).all() == [kept]
    assert made.report.task.cancelled_at == village.now


def test_past_its_date_a_batch_is_no_longer_offered(village: Village) -> None:
    village.work("Bo", 1000, "bread")
    made = village.made(4, until=village.now + DAY)
    event = batches.expire(village.session, made.batch, village.later(days=1))
    assert (event.units, made.batch.left, made.batch.expired_at) == (4, 0, village.now)


def test_a_batch_confirmed_after_its_date_is_not_offered(village: Village) -> None:
    made = village.made(4, 1000, until=village.now + DAY)
    assert made.report is not None
    batches.expire(village.session, made.batch, village.later(days=1))
    village.confirm(made.report.task, "Ana")
    assert (made.batch.offered_at, village.product().last_average) == (None, None)


def test_a_round_that_is_late_does_not_offer_what_was_past_its_date(village: Village) -> None:
    village.work("Bo", 1000, "bread")
    village.made(4, until=village.pool.round_due_at)
    village.want("Eve", bid=1000)
    assert village.outcome().given == []


def test_who_wants_a_good_never_made_learns_the_cost_with_its_first_batch(village: Village) -> None:
    village.good("bread", "garden")
    ready, given, other = village.want("Ana", 2), village.want("Cy", bid=300), village.want("Dee", maker="garden")
    assert (ready.maximum, other.maximum) == (None, None)
    made = village.batch(4, 2000)
    assert (ready.maximum, given.maximum, other.maximum) == (625, 300, None)
    offered = batches.offer(village.session, village.product(), made, village.now)
    assert isinstance(offered[0], BatchOffered)
    assert offered[0].asked == ()
