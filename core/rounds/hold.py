"""Hold a pool's round at its due moment: once, whatever crashes, restarts or second processes do."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from core.bulk import take_numbers
from core.events import Event
from core.rounds.apply import Prepared, apply, book, prepare
from core.rounds.decide import decide
from core.rounds.gather import gather
from core.store import lock_pool
from core.tables import Pool, Round, Task, Want
from core.timing import current_round, open_round, record_missed, schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy.orm import SessionTransaction
    from sqlmodel import Session

    from core.rounds.inputs import Inputs, Outcome
    from core.store import Store


NOBODY_TOLD = -1
PREVIEWED_MAX = 1000  # standing wants, or tasks
EARLY_ROWS_MIN = 1000  # fewer are written before anybody notices


@dataclass(frozen=True, slots=True)
class RoundHeld(Event):
    """A round was held, and the next one is open. `skipped` are the moments an outage swallowed."""

    pool: Pool
    round: Round
    inputs: Inputs
    outcome: Outcome
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be decided now."""

    inputs: Inputs
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Early:
    """Numbers set aside for the rows that a round books before its pool is locked, and the moment it is due."""

    first_id: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, the revision of the pool it was made for, and what is to be written of it."""

    revision: int
    inputs: Inputs
    outcome: Outcome
    prepared: Prepared
    early: Early | None = None


def decided(revision: int, inputs: Inputs) -> Decided:
    """Decide, and make ready what is to be written."""
    outcome = decide(inputs)
    return Decided(revision, inputs, outcome, prepare(inputs, outcome))


def is_large(session: Session, pool_id: int) -> bool:
    """Tell whether a pool has so much to decide that nobody should wait while a round is tried out."""
    wants = select(Want.id).where(Want.pool_id == pool_id, col(Want.ended_at).is_(None))
    tasks = select(Task.id).where(Task.pool_id == pool_id, col(Task.closed_at).is_(None))
    return any(session.exec(query.offset(PREVIEWED_MAX).limit(1)).first() is not None for query in (wants, tasks))


def preview(session: Session, pool: Pool, now: datetime) -> Preview:
    """Return what would happen if the round were held now, by the same code.

    Ties are drawn from the published hash instead of the secret, or everybody could read off it who will win them.
    """
    current = current_round(session, pool.id)
    inputs = replace(gather(session, pool, current, now), secret=current.commitment)
    return Preview(inputs, decide(inputs))


def decide_outside(store: Store, pool_id: int, now: datetime) -> Decided | None:
    """Decide a due round from a snapshot, without holding up anybody who writes. None if it is not due any more."""
    with store.read() as session:
        pool = session.get_one(Pool, pool_id)
        if pool.round_due_at is None or pool.round_due_at > now:
            return None
        with _uncollected():
            inputs = gather(session, pool, current_round(session, pool_id), pool.round_due_at)
        revision, due_at = pool.revision, pool.round_due_at
    with _uncollected():
        found = decided(revision, inputs)
    if store.is_sqlite or found.prepared.booked_rows < EARLY_ROWS_MIN:
        return found
    with store.write() as session:
        first_id = take_numbers(lock_pool(session, pool_id), found.prepared.booked_rows)
    return replace(found, early=Early(first_id, due_at))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from going through rows by the million: they stay until the round is over."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@_uncollected()
def hold(
    session: Session, pool_id: int, known: Decided, now: datetime, entropy: Callable[[int], bytes]
) -> RoundHeld | None:
    """Write down a round, if it is still due; decide once more if the pool has changed since."""
    early = _book_early(session, pool_id, known)
    pool = lock_pool(session, pool_id)
    is_due = pool.round_due_at is not None and pool.round_due_at <= now
    skipped = record_missed(session, pool, now) if is_due else ()
    is_outdated = bool(skipped) or pool.revision != known.revision
    if early is not None and (is_outdated or not is_due):
        early.rollback()
        return hold(session, pool_id, replace(known, early=None), now, entropy)
    if not is_due:
        return None
    current = current_round(session, pool_id)
    due_at = current.due_at or now
    if is_outdated:
        known = decided(pool.revision, gather(session, pool, current, due_at))
    if early is None:
        first_id = take_numbers(pool, known.prepared.booked_rows)
        book(session, pool_id, first_id, known.inputs.number, known.prepared, due_at)
    apply(session, pool, current, known.inputs, known.outcome, known.prepared, due_at)
    current.told_id = NOBODY_TOLD
    open_round(session, pool, due_at, entropy)
    session.flush()
    schedule(session, pool, due_at)
    if early is not None:
        early.commit()
    return RoundHeld(pool, current, known.inputs, known.outcome, skipped)


def _book_early(session: Session, pool_id: int, known: Decided) -> SessionTransaction | None:
    """Book a large round before its pool is locked, references checked: others go on and see nothing of it.

    Returns the savepoint to go back to if the pool has changed since. None if nothing is booked yet.
    """
    if known.early is None:
        return None
    savepoint, connection = session.begin_nested(), session.connection()
    broken = (IntegrityError, connection.dialect.loaded_dbapi.IntegrityError)
    try:
        book(session, pool_id, known.early.first_id, known.inputs.number, known.prepared, known.early.due_at)
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
    except broken:  # somebody else has held this round, or a row it refers to is gone
        savepoint.rollback()
        return None
    return savepoint
