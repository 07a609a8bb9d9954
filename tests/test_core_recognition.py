"""Recognition by the units given, and what can be taken back of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core import goods, leaving
from core.recognition import due_with, most_to_take
from tests.cases import table

if TYPE_CHECKING:
    from tests.village import Village


# what it shows | efforts | units | given | due to each
DUE = """
    nothing given, nothing due             | 1000 500 | 3 | 0 | 0 0
    a third                                | 1000 500 | 3 | 1 | 333 167
    all of it exactly                      | 1000 500 | 3 | 3 | 1000 500
    the largest remainder                  | 1 1 1    | 3 | 1 | 1 0 0
    half up: 0.5 of a thousandth           | 1        | 2 | 1 | 1
    work that was corrected to nothing     | 0        | 2 | 1 | 0
"""


@pytest.mark.parametrize(("efforts", "units", "given", "due"), table(DUE))
def test_what_is_due(efforts: str, units: str, given: str, due: str) -> None:
    shares = [int(one) for one in efforts.split()]
    assert due_with(sum(shares), int(units), int(given), shares) == [int(one) for one in due.split()]


def balanced(village: Village, effort: int, cost: int) -> None:
    """Let Bo be credited some effort, and then charged a cost."""
    village.good()
    village.batch(1, effort)
    village.want("Ana", 1, effort)
    village.next_round()
    if cost:
        village.good("beer", "garden")
        village.batch(1, cost, "beer", "Dee", "garden")
        village.want("Bo", 1, cost, "beer")
        village.next_round()


# what it shows | Bo's effort and cost | the most to take back
MOST = """
    a newcomer: half of 1 h + 5 h + 1 h      | 1000 0    | 3500
    near the limit of 5 h + 1 h: half of 2 h | 1000 5000 | 1000
    at the limit                             | 1000 7000 | 0
"""


@pytest.mark.parametrize(("figures", "most"), table(MOST))
def test_what_can_be_taken_back(village: Village, figures: str, most: str) -> None:
    effort, cost = (int(one) for one in figures.split())
    balanced(village, effort, cost)
    assert most_to_take(village.session, village.people["Bo"]) == int(most)


def test_of_who_is_no_newcomer_any_more_the_limit_stays(village: Village) -> None:
    village.set(newcomer="100 h")
    balanced(village, 1000, 4000)
    assert (village.balance("Bo"), most_to_take(village.session, village.people["Bo"])) == (-3000, 7000)


def test_nothing_is_taken_from_who_left(village: Village) -> None:
    balanced(village, 1000, 0)
    leaving.leave(village.session, village.people["Bo"], village.now)
    assert most_to_take(village.session, village.people["Bo"]) == 0
    goods.missing(village.session, village.people["Ana"], village.find("bread"), village.now)
    goods.give_back(village.session, village.product(), village.people["Ana"], village.now)
    assert village.balances() | {"Dee": 0} == {"Ana": 0, "Bo": 0, "Cy": 0, "Dee": 0, "Eve": 0}
    assert village.commons() == 0
