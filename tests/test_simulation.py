from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pytest

from core import goods
from core.chat import binding
from core.rounds import hold
from core.rounds.apply import GIVEN, TRANSFERS, Prepared, prepare
from tests import simulation
from tests.simulated_steps import Again, Clock, Crash, Fault, How, Post, Press, Race, Trouble, Work, Write, opening
from tests.simulated_world import ServerShelf, World, clear_away, on_shelf
from tests.simulation import Failed, replay, run, shrink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.bulk import Values
    from core.rounds.inputs import Inputs, Outcome
    from tests.postgres import Database
    from tests.simulated_steps import Step

SEEDS = 200
SERVER_SEEDS = 3
CHUNK = 10
STEPS = 3


@pytest.fixture(scope="module", autouse=True)
def cleared_away() -> Iterator[None]:
    """Leave nothing behind."""
    yield
    clear_away()


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_nothing_is_found(first: int) -> None:
    for seed in range(first, first + CHUNK):
        failed = run(seed, STEPS)
        assert failed is None, simulation.report(seed, failed, shrink(failed))


def test_nothing_is_found_on_a_server(server_database: Database) -> None:
    with on_shelf(ServerShelf(server_database)):
        for seed in range(1, 1 + SERVER_SEEDS):
            failed = run(seed, STEPS)
            assert failed is None, simulation.report(seed, failed, failed)


def first_failure() -> Failed:
    failed = next((one for one in (run(seed, STEPS) for seed in range(20)) if one is not None), None)
    assert failed is not None
    return failed


def tampered(
    rows: Literal["given", "transfers"], change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> Callable[[Inputs, Outcome], Prepared]:
    """Write other rows than a round has decided."""
    columns = {"given": GIVEN, "transfers": TRANSFERS}[rows][2:]

    def prepared(inputs: Inputs, outcome: Outcome) -> Prepared:
        found = prepare(inputs, outcome)
        changed = change([dict(zip(columns, row, strict=True)) for row in getattr(found, rows)])
        values: list[Values] = [tuple(row.values()) for row in changed]
        return replace(found, given=values) if rows == "given" else replace(found, transfers=values)

    return prepared


def test_a_doubled_amount_is_found_and_made_short(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"amount": row["amount"] * (2 if row["kind"] == "cost" else 1)} for row in rows]

    monkeypatch.setattr(hold, "prepare", tampered("transfers", doubled))
    history: list[Step] = [*opening(), Clock(10080)]
    failed = replay(history, "audit commons", 60)
    assert failed is not None
    shortest = shrink(failed, 5)
    assert shortest.failure.name == failed.failure.name
    assert len(shortest.history) < len(history)


def test_a_unit_given_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "prepare", tampered("given", lambda rows: [*rows, *rows, *rows]))
    assert first_failure().failure.name == "a unit is given twice"


def test_an_exception_is_found_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def collected(*_arguments: object) -> int:
        raise KeyError("surprise")

    monkeypatch.setattr(goods, "to_collect", collected)
    failed = first_failure()
    assert failed.failure.name.startswith("KeyError in ")
    assert "surprise" in failed.failure.detail


def test_a_message_that_never_leaves_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "bind_next", lambda *_arguments, **_options: None)
    history: list[Step] = [Write("console", "ana", "dm", "/help"), Work()]
    assert replay(history, "messages wait for nothing", 5) is not None
    assert replay(history, "below the limit", 5) is None
    assert replay(history, "messages wait for nothing", 0) is None


def test_what_a_crash_changes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    history = [*opening()[:4], Crash(3), Work()]
    assert simulation.changed_by_crashes(history) is None
    monkeypatch.setattr(World, "_entropy", lambda _world, count: os.urandom(count))
    found = replay(history, "a crash changes outbox", 60)
    assert found is not None
    assert shrink(found, 3).failure.name == "a crash changes outbox"


def test_the_opening_goes_well() -> None:
    assert replay(opening(), "anything", 60) is None


def test_steps_read_like_a_transcript() -> None:
    history: list[Step] = [
        Write("console", "ana", "bakery", "/pool new Valley"),
        Write("matrix", "bo", "dm", "1.5\n2", reply="bread"),
        Work(),
        Press("telegram", "cy", "garden", "Claim #1", 1, How.BUTTON),
        Clock(60),
        Clock(60, outage=True),
        *(Again(1), Crash(3), Fault(4), Post(Trouble.BUSY, 2), Race(5)),
    ]
    lines = "\n".join(simulation.transcript(history)).splitlines()
    assert lines[:8] == [
        "now 2026-05-04 09:00",
        "ana@bakery: /pool new Valley",
        r"> code: (?P<code0>\w{4}-\w{4})",
        r"matrix:bo@dm re /bread/: 1.5\n2",
        "# on the message 1 before the newest that has it:",
        "telegram:cy@garden: [Claim #1]",
        "now 2026-05-04 10:00",
        "# an outage until then:",
    ]
    assert lines[8] == "now 2026-05-04 11:00"
    assert all(line.startswith("# ") for line in lines[9:])


def test_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["simulation", "1", "--seed", "3", "--steps", "1"])
    assert simulation.main() == 0
    assert "nothing found" in capsys.readouterr().out
    monkeypatch.setattr(binding, "bind_next", lambda *_arguments, **_options: None)
    monkeypatch.setattr(simulation, "SHRINK_SECONDS_MAX", 2)
    assert simulation.main() == 1
    assert capsys.readouterr().out.startswith("seed 3, step ")
