"""What a round reads: open tasks, caps, demand, who is active, and what work is due."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from core import leaving, reports
from core.members import take_break
from core.pledges import pledge
from core.rounds.gather import gather
from core.tables import Task
from core.timing import current_round
from core.wants import take_free
from tests.cases import table
from tests.village import DAY, Village

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.rounds.inputs import Inputs
    from core.store import Store
    from core.tables import Contribution


@pytest.fixture
def village(store: Store) -> Iterator[Village]:
    with store.write() as session:
        yield Village(session).garden()


def inputs(village: Village) -> Inputs:
    """Gather as if the round were due now."""
    village.session.flush()
    return gather(village.session, village.pool, current_round(village.session, village.pool.id), village.now)


def sharers(village: Village) -> list[str]:
    names = {member.id: name for name, member in village.people.items()}
    return [names[row.id] for row in inputs(village).members if row.shares]


def test_tasks_come_by_due_date_then_number(village: Village) -> None:
    later = village.post(due_at=village.now + 3 * DAY)
    first, second = village.post(), village.post()
    soon = village.post(due_at=village.now + 2 * DAY, slots=2)
    village.claim(soon, "Bo")
    full = village.post(urgent=True)
    village.claim(full, "Bo")
    assert [(row.id, row.free) for row in inputs(village).tasks] == [
        (soon.id, 1), (later.id, 1), (first.id, 1), (second.id, 1)
    ]  # fmt: skip


# what it shows | open since, days before the last round | rises
RISES = """
    open before the last round      | 1  | 1
    opened by the last round        | 0  | 1
    opened since then               | -1 | 0
"""


@pytest.mark.parametrize(("days", "rises"), table(RISES))
def test_only_what_was_open_at_the_last_round_rises(village: Village, days: str, rises: str) -> None:
    task = village.post(urgent=True)
    assert inputs(village).tasks[0].rises == 0  # there was no round yet
    village.next_round()
    task.opened_at = village.now - int(days) * DAY
    village.later(days=7)
    found = inputs(village)
    assert (found.tasks[0].rises, found.elapsed_seconds) == (int(rises), 7 * 24 * 3600)


def test_a_task_that_still_takes_bids_does_not_rise(village: Village) -> None:
    village.next_round()
    village.post()
    village.later(days=7)
    assert inputs(village).tasks[0].rises == 0


def test_bids_count_for_tasks_with_free_slots_only(village: Village) -> None:
    full, free = village.post(urgent=True), village.post()
    village.bid(full, "Cy", 90)
    village.bid(free, "Cy", 80)
    village.claim(full, "Bo")
    assert [(row.task_id, row.weight) for row in inputs(village).bids] == [(free.id, 80)]


def test_a_cap_is_for_the_round_that_opens_now(village: Village) -> None:
    bo = village.people["Bo"]
    bo.settings = {"hours": "3 h"}
    village.people["Cy"].settings = {"digest": "on"}
    village.claim(village.post(urgent=True), "Bo")
    due_at = village.later(days=1)
    assert [(row.member_id, row.hours) for row in inputs(village).caps] == [(bo.id, 3000)]
    village.later(minutes=1)  # claimed after the round was due, while it waited to be held
    village.claim(village.post(urgent=True), "Bo")
    current = current_round(village.session, village.pool.id)
    found = gather(village.session, village.pool, current, due_at)
    assert [row.hours for row in found.caps] == [2000]


def test_what_is_made_left_and_promised(village: Village) -> None:
    village.good()
    village.batch(4, 2000)
    village.made(3, 1500)
    pledge(village.session, village.find("bread"), village.product(), village.people["Ana"], 10, None, village.now)
    (row,) = inputs(village).products
    # the 3 that wait for a word are neither made nor left, but there is no need to make them again
    assert (row.made, row.units, row.pledged, row.effort, row.last_average) == (4, 4, 13, 2000, 500)
    village.next_round()
    (row,) = inputs(village).products
    assert (row.made, row.units, row.leftover_rounds) == (0, 4, 1)


def test_free_goods_are_never_cleared(village: Village) -> None:
    village.good("manual", free="https://example.org")
    found = inputs(village)
    assert (found.goods, found.products) == ([], [])


def test_a_good_never_made_has_no_average(village: Village) -> None:
    village.good()
    assert inputs(village).products[0].last_average == -1


# Who shares


def test_everybody_who_joined_within_four_rounds_shares(village: Village) -> None:
    for _ in range(3):
        village.next_round()
    assert sharers(village) == ["Ana", "Bo", "Cy", "Dee", "Eve"]
    village.next_round()
    assert sharers(village) == []
    village.later(hours=1)
    village.join("Fay", "garden")
    assert sharers(village) == ["Fay"]


def test_work_confirmed_and_units_got_keep_people_active_for_four_rounds(village: Village) -> None:
    village.good()
    for _ in range(5):
        village.next_round()
    village.later(hours=1)
    village.batch(1, 500)
    village.want("Eve", bid=500)
    village.next_round()
    for _ in range(2):  # round 6 was the first, round 9 is the last
        village.next_round()
        assert sharers(village) == ["Bo", "Eve"]
    village.next_round()
    assert sharers(village) == []


# what it shows | begins, days after the round opened | lasts, days | shares at its end
BREAKS = """
    begun before the round opened | -1 | 14 | no
    begun as the round opened     | 0  | 14 | yes
    begun in the round            | 1  | 14 | yes
    over before the round is held | -1 | 6  | yes
"""


@pytest.mark.parametrize(("begins", "lasts", "expected"), table(BREAKS))
def test_breaks(village: Village, begins: str, lasts: str, expected: str) -> None:
    village.next_round()
    take_break(village.people["Eve"], timedelta(days=int(lasts)), village.now + int(begins) * DAY)
    village.later(days=7)
    assert ("Eve" in sharers(village)) == (expected == "yes")


def test_exempted_members_do_not_share(village: Village) -> None:
    village.people["Eve"].exempt_from = village.later(days=2)
    village.later(days=1)
    assert "Eve" not in sharers(village)


def test_who_left_or_was_not_admitted_is_not_there(village: Village) -> None:
    village.good()
    village.join("Fay", "garden").admitted_at = None
    village.want("Fay")
    village.bid(village.post(), "Fay", 90)
    leaving.leave(village.session, village.people["Bo"], village.now)
    found = inputs(village)
    assert (len(found.members), found.wants, found.bids) == (4, [], [])


# Work that is due


def due(village: Village, work: Contribution) -> int:
    return next((row.due for row in inputs(village).contributions if row.id == work.id), 0)


def back(village: Village, work: Contribution, *names: str) -> None:
    task = village.session.get_one(Task, (work.pool_id, work.task_id))
    for name in names:
        reports.back(village.session, task, village.people[name], village.now)


def test_common_work_is_due_once_enough_of_another_project_back_it(village: Village) -> None:
    village.set(backers="2")
    work = village.work("Bo", 1000)
    assert due(village, work) == 0
    back(village, work, "Dee")
    assert due(village, work) == 0
    back(village, work, "Eve")
    assert due(village, work) == 1000


def test_in_a_pool_of_one_project_common_work_needs_nobody(store: Store) -> None:
    with store.write() as session:
        village = Village(session)
        assert due(village, village.work("Bo", 1000)) == 1000


def test_free_goods_are_due_once_others_took_them(village: Village) -> None:
    manual = village.good("manual", free="https://example.org")
    work = village.work("Bo", 1000, "manual")
    village.join("Gil", "bakery")
    village.join("Hal", "bakery")
    village.join("Hal", "garden")
    asking = village.join("Ivy", "bakery")
    village.set_project("garden", admission="ask")
    village.join("Ivy", "garden")
    for name in ("Bo", "Gil"):  # the maker, and one of the same project
        take_free(village.session, manual, village.people[name], village.now)
    take_free(village.session, manual, asking, village.now)  # not admitted to the other project yet
    assert due(village, work) == 0
    take_free(village.session, manual, village.people["Hal"], village.now)
    assert due(village, work) == 1000


def test_in_a_pool_of_one_project_one_other_member_is_enough(store: Store) -> None:
    with store.write() as session:
        village = Village(session)
        manual = village.good("manual", free="https://example.org")
        work = village.work("Bo", 1000, "manual")
        take_free(session, manual, village.people["Bo"], village.now)
        assert due(village, work) == 0
        take_free(session, manual, village.people["Cy"], village.now)
        assert due(village, work) == 1000


def test_all_the_work_in_a_batch_on_offer_is_there_even_if_credited_in_full(village: Village) -> None:
    village.good()
    tiny, much = village.work("Bo", 1, "bread"), village.work("Cy", 2999, "bread")
    village.made(3)
    village.want("Ana", 2, 2000)
    village.next_round()
    assert (tiny.recognised, much.recognised) == (1, 1999)
    assert [row.id for row in inputs(village).contributions] == [tiny.id, much.id]
    village.want("Eve", 1, 2000)
    village.next_round()
    assert (tiny.recognised, much.recognised) == (1, 2999)
