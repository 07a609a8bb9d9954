"""What must be true of a pool's rounds as rows: one is open, each moment came once, the lottery kept its word."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import literal, union_all
from sqlmodel import SQLModel, col, func, select

from core.audit.finding import Finding, Invariant
from core.tables import Pool, Round, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlmodel import Session


def opened(session: Session, pool: Pool) -> Iterator[Finding]:
    """Exactly one round is open, it is the newest, and the pool knows when it is due."""
    query = select(Round.number, Round.due_at).where(Round.pool_id == pool.id, Round.state == "open")
    found = session.exec(query).all()
    if len(found) != 1:
        yield Finding(Invariant.OPEN, f"pool {pool.id}", len(found), 1)
    for number, due_at in found:
        if due_at != pool.round_due_at:
            yield Finding(Invariant.DUE, f"round {number}", str(pool.round_due_at), str(due_at))


def numbered(session: Session, pool: Pool) -> Iterator[Finding]:
    """Rounds are numbered from one on, the open one last; what was skipped has no number."""
    query = select(Round.number, Round.state).where(Round.pool_id == pool.id).order_by(col(Round.id))
    rows = session.exec(query).all()
    found = [(number or 0, state) for number, state in rows if number is not None or state != "skipped"]
    found.sort(key=lambda row: (row[0], row[1] == "open"))
    for place, (number, state) in enumerate(found, 1):
        expected = "open" if place == len(found) else "done"
        if (number, state) != (place, expected):
            yield Finding(Invariant.NUMBERS, f"round {number}", f"{number} {state}", f"{place} {expected}")


def moments(session: Session, pool: Pool) -> Iterator[Finding]:
    """What the pool's clock shows comes once."""
    query = select(Round.local, func.count()).where(Round.pool_id == pool.id).group_by(col(Round.local))
    for local, count in session.exec(query.having(func.count() > 1)):
        yield Finding(Invariant.MOMENT, f"moment {local}", count, 1)


def secrets(session: Session, pool: Pool) -> Iterator[Finding]:
    """The hash that was published when a round opened is that of its secret."""
    query = select(Round.number, Round.secret, Round.commitment).where(Round.pool_id == pool.id)
    for number, secret, commitment in session.exec(query.where(Round.state != "skipped")):
        if _digest(secret) != commitment:
            yield Finding(Invariant.LOTTERY, f"round {number}", commitment, _digest(secret))


def _digest(secret: str) -> str:
    try:
        return hashlib.sha256(bytes.fromhex(secret)).hexdigest()
    except ValueError:
        return ""


def numbers(session: Session, pool: Pool) -> Iterator[Finding]:
    """The pool's counts are not below what they have counted."""
    tables = [table for table in SQLModel.metadata.sorted_tables if "pool_id" in table.primary_key.columns]
    parts = [
        select(literal(table.name), func.max(table.c.id)).where(table.c.pool_id == pool.id).group_by(table.c.pool_id)
        for table in tables
    ]
    highest = Counter({name: int(number) for name, number in session.execute(union_all(*parts)).all()})
    for name, number in highest.items():
        if number > pool.last_id:
            yield Finding(Invariant.LAST_ID, name, pool.last_id, number)
    last = session.exec(select(func.max(Task.number)).where(Task.pool_id == pool.id)).one() or 0
    if last > pool.last_task_number:
        yield Finding(Invariant.LAST_ID, "task number", pool.last_task_number, last)


CHECKS = (opened, numbered, moments, secrets, numbers)
