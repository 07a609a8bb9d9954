"""Reports: confirmed, disputed, accepted, rejected, corrected; common work that others back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core import goods, reports, tasks
from core.errors import (
    AlreadyConfirmedError,
    AlreadyReportedError,
    DisputedError,
    NotCommonWorkError,
    NotDisputedError,
    NothingReportedError,
    NotMaintainerError,
    NotOtherProjectError,
    OutOfBoundsError,
    OwnWorkError,
    TaskClosedError,
    TooMuchToTakeBackError,
    UnknownNameError,
    WhoseReportError,
)
from core.events import Confirmed, ConfirmedPartly
from core.tables import Contribution, Task
from tests.village import Village

if TYPE_CHECKING:
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


def reported(village: Village, *names: str, **values: Any) -> Task:
    task = village.post(urgent=True, slots=max(1, len(names)), **values)
    for name in names:
        village.claim(task, name)
        village.report(task, name)
    return task


def test_one_other_member_confirms(village: Village) -> None:
    task = reported(village, "Bo")
    row = reports.waiting(village.session, task)
    with pytest.raises(OwnWorkError):
        reports.confirm(village.session, task, row, village.people["Bo"], village.now)
    (event,) = reports.confirm(village.session, task, row, village.people["Eve"], village.now)
    assert isinstance(event, Confirmed)
    assert (event.contribution.effort, event.contribution.hours, task.closed_at) == (1000, 1000, village.now)
    with pytest.raises(AlreadyConfirmedError):
        reports.waiting(village.session, task)


# hours and weight, thousandths and hundredths: 1.5 h x 0.33 = 0.495 h; 0.005 h x 0.50 = 2.5 thousandths, half up
@pytest.mark.parametrize(("hours", "weight", "effort"), [(1500, 33, 495), (5, 50, 3), (1000, 400, 4000)])
def test_effort_is_hours_times_weight_half_up(village: Village, hours: int, weight: int, effort: int) -> None:
    task = village.post(urgent=True)
    village.claim(task, "Bo").weight = weight
    row = village.report(task, "Bo", hours)
    (event,) = reports.finish(village.session, task, row, None, village.now)
    assert isinstance(event, Confirmed)
    assert (event.contribution.effort, event.by) == (effort, None)


def test_as_many_confirm_as_the_project_asks_for_or_one_maintainer(village: Village) -> None:
    village.set_project("bakery", confirmations="2")
    task = reported(village, "Bo")
    row = reports.waiting(village.session, task)
    (event,) = reports.confirm(village.session, task, row, village.people["Eve"], village.now)
    assert isinstance(event, ConfirmedPartly)
    assert event.missing == 1
    with pytest.raises(AlreadyConfirmedError) as refused:
        reports.confirm(village.session, task, row, village.people["Eve"], village.now)
    assert refused.value.by_you
    village.confirm(task, "Cy")
    assert row.confirmed_at is not None
    other = reported(village, "Bo")
    village.confirm(other, "Ana")
    assert other.closed_at is not None


def test_what_was_said_of_a_report_does_not_count_for_the_one_that_replaces_it(village: Village) -> None:
    village.set_project("bakery", confirmations="2")
    task = reported(village, "Bo")
    village.confirm(task, "Eve")
    village.later(hours=1)
    row = village.report(task, "Bo", 1400)
    village.confirm(task, "Cy")
    assert row.confirmed_at is None
    village.confirm(task, "Eve")
    assert row.confirmed_at is not None


def test_with_several_slots_the_report_is_named(village: Village) -> None:
    task = village.post(urgent=True, slots=3)
    for name in ("Bo", "Cy"):
        village.claim(task, name)
    with pytest.raises(NothingReportedError) as nothing:
        reports.waiting(village.session, task)
    assert nothing.value.names == ("Bo", "Cy")
    for name in ("Bo", "Cy"):
        village.report(task, name)
    with pytest.raises(WhoseReportError) as whose:
        reports.waiting(village.session, task, verb="dispute")
    assert (whose.value.names, whose.value.verb) == (("Bo", "Cy"), "dispute")
    # Cy means the other's, unless there is only the own one, which is then refused by name.
    assert reports.waiting(village.session, task, but=village.people["Cy"]).member_id == village.people["Bo"].id
    assert reports.waiting(village.session, task, "c").member_id == village.people["Cy"].id
    with pytest.raises(UnknownNameError):
        reports.waiting(village.session, task, "Zoe")
    village.confirm(task, "Ana", "Bo")
    assert task.closed_at is None
    assert reports.waiting(village.session, task, but=village.people["Cy"]).member_id == village.people["Cy"].id
    with pytest.raises(AlreadyConfirmedError):
        reports.waiting(village.session, task, "Bo")


def test_a_whole_name_is_meant_before_one_that_begins_like_it(village: Village) -> None:
    village.join("Bob", "bakery")
    task = reported(village, "Bob", "Bo")
    assert reports.waiting(village.session, task, "bo").member_id == village.people["Bo"].id


def test_a_dispute_waits_for_a_maintainer_who_accepts_with_other_hours(village: Village) -> None:
    task = reported(village, "Bo")
    row = reports.waiting(village.session, task)
    with pytest.raises(OwnWorkError):
        reports.dispute(village.session, task, row, village.people["Bo"], "", village.now)
    with pytest.raises(NotDisputedError):
        reports.disputed(village.session, task, village.people["Ana"])
    reports.dispute(village.session, task, row, village.people["Eve"], "half of it", village.now)
    again = reports.dispute(village.session, task, row, village.people["Cy"], "all of it", village.now)
    assert (row.dispute, row.deadline_at, again.by.name) == ("half of it", None, "Cy")
    with pytest.raises(DisputedError) as refused:
        village.confirm(task, "Cy")
    assert refused.value.names == ("Ana",)
    with pytest.raises(AlreadyReportedError):
        village.report(task, "Bo", 500)
    with pytest.raises(NotMaintainerError):
        reports.accept(village.session, task, village.people["Dee"], None, village.now)
    with pytest.raises(OutOfBoundsError):
        reports.accept(village.session, task, village.people["Ana"], 0, village.now)
    (event,) = reports.accept(village.session, task, village.people["Ana"], 500, village.now)
    assert isinstance(event, Confirmed)
    assert (event.contribution.effort, row.disputed_at) == (500, None)


def test_a_dispute_accepted_as_it_is(village: Village) -> None:
    task = reported(village, "Bo")
    reports.dispute(
        village.session, task, reports.waiting(village.session, task), village.people["Cy"], "", village.now
    )
    (event,) = reports.accept(village.session, task, village.people["Ana"], None, village.now)
    assert isinstance(event, Confirmed)
    assert event.contribution.effort == 1000


def test_nobody_decides_a_dispute_about_their_own_work(village: Village) -> None:
    task = reported(village, "Ana")
    reports.dispute(
        village.session, task, reports.waiting(village.session, task), village.people["Cy"], "", village.now
    )
    with pytest.raises(OwnWorkError):
        reports.accept(village.session, task, village.people["Ana"], None, village.now)


def test_a_rejected_report_opens_the_slot_again(village: Village) -> None:
    task = reported(village, "Bo")
    reports.dispute(
        village.session, task, reports.waiting(village.session, task), village.people["Cy"], "", village.now
    )
    village.later(days=1)
    reports.reject(village.session, task, village.people["Ana"], "not done", village.now)
    assert (task.closed_at, task.opened_at) == (None, village.now)
    village.claim(task, "Eve")


def test_rejected_work_that_nobody_asked_for_is_over(village: Village) -> None:
    event = goods.did(village.session, village.projects["bakery"], village.people["Bo"], "X", 1000, None, village.now)
    assert (event.claim.stage, event.claim.deadline_at) == ("", None)  # no estimate: a person has to look at it
    reports.dispute(village.session, event.task, event.claim, village.people["Cy"], "", village.now)
    reports.reject(village.session, event.task, village.people["Ana"], "no", village.now)
    assert event.task.cancelled_at == village.now


def test_common_work_is_backed_by_others_of_another_project(village: Village) -> None:
    village.set(backers="2")
    task = reported(village, "Bo")
    dee, eve = village.people["Dee"], village.people["Eve"]
    for name, refusal in (("Bo", OwnWorkError), ("Cy", NotOtherProjectError)):
        with pytest.raises(refusal):
            reports.back(village.session, task, village.people[name], village.now)
    assert reports.back(village.session, task, dee, village.now).missing == 1
    assert reports.back(village.session, task, dee, village.now).missing == 1
    assert reports.back(village.session, task, eve, village.now).missing == 0
    village.good()
    for_bread = village.post(product=village.product())
    with pytest.raises(NotCommonWorkError):
        reports.back(village.session, for_bread, dee, village.now)
    tasks.cancel(village.session, for_bread, village.people["Ana"], village.now)
    with pytest.raises(TaskClosedError):
        reports.back(village.session, for_bread, dee, village.now)


def test_a_pool_of_one_project_needs_no_backers(store: Store) -> None:
    with store.write() as session:
        village = Village(session)
        assert reports.backers_needed(session, village.post()) == 0


# Corrections. Bo baked 4 loaves for 2 h; two of them were given, so 1 h is recognised.


def baked(village: Village) -> Contribution:
    village.good()
    work = village.work("Bo", 2000, "bread")
    village.made(4)
    village.want("Ana", 2, 500)
    village.next_round()
    assert (work.recognised, village.balance("Bo"), village.balance("Ana")) == (1000, 1000, -1000)
    return work


@pytest.mark.parametrize(
    ("hours", "due", "recognised", "average"),
    [
        (1000, 500, 500, 250),  # half of 1 h: 0.5 h goes back
        (0, 0, 0, 0),  # nothing was done
        (4000, 2000, 1000, 1000),  # half of 4 h is due: 1 h more with the next round
        (2000, 1000, 1000, 500),  # as it was
    ],
)
def test_a_correction_is_shared_by_the_units_given_and_left(
    village: Village, hours: int, due: int, recognised: int, average: int
) -> None:
    work = baked(village)
    change = reports.correct(village.session, work, hours, "typo", village.now)
    assert (change, work.effort, work.due, work.recognised) == (hours - 2000, hours, due, recognised)
    assert village.balance("Bo") == recognised
    assert village.product().last_average == average
    village.next_round()
    assert work.recognised == due


def test_a_correction_of_an_older_batch_leaves_the_average(village: Village) -> None:
    work = baked(village)
    village.later(days=1)
    village.batch(4, 2400)
    reports.correct(village.session, work, 1000, "typo", village.now)
    assert village.product().last_average == 600


def test_a_correction_takes_nobody_below_their_limit(village: Village) -> None:
    work = baked(village)
    village.good("beer", "garden")
    village.batch(1, 5500, "beer", "Eve", "garden")
    village.want("Bo", 1, 5500, "beer")
    village.next_round()
    # -4.5 h, and the limit is 5 h + 1 h: half of the 1.5 h left, as the limit falls with what is taken
    assert village.balance("Bo") == -4500
    with pytest.raises(TooMuchToTakeBackError) as refused:
        reports.correct(village.session, work, 400, "typo", village.now)
    assert (refused.value.name, refused.value.amount, refused.value.most) == ("Bo", 800, 750)
    reports.correct(village.session, work, 500, "typo", village.now)
    assert village.balance("Bo") == -5250
    village.next_round()


def test_corrections_of_what_is_in_no_batch(village: Village) -> None:
    common = village.work("Bo", 1000)
    reports.correct(village.session, common, 3000, "more", village.now)
    task = village.session.get_one(Task, (common.pool_id, common.task_id))
    reports.back(village.session, task, village.people["Dee"], village.now)
    village.next_round()
    assert (common.due, common.recognised) == (3000, 3000)
    reports.correct(village.session, common, 2500, "less", village.now)
    assert (common.due, common.recognised) == (2500, 2500)
    with pytest.raises(OutOfBoundsError):
        reports.correct(village.session, common, -1, "less", village.now)


def test_a_correction_before_the_batch_is_offered_has_no_average_to_change(village: Village) -> None:
    village.good()
    work = village.work("Bo", 2000, "bread")
    village.made(4, 1000, by="Cy")
    reports.correct(village.session, work, 1000, "typo", village.now)
    assert village.product().last_average is None
