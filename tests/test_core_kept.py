"""What a round keeps can be read as a whole and in parts."""

from __future__ import annotations

import zlib

import pytest

from core.rounds.kept import PART_ROWS, Kept, packed


@pytest.mark.parametrize("count", [0, 1, PART_ROWS - 1, PART_ROWS, 3 * PART_ROWS])
def test_whole_lists_and_parts_come_back_in_their_order(count: int) -> None:
    rows = [(number, number % 7 * 101, "é") for number in range(count)]
    kept = Kept(packed({"commons": -5}, {"wants": (1, rows), "none": (0, [])}))
    assert kept.figures == {"commons": -5}
    assert (kept.count("wants"), kept.count("none")) == (count, 0)
    assert kept.rows("wants") == [list(row) for row in rows]
    assert kept.rows_of("wants", 303) == [list(row) for row in rows if row[1] == 303]
    assert kept.rows_of("wants", 4) == []
    assert kept.rows_of("wants", -1) == []
    assert kept.rows_of("none", 1) == []


def test_a_part_is_read_without_the_rest() -> None:
    data = packed({}, {"wants": (0, [(number,) for number in range(5 * PART_ROWS)]), "shares": (0, [(1,)])})
    cut = data[: len(data) - 40]  # the last parts are gone
    assert Kept(cut).rows_of("wants", 0) == [[0]]
    with pytest.raises(zlib.error):
        Kept(cut).rows("shares")


@pytest.mark.parametrize(("begin", "end"), [(0, 25), (PART_ROWS - 3, PART_ROWS + 5), (0, 4 * PART_ROWS), (9999, 10024)])
def test_a_page_is_in_the_order_of_its_number(begin: int, end: int) -> None:
    rows = [(number, number * 7919 % 3001) for number in range(3001)]
    kept = Kept(packed({}, {"tasks": (1, rows)}))
    ordered = sorted(([*row] for row in rows), key=lambda row: row[1])
    assert kept.page("tasks", begin, end) == ordered[begin:end]


def test_what_belongs_together_is_never_cut() -> None:
    rows = [(number, number // (2 * PART_ROWS)) for number in range(6 * PART_ROWS)]
    kept = Kept(packed({}, {"wants": (1, rows)}))
    assert kept.rows_of("wants", 1) == [[*row] for row in rows if row[1] == 1]
    assert kept.rows("wants") == [[*row] for row in rows]
