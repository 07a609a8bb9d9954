"""What a round keeps of itself: figures and lists of rows, packed so that a part can be read without the rest.

A list is put in the order of a number in its rows (a task's, a good's) and cut into parts where that changes, each
compressed for itself: to explain one good of thousands, or to show a page, only the parts are read that have it.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from core.arrays import Integers

PART_ROWS = 1000
LEVEL = 1
HEAD_BYTES = 4
PLAIN = np.dtype("<i8")

Row = tuple[Any, ...]


def packed(figures: Mapping[str, object], lists: Mapping[str, tuple[int, Sequence[Row]]]) -> bytes:
    """Pack figures, and for each list the position of the number it is ordered and cut by, and its rows."""
    index: dict[str, Any] = {}
    parts: list[bytes] = []
    for name, (position, rows) in lists.items():
        numbers = np.fromiter((row[position] for row in rows), np.int64, len(rows))
        cuts = list(_cut(numbers))
        is_plain = bool(rows) and all(type(value) is int for value in rows[0])
        cut = list(_plain(rows, cuts) if is_plain else _mixed(rows, cuts))
        firsts, counts = [int(numbers[places[0]]) for places in cuts], [len(places) for places in cuts]
        index[name] = [position, is_plain, firsts, counts, [len(part) for part in cut]]
        parts += cut
    head = _compressed({"figures": figures, "lists": index})
    return b"".join([len(head).to_bytes(HEAD_BYTES, "big"), head, *parts])


def _cut(numbers: Integers) -> Iterator[Integers]:
    """Return the places of the rows of each part."""
    places = np.argsort(numbers, kind="stable")
    ordered, begin = numbers[places], 0
    while begin < places.size:
        last = ordered[min(begin + PART_ROWS, places.size) - 1]
        end = int(np.searchsorted(ordered, last, side="right"))
        yield places[begin:end]
        begin = end


def _plain(rows: Sequence[Row], cuts: list[Integers]) -> Iterator[bytes]:
    """Pack rows of integers, nearly all there are: column by column, the first one says where each row was."""
    table = np.array(rows, PLAIN)
    for places in cuts:
        yield zlib.compress(np.column_stack([places.astype(PLAIN), table[places]]).T.tobytes(), LEVEL)


def _mixed(rows: Sequence[Row], cuts: list[Integers]) -> Iterator[bytes]:
    """Pack rows with texts or lists in them."""
    for places in cuts:
        yield _compressed([places.tolist(), [rows[place] for place in places]])


def _compressed(value: object) -> bytes:
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), LEVEL)


class Kept:
    """What was packed; what was tampered with raises what `zlib` and `json` do, a ValueError or a LookupError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        begin = HEAD_BYTES + int.from_bytes(data[:HEAD_BYTES], "big")
        head = json.loads(zlib.decompress(data[HEAD_BYTES:begin]))
        self.figures: dict[str, Any] = head["figures"]
        self._lists: dict[str, list[Any]] = head["lists"]
        self._begins: dict[str, list[int]] = {}
        self._read: dict[tuple[str, int], list[list[Any]]] = {}
        for name, (*_order, sizes) in self._lists.items():
            self._begins[name] = list(accumulate(sizes, initial=begin))
            begin = self._begins[name][-1]

    def count(self, name: str) -> int:
        """Return how many rows a list has."""
        return sum(self._counts(name))

    def rows(self, name: str) -> list[list[Any]]:
        """Return a whole list in its order."""
        result: list[Any] = [None] * self.count(name)
        for part in range(len(self._counts(name))):
            places, rows = self._part(name, part)
            for place, row in zip(places, rows, strict=True):
                result[place] = row
        return result

    def rows_of(self, name: str, number: int) -> list[list[Any]]:
        """Return the rows of a list that have this number in the position that it is ordered by, in their order."""
        position, _is_plain, firsts, *_sizes = self._lists[name]
        part = bisect_right(firsts, number) - 1
        return [row for row in self._rows(name, part) if row[position] == number] if part >= 0 else []

    def page(self, name: str, begin: int, end: int) -> list[list[Any]]:
        """Return some rows of a list in the order of the number that it is ordered by."""
        found: list[list[Any]] = []
        for part, count in enumerate(self._counts(name)):
            if begin < count and end > 0:
                found += self._rows(name, part)[max(begin, 0) : end]
            begin, end = begin - count, end - count
        return found

    def _rows(self, name: str, part: int) -> list[list[Any]]:
        """Return the rows of a part; who asks for one of them asks for its neighbours as well."""
        if (name, part) not in self._read:
            self._read[name, part] = self._part(name, part)[1]
        return self._read[name, part]

    def _part(self, name: str, part: int) -> tuple[list[int], list[list[Any]]]:
        begin, end = self._begins[name][part : part + 2]
        data = zlib.decompress(self._data[begin:end])
        if self._lists[name][1]:
            columns = np.frombuffer(data, PLAIN).reshape(-1, self._counts(name)[part])
            return columns[0].tolist(), columns[1:].T.tolist()
        places, rows = json.loads(data)
        return places, rows

    def _counts(self, name: str) -> list[int]:
        """Return how many rows each part has."""
        counts: list[int] = self._lists[name][3]
        return counts
