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


def test_a_part_is_read_without_the_rest() -> None:
    data = packed({}, {"wants": (0, [(number,) for number in range(5 * PART_ROWS)]), "shares": (0, [(1,)])})
    cut = data[: len(data) - 40]  # the last parts are gone
    assert Kept(cut).rows_of("wants", 0) == [[0]]
    with pytest.raises(zlib.error):
        Kept(cut).rows("shares")
