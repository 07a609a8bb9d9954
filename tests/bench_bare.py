"""The bare SQL of a round: what it reads and what it writes, with SQLite's own driver and nothing in between."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.bench_rows import seconds

if TYPE_CHECKING:
    from pathlib import Path

READ = (
    "SELECT id, number, slots, weight, hours, opened_at, due_at FROM task WHERE closed_at IS NULL",
    "SELECT task_id FROM claim WHERE ended_at IS NULL",
    "SELECT task_id, member_id, weight FROM bid",
    "SELECT id, name, rule FROM good",
    "SELECT id, good_id, leftover_rounds, last_average FROM product",
    "SELECT id, product_id, units, left, given, effort FROM batch WHERE left > 0",
    (
        "SELECT id, good_id, member_id, product_id, units, got, bid, maximum, waited FROM want "
        "WHERE ended_at IS NULL ORDER BY at, id"
    ),
    "SELECT id FROM member WHERE left_at IS NULL AND admitted_at IS NOT NULL",
    "SELECT from_id, to_id, amount FROM transfer",
    "SELECT task_id, member_id FROM backing",
    "SELECT id, confirmed_at, member_id, task_id, product_id, batch_id, effort, due, recognised FROM contribution",
)
INSERTED = ("givenunit", "transfer", "claim")
UPDATED = {
    "want": ("units", "got", "waited", "ended_at"),
    "task": ("weight", "rose", "opened_at"),
    "contribution": ("due", "recognised"),
    "batch": ("left", "given"),
    "product": ("leftover_rounds",),
    "good": ("last_cost",),
    "round": ("state", "ran_at", "inputs", "outcome"),
}

Rows = dict[str, list[tuple[Any, ...]]]


def bare_seconds(before: Path, after: Path) -> float:
    """Return how long it takes to read what a round reads and to write into `before` what makes `after` of it."""
    with closing(sqlite3.connect(before, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("ATTACH ? AS later", (str(after),))
        rows = _inserted(connection) | _updated(connection)
        bids = connection.execute(
            "SELECT pool_id, task_id, member_id FROM bid EXCEPT SELECT pool_id, task_id, member_id FROM later.bid"
        ).fetchall()
        connection.execute("DETACH later")
        return seconds(lambda: _run(connection, rows, bids))


def _inserted(connection: sqlite3.Connection) -> Rows:
    query = "SELECT * FROM later.{0} WHERE id NOT IN (SELECT id FROM {0})"
    return {name: connection.execute(query.format(name)).fetchall() for name in INSERTED}


def _updated(connection: sqlite3.Connection) -> Rows:
    query = "SELECT {1}, pool_id, id FROM later.{0} EXCEPT SELECT {1}, pool_id, id FROM {0}"
    return {
        name: connection.execute(query.format(name, ", ".join(columns))).fetchall() for name, columns in UPDATED.items()
    }


def _run(connection: sqlite3.Connection, rows: Rows, bids: list[tuple[Any, ...]]) -> None:
    for query in READ:
        connection.execute(query).fetchall()
    connection.execute("BEGIN IMMEDIATE")
    for name in INSERTED:
        marks = ", ".join("?" * len(rows[name][0]))
        connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows[name])
    for name, columns in UPDATED.items():
        settings = ", ".join(f"{column} = ?" for column in columns)
        connection.executemany(f"UPDATE {name} SET {settings} WHERE pool_id = ? AND id = ?", rows[name])
    connection.executemany("DELETE FROM bid WHERE pool_id = ? AND task_id = ? AND member_id = ?", bids)
    connection.execute("COMMIT")
