"""Tasks and their slots: posted, bid for, claimed, dropped, handed on, reported, changed, called off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from core import handing, reports, tasks
from core.errors import (
    AlreadyBegunError,
    AlreadyReportedError,
    AlreadyYoursError,
    NotYoursError,
    NotYoursToChangeError,
    OutOfBoundsError,
    OverCapError,
    StillBiddingError,
    TakenError,
    TaskClosedError,
    UnknownTaskError,
)
from core.tasks import Draft
from tests.cases import table
from tests.village import DAY, Village

if TYPE_CHECKING:
    from core.tables import Task


def draft_of(task: Task, **changes: Any) -> Draft:
    return replace(Draft(task.title, task.hours, task.slots, due_at=task.due_at), **changes)


def test_a_task_takes_bids_until_the_round_and_is_open_then(village: Village) -> None:
    task = village.post()
    with pytest.raises(StillBiddingError) as refused:
        village.claim(task, "Bo")
    assert refused.value.decided_at == village.pool.round_due_at
    village.next_round()
    assert (village.claim(task, "Bo").weight, task.opened_at) == (100, village.now)


# what it shows | urgent | due in days | origin | open at once
OPENING = """
    a plain task takes bids            |   |   | task | no
    an urgent one is open at once      | x |   | task | yes
    one due before the round is open   |   | 5 | task | yes
    one due after the round takes bids |   | 7 | task | no
    work done unasked takes no bids    |   |   | did  | yes
"""


@pytest.mark.parametrize(("urgent", "days", "origin", "expected"), table(OPENING))
def test_what_is_open_at_once(village: Village, urgent: str, days: str, origin: str, expected: str) -> None:
    due_at = village.now + int(days) * DAY if days else None
    task = village.post(urgent=bool(urgent), due_at=due_at, origin=origin)
    assert (task.opened_at is not None) == (expected == "yes")


@pytest.mark.parametrize(
    ("kind", "values"),
    [("hours", {"hours": 0}), ("hours", {"hours": 1_000_001}), ("slots", {"slots": 0}), ("slots", {"slots": 101})],
)
def test_figures_beyond_bounds_are_refused(village: Village, kind: str, values: dict[str, Any]) -> None:
    with pytest.raises(OutOfBoundsError) as refused:
        village.post(**values)
    assert refused.value.kind == kind


def test_numbers_find_tasks(village: Village) -> None:
    first, second = village.post(), village.post()
    assert (first.number, second.number) == (1, 2)
    assert tasks.find_task(village.session, village.pool.id, 2) is second
    with pytest.raises(UnknownTaskError):
        tasks.find_task(village.session, village.pool.id, 3)


def test_slots_are_claimed_once_each_first_come_first_served(village: Village) -> None:
    task = village.post(slots=2, urgent=True)
    village.claim(task, "Bo")
    with pytest.raises(AlreadyYoursError):
        village.claim(task, "Bo")
    village.claim(task, "Cy")
    with pytest.raises(TakenError) as refused:
        village.claim(task, "Eve")
    assert refused.value.names == ("Bo", "Cy")
    with pytest.raises(TakenError):
        village.bid(task, "Eve", 90)


def test_a_claim_ends_the_claimants_bid_and_their_backing(village: Village) -> None:
    task = village.post(urgent=True)
    village.bid(task, "Eve", 90)
    reports.back(village.session, task, village.people["Eve"], village.now)
    village.bid(task, "Dee", 80)
    village.claim(task, "Eve")
    assert [one.member_id for one in tasks.bids_on(village.session, task)] == [village.people["Dee"].id]
    assert reports.count_backers(village.session, task) == 0


def test_a_bid_can_be_replaced_and_is_bounded(village: Village) -> None:
    task = village.post()
    village.bid(task, "Bo", 90)
    village.bid(task, "Bo", 80)
    assert [one.weight for one in tasks.bids_on(village.session, task)] == [80]
    for weight in (0, 401):
        with pytest.raises(OutOfBoundsError):
            village.bid(task, "Bo", weight)


def test_nobody_bids_for_what_they_have_or_what_is_over(village: Village) -> None:
    task = village.post(urgent=True, slots=2)
    village.claim(task, "Bo")
    with pytest.raises(AlreadyYoursError):
        village.bid(task, "Bo", 90)
    over = village.post()
    tasks.cancel(village.session, over, village.people["Ana"], village.now)
    with pytest.raises(TaskClosedError) as refused:
        village.bid(over, "Bo", 90)
    assert refused.value.cancelled
    with pytest.raises(TaskClosedError):
        village.claim(over, "Bo")


def test_a_cap_holds_for_what_is_taken_in_a_round(village: Village) -> None:
    village.people["Bo"].settings = {"hours": "2 h"}
    first, second, third = (village.post(urgent=True) for _ in range(3))
    village.claim(first, "Bo")
    village.claim(second, "Bo")
    with pytest.raises(OverCapError) as refused:
        village.claim(third, "Bo")
    assert (refused.value.cap, refused.value.taken, refused.value.hours) == (2000, 2000, 1000)
    village.drop(second, "Bo")
    village.claim(third, "Bo")
    with pytest.raises(OverCapError):
        village.bid(village.post(hours=2001), "Bo", 90)
    village.next_round()
    village.claim(second, "Bo")


def test_a_dropped_slot_returns_at_the_weight_before_the_clearing(village: Village) -> None:
    task = village.post()
    village.bid(task, "Bo", 60)
    village.bid(task, "Cy", 80)
    village.next_round()
    assert [(one.weight, one.how) for one in village.claims(task)] == [(80, "competed")]
    village.later(days=1)
    village.drop(task, "Bo")
    assert (village.claim(task, "Eve").weight, task.opened_at) == (100, village.now)


def test_a_slot_dropped_beside_an_open_one_waits_no_less_long(village: Village) -> None:
    task = village.post(urgent=True, slots=2)
    opened_at = task.opened_at
    village.claim(task, "Bo")
    village.later(days=1)
    village.drop(task, "Bo")
    assert task.opened_at == opened_at


def test_only_the_holder_drops_and_only_before_the_report(village: Village) -> None:
    task = village.post(urgent=True)
    village.claim(task, "Bo")
    with pytest.raises(NotYoursError) as refused:
        village.drop(task, "Cy")
    assert refused.value.names == ("Bo",)
    village.report(task, "Bo")
    with pytest.raises(AlreadyReportedError):
        village.drop(task, "Bo")


# what it shows | claimed, hours before it is due | looked at, hours before it is due | stage | hours after due
DEADLINES = """
    a day before it is due       | 72 | 72 | remind  | -24
    less than a day: when due    | 20 | 20 | due     | 0
    after that the release       | 72 | 0  | release | 48
    overdue when it was claimed  | -72 | -72 | release | 120
"""


@pytest.mark.parametrize(("claimed", "looked", "stage", "after"), table(DEADLINES))
def test_deadlines_of_a_claim(village: Village, claimed: str, looked: str, stage: str, after: str) -> None:
    due_at = village.now + 4 * DAY
    task = village.post(due_at=due_at)
    village.now = due_at - timedelta(hours=int(claimed))
    row = village.claim(task, "Bo")
    tasks.set_deadline(row, task, due_at - timedelta(hours=int(looked)))
    assert (row.stage, row.deadline_at) == (stage, due_at + timedelta(hours=int(after)))


def test_without_a_due_date_there_is_no_deadline(village: Village) -> None:
    row = village.claim(village.post(urgent=True), "Bo")
    assert (row.stage, row.deadline_at) == ("", None)


def test_handing_on_keeps_the_weight_and_needs_a_yes(village: Village) -> None:
    task = village.post()
    for name, weight in (("Bo", 60), ("Cy", 80)):
        village.bid(task, name, weight)
    village.next_round()
    bo, eve = village.people["Bo"], village.people["Eve"]
    with pytest.raises(NotYoursError):
        handing.take_over(village.session, task, eve, village.now)
    with pytest.raises(AlreadyYoursError):
        handing.offer_slot(village.session, task, bo, bo)
    handing.offer_slot(village.session, task, bo, eve)
    taken = handing.take_over(village.session, task, eve, village.now)
    assert (taken.giver, taken.claim.weight, taken.claim.how) == (bo, 80, "competed")
    village.report(task, "Eve")
    with pytest.raises(AlreadyReportedError):
        handing.offer_slot(village.session, task, eve, bo)


def test_nobody_takes_over_a_second_slot(village: Village) -> None:
    task = village.post(urgent=True, slots=2)
    village.claim(task, "Bo")
    handing.offer_slot(village.session, task, village.people["Bo"], village.people["Eve"])
    village.claim(task, "Eve")
    with pytest.raises(AlreadyYoursError):
        handing.take_over(village.session, task, village.people["Eve"], village.now)
    with pytest.raises(TakenError):
        handing.offer_slot(village.session, task, village.people["Bo"], village.people["Eve"])


# what it shows | estimate | reported | confirmed by itself
REPORTS = """
    the estimate by default     | 1000 |      | yes
    up to 1.5 times as long     | 1000 | 1500 | yes
    longer needs a person       | 1000 | 1501 | no
    shorter is fine             | 1000 | 1    | yes
"""


@pytest.mark.parametrize(("estimate", "hours", "by_itself"), table(REPORTS))
def test_reports(village: Village, estimate: str, hours: str, by_itself: str) -> None:
    task = village.post(urgent=True, hours=int(estimate))
    village.claim(task, "Bo")
    row = village.report(task, "Bo", int(hours) if hours else None)
    assert row.hours == int(hours or estimate)
    expected = ("confirm", village.now + 2 * DAY) if by_itself == "yes" else ("", None)
    assert (row.stage, row.deadline_at) == expected


def test_a_report_can_be_replaced_until_it_is_confirmed(village: Village) -> None:
    task = village.post(urgent=True)
    village.claim(task, "Bo")
    village.report(task, "Bo", 9000)
    assert village.report(task, "Bo", 1200).stage == "confirm"
    with pytest.raises(OutOfBoundsError):
        village.report(task, "Bo", 0)
    village.report(task, "Bo", 1200)
    village.confirm(task, "Cy")
    with pytest.raises(AlreadyReportedError):
        village.report(task, "Bo")


def test_cancelling_spares_what_is_reported(village: Village) -> None:
    task = village.post(urgent=True, slots=3)
    village.claim(task, "Bo")
    village.claim(task, "Cy")
    village.bid(task, "Eve", 70)
    village.report(task, "Bo")
    with pytest.raises(NotYoursToChangeError):
        tasks.cancel(village.session, task, village.people["Dee"], village.now)
    cancelled = tasks.cancel(village.session, task, village.people["Ana"], village.now)
    assert [one.name for one in cancelled.holders] == ["Cy"]
    assert (task.slots, task.closed_at, tasks.bids_on(village.session, task)) == (1, None, [])
    village.confirm(task, "Cy")
    assert (task.closed_at, task.cancelled_at) == (village.now, None)


def test_cancelling_what_is_left_of_confirmed_work_closes_it(village: Village) -> None:
    task = village.post(by="Bo", urgent=True, slots=2)
    village.claim(task, "Cy")
    village.report(task, "Cy")
    village.confirm(task, "Eve")
    tasks.cancel(village.session, task, village.people["Bo"], village.now)
    assert (task.slots, task.closed_at, task.cancelled_at) == (1, village.now, None)


def test_edits(village: Village) -> None:
    ana = village.people["Ana"]
    task = village.post(slots=2)
    tasks.edit(village.session, task, ana, draft_of(task, title="Pans", hours=2000, slots=1, place="Yard"), village.now)
    assert (task.title, task.hours, task.slots, task.place, task.opened_at) == ("Pans", 2000, 1, "Yard", None)
    tasks.edit(village.session, task, ana, draft_of(task, urgent=True, every="week"), village.now)
    assert (task.opened_at, task.series) == (village.now, task.number)
    row = village.claim(task, "Bo")
    with pytest.raises(AlreadyBegunError):
        tasks.edit(village.session, task, ana, draft_of(task, hours=1000), village.now)
    tasks.edit(village.session, task, ana, draft_of(task, due_at=village.now + 3 * DAY), village.now)
    assert (row.stage, row.deadline_at) == ("remind", village.now + 2 * DAY)


def test_slots_go_only_down_to_the_holders_and_new_ones_begin_to_wait(village: Village) -> None:
    ana = village.people["Ana"]
    task = village.post(slots=3, urgent=True)
    for name in ("Bo", "Cy"):
        village.claim(task, name)
    with pytest.raises(AlreadyBegunError):
        tasks.edit(village.session, task, ana, draft_of(task, slots=1), village.now)
    for name in ("Bo", "Cy"):
        village.report(task, name)
        village.confirm(task, "Eve")
    opened = task.opened_at
    tasks.edit(village.session, task, ana, draft_of(task, slots=4), village.later(days=1))
    assert (task.opened_at, task.closed_at) == (opened, None)
    tasks.edit(village.session, task, ana, draft_of(task, slots=2), village.now)
    assert task.closed_at == village.now


def test_a_slot_added_to_a_full_task_begins_to_wait(village: Village) -> None:
    task = village.post(urgent=True)
    village.claim(task, "Bo")
    village.report(task, "Bo")
    tasks.edit(village.session, task, village.people["Ana"], draft_of(task, slots=2), village.later(days=1))
    assert task.opened_at == village.now
