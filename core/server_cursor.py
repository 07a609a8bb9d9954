"""A cursor of psycopg that remembers what the rows of a statement look like: SQLAlchemy asks for that each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import TupleRow

if TYPE_CHECKING:
    from psycopg import Column

REMEMBERED_MAX = 1000
DESCRIPTIONS: dict[str, list[Column]] = {}


class Cursor(psycopg.Cursor[TupleRow]):
    """A cursor for statements whose tables do not change while the program runs; `asked` is the one it was used for."""

    asked = ""

    @property
    def description(self) -> list[Column] | None:
        """The columns of the rows, None where there are no rows to be had."""
        if not self.asked or self.pgresult is None or not self.pgresult.nfields:
            return super().description
        found = DESCRIPTIONS.get(self.asked)
        if found is None and (found := super().description):
            if len(DESCRIPTIONS) >= REMEMBERED_MAX:
                DESCRIPTIONS.clear()
            DESCRIPTIONS[self.asked] = found
        return found
