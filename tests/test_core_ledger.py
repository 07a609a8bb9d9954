"""The ledger: sums that are always zero, transfers that happen once, limits and holds, indexes that carry a million."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from core import ledger
from core.ledger import COMMONS, Entry, KeyReusedError, Standing, TransferKind, standing, transfer, transfer_all
from core.settings import PoolSettings
from core.store import add, add_now
from core.tables import Good, Member, Pool, Transfer, Want
from tests.cases import table
from tests.conftest import NOW, found, person_in

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.store import Store

ENTRY = re.compile(
    r"(?P<key>\w+) (?P<kind>\w+) (?P<giver>\w+)>(?P<taker>\w+) (?P<amount>-?\d+(?:e18)?)(?P<again> again)?"
)
CASES = table("""
    nothing yet                | |
    work pays                  | a effort commons>ana 5 | commons -5, ana 5
    a unit costs               | a cost ana>commons 5 | ana -5, commons 5
    work and cost              | a effort commons>ana 5, b cost ben>commons 3 | commons -2, ana 5, ben -3
    the rest is shared         | a cost ana>commons 5, b settle commons>ben 5 | ana -5, commons 0, ben 5
    a levy is the other way    | a settle commons>ana -4, b settle commons>ben -1 | ana -4, ben -1, commons 5
    merged                     | a effort commons>ana 5, b merge ana>ben 5 | commons -5, ana 0, ben 5
    who leaves                 | a effort commons>ana 5, b leave ana>commons 5 | commons 0, ana 0
    nothing is no transfer     | a effort commons>ana 0 |
    a key counts once          | a effort commons>ana 5, a effort commons>ana 5 again | commons -5, ana 5
    also the other way round   | a settle commons>ana -5, a settle ana>commons 5 again | ana -5, commons 5
    nothing uses up no key     | a effort commons>ana 0, a effort commons>ana 5 | commons -5, ana 5
    two keys count twice       | a effort commons>ana 5, b effort commons>ana 5 | commons -10, ana 10
    more than 32 bits          | a effort commons>ana 4e18 | commons -4e18, ana 4e18
""")
REUSED = table("""
    another amount  | b effort commons>ana 6
    another taker   | b effort commons>ben 5
    another giver   | b effort ben>ana 5
    another kind    | b settle commons>ana 5
    the other way   | b effort ana>commons 5
    a negative one  | b effort commons>ana -5
""")
RECOGNISED = table("""
    work                     | a effort commons>ana 5 | ana 5 | 5
    work twice               | a effort commons>ana 5, b effort commons>ana 7 | ana 12 | 12
    taken back by return     | a effort commons>ana 5, b return ana>commons 2 | ana 3 | 3
    taken back by correction | a effort commons>ana 5, b effort ana>commons 5 | ana 0 | 0
    a cost that comes back   | a return commons>ana 5 | | 0
    neither cost nor share   | a cost ana>commons 5, b settle commons>ana 9, c settle ana>commons 1 | | 0
    neither merged nor left  | a merge ben>ana 5, b leave ana>commons 1 | | 0
    of somebody else         | a effort commons>ben 5 | ben 5 | 0
""")


class Books:
    """A pool with Ana, Ben and Cleo, and the table language of this file."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.pool, ana = found(session)
        self.people = {"ana": ana, "ben": person_in(session, self.pool, "Ben")}
        self.people["cleo"] = person_in(session, self.pool, "Cleo")
        session.flush()

    @property
    def ana(self) -> Member:
        return self.people["ana"]

    def account(self, name: str) -> int | None:
        return COMMONS if name == "commons" else self.people[name].id

    def name(self, account: int | None) -> str:
        return next((name for name, one in self.people.items() if one.id == account), "commons")

    def make(self, text: str) -> None:
        for part in filter(None, text.split(", ")):
            match = ENTRY.fullmatch(part)
            assert match, part
            assert transfer(self.session, self.pool, self.entry(match), NOW) == (
                match["again"] is None and match["amount"] != "0"
            )

    def entry(self, match: re.Match[str]) -> Entry:
        giver, taker = self.account(match["giver"]), self.account(match["taker"])
        return Entry(match["key"], TransferKind(match["kind"]), giver, taker, number(match["amount"]), "test", 1)

    def shown(self, amounts: Any) -> dict[str, int]:
        return {self.name(account): amount for account, amount in amounts.items()}


def number(text: str) -> int:
    return int(text.replace("e18", "0" * 18))


def read(text: str) -> dict[str, int]:
    pairs = (part.split() for part in filter(None, text.split(", ")))
    return {name: number(amount) for name, amount in pairs}


@pytest.mark.parametrize(("transfers", "balances"), CASES)
def test_balances_are_sums_of_transfers(store: Store, transfers: str, balances: str) -> None:
    with store.write() as session:
        books = Books(session)
        books.make(transfers)
        expected = read(balances)
        assert books.shown(ledger.balances(session, books.pool.id)) == expected
        assert sum(expected.values()) == 0
        for name in ("commons", "ana", "ben", "cleo"):
            account = books.account(name)
            assert ledger.balance(session, books.pool.id, account) == expected.get(name, 0)


@pytest.mark.parametrize("other", REUSED)
def test_a_key_means_one_transfer_for_ever(store: Store, other: str) -> None:
    with store.write() as session:
        books = Books(session)
        books.make("a cost ben>commons 1, b effort commons>ana 5")
        with pytest.raises(KeyReusedError, match="b"):
            books.make(other)
        assert books.shown(ledger.balances(session, books.pool.id)) == {"commons": -4, "ana": 5, "ben": -1}


@pytest.mark.parametrize(("transfers", "recognised", "of_ana"), RECOGNISED)
def test_recognised_is_what_work_was_credited(store: Store, transfers: str, recognised: str, of_ana: str) -> None:
    with store.write() as session:
        books = Books(session)
        books.make(transfers)
        assert books.shown(ledger.recognised(session, books.pool.id)) == read(recognised)
        assert ledger.recognised_of(session, books.ana) == int(of_ana)


def test_a_transfer_keeps_what_it_is_for(store: Store) -> None:
    with store.write() as session:
        books = Books(session)
        books.make("a settle commons>ana -5")
        row = session.get_one(Transfer, (books.pool.id, books.pool.last_id))
        shown = row.key, row.kind, row.amount, row.subject, row.round_number, row.at
        assert shown == ("a", "settle", 5, "test", 1, NOW)
        assert (row.from_id, row.to_id) == (books.ana.id, None)


def test_pools_have_books_of_their_own(store: Store) -> None:
    with store.write() as session:
        books = Books(session)
        books.make("a effort commons>ana 5")
        other = add_now(session, Pool(name="B", code="B", founded_at=NOW))
        assert ledger.balances(session, other.id) == {}
        ben = person_in(session, other, "Ben")
        entry = Entry("a", TransferKind.COST, ben.id, COMMONS, 3, "")
        assert transfer(session, other, entry, NOW)
        assert ledger.balances(session, other.id) == {None: 3, ben.id: -3}
        assert ledger.recognised(session, other.id) == {}
        assert books.shown(ledger.balances(session, books.pool.id)) == {"commons": -5, "ana": 5}


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("positive", {"amount": 0}),
        ("positive", {"amount": -1}),
        ("two_accounts", {"to_id": None}),
        ("two_accounts", {"from_id": 1, "to_id": 1}),
        ("(?i)unique", {"key": "taken"}),
    ],
)
def test_the_tables_take_no_wrong_transfer(store: Store, constraint: str, change: dict[str, Any]) -> None:
    right: dict[str, Any] = {"key": "a", "kind": "effort", "from_id": None, "to_id": 1, "amount": 5, "at": NOW}
    with store.write() as session:
        pool = Books(session).pool
        add(session, Transfer(pool_id=pool.id, **{**right, "key": "taken"}))
        session.flush()
        with pytest.raises(IntegrityError, match=constraint), session.begin_nested():
            add(session, Transfer(pool_id=pool.id, **{**right, **change}))
        assert ledger.balances(session, pool.id) == {None: -5, 1: 5}


ACCOUNTS = st.sampled_from(["commons", "ana", "ben", "cleo"])
ENTRIES = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(list(TransferKind)), ACCOUNTS, ACCOUNTS, st.integers(-99, 99)).filter(
        lambda one: one[2] != one[3]
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ENTRIES)
def test_sums_are_zero_and_every_key_counts_once(
    store: Store, drawn: list[tuple[int, TransferKind, str, str, int]]
) -> None:
    """Keeps books of its own beside the real ones; every entry is tried twice."""
    with store.write() as session, session.begin_nested() as savepoint:
        books = Books(session)
        seen: dict[str, tuple[TransferKind, str, str, int]] = {}
        expected: dict[str, int] = {}
        for number, kind, giver, taker, amount in drawn:
            entry = Entry(f"{number}", kind, books.account(giver), books.account(taker), amount, "")
            sides = (giver, taker) if amount > 0 else (taker, giver)
            meant = (kind, *sides, abs(amount))
            is_reused = amount != 0 and seen.setdefault(entry.key, meant) != meant
            for _time in range(2):
                if is_reused:
                    with pytest.raises(KeyReusedError):
                        transfer(session, books.pool, entry, NOW)
                else:
                    transfer_all(session, books.pool, [entry, entry], NOW)
        for _kind, giver, taker, amount in seen.values():
            expected[giver] = expected.get(giver, 0) - amount
            expected[taker] = expected.get(taker, 0) + amount
        balances = ledger.balances(session, books.pool.id)
        assert {"commons": 0, **books.shown(balances)} == {"commons": 0, **expected}
        assert ledger.balance(session, books.pool.id, COMMONS) == expected.get("commons", 0)
        savepoint.rollback()


# Limits and holds


@pytest.mark.parametrize(
    ("limit", "newcomer", "recognised", "expected"),
    [
        ("10 h", "5 h", 0, 5_000),
        ("10 h", "5 h", 2_000, 7_000),
        ("10 h", "5 h", 5_000, 10_000),
        ("10 h", "5 h", 90_000, 10_000),
        ("10 h", "5 h", -1_000, 5_000),
        ("3 h", "5 h", 0, 3_000),
        ("0 h", "5 h", 9_000, 0),
    ],
)
def test_the_limit_grows_with_recognition(limit: str, newcomer: str, recognised: int, expected: int) -> None:
    chosen = PoolSettings({"limit": limit, "newcomer": newcomer})
    assert ledger.limit_with(chosen, recognised) == expected


@pytest.mark.parametrize(
    ("wants", "held", "free"),
    [
        ([], 0, 7_500),
        ([(2, 1_000, False)], 2_000, 5_500),
        ([(2, 1_000, False), (3, 500, False)], 3_500, 4_000),
        ([(2, 1_000, True), (3, 500, False)], 1_500, 6_000),
        ([(2, None, False)], 0, 7_500),
        ([(9, 1_000, False)], 9_000, -1_500),
    ],
)
def test_wants_hold_the_most_they_may_be_charged(
    store: Store, wants: list[tuple[int, int | None, bool]], held: int, free: int
) -> None:
    with store.write() as session:
        books = Books(session)
        books.make("a effort commons>ana 2000, b cost ana>commons 1500")
        goods = []
        for number, (units, maximum, ended) in enumerate(wants):
            good = Good(pool_id=books.pool.id, name=f"{number}", name_key=f"{number}", created_at=NOW)
            goods.append(add(session, good))
            row = Want(good_id=good.id, units=units, maximum=maximum, at=NOW, ended_at=NOW if ended else None)
            row.pool_id, row.member_id = books.pool.id, books.ana.id
            add(session, row)
        session.flush()
        now = standing(session, books.ana)
        assert now == Standing(balance=500, limit=7_000, held=held)
        assert now.free == free
        assert standing(session, books.people["ben"]) == Standing(balance=0, limit=5_000, held=0)
        for good, (units, maximum, ended) in zip(goods, wants, strict=True):
            mine = 0 if ended else units * (maximum or 0)
            assert standing(session, books.ana, but_good_id=good.id).held == held - mine


# Speed: no timing, but what a million transfers would be read with


def plans_of(session: Session, call: Any) -> list[str]:
    """How SQLite reads the tables for every statement of a call, as EXPLAIN QUERY PLAN tells it."""
    asked: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        asked.append((arguments[2], arguments[3]))

    session.flush()
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    call()
    event.remove(connection, "before_cursor_execute", note)
    driver: Any = connection.connection.dbapi_connection
    rows = [row for sql, values in asked for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    return [row[3] for row in rows]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("balance", ("pool", "ana"), {"(pool_id=? AND to_id=?)", "(pool_id=? AND from_id=?)"}),
        ("balance", ("pool", "commons"), {"(pool_id=? AND to_id=?)", "(pool_id=? AND from_id=?)"}),
        ("balances", ("pool",), {"(pool_id=? AND to_id>?)", "(pool_id=? AND from_id>?)"}),
        ("recognised", ("pool",), {"(pool_id=? AND to_id>?)", "(pool_id=? AND from_id>?)"}),
    ],
)
def test_sums_are_read_from_an_index_alone(
    file_store: Store, name: str, arguments: tuple[str, ...], expected: set[str]
) -> None:
    with file_store.write() as session:
        books = Books(session)
        number = count()
        for _time in range(50):
            books.make(f"k{next(number)} effort commons>ana 5, k{next(number)} cost ben>commons 5")
        values = {"pool": books.pool.id, "ana": books.ana.id, "commons": None}
        plans = plans_of(session, lambda: getattr(ledger, name)(session, *(values[one] for one in arguments)))
    assert len(plans) == 2
    used = {re.sub(r"SEARCH transfer USING COVERING INDEX transfer_(to|from) ", "", plan) for plan in plans}
    assert used == expected


def test_a_key_is_looked_up(file_store: Store) -> None:
    with file_store.write() as session:
        books = Books(session)
        books.make("a effort commons>ana 5")
        plans = plans_of(session, lambda: books.make("a effort commons>ana 5 again"))
        assert [re.sub(r"USING INDEX \w+", "USING", plan) for plan in plans] == [
            "SEARCH transfer USING (pool_id=? AND key=?)"
        ]


def test_where_a_member_stands_is_read_from_indexes_at_once(file_store: Store) -> None:
    with file_store.write() as session:
        books = Books(session)
        books.make("a effort commons>ana 5")
        plans = plans_of(session, lambda: ledger.standing(session, books.ana))
    assert [plan for plan in plans if plan.startswith(("SEARCH", "SCAN")) and "anon" not in plan] == [
        "SEARCH transfer USING COVERING INDEX transfer_to (pool_id=? AND to_id=?)",
        "SEARCH transfer USING COVERING INDEX transfer_from (pool_id=? AND from_id=?)",
        "SEARCH want USING INDEX want_standing (pool_id=? AND member_id=?)",
    ]
