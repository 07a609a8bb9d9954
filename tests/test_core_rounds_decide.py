"""Deciding a round: a table for each rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.rounds.decide import coverage, decide
from core.rounds.explain import enough_bid
from core.rounds.inputs import (
    NONE,
    BatchRow,
    BidRow,
    CapRow,
    ContributionRow,
    GoodRow,
    Inputs,
    MemberRow,
    ProductRow,
    TaskRow,
    WantRow,
)
from core.sharing import lottery
from tests.cases import table
from tests.round_inputs import EMPTY, LOT, market

# Tasks


# what it shows | weight | rises | slots | bids by member 1, 2, 3 | weight | cleared | winners
TASKS = """
    no bid, just posted: it stays             | 100 | 0 | 1 |            | 100 | 100 |
    no bid, open since the last round         | 100 | 1 | 1 |            | 110 | 110 |
    never above the maximum                   | 399 | 1 | 1 |            | 400 | 400 |
    a weight above the maximum stays          | 500 | 1 | 1 |            | 500 | 500 |
    one bid wins at the posted weight         | 100 | 0 | 1 | 60         | 100 | 100 | 1
    the lowest wins at the lowest losing bid  | 100 | 0 | 1 | 80 60 90   | 100 | 80  | 2
    all winners get the lowest losing bid     | 100 | 0 | 2 | 80 60 90   | 100 | 90  | 2 1
    as many bids as slots: the posted weight  | 100 | 0 | 3 | 80 60 90   | 100 | 100 | 2 1 3
    bids above the weight wait                | 100 | 0 | 1 | 101 60 110 | 100 | 100 | 2
    a rise meets a standing bid               | 100 | 1 | 1 | 110 111    | 110 | 110 | 1
"""


@pytest.mark.parametrize(
    ("weight", "rises", "slots", "bids", "risen", "cleared", "winners"),
    table(TASKS),
)
def test_tasks(weight: str, rises: str, slots: str, bids: str, risen: str, cleared: str, winners: str) -> None:
    inputs = replace(
        EMPTY,
        tasks=[TaskRow(50, 7, int(slots), int(weight), 1000, int(rises))],
        bids=[BidRow(50, member, int(bid)) for member, bid in enumerate(bids.split(), 1)],
    )
    (result,) = decide(inputs).tasks
    assert (result.weight, result.cleared) == (int(risen), int(cleared))
    assert result.winners == [int(one) for one in winners.split()]


def test_a_cap_is_used_up_in_the_order_of_the_tasks() -> None:
    inputs = replace(
        EMPTY,
        tasks=[TaskRow(number, number, 1, 100, 1000, 0) for number in (1, 2, 3)],
        bids=[BidRow(number, 9, 60) for number in (1, 2, 3)] + [BidRow(3, 8, 70)],
        caps=[CapRow(9, 2500)],
    )
    assert [result.winners for result in decide(inputs).tasks] == [[9], [9], [8]]


def test_ties_for_a_task_go_by_the_lottery() -> None:
    inputs = replace(
        EMPTY, tasks=[TaskRow(1, 1, 1, 100, 1000, 0)], bids=[BidRow(1, member, 60) for member in range(1, 9)]
    )
    winners = {decide(replace(inputs, number=number)).tasks[0].winners[0] for number in range(1, 30)}
    assert len(winners) > 3
    assert decide(inputs).tasks[0].cleared == 60


# Coverage


# what it shows | balance | limit | wants: units x at most | units covered
COVERAGE = """
    all fits                                     | 0     | 10 | 2x3 1x4 | 2 1
    the oldest first, the others wait            | 0     | 8  | 2x3 1x4 | 2 0
    as many units as fit, then nothing else      | 0     | 8  | 3x3 1x1 | 2 0
    nothing fits                                 | -8    | 8  | 1x1     | 0
    below the limit by somebody else's doing     | -9    | 8  | 1x1     | 0
    what costs nothing always fits               | -8    | 8  | 1x1 3x0 | 0 3
    without a cost shown yet nothing is held     | 0     | 0  | 2x-1    | 2
"""


@pytest.mark.parametrize(("balance", "limit", "wants", "covered"), table(COVERAGE))
def test_coverage(balance: str, limit: str, wants: str, covered: str) -> None:
    rows = []
    for number, text in enumerate(wants.split(), 1):
        units, most = (int(one) for one in text.split("x"))
        rows.append(WantRow(number, number, 1, 0, units, 0, NONE, most, 0))
    inputs = replace(EMPTY, members=[MemberRow(1, int(balance), int(limit), 1)], wants=rows)
    assert coverage(inputs) == [int(one) for one in covered.split()]


# Goods: products of 100 thousandths of effort a unit


# what it shows | rule | units | wants: units x bid | cost | units got
RULES = """
    enough for all at the reserve        | preference | 4 | 1x300 2x200      | 100 | 1 2
    the highest losing bid               | preference | 3 | 1x300 2x200 1x150 | 150 | 1 2 0
    below the reserve nobody gets one    | preference | 3 | 1x99 1x100       | 100 | 0 1
    at cost: the reserve                 | preference | 1 | 1x-1             | 100 | 1
    at cost loses an auction             | preference | 1 | 1x-1 1x101       | 100 | 0 1
    no auction: the reserve for all      | effort     | 3 | 1x300 2x200 1x150 | 100 | 1 1 1
    a bid only says what is accepted     | effort     | 2 | 1x99 1x100       | 100 | 0 1
    all that is asked for is nothing     | flat-rate  | 2 | 1x0 1x0          | 0   | 1 1
    first units before second ones       | effort     | 2 | 2x100 2x100      | 100 | 1 1
"""


@pytest.mark.parametrize(("rule", "units", "wants", "cost", "got"), table(RULES))
def test_rules(rule: str, units: str, wants: str, cost: str, got: str) -> None:
    pairs = [(int(count), int(bid)) for count, bid in (one.split("x") for one in wants.split())]
    outcome = decide(market(int(units), pairs, rule))
    assert [one.cost for one in outcome.products] == [int(cost)]
    assert [one.got for one in outcome.wants] == [int(one) for one in got.split()]


def waited(*rows: tuple[int, int]) -> Inputs:
    """One unit without an auction, and wants that have got and waited so much."""
    inputs = market(1, [(1, 100)] * len(rows), "effort")
    wants = [want._replace(got=got, waited=rounds) for want, (got, rounds) in zip(inputs.wants, rows, strict=True)]
    return replace(inputs, wants=wants)


@pytest.mark.parametrize(
    ("rows", "winner"), [([(0, 0), (0, 1)], 2), ([(1, 9), (0, 0)], 2), ([(2, 0), (1, 0), (1, 1)], 3)]
)
def test_rank_is_first_units_then_rounds_waited(rows: list[tuple[int, int]], winner: int) -> None:
    assert [one.want_id for one in decide(waited(*rows)).wants if one.got] == [winner]


def test_ties_go_by_a_lottery_that_anybody_can_draw_again() -> None:
    inputs = waited(*[(0, 0)] * 8)
    expected = min(range(1, 9), key=lambda member: lottery(bytes.fromhex(LOT), 1, 1, member))
    assert [one.member_id for one in decide(inputs).given] == [expected]


def test_only_who_bid_enough_was_covered_and_lost_has_waited() -> None:
    inputs = market(1, [(1, 300), (1, 300), (1, 100), (1, 400)])
    poor = [row._replace(limit=0) if row.id == 4 else row for row in inputs.members]
    outcome = decide(replace(inputs, members=poor))
    assert [one.cost for one in outcome.products] == [300]
    assert sorted((one.lost, one.got) for one in outcome.wants[:2]) == [(0, 1), (1, 0)]
    assert [(one.lost, one.covered) for one in outcome.wants[2:]] == [(0, 1), (0, 0)]


# Products 5 and 8 with a unit each, at 100 and so much.
# what it shows | second reserve | product, bid, at most | what it bids, -1: none | too dear
AT_COST = """
    any: the dearest up to 1.25 x the cheapest | 125 | 0 -1 125 | 125 | 0
    any: not beyond that                       | 126 | 0 -1 125 | 100 | 0
    of one: its reserve                        | 126 | 8 -1 126 | 126 | 0
    above what it may be charged               | 126 | 8 -1 125 | -1  | 1
    with a bid: the bid                        | 126 | 8 90 90  | 90  | 0
    of one that is not there                   | 126 | 9 -1 125 | -1  | 0
"""


@pytest.mark.parametrize(("second", "want", "bid", "too_dear"), table(AT_COST))
def test_wants_at_cost(second: str, want: str, bid: str, too_dear: str) -> None:
    product, own, most = (int(one) for one in want.split())
    inputs = replace(
        EMPTY,
        goods=[GoodRow(1, "bread", "effort")],
        products=[
            ProductRow(5, 1, 1, 100, 0, 100, 0, 0),
            ProductRow(8, 1, 1, int(second), 0, int(second), 0, 0),
            ProductRow(9, 1, 0, 0, 0, 80, 0, 0),
        ],
        batches=[BatchRow(6, 5, 1, 1, 0, 100), BatchRow(7, 8, 1, 1, 0, int(second))],
        contributions=[ContributionRow(n, 1, n, effort, 0, 0) for n, effort in ((6, 100), (7, int(second)))],
        wants=[WantRow(1, 1, 1, product, 1, 0, own, most, 0)],
        members=[MemberRow(1, 0, 10_000, 1)],
    )
    (result,) = decide(inputs).wants
    assert (result.bid, result.too_dear) == (int(bid), int(too_dear))


def test_units_come_from_the_batches_in_proportion_to_what_is_left() -> None:
    inputs = market(12, [(4, 200)])
    inputs = replace(
        inputs,
        batches=[BatchRow(6, 5, 10, 9, 1, 1000), BatchRow(16, 5, 3, 3, 0, 300)],
        contributions=[ContributionRow(7, 99, 6, 1000, 100, 100), ContributionRow(17, 99, 16, 300, 0, 0)],
    )
    assert {row.batch_id: row.units for row in decide(inputs).given} == {6: 3, 16: 1}


# Demand: an average of 100 thousandths
# what it shows | units | wants | pledged | given, left, unmet, shortfall
DEMAND = """
    all got one                            | 2 | 2x200             | 0 | 2 0 0 0
    short                                  | 1 | 3x200             | 0 | 1 0 2 2
    what is promised is not short          | 1 | 3x200             | 1 | 1 0 2 1
    more is promised than is short         | 1 | 3x200             | 5 | 1 0 2 0
    a bid below the average is no demand   | 0 | 2x99 1x100        | 0 | 0 0 1 1
    at cost is demand                      | 0 | 2x-1              | 0 | 0 0 2 2
    left over                              | 3 | 1x200             | 0 | 1 2 0 0
"""


@pytest.mark.parametrize(("units", "wants", "pledged", "figures"), table(DEMAND))
def test_demand(units: str, wants: str, pledged: str, figures: str) -> None:
    pairs = [(int(count), int(bid)) for count, bid in (one.split("x") for one in wants.split())]
    inputs = market(int(units), pairs)
    inputs = replace(inputs, products=[inputs.products[0]._replace(pledged=int(pledged))])
    (good,) = decide(inputs).goods
    assert [good.given, good.left, good.unmet, good.shortfall] == [int(one) for one in figures.split()]
    assert (good.wanted, good.made, good.average) == (sum(count for count, _bid in pairs), int(units), 100)


def test_without_an_average_every_want_is_demand() -> None:
    inputs = market(0, [(2, 1)])
    inputs = replace(inputs, products=[inputs.products[0]._replace(last_average=NONE)])
    (good,) = decide(inputs).goods
    assert (good.average, good.shortfall) == (NONE, 2)


# Recognition and the commons


def test_recognition_never_depends_on_the_cost() -> None:
    for bids in ([(1, 100), (1, 100)], [(1, 100), (1, 9000)], [(1, 5000), (1, 9000), (1, 4000)]):
        outcome = decide(market(2, bids))
        assert [(row.due, row.credited) for row in outcome.credits] == [(200, 200)]


def common(*efforts: int, levy: int = 100, members: int = 2, commons: int = 0) -> Inputs:
    """Common work that is due: by members 1, 2, ... in turn, the oldest first."""
    work = [ContributionRow(10 + n, 1 + n % members, 0, effort, effort, 0) for n, effort in enumerate(efforts)]
    rows = [MemberRow(n, 0, 5000, 1) for n in range(1, members + 1)]
    return replace(EMPTY, levy=levy, commons=commons, contributions=work, members=rows)


# what it shows | efforts | credited | waiting
LEVY = """
    as much as the levy carries      | 150 50    | 150 50 | 0
    the oldest first                 | 150 100   | 150 50 | 50
    the rest waits                   | 500 100   | 200    | 400
"""


@pytest.mark.parametrize(("efforts", "credited", "waiting"), table(LEVY))
def test_the_levy_is_capped(efforts: str, credited: str, waiting: str) -> None:
    outcome = decide(common(*(int(one) for one in efforts.split())))
    assert [row.credited for row in outcome.credits] == [int(one) for one in credited.split()]
    assert sum(row.amount for row in outcome.shares) == -sum(row.credited for row in outcome.credits)
    owed = sum(int(one) for one in efforts.split())
    assert outcome.waiting == owed - sum(row.credited for row in outcome.credits)
    assert outcome.waiting in {int(waiting), int(waiting) + 100}


def test_who_does_not_share_carries_only_when_credited_in_this_round() -> None:
    inputs = common(50, 500)
    off = [row._replace(shares=0) for row in inputs.members]
    outcome = decide(replace(inputs, members=off))
    # Member 1 is credited 50 and shares by it, member 2 as well: 2 x 100 for both.
    assert [row.credited for row in outcome.credits] == [50, 150]
    assert {row.member_id for row in outcome.shares} == {1, 2}
    nobody = decide(replace(inputs, members=off, levy=0))
    assert (nobody.credits, nobody.shares, nobody.waiting) == ([], [], 550)


def test_without_anybody_to_share_the_commons_keeps_what_it_has() -> None:
    off = [MemberRow(1, 0, 5000, 0)]
    outcome = decide(replace(EMPTY, commons=70, members=off))
    assert (outcome.surplus, outcome.kept, outcome.shares) == (70, 70, [])


def test_what_all_cannot_bear_is_kept() -> None:
    poor = [MemberRow(1, -40, 50, 1), MemberRow(2, -60, 50, 1)]
    outcome = decide(replace(EMPTY, commons=-30, members=poor))
    assert ([tuple(row) for row in outcome.shares], outcome.kept) == ([(1, -10)], -20)


def test_the_cost_of_a_good_carries_all_its_makers() -> None:
    """At the same cost for all, what one product costs above its effort carries what another costs below."""
    inputs = replace(
        EMPTY,
        levy=0,
        goods=[GoodRow(1, "bread", "flat-allocation")],
        products=[ProductRow(5, 1, 1, 100, 0, 100, 0, 0), ProductRow(8, 1, 1, 300, 0, 300, 0, 0)],
        batches=[BatchRow(6, 5, 1, 1, 0, 100), BatchRow(7, 8, 1, 1, 0, 300)],
        contributions=[ContributionRow(10, 2, 6, 100, 0, 0), ContributionRow(11, 3, 7, 300, 0, 0)],
        wants=[WantRow(1, 1, 1, 0, 2, 0, 500, 500, 0)],
        members=[MemberRow(n, 0, 10_000, 1) for n in (1, 2, 3)],
    )
    outcome = decide(inputs)
    assert [(row.cost, row.units) for row in outcome.given] == [(200, 1), (200, 1)]
    assert ([row.credited for row in outcome.credits], outcome.waiting) == ([100, 300], 0)


def test_costs_below_effort_are_carried_by_the_levy() -> None:
    outcome = decide(replace(market(1, [(1, 0)], "flat-rate"), levy=40))
    # two share: 80 of the 100, and 20 wait
    assert ([row.credited for row in outcome.credits], outcome.waiting) == ([80], 20)
    assert decide(replace(market(1, [(1, 0)], "flat-rate"), levy=0)).credits[0].due == 100


def test_the_work_of_who_left_stays_in_the_commons() -> None:
    inputs = market(1, [(1, 100)])
    outcome = decide(replace(inputs, members=[row for row in inputs.members if row.id != 99]))
    assert (outcome.credits, [tuple(row) for row in outcome.shares]) == ([], [(1, 100)])


def test_what_was_not_given_back_is_not_credited_twice() -> None:
    inputs = market(1, [(1, 100)])
    outcome = decide(replace(inputs, contributions=[ContributionRow(7, 99, 6, 100, 60, 60)]))
    assert [(row.due, row.credited) for row in outcome.credits] == [(100, 40)]
    # Of two units, both given back, the maker kept 90 of 200: the first of them given again makes 100 due.
    again = replace(market(2, [(1, 100)]), contributions=[ContributionRow(7, 99, 6, 200, 90, 90)])
    assert [(row.due, row.credited) for row in decide(again).credits] == [(100, 10)]
    kept = replace(again, contributions=[ContributionRow(7, 99, 6, 200, 150, 150)])
    assert decide(kept).credits == []


# Why


@pytest.mark.parametrize(
    ("units", "bids", "own", "expected"),
    [
        (3, [(1, 1200), (2, 900), (1, 700)], 3, 900),  # a first unit goes before the second one of whoever bid 0.9
        (3, [(1, 1200), (2, 905), (2, 700)], 3, 910),  # one more than the 0.905 that one of them costs now
        (2, [(1, 95)], 1, 100),  # the reserve
        (2, [(2, 900), (1, 700)], 1, None),  # has all there is
        (1, [(1, 200), (1, 205)], 1, 210),
    ],
)
def test_what_would_have_been_enough(units: int, bids: list[tuple[int, int]], own: int, expected: int | None) -> None:
    inputs = market(units, bids)
    outcome = decide(inputs)
    result = next(one for one in outcome.wants if one.want_id == own)
    assert enough_bid(inputs, outcome, result) == expected
