"""Rounds as people live through them: weights that rise, reserves that fall, levies that wait, units that come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core import goods, reports
from core.tables import Task
from tests.village import Village

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.store import Store


@pytest.fixture
def village(store: Store) -> Iterator[Village]:
    with store.write() as session:
        yield Village(session).garden()


def test_a_weight_rises_ten_percent_a_week_from_the_second_round_on(village: Village) -> None:
    task = village.post()
    weights = []
    for _ in range(4):
        village.next_round()
        weights.append((task.weight, task.rose))
    assert weights == [(100, 0), (110, 1), (121, 1), (133, 1)]


def test_a_slot_that_was_dropped_rises_only_after_its_next_round(village: Village) -> None:
    task = village.post()
    village.bid(task, "Bo", 90)
    village.next_round()
    village.later(days=1)
    village.drop(task, "Bo")
    village.next_round()
    assert task.weight == 100
    village.next_round()
    assert task.weight == 110


def test_left_over_the_reserve_falls_to_eighty_percent_and_not_further(village: Village) -> None:
    village.good()
    village.batch(4, 2000)
    reserves = []
    for _ in range(4):
        reserves += [one.reserve for one in village.outcome().products]
    assert reserves == [500, 450, 400, 400]
    village.want("Eve", 4, 500)
    assert [one.cost for one in village.outcome().products] == [400]
    village.batch(1, 500)
    assert [one.reserve for one in village.outcome().products] == [500]


def test_with_several_makers_a_flexible_want_takes_the_cheaper(village: Village) -> None:
    village.good()
    village.good("bread", "garden")
    village.batch(1, 600)
    village.batch(1, 500, by="Eve", project="garden")
    village.want("Ana", bid=900)
    village.want("Cy", bid=900, maker="bakery")
    outcome = village.outcome()
    assert {(one.reserve, one.cost, one.given) for one in outcome.products} == {(600, 600, 1), (500, 500, 1)}
    assert (village.balance("Ana"), village.balance("Cy")) == (-500, -600)


def test_a_levy_waits_and_goes_on_oldest_first(village: Village) -> None:
    village.set(levy="0.1 h")  # five share: at most 0.5 h a round
    first, second = village.work("Bo", 400), village.work("Eve", 400, project="garden")
    for work, backer in ((first, "Dee"), (second, "Ana")):
        task = village.session.get_one(Task, (work.pool_id, work.task_id))
        reports.back(village.session, task, village.people[backer], village.now)
    assert village.outcome().waiting == 300
    assert (first.recognised, second.recognised) == (400, 100)
    assert village.outcome().waiting == 0
    assert second.recognised == 400
    # 0.8 h from five: 0.16 h each
    assert village.balances() == {"Ana": -160, "Bo": 240, "Cy": -160, "Dee": -160, "Eve": 240}


def test_a_batch_given_bit_by_bit_is_credited_to_the_thousandth(village: Village) -> None:
    village.good()
    village.set(rule="effort")
    work = [village.work("Bo", 333, "bread"), village.work("Cy", 334, "bread"), village.work("Ana", 333, "bread")]
    village.made(7)
    credited = []
    for _ in range(7):
        village.want("Eve", 1, 200)
        credited.append(sum(row.credited for row in village.outcome().credits))
    assert credited == [143, 143, 143, 142, 143, 143, 143]  # 142.86 each, rounded half up as they add up
    assert [one.recognised for one in work] == [333, 334, 333]


def test_a_unit_that_came_back_is_given_again(village: Village) -> None:
    village.good()
    village.batch(2, 1000)
    village.want("Eve", 2, 500)
    village.next_round()
    goods.missing(village.session, village.people["Eve"], village.find("bread"), village.now)
    goods.give_back(village.session, village.product(), village.people["Eve"], village.now)
    assert village.balances() == {"Ana": 0, "Bo": 0, "Cy": 0, "Dee": 0, "Eve": 0}
    village.want("Dee", 2, 500)
    village.next_round()
    assert village.balances() == {"Ana": 0, "Bo": 1000, "Cy": 0, "Dee": -1000, "Eve": 0}


def test_a_levy_that_ate_into_holds_lets_the_newer_want_wait(village: Village) -> None:
    village.good()
    village.good("beer", "garden")
    first, second = village.want("Eve", 1, 2500), village.want("Eve", 1, 2500, "beer")
    village.set(backers="0")
    village.work("Bo", 500)
    village.next_round()
    assert village.balance("Eve") == -100  # 0.5 h of common work, carried by five; 4.9 h are left for holds of 5 h
    village.batch(1, 2500)
    village.batch(1, 2500, "beer", "Dee", "garden")
    outcome = village.outcome()
    assert [(one.want_id, one.covered, one.got) for one in outcome.wants] == [(first.id, 1, 1), (second.id, 0, 0)]
    assert (second.waited, second.ended_at) == (0, None)


def test_no_levy_takes_anybody_below_their_limit(village: Village) -> None:
    village.good()
    village.batch(1, 5000)
    village.want("Eve", 1, 5000)
    village.set(backers="0")
    village.work("Cy", 1000)
    village.next_round()
    # 1 h of common work: Eve has nothing left to give, four carry 0.25 h each
    assert village.balances() == {"Ana": -250, "Bo": 4750, "Cy": 750, "Dee": -250, "Eve": -5000}
