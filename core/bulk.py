"""Many rows at once, by the driver's own means: COPY on PostgreSQL, one prepared statement on SQLite.

Rows are tuples as the database keeps them (instants in microseconds, see `stored`), without objects in between: a round
of a large pool writes hundreds of thousands while others wait. What the session knows of these rows is out of date
afterwards: `forget` lets it read them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import dialects
from core.columns import EPOCH, MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlmodel import Session, SQLModel

    from core.tables import Pool, PoolRow

Values = tuple[Any, ...]
ASKED_MAX = 1000


def sliced(numbers: list[int]) -> Iterator[list[int]]:
    """Return numbers in lists that one query can ask for."""
    for begin in range(0, len(numbers), ASKED_MAX):
        yield numbers[begin : begin + ASKED_MAX]


def stored(at: datetime) -> int:
    """Return an instant as the database keeps it."""
    return (at - EPOCH) // MICROSECOND


def instant(at: int) -> datetime:
    """Return what `stored` keeps as an instant again."""
    return EPOCH + at * MICROSECOND


def insert(session: Session, table: type[SQLModel], columns: Sequence[str], rows: Iterable[Values]) -> None:
    """Insert rows whose values stand in the order of `columns`; the table's defaults stand in those left out."""
    defaults = _defaults(table, columns)
    names, rest = ", ".join(f'"{column}"' for column in (*columns, *defaults)), tuple(defaults.values())
    session.flush()
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * (len(columns) + len(rest)))
        batch = [(*row, *rest) for row in rows] if rest else list(rows)
        if batch:
            connection.exec_driver_sql(f'INSERT INTO "{_name(table)}" ({names}) VALUES ({marks})', batch)
        return
    dialects.set_now(connection)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f'COPY "{_name(table)}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row((*row, *rest))


def take_numbers(pool: Pool, count: int) -> int:
    """Take numbers for rows of a pool; return the first."""
    first = pool.last_id + 1
    pool.last_id += count
    return first


def insert_from(
    session: Session,
    key: tuple[int, int],
    table: type[PoolRow],
    columns: Sequence[str],
    rows: Sequence[Values],
    *same: object,
) -> None:
    """Insert rows of a pool; `key` is that of the first, the next ones have the numbers that follow.

    The first columns have the `same` values in all rows.
    """
    if rows:
        pool_id, first = key
        numbered = ((pool_id, number, *same, *row) for number, row in enumerate(rows, first))
        insert(session, table, ("pool_id", "id", *columns), numbered)


def update(
    session: Session, pool_id: int, table: type[PoolRow], columns: Sequence[str], rows: Sequence[Values]
) -> None:
    """Set integer columns of rows of a pool; each row of values begins with the row's number, then as in `columns`."""
    if not rows:
        return
    session.flush()
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        settings = ", ".join(f'"{column}" = ?' for column in columns)
        statement = f'UPDATE "{_name(table)}" SET {settings} WHERE pool_id = ? AND id = ?'
        connection.exec_driver_sql(statement, [(*row[1:], pool_id, row[0]) for row in rows])
        return
    settings = ", ".join(f'"{column}" = given."{column}"' for column in columns)
    statement = (
        f'UPDATE "{_name(table)}" AS changed SET {settings} FROM {_given(("id", *columns))} '
        "WHERE changed.pool_id = %s AND changed.id = given.id"
    )
    connection.exec_driver_sql(statement, (*_arrays(rows), pool_id))


def delete(
    session: Session, pool_id: int, table: type[PoolRow], columns: Sequence[str], rows: Sequence[Values]
) -> None:
    """Delete rows of a pool by the integer `columns` of their key."""
    if not rows:
        return
    session.flush()
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        same = " AND ".join(f'"{column}" = ?' for column in columns)
        statement = f'DELETE FROM "{_name(table)}" WHERE pool_id = ? AND {same}'
        connection.exec_driver_sql(statement, [(pool_id, *row) for row in rows])
        return
    same = " AND ".join(f'gone."{column}" = given."{column}"' for column in columns)
    statement = f'DELETE FROM "{_name(table)}" AS gone USING {_given(columns)} WHERE gone.pool_id = %s AND {same}'
    connection.exec_driver_sql(statement, (*_arrays(rows), pool_id))


def _given(columns: Sequence[str]) -> str:
    """Return the table of rows that PostgreSQL gets as one array for each integer column."""
    names = ", ".join(f'"{column}"' for column in columns)
    return f"unnest({', '.join(['%s::bigint[]'] * len(columns))}) AS given ({names})"


def _arrays(rows: Sequence[Values]) -> Iterator[str]:
    """Return the columns of integer rows as PostgreSQL writes arrays: far quicker than number by number."""
    for values in zip(*rows, strict=True):
        yield f"{{{','.join(map(str, values))}}}".replace("None", "NULL")


def forget(session: Session) -> None:
    """Let everything the session knows be read again; what it has to write is written first."""
    session.flush()
    session.expire_all()


def _defaults(table: type[SQLModel], columns: Sequence[str]) -> dict[str, Any]:
    """Return what stands in columns that are left out and may not be empty; JSON objects are empty ones."""
    values = {name: field.get_default(call_default_factory=True) for name, field in table.model_fields.items()}
    return {
        name: "{}" if value == {} else value
        for name, value in values.items()
        if name not in columns and value is not None
    }


def _name(table: type[SQLModel]) -> str:
    return str(table.__tablename__)
