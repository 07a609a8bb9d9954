"""The export: everything about oneself, nothing about others, and nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from core.export import COLUMNS, safe
from tests.cases import table
from tests.stage import act, on_stage, seen

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store


@pytest.fixture
def player(store: Store) -> Player:
    """Bo has done, wanted and got something; so has Eli."""
    return on_stage(
        store,
        """
        ana@bakery: /task new "=HYPERLINK(1)" 1h urgent
        bo@bakery: /claim 1
        bo@bakery: /done 1 1h +cmd|' /C calc'!A0
        bo@bakery: /made bread 3 3h
        ana@bakery: /confirm 2
        eli@garden: /bid bread 2
        bo@bakery: /bid bread 2 2
        now 2026-05-10 18:00
        bo@bakery: /collected bread
        eli@garden: /missing bread
        ana@bakery: /return bread Eli
        bo@bakery: /want bread
        """,
    )


def exported(player: Player, who: str) -> list[list[str]]:
    act(player, f"{who}@dm: /export\n> Everything about you in Valley")
    text = seen(player, f"dm:{who}")[0]
    return list(csv.reader(io.StringIO(text[text.index(",".join(COLUMNS)) :])))


def test_everything_of_ones_own_is_there_the_oldest_first(player: Player) -> None:
    rows = exported(player, "bo")
    assert rows[0] == list(COLUMNS)
    assert {row[1] for row in rows[1:]} == {
        "claim",
        "work",
        "want",
        "unit",
        "transfer effort",
        "transfer cost",
        "transfer return",
    }
    assert [row[0] for row in rows[1:]] == sorted(row[0] for row in rows[1:])
    assert ["unit", "bread", "collected"] in [[row[1], row[2], row[4]] for row in rows]
    assert ["want", "bread", "at cost", "1 standing"] in [row[1:] for row in rows]


def test_nothing_of_anybody_else_is_there(player: Player) -> None:
    text = repr(exported(player, "bo"))
    assert "Eli" not in text
    assert "Ana" not in text
    rows = exported(player, "eli")
    assert [row[4] for row in rows if row[1] == "unit"] == ["returned"]
    assert not [row for row in rows if row[1] in {"claim", "work"}]


def test_nothing_in_it_is_a_formula(player: Player) -> None:
    for row in exported(player, "bo")[1:]:
        for cell in row:
            assert safe(cell) == cell, cell


CELLS = table("""
    formula      | =1+1     | '=1+1
    plus         | +cmd     | '+cmd
    minus        | -cmd     | '-cmd
    at           | @SUM(A1) | '@SUM(A1)
    an amount    | -0.7 h   | -0.7 h
    a figure     | -3       | -3
    a trick      | -1 h+cmd | '-1 h+cmd
    words        | Dishes   | Dishes
    a long minus | --1      | '--1
""")


@pytest.mark.parametrize(("cell", "written"), CELLS)
def test_a_cell_that_would_run_is_a_text(cell: str, written: str) -> None:
    assert safe(cell) == written


@pytest.mark.parametrize("begin", ["\t=1", "\r=1"])
def test_white_space_does_not_hide_a_formula(begin: str) -> None:
    assert safe(begin).startswith("'")
