"""Deciding a round: tables for each rule, and what is always true of whatever comes out."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.recognition import due_with
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
    Outcome,
    ProductRow,
    TaskRow,
    WantRow,
)
from core.sharing import lottery
from tests.cases import table

WEEK = 7 * 24 * 3600
LOT = "5ec2e7"
EMPTY = Inputs(number=1, secret=LOT, elapsed_seconds=WEEK, growth=10, max_weight=400, levy=3000)


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


def market(units: int, wants: list[tuple[int, int]], rule: str = "preference", effort: int = 100) -> Inputs:
    """Members 1, 2, 3 ... want (units, bid), -1 at cost; one product with a batch of so many units, by member 99."""
    rows = [WantRow(n, 1, n, 0, count, 0, bid, max(bid, 125), 0) for n, (count, bid) in enumerate(wants, 1)]
    members = [MemberRow(n, 0, 10_000, 1) for n in (*range(1, len(wants) + 1), 99)]
    return replace(
        EMPTY,
        goods=[GoodRow(1, "bread", rule)],
        products=[ProductRow(5, 1, units, units * effort, 0, effort, 0, units)],
        batches=[BatchRow(6, 5, units, units, 0, units * effort)] if units else [],
        contributions=[ContributionRow(7, 99, 6, units * effort, 0, 0)] if units else [],
        wants=rows,
        members=members,
    )


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
    result = next(one for one in decide(inputs).wants if one.want_id == own)
    assert enough_bid(inputs, result) == expected


# Properties

RULE_NAMES = ("preference", "effort", "flat-allocation", "flat-rate")


@st.composite
def rounds(draw: st.DrawFn) -> Inputs:
    """Whole rounds of a small pool that hang together: efforts of batches are those of their contributions."""
    pick = random.Random(draw(st.integers(0, 2**32)))
    members = [
        MemberRow(n, pick.randint(-3000, 3000), pick.choice([3000, 5000, 10_000]), pick.randint(0, 1))
        for n in range(1, 7)
    ]
    goods, products, batches, work, wants = [], [], [], [], []
    for good_id in (101, 102):
        goods.append(GoodRow(good_id, f"good {good_id}", pick.choice(RULE_NAMES)))
        for product_id in (good_id * 10, good_id * 10 + 1):
            units = effort_left = 0
            for batch_id in (product_id * 10, product_id * 10 + 1)[: pick.randint(0, 2)]:
                count = pick.randint(1, 5)
                given_before = pick.randint(0, count - 1)
                efforts = [pick.randint(1, 900) for _ in range(pick.randint(1, 3))]
                parts = _due_before(efforts, count, given_before)
                for n, (one, due) in enumerate(zip(efforts, parts, strict=True)):
                    credited = pick.choice([due, due, pick.randint(0, due)])
                    work.append(ContributionRow(batch_id * 10 + n, pick.randint(1, 7), batch_id, one, due, credited))
                batches.append(BatchRow(batch_id, product_id, count, count - given_before, given_before, sum(efforts)))
                units += count - given_before
                effort_left += sum(efforts) - sum(parts)
            leftover = pick.randint(0, 3)
            products.append(ProductRow(product_id, good_id, units, effort_left, leftover, 300, pick.randint(0, 2), 0))
        for member in members:
            if pick.random() < 0.7:
                bid = pick.choice([NONE, pick.randint(0, 900)])
                product_id = pick.choice([0, 0, good_id * 10, good_id * 10 + 1])
                most = pick.randint(0, 900) if bid == NONE else bid
                units = pick.randint(1, 3)
                row = WantRow(0, good_id, member.id, product_id, units, pick.randint(0, 2), bid, most, 0)
                wants.append(row._replace(waited=pick.randint(0, 3)))
    wants = [row._replace(id=n) for n, row in enumerate(wants, 1)]
    for n in range(pick.randint(0, 4)):
        effort = pick.randint(1, 4000)
        work.insert(0, ContributionRow(n + 1, pick.randint(1, 6), 0, effort, effort, pick.randint(0, effort)))
    tasks = [TaskRow(n, n, pick.randint(1, 3), pick.randint(25, 400), 1000, pick.randint(0, 1)) for n in (1, 2, 3)]
    bids = [BidRow(task.id, n, pick.randint(1, 400)) for task in tasks for n in range(1, 7) if pick.random() < 0.6]
    return Inputs(
        number=pick.randint(1, 50),
        secret=pick.randbytes(32).hex(),
        elapsed_seconds=pick.randint(0, 3 * WEEK),
        growth=pick.randint(0, 30),
        max_weight=400,
        levy=pick.choice([0, 10, 3000]),
        commons=pick.randint(-500, 500),
        tasks=tasks,
        bids=bids,
        caps=[CapRow(n, pick.randint(0, 3000)) for n in (1, 2)],
        goods=goods,
        products=products,
        batches=batches,
        wants=wants,
        members=members,
        contributions=work,
    )


def _due_before(efforts: list[int], units: int, given_before: int) -> list[int]:
    return due_with(sum(efforts), units, given_before, efforts)


@given(rounds())
@settings(max_examples=60, deadline=None)
def test_whatever_is_decided_adds_up(inputs: Inputs) -> None:
    outcome = decide(inputs)
    _amounts_hold(inputs, outcome)
    _units_hold(inputs, outcome)
    _work_holds(inputs, outcome)


def _amounts_hold(inputs: Inputs, outcome: Outcome) -> None:
    costs = Counter[int]()
    for row in outcome.given:
        costs[row.member_id] += row.units * row.cost
    credited = sum(row.credited for row in outcome.credits)
    shared = sum(row.amount for row in outcome.shares)
    assert outcome.surplus == inputs.commons + sum(costs.values()) - credited
    assert outcome.kept == outcome.surplus - shared
    after = {row.id: row.balance - costs[row.id] for row in inputs.members}
    for credit in outcome.credits:
        after[credit.member_id] += credit.credited
    paid = dict(after)
    for share in outcome.shares:
        after[share.member_id] += share.amount
    for member in inputs.members:
        assert after[member.id] >= min(-member.limit, member.balance)
        if paid[member.id] < 0:
            assert paid[member.id] >= min(-member.limit, member.balance)
    got = {row.member_id for row in outcome.given} | {row.member_id for row in outcome.credits if row.credited}
    sharers = {row.id for row in inputs.members if row.shares or row.id in got}
    assert {row.member_id for row in outcome.shares} <= sharers
    if outcome.surplus >= 0:
        assert outcome.kept == (0 if sharers else outcome.surplus)
    elif outcome.kept:
        assert all(after[member.id] <= -member.limit for member in inputs.members if member.id in sharers)
    _levy_holds(inputs, outcome, costs, len(sharers))


def _levy_holds(inputs: Inputs, outcome: Outcome, costs: Counter[int], sharers: int) -> None:
    credited = sum(row.credited for row in outcome.credits)
    assert credited - sum(costs.values()) <= inputs.levy * sharers
    rows = {row.contribution_id: row for row in outcome.credits}
    staying = {row.id for row in inputs.members}
    owed = 0
    for row in inputs.contributions:
        if row.member_id in staying:
            one = rows.get(row.id)
            owed += (one.due if one else row.due) - row.recognised - (one.credited if one else 0)
    assert owed == outcome.waiting


def _units_hold(inputs: Inputs, outcome: Outcome) -> None:
    given_of = Counter[int]()
    for row in outcome.given:
        given_of[row.batch_id] += row.units
        assert row.units > 0
    for batch in inputs.batches:
        assert given_of[batch.id] <= batch.left
    wants = {row.id: row for row in inputs.wants}
    covered = dict(zip(wants, coverage(inputs), strict=True))
    for result in outcome.wants:
        assert result.got <= covered[result.want_id] <= wants[result.want_id].units
    for row in outcome.given:
        want = wants[row.want_id]
        assert row.cost <= max(want.maximum, 0)
        assert want.product_id in {0, row.product_id}
    for good in outcome.goods:
        assert good.shortfall == max(0, good.unmet - good.left - good.pledged)


def _work_holds(inputs: Inputs, outcome: Outcome) -> None:
    work = {row.id: row for row in inputs.contributions}
    for row in outcome.credits:
        before = work[row.contribution_id]
        assert before.due <= row.due <= before.effort
        assert 0 <= row.credited <= row.due - before.recognised
    given_of = Counter[int]()
    for one in outcome.given:
        given_of[one.batch_id] += one.units
    dues = {row.contribution_id: row.due for row in outcome.credits}
    for batch in inputs.batches:
        own = [row for row in inputs.contributions if row.batch_id == batch.id]
        if all(row.member_id in {one.id for one in inputs.members} for row in own):
            due = sum(dues.get(row.id, row.due) for row in own)
            exact = 2 * batch.effort * (batch.given + given_of[batch.id])
            assert abs(2 * due * batch.units - exact) <= batch.units


@given(rounds(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_outcome_does_not_depend_on_the_order_of_rows_without_an_order(inputs: Inputs, rng: random.Random) -> None:
    """Tasks come by due date, wants and work by age; all else may come as it likes."""
    other = replace(inputs)
    for name in ("bids", "caps", "products", "batches", "members"):
        rows = list(getattr(other, name))
        rng.shuffle(rows)
        object.__setattr__(other, name, rows)
    assert decide(other) == decide(inputs)


@given(rounds())
@settings(max_examples=40, deadline=None)
def test_kept_inputs_decide_the_same_again(inputs: Inputs) -> None:
    assert Inputs.unpack(inputs.pack()) == inputs
    outcome = decide(inputs)
    assert Outcome.unpack(outcome.pack()) == outcome
    assert decide(Inputs.unpack(inputs.pack())) == outcome
