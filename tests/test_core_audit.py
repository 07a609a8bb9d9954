from __future__ import annotations

import shutil
import sqlite3
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import select

from core import audit
from core.audit import Finding, Invariant
from core.chat.transcript import Player, open_private
from core.rounds.inputs import Inputs, Outcome
from core.store import Store
from core.tables import Pool, Round
from tests.cases import table

if TYPE_CHECKING:
    from collections.abc import Iterator

# Two rounds, one of them after an outage: an auction, common work, a free good, units returned, a batch that expires,
# a figure corrected, wants that stand and wants that are over.
STORY = """
ana@bakery: /pool new Valley
ana@bakery: /project new Bakery
ana@bakery: /good new bread unit:loaf
ana@bakery: /good new manual free:example.org
ana@bakery: /task new Bake 3h x2 for:bread urgent
bo@bakery: /claim 1
cy@bakery: /claim 1
bo@bakery: /done 1
cy@bakery: /done 1
ana@bakery: /confirm 1 bo
ana@bakery: /confirm 1 cy
ana@bakery: /made bread 6 until:2026-05-20
ana@bakery: /bid bread 1.2
bo@bakery: /want bread 2 max:0.9
cy@bakery: /bid bread 1.1 4
dee@bakery: /want bread every:round
dee@bakery: /task new Sweep 1h urgent
dee@bakery: /claim 2
dee@bakery: /done 2
ana@bakery: /confirm 2
now 2026-05-10 18:00
ana@bakery: /missing bread
ana@bakery: /return bread ana
cy@bakery: /collected bread
bo@bakery: /did Oven 2h
ana@bakery: /confirm 3
cy@bakery: /want manual
bo@bakery: /want bread 3 max:0.4
cy@bakery: /unwant bread
later 2026-06-03 09:00
ana@bakery: /made bread 5 2h
cy@bakery: /confirm 4
ana@bakery: /bid bread 1.5
now 2026-06-07 18:00
dee@bakery: /bid bread 0.3
ana@bakery: /correct 1 bo 1h was less
"""

LOOSEN = """
CREATE TABLE loose AS SELECT * FROM "?";
DROP TABLE "?";
ALTER TABLE loose RENAME TO "?";
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def play(player: Player, line: str) -> None:
    """Play a line of the story; `later` is an outage: nothing is done until then."""
    word, _, rest = line.partition(" ")
    if word == "now":
        player.go_to(at(rest))
    elif word == "later":
        player.now = at(rest)
        player.go_to(player.now)
    else:
        who, chat = word.rstrip(":").split("@")
        open_private(player, "console", who)
        player.say("console", who, chat, rest)


@pytest.fixture(scope="module")
def original(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit") / "original.db"
    shutil.copy(empty_database, path)
    player = Player(Store(f"sqlite:///{path}"), now=at("2026-05-04 09:00"))
    for line in STORY.strip().splitlines():
        play(player, line)
    player.store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    return path


@pytest.fixture
def copy(clean: Store, original: Path) -> Iterator[Store]:
    """The store of the story, to be tampered with."""
    yield clean
    clean.close()
    shutil.copy(original, path_of(clean))


@pytest.fixture(scope="module")
def clean(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of the story. One engine for all tests: it compiles its statements once."""
    return Store(f"sqlite:///{shutil.copy(original, tmp_path_factory.mktemp('audit') / 'copy.db')}")


def path_of(store: Store) -> str:
    return store.url.removeprefix("sqlite:///")


def checked(store: Store) -> list[Finding]:
    with store.read() as session:
        return audit.check(session, session.get_one(Pool, 1))


def replayed(store: Store, number: int | None = None) -> list[Finding]:
    with store.read() as session:
        return audit.replay(session, session.get_one(Pool, 1), number)


def tamper(store: Store, *statements: str) -> None:
    """Change a store behind its back: without any of its constraints."""
    store.close()
    connection = sqlite3.connect(path_of(store))
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    loose = [name for name in tables if any(f" {name}" in statement for statement in statements)]
    for name in loose:
        connection.executescript(LOOSEN.replace("?", name))
    for statement in statements:
        assert connection.execute(statement).rowcount > 0, statement
    connection.commit()
    connection.close()


def names(findings: list[Finding]) -> set[str]:
    return {finding.invariant.value for finding in findings}


def test_a_clean_pool_gives_no_finding(clean: Store) -> None:
    assert checked(clean) == []
    assert replayed(clean) == []
    assert replayed(clean, 1) == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    table("""
a transfer to nobody | UPDATE transfer SET from_id = 999 WHERE kind = 'settle' AND round_number = 2 | balances
a share grows | UPDATE transfer SET amount = amount + 1 WHERE key LIKE 'settle:2:%' | commons
nothing moves | UPDATE transfer SET amount = 0 WHERE kind = 'cost' AND round_number = 3 | transfer-amount commons
backwards | UPDATE transfer SET amount = -1 WHERE kind = 'return' AND from_id IS NULL | transfer-amount commons
one account | UPDATE transfer SET to_id = from_id WHERE kind = 'settle' | transfer-sides transfer-form commons
only the commons | UPDATE transfer SET from_id = to_id WHERE kind = 'settle' | transfer-sides commons
the same key | UPDATE transfer SET key = 'settle:1' WHERE kind = 'settle' | transfer-key
without a round | UPDATE transfer SET round_number = NULL WHERE kind = 'cost' AND round_number = 3 | transfer-form
effort in a later round | UPDATE transfer SET round_number = 9 WHERE key LIKE 'effort:2:%' | transfer-form commons
a return in a round | UPDATE transfer SET round_number = 1 WHERE kind = 'return' AND from_id IS NULL | transfer-form
another kind | UPDATE transfer SET kind = 'gift' WHERE kind = 'settle' AND round_number = 1 | transfer-form
recognised above due | UPDATE contribution SET recognised = due + 1 WHERE due > 9 | contribution contribution-credited
due above effort | UPDATE contribution SET due = effort + 1 WHERE batch_id IS NULL | contribution
less than nothing | UPDATE contribution SET recognised = -1 WHERE due > 9 | contribution contribution-credited
confirmed twice | UPDATE contribution SET claim_id = 7 | contribution-twice
credited for nobody | UPDATE transfer SET subject = 'thanks' WHERE key LIKE 'effort:1:%' | contribution-credited
taken from nobody | UPDATE transfer SET key = 'oops' WHERE key LIKE 'correct:%' | contribution-credited
credited twice | UPDATE transfer SET amount = 9 WHERE key LIKE 'effort:2:%' | contribution-credited commons
units from nowhere | UPDATE batch SET left = 1 WHERE expired_at IS NULL AND left = 0 | batch-units
units gone | UPDATE batch SET units = units + 2 WHERE expired_at IS NULL | batch-units
expired and still there | UPDATE batch SET left = 1 WHERE expired_at IS NOT NULL | batch-units
more expired than made | UPDATE batch SET units = 1 WHERE expired_at IS NOT NULL | batch-units unit-twice
less than none left | UPDATE batch SET left = -1, units = units - 1 WHERE expired_at IS NULL | batch-units unit-twice
given before offered | UPDATE batch SET offered_at = NULL WHERE expired_at IS NULL | batch-offered
given and not counted | UPDATE batch SET given = given - 1, left = left + 1 WHERE expired_at IS NULL | batch-given
a unit disappears | DELETE FROM givenunit WHERE id = (SELECT max(id) FROM givenunit) | batch-given
a unit comes back | UPDATE givenunit SET returned_at = NULL | batch-given
given twice | INSERT INTO givenunit SELECT * FROM givenunit WHERE round_number = 3 | batch-given unit-twice
to somebody else | UPDATE givenunit SET member_id = 1 WHERE member_id <> 1 | unit-strayed
of another product | UPDATE givenunit SET product_id = (SELECT max(id) FROM product) | unit-strayed
for another want | UPDATE givenunit SET want_id = 999 | unit-strayed
effort from nowhere | UPDATE batch SET effort = effort + 1 | batch-effort
work in no batch | UPDATE contribution SET batch_id = NULL WHERE batch_id IS NOT NULL | batch-effort
a want of nothing | UPDATE want SET units = 0 WHERE ended_at IS NULL | want
a want of too much | UPDATE want SET units = 101 WHERE ended_at IS NULL | want
less than it bids | UPDATE want SET maximum = bid - 1 WHERE ended_at IS NULL | want
nothing held | UPDATE want SET maximum = NULL WHERE ended_at IS NULL | want
less than nothing held | UPDATE want SET maximum = -1, bid = NULL WHERE ended_at IS NULL | want
its member left | UPDATE member SET left_at = 1 WHERE id = (SELECT member_id FROM want WHERE ended_at IS NULL) | want
two wants | INSERT INTO want SELECT * FROM want WHERE ended_at IS NULL | want-twice
too many holders | UPDATE claim SET task_id = (SELECT id FROM task WHERE number = 1) | task-slots task-slot-twice
two slots | UPDATE claim SET member_id = 1 WHERE task_id = (SELECT id FROM task WHERE slots = 2) | task-slot-twice
no round is open | UPDATE round SET state = 'done' WHERE state = 'open' | round-open round-numbers round-kept
two are open | UPDATE round SET state = 'open' WHERE number = 1 | round-open round-numbers round-due transfer-form
a number left out | UPDATE round SET number = 9 WHERE number = 1 | round-numbers transfer-form round-kept
a skipped one counts | UPDATE round SET number = 9 WHERE state = 'skipped' AND due_at < 1779300000000000 | round-numbers
a round without a number | UPDATE round SET number = NULL WHERE number = 1 | round-numbers transfer-form
a moment comes twice | UPDATE round SET local = '2026-05-10T18:00' WHERE state = 'skipped' | round-moment
another secret | UPDATE round SET secret = '00' WHERE number = 1 | round-lottery
no secret | UPDATE round SET secret = 'no' WHERE number = 1 | round-lottery
due at another time | UPDATE pool SET round_due_at = round_due_at + 1 | round-due
a row above the count | UPDATE pool SET last_id = last_id - 1 | last-id
a task above the count | UPDATE pool SET last_task_number = 3 | last-id
the last round forgotten | UPDATE round SET inputs = NULL WHERE number = 3 | round-kept
no round yet | UPDATE round SET number = NULL, state = 'skipped' WHERE state = 'done' | round-numbers transfer-form
"""),
)
def test_check_finds_what_was_tampered_with(copy: Store, statement: str, expected: str) -> None:
    tamper(copy, statement)
    assert names(checked(copy)) == set(expected.split())


@pytest.mark.parametrize(
    ("statement", "expected"),
    table("""
a share grows | UPDATE transfer SET amount = amount + 1 WHERE key LIKE 'settle:1:%' | round-transfers commons
a cost is missing | DELETE FROM transfer WHERE kind = 'cost' AND round_number = 3 | round-transfers commons
another member pays | UPDATE transfer SET from_id = 1 WHERE kind = 'cost' | round-transfers
one too many | UPDATE transfer SET round_number = 2 WHERE kind = 'cost' AND round_number = 3 | round-transfers commons
a unit is missing | DELETE FROM givenunit WHERE id = (SELECT min(id) FROM givenunit) | round-units
a unit too many | UPDATE givenunit SET round_number = 2 WHERE round_number = 3 | round-units
at another cost | UPDATE givenunit SET cost = cost + 1 | round-units
inputs are gone | UPDATE round SET inputs = NULL WHERE number = 1 | round-kept
outcome is garbage | UPDATE round SET outcome = x'00' WHERE number = 1 | round-kept
another secret | UPDATE round SET secret = '00' WHERE number = 1 | round-kept
another's | UPDATE round SET inputs = (SELECT inputs FROM round WHERE number = 2) WHERE number = 1 | round-kept
"""),
)
def test_replay_finds_what_was_tampered_with(copy: Store, statement: str, expected: str) -> None:
    tamper(copy, statement)
    assert names(replayed(copy)) == set(expected.split())


def repack(store: Store, number: int, **changes: Any) -> None:
    """Change fields of what a round kept."""
    with store.write() as session:
        row = session.exec(select(Round).where(Round.number == number)).one()
        inputs, outcome = Inputs.unpack(row.inputs or b""), Outcome.unpack(row.outcome or b"")
        for name, change in changes.items():
            if name in {one.name for one in fields(Inputs)}:
                inputs = replace(inputs, **{name: change(getattr(inputs, name))})
            else:
                outcome = replace(outcome, **{name: change(getattr(outcome, name))})
        row.inputs, row.outcome = inputs.pack(), outcome.pack()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"levy": lambda _levy: 0, "contributions": lambda rows: rows[:0]}, {"round-outcome"}),
        ({"waiting": lambda waiting: waiting + 1}, {"round-outcome"}),
        ({"given": lambda rows: rows[:-1]}, {"round-outcome", "round-transfers", "round-units"}),
        ({"kept": lambda kept: kept + 1}, {"round-outcome", "commons"}),
        ({"products": lambda rows: [*rows, rows[0]]}, {"round-outcome"}),
        ({"growth": str, "commons": str}, {"round-outcome"}),
        ({"members": lambda rows: [row._replace(balance=0, limit=0) for row in rows]}, {"round-outcome", "limit"}),
    ],
)
def test_replay_finds_another_decision(copy: Store, change: dict[str, Any], expected: set[str]) -> None:
    repack(copy, 1, **change)
    assert names(replayed(copy)) == expected
    assert names(replayed(copy, 2)) == set()


def test_replay_shows_the_first_row_that_differs(copy: Store) -> None:
    repack(copy, 1, given=lambda rows: [rows[0], rows[1]._replace(cost=7), *rows[2:]])
    found = next(one for one in replayed(copy, 1) if one.invariant is Invariant.OUTCOME)
    assert found.where == "round 1 given"
    assert (str(found.found)[-3:], str(found.expected)[-6:]) == (" 7)", " 1000)")


def test_a_round_that_was_not_held_cannot_be_replayed(clean: Store) -> None:
    assert replayed(clean, 4) == [Finding(Invariant.KEPT, "round 4", "not held", "held")]


def test_every_finding_says_where_and_which_figures(copy: Store) -> None:
    tamper(copy, "UPDATE batch SET given = given - 1, left = left + 1 WHERE expired_at IS NULL")
    (found,) = checked(copy)
    assert (found.invariant, found.where.split()[0]) == (Invariant.GIVEN, "batch")
    assert (found.found, found.expected) == (5, 4)


def test_every_invariant_is_tampered_with() -> None:
    source = Path(__file__).read_text("utf-8")
    assert [one for one in Invariant if one not in source] == []


def test_other_pools_are_left_alone(copy: Store) -> None:
    tamper(copy, "UPDATE transfer SET pool_id = 2", "UPDATE batch SET pool_id = 2, given = 99")
    assert {one.where for one in checked(copy) if one.where.startswith("batch")} == set()
