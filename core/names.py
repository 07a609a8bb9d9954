"""Names: how they are compared, made unique and found from the little that people type."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, TypeVar

from rapidfuzz import fuzz, process
from sqlmodel import col, select

from core.clean import INVISIBLE
from core.errors import AmbiguousNameError, UnknownNameError
from core.tables import NamedRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement
    from sqlmodel import Session

NEAR_MAX = 3
NEAR_SCORE_MIN = 70
CANDIDATES_MAX = 5000
QUOTES = frozenset('"“”„‟«»')  # what holds a name together where it is typed is no part of it
UNSEEN = frozenset({"Mn", "Me", "Cf", "Cc", "Cs"})  # accents, and what shows nothing or fits into no database
# Letters of other scripts that are drawn like Latin ones (Unicode confusables): nobody passes for somebody else.
LOOK_ALIKE = str.maketrans(
    "аеорсухіјѕһԁԛԝѵвгкмнт" + "αικνορτυχβεζημ" + "\u0251\u0261\u0131",
    "aeopcyxijshdqwvbrkmht" + "aikvoptuxbezhm" + "agi",
)
Row = TypeVar("Row", bound=NamedRow)


def key_of(name: str) -> str:
    """Return what a name is compared by: no case, accents or quotes, no invisible or look-alike characters."""
    decomposed = unicodedata.normalize("NFKD", " ".join(name.split())).casefold()
    letters = "".join(
        c for c in decomposed if c not in INVISIBLE and c not in QUOTES and unicodedata.category(c) not in UNSEEN
    )
    return " ".join(letters.translate(LOOK_ALIKE).split())


def unique_name(name: str, is_taken: Callable[[str], bool]) -> str:
    """Return the name, or the name with the first number behind it that makes it the only one."""
    if not is_taken(key_of(name)):
        return name
    number = 2
    while is_taken(key_of(f"{name} {number}")):
        number += 1
    return f"{name} {number}"


def find(
    session: Session,
    table: type[Row],
    word: str,
    where: Sequence[ColumnElement[bool]],
) -> Row:
    """Return the row a word names, whole or by a unique beginning.

    Raises AmbiguousNameError, or UnknownNameError with the names that look like it.
    """
    key, kind = key_of(word), table.__name__.casefold()
    name_key = col(table.name_key)
    exact = session.exec(select(table).where(*where, name_key == key)).first()
    if exact is not None:
        return exact
    begins = name_key.startswith(key, autoescape=True)
    found = session.exec(select(table).where(*where, begins).limit(NEAR_MAX + 1)).all() if key else []
    if len(found) == 1:
        return found[0]
    if found:
        raise AmbiguousNameError(kind, word, tuple(sorted(row.name for row in found)))
    names = session.exec(select(col(table.name)).where(*where).limit(CANDIDATES_MAX)).all()
    near = process.extract(
        key, names, scorer=fuzz.WRatio, processor=key_of, limit=NEAR_MAX, score_cutoff=NEAR_SCORE_MIN
    )
    raise UnknownNameError(kind, word, tuple(name for name, _score, _index in near))
