"""Hold a pool's round at its due moment: once, whatever crashes, restarts or second processes do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.events import Event
from core.rounds.apply import Applied, apply
from core.rounds.decide import decide
from core.rounds.gather import gather
from core.store import lock_pool
from core.tables import Pool, Round
from core.timing import current_round, open_round, record_missed, schedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlmodel import Session

    from core.rounds.inputs import Inputs, Outcome
    from core.store import Store


@dataclass(frozen=True, slots=True)
class RoundHeld(Event):
    """A round was held; `next_round` is open now. `skipped` are the moments an outage swallowed."""

    pool: Pool
    round: Round
    next_round: Round
    inputs: Inputs
    outcome: Outcome
    applied: Applied
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and the revision of the pool it was made for."""

    revision: int
    inputs: Inputs
    outcome: Outcome


def preview(session: Session, pool: Pool, now: datetime) -> Decided:
    """Return what would happen if the round were held now, by the same code.

    Ties are drawn from the published hash instead of the secret, or everybody could read off it who will win them.
    """
    current = current_round(session, pool.id)
    inputs = replace(gather(session, pool, current, now), secret=current.commitment)
    return Decided(pool.revision, inputs, decide(inputs))


def decide_outside(store: Store, pool_id: int, now: datetime) -> Decided | None:
    """Decide a due round from a snapshot, without holding up anybody who writes. None if it is not due any more."""
    with store.read() as session:
        pool = session.get_one(Pool, pool_id)
        if pool.round_due_at is None or pool.round_due_at > now:
            return None
        inputs = gather(session, pool, current_round(session, pool_id), pool.round_due_at)
        revision = pool.revision
    return Decided(revision, inputs, decide(inputs))


def hold(
    session: Session, pool_id: int, decided: Decided, now: datetime, entropy: Callable[[int], bytes]
) -> RoundHeld | None:
    """Write down a round, if it is still due; decide once more if the pool has changed since."""
    pool = lock_pool(session, pool_id)
    if pool.round_due_at is None or pool.round_due_at > now:
        return None
    skipped = record_missed(session, pool, now)
    current = current_round(session, pool_id)
    due_at = current.due_at or now
    if skipped or pool.revision != decided.revision:
        inputs = gather(session, pool, current, due_at)
        decided = Decided(pool.revision, inputs, decide(inputs))
    applied = apply(session, pool, current, decided.inputs, decided.outcome, due_at)
    session.flush()
    next_round = open_round(session, pool, due_at, entropy)
    session.flush()
    schedule(session, pool, due_at)
    return RoundHeld(pool, current, next_round, decided.inputs, decided.outcome, applied, skipped)
