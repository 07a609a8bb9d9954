"""Copying a whole database into another one, of either kind: to move it, to back it up, to restore it.

Rows are copied as they are kept, in the order of their keys, many in one transaction. Until all are there and have been
compared, a mark in the target says what it is to be a copy of: whoever was interrupted goes on where it ended, and
nobody takes a half for a whole.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, MetaData, Text, collate, column, func, literal, select, table, tuple_
from sqlalchemy import text as sql
from sqlmodel import SQLModel, col

from core.columns import Integer64
from core.schema import StoreError, name_of
from core.tables import Transfer
from core.tables_chat import Meta

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from sqlalchemy import ColumnElement, RowMapping, Table, TableClause
    from sqlalchemy.types import TypeEngine
    from sqlmodel import Session

    from core.store import Store

BATCH_ROWS = 2_000
LARGE_ROWS = 10  # rounds of a large pool keep megabytes each
MARK = "copy"  # the fact in `meta` that a copy is not finished, and of what
Key = tuple[Any, ...]


class NotEmptyError(StoreError):
    """Something is in the target already."""

    def __str__(self) -> str:
        return f"There is something in the database {self.name} already. Name an empty one; nothing was changed."


class OtherCopyError(StoreError):
    """The target holds a half of something else."""

    def __str__(self) -> str:
        return (
            f"The database {self.name} holds a half-done copy of another database, or of one that has changed since. "
            "Empty it, then begin again."
        )


class HalfDoneError(StoreError):
    """Somebody wants to use a copy that is not finished."""

    def __str__(self) -> str:
        return f"The database {self.name} is a half-done copy. Finish it: run the same command that began it again."


@dataclass(eq=False)
class DifferentCopyError(StoreError):
    """The copy is not what was copied."""

    tables: tuple[str, ...]

    def __str__(self) -> str:
        return f"The copy in {self.name} is different: {', '.join(self.tables)}. Empty it, then begin again."


@dataclass(frozen=True, slots=True)
class Content:
    """What a table holds: its number of rows, and the SHA-256 of them in the order of their keys."""

    rows: int
    digest: str


@cache
def tables() -> tuple[Table, ...]:
    """Return all tables, those that others refer to first."""
    known: MetaData = SQLModel.metadata
    return tuple(known.sorted_tables)


def contents(session: Session) -> dict[str, Content]:
    """Return what each table holds, a mark left out."""
    return {one.name: _content(session, one) for one in tables()}


def transferred(session: Session) -> dict[int, int]:
    """Return the sum of all transfers of each pool, in thousandths of an hour."""
    query = select(col(Transfer.pool_id), func.sum(col(Transfer.amount))).group_by(col(Transfer.pool_id))
    return {pool_id: int(total) for pool_id, total in session.execute(query)}


def is_half_done(session: Session) -> bool:
    """Tell whether a database is a copy that was not finished."""
    return session.get(Meta, MARK) is not None


def copy_into(
    target: Store, source: Session, on_progress: Callable[[str, int, int], None] = lambda *_figures: None
) -> dict[str, Content]:
    """Copy what a session sees into an empty database, or go on with that; return what it was. Raises a StoreError.

    `on_progress` hears of each table, how many of its rows are there, and how many it has.
    """
    wanted = contents(source)
    _mark(target, hashlib.sha256(repr(sorted(wanted.items())).encode()).hexdigest())
    for one in tables():
        _copy_table(target, source, one, wanted[one.name].rows, on_progress)
    with target.write() as session:
        _set_last_numbers(session, _last_numbers(source))
    with target.read() as session:
        found = contents(session)
    different = tuple(name for name, content in wanted.items() if found[name] != content)
    if different:
        raise DifferentCopyError(name_of(target), different)
    with target.write() as session:
        session.delete(session.get_one(Meta, MARK))
    target.analyse()  # or its first rounds would be planned for empty tables
    return wanted


def _mark(target: Store, mark: str) -> None:
    """Say in the target what is copied into it; refuse one that holds something else."""
    with target.write() as session:
        known = session.get(Meta, MARK)
        if known is None:
            if any(session.execute(select(literal(1)).select_from(one).limit(1)).first() for one in tables()):
                raise NotEmptyError(name_of(target))
            session.add(Meta(key=MARK, value=mark))
        elif known.value != mark:
            raise OtherCopyError(name_of(target))


def _copy_table(
    target: Store, source: Session, one: Table, total: int, on_progress: Callable[[str, int, int], None]
) -> None:
    with target.read() as session:
        last = [row for rows in _batches(session, one, newest_first=True) for row in rows]
        count = session.execute(select(func.count()).select_from(_raw(one)).where(*_but_mark(one))).scalar_one()
    after = _key_of(one, last[0]) if last else None
    with closing(_batches(source, one, after)) as batches:
        for rows in batches:
            with target.write() as session:
                session.connection().execute(_raw(one).insert(), [dict(row) for row in rows])
            count += len(rows)
            on_progress(one.name, count, total)


def _content(session: Session, one: Table) -> Content:
    count, digest = 0, hashlib.sha256()
    for rows in _batches(session, one):
        count += len(rows)
        digest.update("".join(f"{tuple(row.values())!r}\n" for row in rows).encode())
    return Content(count, digest.hexdigest())


def _batches(
    session: Session, one: Table, after: Key | None = None, *, newest_first: bool = False
) -> Generator[Sequence[RowMapping]]:
    """Yield the rows of a table as they are kept, in the order of their keys, from behind a key."""
    raw = _raw(one)
    # A server sorts texts as people do, each in its own way; here the same order must come out everywhere.
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    keys: list[ColumnElement[Any]] = [
        collate(raw.c[key.name], "C") if isinstance(raw.c[key.name].type, Text) and not is_sqlite else raw.c[key.name]
        for key in one.primary_key
    ]
    query = select(raw).where(*_but_mark(one))
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    query = query.order_by(*(key.desc() for key in keys)).limit(1) if newest_first else query.order_by(*keys)
    count = LARGE_ROWS if any(isinstance(each.type, LargeBinary) for each in raw.c) else BATCH_ROWS
    with session.execute(query, execution_options={"yield_per": count}) as result:
        yield from result.mappings().partitions()


def _key_of(one: Table, row: RowMapping) -> Key:
    return tuple(row[key.name] for key in one.primary_key)


def _but_mark(one: Table) -> list[ColumnElement[bool]]:
    return [_raw(one).c.key != MARK] if one.name == Meta.__tablename__ else []


@cache
def _raw(one: Table) -> TableClause:
    """Return a table with its columns as they are kept: no instants and no JSON, which would cost time both ways."""
    kept: dict[str, TypeEngine[Any]] = {"BIGINT": Integer64, "BLOB": LargeBinary(), "TEXT": Text()}
    return table(one.name, *(column(each.name, kept[str(each.type)]) for each in one.columns))


def _counted() -> list[Table]:
    """Return the tables whose rows get their numbers from the database, each number once."""
    return [one for one in tables() if one.autoincrement_column is not None]


def _last_numbers(session: Session) -> dict[str, int]:
    """Return the last number that was given in each table, of rows that are gone as well."""
    if session.get_bind().dialect.name == "sqlite":
        return {row.name: row.seq for row in session.execute(sql("SELECT name, seq FROM sqlite_sequence"))}
    query = "SELECT COALESCE(pg_sequence_last_value(pg_get_serial_sequence(:name, 'id')), 0)"
    return {one.name: session.execute(sql(query), {"name": one.name}).scalar_one() for one in _counted()}


def _set_last_numbers(session: Session, last: dict[str, int]) -> None:
    for one in _counted():
        number = max(last.get(one.name, 0), session.execute(select(func.max(one.c.id))).scalar_one() or 0)
        values = {"name": one.name, "number": number}
        if session.get_bind().dialect.name != "sqlite":
            change = "SELECT setval(pg_get_serial_sequence(:name, 'id'), :number)" if number else "SELECT 1"
            session.execute(sql(change), values if number else {})
        elif one.dialect_options["sqlite"]["autoincrement"]:
            session.execute(sql("DELETE FROM sqlite_sequence WHERE name = :name"), values)
            session.execute(sql("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"), values)
