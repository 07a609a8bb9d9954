"""Hold a pool's round at its due moment: once, whatever crashes, restarts or second processes do."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from core import bulk
from core.bulk import take_numbers
from core.events import Event
from core.rounds.apply import Prepared, apply, book, prepare
from core.rounds.decide import decide
from core.rounds.gather import gather
from core.store import lock_pool
from core.tables import Pool, Round, Task, Want
from core.timing import WITHOUT_RECORDS, current_round, missed, open_round, record_missed, schedule

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
LOCK_MILLISECONDS_MAX = 200  # less than the server takes to look for who waits for each other
WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)) LIMIT 1"
# PostgreSQL's codes: a row it refers to is gone, somebody else has held this round or is about to, has a lock.
OTHERS_WERE_QUICKER = frozenset({"23503", "23505", "40P01", "55P03"})


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


class OutdatedError(Exception):
    """The pool has changed since its round was decided, or somebody is changing it: nothing of it is written."""


@dataclass(frozen=True, slots=True)
class Early:
    """Numbers set aside for the rows of a round that is written before its pool is locked, and the moment it is due."""

    first_id: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, the revision of the pool it was made for, and what is to be written of it.

    Once the pool has changed it is outdated: with tries left it is to be made again by `decide_outside`.
    """

    revision: int
    inputs: Inputs
    outcome: Outcome
    prepared: Prepared
    tries_left: int = 0
    early: Early | None = None


def decided(revision: int, inputs: Inputs, tries_left: int = 0) -> Decided:
    """Decide, and make ready what is to be written."""
    outcome = decide(inputs)
    return Decided(revision, inputs, outcome, prepare(inputs, outcome), tries_left)


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


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from going through rows by the million: they stay until the round is over."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@uncollected()
def decide_outside(store: Store, pool_id: int, now: datetime, tries_left: int = 0) -> Decided | None:
    """Decide a due round from a snapshot, without holding up anybody who writes. None if it is not due any more.

    With `tries_left`, a large round is to be written before its pool is locked, which only a server can do.
    """
    with store.read() as session:
        pool = session.get_one(Pool, pool_id)
        if pool.round_due_at is None or pool.round_due_at > now:
            return None
        inputs = gather(session, pool, current_round(session, pool_id), pool.round_due_at)
        revision, due_at = pool.revision, pool.round_due_at
        if missed(session, pool, now):
            tries_left = 0  # the moment changes, which has to be written first
    found = decided(revision, inputs, tries_left)
    if store.is_sqlite or tries_left == 0 or found.prepared.booked_rows < EARLY_ROWS_MIN:
        return found
    with store.write() as session:
        first_id = take_numbers(lock_pool(session, pool_id), found.prepared.booked_rows)
    return replace(found, early=Early(first_id, due_at))


@uncollected()
def hold(
    session: Session, pool_id: int, known: Decided, now: datetime, entropy: Callable[[int], bytes]
) -> RoundHeld | None:
    """Write down a round, if it is still due.

    If the pool has changed since it was decided, that raises an OutdatedError while there are tries left; then it is
    decided once more under the lock.
    """
    early = _write_early(session, pool_id, known, known.early) if known.early is not None else None
    pool = lock_pool(session, pool_id)
    if pool.round_due_at is None or pool.round_due_at > now:
        if early is not None:
            early.rollback()
        return None
    skipped = record_missed(session, pool, now) if known.tries_left == 0 else ()
    is_outdated = bool(skipped) or pool.revision != known.revision
    if is_outdated and known.tries_left:
        raise OutdatedError
    if early is None:
        current = current_round(session, pool_id)
        due_at = current.due_at or now
        if is_outdated:
            known = decided(pool.revision, gather(session, pool, current, due_at))
        book(session, pool_id, take_numbers(pool, known.prepared.booked_rows), known.prepared, due_at)
        apply(session, pool_id, known.prepared, due_at)
    else:
        early.commit()
    bulk.forget(session)
    pool.revision += 1
    held_round = select(Round).where(Round.pool_id == pool_id, Round.number == known.inputs.number)
    current = session.exec(held_round.options(*WITHOUT_RECORDS)).one()
    due_at = current.due_at or now
    current.told_id = NOBODY_TOLD
    open_round(session, pool, due_at, entropy)
    session.flush()
    schedule(session, pool, due_at)
    return RoundHeld(pool, current, known.inputs, known.outcome, skipped)


def _write_early(session: Session, pool_id: int, known: Decided, early: Early) -> SessionTransaction:
    """Write a round before its pool is locked, references checked: others go on and see nothing of it.

    Then lock the pool. Who holds its lock may wait for a row that was changed here, so the round gives way.
    Returns the savepoint to go back to if the round is not due any more.
    """
    savepoint, connection = session.begin_nested(), session.connection()
    try:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS_MAX}")
        book(session, pool_id, early.first_id, known.prepared, early.due_at)
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
        if session.exec(select(Pool.revision).where(Pool.id == pool_id)).one() != known.revision:
            raise OutdatedError
        apply(session, pool_id, known.prepared, early.due_at, _give_way)
        lock_pool(session, pool_id)
    except (DBAPIError, connection.dialect.loaded_dbapi.Error) as error:
        if getattr(getattr(error, "orig", error), "sqlstate", None) in OTHERS_WERE_QUICKER:
            raise OutdatedError from error
        raise
    return savepoint


def _give_way(session: Session) -> None:
    """Raise an OutdatedError if anybody waits for a row that was changed here: who does has the pool's lock."""
    if session.connection().exec_driver_sql(WAITING).first() is not None:
        raise OutdatedError
