"""What a round keeps of itself: figures and lists of rows, packed so that a part can be read without the rest.

A list is cut into parts by the remainder of a number in its rows (a task's, a good's), each compressed for itself: to
explain one good of thousands, only the part is read that has it.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PART_ROWS = 1000
LEVEL = 3
HEAD_BYTES = 4

Row = tuple[Any, ...]


def packed(figures: Mapping[str, object], lists: Mapping[str, tuple[int, Sequence[Row]]]) -> bytes:
    """Pack figures, and for each list the position of the number it is cut by, and its rows."""
    index: dict[str, list[Any]] = {}
    parts: list[bytes] = []
    for name, (position, rows) in lists.items():
        cut = _cut(position, rows)
        index[name] = [len(rows), position, [len(part) for part in cut]]
        parts += cut
    head = _compressed({"figures": figures, "lists": index})
    return b"".join([len(head).to_bytes(HEAD_BYTES, "big"), head, *parts])


def _cut(position: int, rows: Sequence[Row]) -> list[bytes]:
    count = len(rows) // PART_ROWS + 1
    if count == 1:
        return [_compressed([list(range(len(rows))), rows])]
    places: list[list[int]] = [[] for _ in range(count)]
    for place, row in enumerate(rows):
        places[row[position] % count].append(place)
    return [_compressed([found, [rows[place] for place in found]]) for found in places]


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
        self._begins: dict[str, int] = {}
        for name, (_count, _position, sizes) in self._lists.items():
            self._begins[name] = begin
            begin += sum(sizes)

    def count(self, name: str) -> int:
        """Return how many rows a list has."""
        return int(self._lists[name][0])

    def rows(self, name: str) -> list[list[Any]]:
        """Return a whole list in its order."""
        count, _position, sizes = self._lists[name]
        result: list[Any] = [None] * count
        for part in range(len(sizes)):
            for place, row in self._part(name, part):
                result[place] = row
        return result

    def rows_of(self, name: str, number: int) -> list[list[Any]]:
        """Return the rows of a list that have this number in the position that it is cut by, in their order."""
        _count, position, sizes = self._lists[name]
        return [row for _place, row in self._part(name, number % len(sizes)) if row[position] == number]

    def _part(self, name: str, part: int) -> list[tuple[int, list[Any]]]:
        sizes = self._lists[name][2]
        begin = self._begins[name] + sum(sizes[:part])
        places, rows = json.loads(zlib.decompress(self._data[begin : begin + sizes[part]]))
        return list(zip(places, rows, strict=True))
