"""Names: how they are compared, made unique and found from the little that people type."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, TypeVar

from rapidfuzz import fuzz, process
from sqlmodel import col, select

from core.clean import INVISIBLE
from core.errors import AmbiguousNameError, UnknownNameError
from core.store import is_on_server
from core.tables import NamedRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Mapped
    from sqlmodel import Session

NEAR_MAX = 3
NEAR_SCORE_MIN = 70
NEIGHBOURS_MAX = 2000  # in each direction of the alphabet
LAST_CHARACTER = chr(0x10FFFF)
QUOTES = frozenset('"“”„‟«»')  # what holds a name together where it is typed is no part of it
UNSEEN = frozenset({"Mn", "Me", "Cf", "Cc", "Cs"})  # accents, and what shows nothing or fits into no database
# Letters of other scripts that are drawn like Latin ones (Unicode confusables): nobody passes for somebody else.
LOOK_ALIKE = str.maketrans(
    "аеорсухіјѕһԁԛԝѵвгкмнт" + "αικνορτυχβεζημ" + "\u0251\u0261\u0131",
    "aeopcyxijshdqwvbrkmht" + "aikvoptuxbezhm" + "agi",
)
Row = TypeVar("Row", bound=NamedRow)


def key_of(name: str) -> str:
    """Return what a name is compared by: no case, accents, quotes or @, no invisible or look-alike characters."""
    decomposed = unicodedata.normalize("NFKD", " ".join(name.split())).casefold()
    letters = "".join(
        c for c in decomposed if c not in INVISIBLE and c not in QUOTES and unicodedata.category(c) not in UNSEEN
    )
    return " ".join(letters.translate(LOOK_ALIKE).split()).lstrip("@ ")


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
    exact = session.exec(select(table).where(*where, col(table.name_key) == key)).first()
    if exact is not None:
        return exact
    begins = _begins(session, col(table.name_key), key)
    found = session.exec(select(table).where(*where, *begins).limit(NEAR_MAX + 1)).all() if key else []
    if len(found) == 1:
        return found[0]
    if found:
        raise AmbiguousNameError(kind, word, tuple(sorted(row.name for row in found)))
    raise UnknownNameError(kind, word, _near(session, table, key, where))


def _begins(session: Session, name_key: Mapped[str], key: str) -> list[ColumnElement[bool]]:
    """Return the conditions for a beginning; on a file also as a range, which is all that its indices are good for."""
    found = [name_key.startswith(key, autoescape=True)]
    return found if is_on_server(session) else [name_key >= key, name_key < key + LAST_CHARACTER, *found]


def _near(session: Session, table: type[Row], key: str, where: Sequence[ColumnElement[bool]]) -> tuple[str, ...]:
    """Return the names most like a key: of all of them, or where there are many of those that begin like it."""
    name_key, names = col(table.name_key), dict[str, str]()
    for condition, order in ((name_key >= key, name_key), (name_key < key, name_key.desc())):
        query = select(name_key, col(table.name)).where(*where, condition).order_by(order)
        names.update(session.exec(query.limit(NEIGHBOURS_MAX)).all())
    near = process.extract(key, names.keys(), scorer=fuzz.WRatio, limit=NEAR_MAX, score_cutoff=NEAR_SCORE_MIN)
    return tuple(names[found] for found, _score, _index in near)
