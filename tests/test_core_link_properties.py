"""Whatever two people have done in a pool: made one person, no sum changes and nothing is theirs twice."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from core import ledger, reports
from core.audit import check, replay
from core.errors import BelowLimitTogetherError, Refusal
from core.leaving import leave
from core.merging import merge
from core.schema import open_store
from core.tables import Bid, Claim, Confirmation, Contribution, Member, Task, Transfer, Want
from core.tasks import claims_of
from tests.village import START, Village

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.store import Store

PEOPLE = ("Ana", "Bo", "Cy", "Dee", "Eve")
HOME = {"Dee": ("salad", "garden"), "Eve": ("salad", "garden")}
DEEDS = ("want", "bid", "claim", "report", "confirm", "make", "back", "round", "leave", "later")
deeds = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.sampled_from(PEOPLE[1:]), st.integers(0, 5)), min_size=5, max_size=30
)


@pytest.fixture(scope="module")
def memory() -> Iterator[Store]:
    """A store in memory; what a test does in it is taken back."""
    with closing(open_store("sqlite://", START)) as store:
        yield store


def do(village: Village, deed: str, who: str, number: int) -> None:
    """Do something, if the rules let it."""
    tasks = village.session.exec(select(Task).order_by(col(Task.number))).all()
    task = tasks[number % len(tasks)]
    good, project = HOME.get(who, ("bread", "bakery"))
    match deed:
        case "want":
            village.want(who, 1 + number, bid=400 * number, good=("bread", "salad")[number % 2])
        case "bid":
            village.bid(task, who, 60 + 10 * number)
        case "claim":
            village.claim(task, who)
        case "report":
            village.report(task, who, 500 * (1 + number))
        case "confirm":
            village.confirm(task, who)
        case "make":
            village.batch(1 + number, 700 * (1 + number), good, who, project)
        case "back":
            reports.back(village.session, task, village.people[who], village.now)
        case "round":
            village.next_round()
        case "leave":
            leave(village.session, village.people[who], village.now)
        case _:
            village.later(hours=number)


def live(village: Village, story: list[tuple[str, str, int]]) -> None:
    """Let a small pool live; what is refused leaves no trace."""
    village.good()
    village.good("salad", "garden")
    village.set_project("bakery", confirmations="2")
    for number in range(3):
        village.post(slots=1 + number, urgent=number > 0)
    for deed, who, number in story:
        if village.people[who].left_at is None:
            with suppress(Refusal), village.session.begin_nested():
                do(village, deed, who, number)


def figures(village: Village) -> Counter[str]:
    """What must stay the same, whoever it belongs to."""
    session, found = village.session, Counter[str]()
    for work in session.exec(select(Contribution)):
        found["effort"] += work.effort
        found["recognised"] += work.recognised
    found["commons"] = village.commons()
    found["credited"] = sum(ledger.recognised(session, village.pool.id).values())
    found["done"] = len(session.exec(select(Claim).where(col(Claim.confirmed_at).is_not(None))).all())
    return found


@given(deeds, st.permutations(PEOPLE))
@settings(max_examples=25, deadline=None)
def test_two_become_one(memory: Store, story: list[tuple[str, str, int]], order: list[str]) -> None:
    with Session(memory.engine, expire_on_commit=False) as session, session.begin() as transaction:
        village = Village(session).garden()
        live(village, story)
        session.flush()
        _become_one(village, village.people[order[0]], village.people[order[1]])
        transaction.rollback()


def _become_one(village: Village, one: Member, two: Member) -> None:
    session, before = village.session, figures(village)
    was_there = one.left_at is None and two.left_at is None
    together = sum(ledger.balance(session, village.pool.id, member.id) for member in (one, two))
    allowed = sum(ledger.standing(session, member).limit for member in (one, two))
    try:
        with session.begin_nested():
            merged = merge(session, one, two, village.now)
    except BelowLimitTogetherError:
        least = min(ledger.standing(session, member).limit for member in (one, two))
        assert not was_there or together < -least
        return
    kept = merged.member
    gone = two if kept is one else one
    if was_there:
        assert merged.balance == together
        assert figures(village) == before
        standing = ledger.standing(session, kept)
        assert standing.limit <= allowed
        assert standing.free >= 0 or not standing.held
    assert sum(merged.balances.values()) == merged.balance or kept.left_at is not None
    assert ledger.balance(session, village.pool.id, gone.id) == 0
    _nothing_is_theirs_twice(village, kept)
    assert check(session, village.pool) == []
    assert replay(session, village.pool, None) == []
    last = village.pool.last_id
    village.next_round()
    after = session.exec(select(Transfer).where(Transfer.pool_id == village.pool.id, Transfer.id > last)).all()
    assert gone.id not in {side for row in after for side in (row.from_id, row.to_id)}


def _nothing_is_theirs_twice(village: Village, kept: Member) -> None:
    session = village.session
    held = 0
    for want in session.exec(select(Want).where(Want.member_id == kept.id, col(Want.ended_at).is_(None))):
        held += want.units * (want.maximum or 0)
    assert held == ledger.standing(session, kept).held
    for task in session.exec(select(Task)):
        own = [claim for claim in claims_of(session, task) if claim.member_id == kept.id]
        assert sum(claim.confirmed_at is None for claim in own) <= 1
        if own:
            assert session.get(Bid, (task.pool_id, task.id, kept.id)) is None
        for claim in own:
            said = session.get(Confirmation, (task.pool_id, "claim", claim.id, kept.id))
            assert claim.confirmed_at is not None or said is None
