"""Recurring tasks: one open occurrence, what stands for the next, and what is learned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import col, select

from core import leaving, recurring, reports, tasks
from core.tables import Task
from tests.cases import table
from tests.stage import act, on_stage
from tests.village import DAY, START, Village

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


WEEK = 7 * DAY


@pytest.fixture
def village(store: Store) -> Iterator[Village]:
    with store.write() as session:
        yield Village(session)


def weekly(village: Village, **values: Any) -> Task:
    task = village.post(**{"every": "week", "urgent": True, **values})
    recurring.set_next(village.session, task, village.now)
    return task


def turn(village: Village, task: Task) -> Task:
    """Go to when the next occurrence is due, and return the newest one."""
    assert task.next_at is not None
    village.now = max(village.now, task.next_at)
    recurring.recur(village.session, task, village.now)
    query = select(Task).where(Task.series == task.series).order_by(col(Task.number).desc())
    newest = village.session.exec(query).first()
    assert newest is not None
    return newest


def do(village: Village, task: Task, name: str = "Bo") -> None:
    village.claim(task, name)
    village.report(task, name)
    village.confirm(task, "Ana")


def test_the_next_comes_a_period_later_or_when_this_one_is_due(village: Village) -> None:
    assert weekly(village).next_at == START + WEEK
    assert weekly(village, due_at=START + 2 * DAY).next_at == START + 2 * DAY
    assert weekly(village, every="").next_at is None


def test_an_open_occurrence_stands_for_the_next_and_keeps_its_weight(village: Village) -> None:
    task = weekly(village, due_at=START + 2 * DAY)
    village.next_round()
    village.next_round()
    assert task.weight == 110
    assert turn(village, task) is task
    assert (task.weight, task.due_at, task.next_at) == (110, START + 16 * DAY, START + 16 * DAY)


def test_a_done_occurrence_is_followed_by_a_new_one(village: Village) -> None:
    village.good()
    product = village.product()
    task = weekly(village, due_at=START + 2 * DAY, place="Yard", slots=1, product=product)
    do(village, task)
    following = turn(village, task)
    assert (following.number, following.series, following.due_at) == (2, 1, START + 9 * DAY)
    assert (following.place, following.product_id, following.urgent) == ("Yard", product.id, 1)
    assert (task.next_at, following.next_at) == (None, START + 9 * DAY)


def test_after_an_outage_only_the_latest_comes(village: Village) -> None:
    task = weekly(village)
    do(village, task)
    village.now = START + 23 * DAY
    posted = recurring.recur(village.session, task, village.now)
    assert len(posted) == 1
    assert posted[0].task.next_at == START + 28 * DAY


def test_the_clock_on_the_wall_stays_the_same(village: Village) -> None:
    village.set(timezone="Europe/Berlin")
    task = weekly(village, due_at=datetime(2026, 10, 23, 16, tzinfo=UTC))  # 18:00 in summer
    do(village, task)
    assert turn(village, task).due_at == datetime(2026, 10, 30, 17, tzinfo=UTC)


# what it shows | how it was filled | the next one's weight
LEARNED = """
    nothing before it is confirmed               | claimed | 100
    filled without competition: 2 % lower        | done    | 98
    filled after a rise: the weight that did it  | risen   | 110
    after competition: the clearing weight       | bids    | 80
    a single bid is no competition               | bid     | 98
"""


@pytest.mark.parametrize(("how", "expected"), table(LEARNED))
def test_what_the_next_occurrence_starts_at(village: Village, how: str, expected: str) -> None:
    task = weekly(village, urgent=how != "bids", every="2 weeks")
    bids = {"bids": (("Bo", 60), ("Cy", 80)), "bid": (("Bo", 60),)}.get(how, ())
    for name, weight in bids:
        village.bid(task, name, weight)
    village.next_round()
    if how == "risen":
        village.next_round()
    if not bids:
        village.claim(task, "Bo")
    if how != "claimed":
        village.report(task, "Bo")
        village.confirm(task, "Ana")
    assert turn(village, task).weight == int(expected)


def test_an_unconfirmed_rise_teaches_nothing(village: Village) -> None:
    task = weekly(village, every="3 weeks")
    village.next_round()
    village.next_round()
    assert village.claim(task, "Bo").weight == 110
    assert turn(village, task).weight == 100


def test_what_was_learned_once_stays_until_more_is_learned(village: Village) -> None:
    task = weekly(village)
    do(village, task)
    second = turn(village, task)
    village.claim(second, "Bo")
    third = turn(village, second)
    assert (second.weight, third.weight) == (98, 98)
    do(village, third)
    assert turn(village, third).weight == 96  # 0.98 x 0.98 = 0.9604


def test_the_lowest_weight(village: Village) -> None:
    village.set(min_weight="0.99")
    task = weekly(village)
    do(village, task)
    assert turn(village, task).weight == 99


def test_of_several_slots_the_last_one_filled_teaches(village: Village) -> None:
    task = weekly(village, slots=2, every="3 weeks")
    village.claim(task, "Bo")
    village.next_round()
    village.next_round()
    assert village.claim(task, "Cy").weight == 110
    for name in ("Cy", "Bo"):  # confirmed in the other order
        village.report(task, name)
        village.confirm(task, "Ana", name)
    assert turn(village, task).weight == 110


def test_slots_that_nobody_took_move_on_with_their_weight_and_bids(village: Village) -> None:
    task = weekly(village, slots=3, every="3 weeks")
    do(village, task)
    village.next_round()
    village.next_round()
    village.bid(task, "Cy", 90)
    opened_at = task.opened_at
    following = turn(village, task)
    assert (task.slots, task.closed_at) == (1, village.now)
    assert (following.slots, following.weight, following.rose, following.opened_at) == (3, 110, 1, opened_at)
    assert [one.weight for one in tasks.bids_on(village.session, following)] == [90]
    assert tasks.bids_on(village.session, task) == []


def test_an_older_occurrence_never_opens_again(village: Village) -> None:
    task = weekly(village, slots=2)
    for name in ("Bo", "Cy"):
        village.claim(task, name)
    following = turn(village, task)
    village.drop(task, "Bo")
    assert (task.slots, task.closed_at) == (1, None)
    village.report(task, "Cy")
    row = reports.waiting(village.session, task)
    reports.dispute(village.session, task, row, village.people["Bo"], "", village.now)
    reports.reject(village.session, task, village.people["Ana"], "no", village.now)
    assert (task.cancelled_at, following.closed_at) == (village.now, None)


def test_edits_move_the_next_occurrence_of_the_newest_only(village: Village) -> None:
    task = weekly(village)
    village.claim(task, "Bo")
    following = turn(village, task)
    recurring.set_next(village.session, task, village.now)
    assert task.next_at is None
    village.later(days=10)
    recurring.set_next(village.session, following, village.now)
    assert following.next_at == START + 21 * DAY


def test_a_cancelled_series_and_an_archived_project_end(village: Village) -> None:
    task = weekly(village)
    tasks.cancel(village.session, task, village.people["Ana"], village.now)
    assert task.next_at is None
    other = weekly(village)
    do(village, other)
    leaving.close(village.session, village.projects["bakery"], village.now)
    assert turn(village, other) is other
    assert other.next_at is None


@pytest.mark.parametrize(
    ("has_due", "expected"),
    [
        (False, "02-28 03-31 04-30 05-31 06-30"),
        (True, "01-31 02-28 03-31 04-30 05-31"),
    ],
)
def test_a_month_without_the_day_takes_its_last_and_the_next_has_it_again(
    village: Village, *, has_due: bool, expected: str
) -> None:
    village.now = datetime(2027, 1, 30, 9, tzinfo=UTC) if has_due else datetime(2027, 1, 31, 9, tzinfo=UTC)
    task = weekly(village, every="month", due_at=datetime(2027, 1, 31, 9, tzinfo=UTC) if has_due else None)
    days = []
    for _ in expected.split():
        assert task.next_at is not None
        days.append(task.next_at.strftime("%m-%d"))
        do(village, task)
        task = turn(village, task)
    assert days == expected.split()


def test_who_sets_another_due_date_lets_the_series_count_from_there(store: Store) -> None:
    player = on_stage(store, "bo@bakery: /task new Rent 1h due:2026-05-31 every:month")
    act(player, "bo@bakery: /task edit 1 Pay the rent\nbo@bakery: /task edit 1 due:2026-05-10")
    with store.read() as session:
        task = session.exec(select(Task)).one()
        assert (task.anchor_at, task.next_at) == (task.due_at, task.due_at)
        assert task.due_at is not None
        assert task.due_at.day == 10
