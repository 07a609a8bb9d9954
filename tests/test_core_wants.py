"""Wants and what they hold; what a unit costs at least; free goods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core import ledger, stock, wants
from core.batches import confirm_batch
from core.errors import FreeGoodError, NotEnoughFreeError, NoWantError, OutOfBoundsError
from tests.cases import table

if TYPE_CHECKING:
    from tests.village import Village


@pytest.fixture
def village(village: Village) -> Village:
    village.good(unit="loaf", units="loaves")
    return village


def test_a_want_holds_its_units_at_most(village: Village) -> None:
    village.want("Cy", 3, 1500)
    standing = ledger.standing(village.session, village.people["Cy"])
    assert (standing.held, standing.free) == (4500, 500)
    village.good("beer", "garden")
    with pytest.raises(NotEnoughFreeError) as refused:
        village.want("Cy", 1, 501, "beer")
    error = refused.value
    assert (error.free, error.units, error.each, error.good, error.unit) == (500, 1, 501, "beer", "")
    village.want("Cy", 1, 500, "beer")


def test_asking_again_replaces_a_want_and_its_hold_but_not_its_place(village: Village) -> None:
    row = village.want("Cy", 3, 1500)
    row.waited, row.got, row.first_round = 2, 1, 0
    again = village.want("Cy", 2, 2500, every_round=True)
    assert again is row
    assert (row.units, row.bid, row.maximum, row.every_round, row.units_each_round) == (2, 2500, 2500, 1, 2)
    assert (row.waited, row.got, row.first_round) == (2, 1, 1)
    with pytest.raises(NotEnoughFreeError) as refused:
        village.want("Cy", 2, 2501)
    assert refused.value.unit == "loaves"
    assert row.bid == 2500


@pytest.mark.parametrize(("units", "bid"), [(0, None), (101, None), (1, -1), (1, 1_000_001)])
def test_figures_beyond_bounds_are_refused(village: Village, units: int, bid: int | None) -> None:
    with pytest.raises(OutOfBoundsError):
        village.want("Cy", units, bid)


def test_wants_are_listed_and_taken_back(village: Village) -> None:
    village.good("beer", "garden")
    first, second = village.want("Cy"), village.want("Cy", good="beer")
    assert wants.wants_of(village.session, village.people["Cy"]) == [first, second]
    wants.unwant(village.session, village.find("bread"), village.people["Cy"], village.now)
    assert wants.wants_of(village.session, village.people["Cy"]) == [second]
    with pytest.raises(NoWantError):
        wants.unwant(village.session, village.find("bread"), village.people["Cy"], village.now)


# Bakery and garden have each so many units for so much effort, thousandths.
# what it shows | rule | bakery | garden | from | at most
AT_COST = """
    never made: nothing is shown            | preference      |        |        |        |
    1.25 x the reserve                      | preference      | 2 1000 |        |        | 625
    rounded up, then down: 334 x 1.25       | preference      | 3 1000 |        |        | 417
    of any: the dearest up to 1.25          | preference      | 1 500  | 1 625  |        | 781
    of any: not the dearer ones             | preference      | 1 500  | 1 626  |        | 625
    of one maker only                       | preference      | 1 500  | 1 626  | garden | 782
    of one who never made it                | preference      | 1 500  |        | garden |
    the same for all                        | flat-allocation | 1 500  | 1 700  | bakery | 750
    nothing                                 | flat-rate       | 1 500  | 1 626  |        | 0
    nothing, though it was never made       | flat-rate       |        |        |        |
"""


@pytest.mark.parametrize(("rule", "bakery", "garden", "maker", "expected"), table(AT_COST))
def test_what_a_want_at_cost_may_be_charged(
    village: Village, rule: str, bakery: str, garden: str, maker: str, expected: str
) -> None:
    village.set(rule=rule)
    village.good("bread", "garden")
    for project, name, text in (("bakery", "Bo", bakery), ("garden", "Eve", garden)):
        if text:
            units, effort = (int(one) for one in text.split())
            village.batch(units, effort, by=name, project=project)
    assert village.want("Cy", maker=maker).maximum == (int(expected) if expected else None)


@pytest.mark.parametrize(("rule", "maximum"), [("preference", 625), ("flat-rate", 0)])
def test_out_of_stock_the_last_average_is_shown(village: Village, rule: str, maximum: int) -> None:
    village.set(rule=rule)
    village.batch(1, 500)
    village.want("Ana", bid=500)
    village.next_round()
    assert village.want("Cy").maximum == maximum


def test_a_goods_own_rule_goes_before_the_pools(village: Village) -> None:
    village.good("beer", "garden", rule="flat-rate")
    village.set(rule="effort")
    assert [stock.rule_of(village.session, village.find(name)) for name in ("bread", "beer")] == ["effort", "flat-rate"]


def test_the_effort_left_is_what_is_not_yet_due(village: Village) -> None:
    # 1 h in 3 loaves: one given makes 0.333 h due, so the two left have 0.667 h, 0.334 h each
    village.batch(3, 1000)
    village.want("Ana", bid=400)
    village.outcome()
    village.set(rule="effort")
    (offer,) = stock.offers(village.session, village.find("bread"))
    assert (offer.units, offer.effort_left, offer.reserve) == (2, 667, 334)
    village.batch(1, 300)
    (offer,) = stock.offers(village.session, village.find("bread"))
    assert (offer.units, offer.effort_left, offer.reserve) == (3, 967, 323)


def test_a_free_good_is_handed_over_at_once_and_never_wanted(village: Village) -> None:
    manual = village.good("manual", free="https://example.org/m")
    for _ in range(2):
        link = wants.take_free(village.session, manual, village.people["Eve"], village.now)
        assert link == "https://example.org/m"
    with pytest.raises(FreeGoodError):
        village.want("Eve", good="manual")


# Rounds


def test_what_is_left_of_a_want_is_its_second_unit(village: Village) -> None:
    village.set(rule="effort")
    village.batch(1, 500)
    row = village.want("Ana", 2, 600)
    village.next_round()
    assert (row.units, row.got, row.waited) == (1, 1, 1)
    village.batch(1, 500)
    other = village.want("Eve", 1, 600)
    village.next_round()
    assert (other.ended_at, row.units) == (village.now, 1)
    assert row.waited == 2


def test_a_want_runs_out_after_eight_rounds(village: Village) -> None:
    row = village.want("Ana", 2)
    for _ in range(7):
        village.next_round()
        assert row.ended_at is None
    village.next_round()
    assert row.ended_at == village.now


def test_a_want_every_round_is_renewed_and_never_runs_out(village: Village) -> None:
    village.set(rule="effort")
    row = village.want("Ana", 2, 300, every_round=True)
    for _ in range(9):
        village.next_round()
    assert (row.ended_at, row.units) == (None, 2)
    village.batch(1, 301)  # above the bid, so that no round was waited
    village.next_round()
    assert (row.units, row.got, row.waited) == (2, 0, 0)


def test_every_round_begins_anew(village: Village) -> None:
    village.set(rule="effort")
    row = village.want("Ana", 2, 500, every_round=True)
    village.batch(1, 500)
    village.next_round()
    # one of two: the other begins anew as well, as a first unit
    assert (row.units, row.got, row.waited, row.ended_at) == (2, 0, 0, None)


def test_above_its_maximum_a_want_at_cost_does_not_bid(village: Village) -> None:
    village.batch(1, 500)
    row = village.want("Ana")
    row.every_round = 1
    village.next_round()
    dearer = village.batch(1, 626)
    confirm_batch(village.session, dearer, village.people["Dee"], village.now)
    outcome = village.outcome()
    result = next(one for one in outcome.wants if one.want_id == row.id)
    assert (row.maximum, result.bid, result.too_dear, result.got, result.lost) == (625, -1, 1, 0, 0)
