"""A pool with a past: 200 members and 60 recurring tasks that were done every day, with a round each week.

The days are bulk rows as the rules would have left them; the rounds are held by the rules.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import bulk
from core.rounds.gather import gather
from core.rounds.hold import decided, hold
from core.tables import Backing, Batch, Task, Want
from core.timing import current_round
from tests.large import Large, Size
from tests.village import entropy

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

    from core.store import Store

SIZE = Size(members=200, tasks=60, goods=10, projects=4)
WEEK_DAYS = 7
BATCH_WEEKS = 4


def make_history(store: Store, days: int) -> datetime:
    """Make the pool in an empty store; return the moment after its last day."""
    with store.write() as session:
        past = Large(session, SIZE)
        past.make()
        numbers = session.exec(select(Task.number).where(col(Task.closed_at).is_(None))).all()
        series = list(session.exec(select(Task).where(col(Task.number).in_(numbers))))
        for task in series:
            task.every, task.series = "day", task.number
        for day in range(1, days + 1):
            past.at += timedelta(days=1) // timedelta(microseconds=1)
            _work(past, [task.number for task in series])
            if day % WEEK_DAYS == 0:
                _week(session, past, day // WEEK_DAYS)
        now = bulk.instant(past.at)
    store.analyse()
    return now


def _work(past: Large, series: list[int]) -> None:
    """Let everything be done once: by turns for a product, or for all and backed by somebody of another project."""
    members = len(past.people)
    jobs: list[tuple[int, int, int | None, int]] = []
    for place in range(len(series)):
        worker = past.random.randrange(members)
        own = [product for product, _good, project, _reserve in past.products if project == past.home(worker)]
        jobs.append((past.home(worker), worker, past.random.choice(own) if own and place % 2 else None, 1000))
    tasks = past.done(jobs)
    bulk.update(past.session, past.pool.id, Task, ("series",), list(zip(tasks, series, strict=True)))
    past.contribute(jobs, tasks, [None] * len(jobs))
    backed = [
        (task, past.people[(worker + 1) % members], past.at)
        for task, (_project, worker, product, _hours) in zip(tasks, jobs, strict=True)
        if product is None
    ]
    past.add(Backing, "task_id member_id at", backed)


def _week(session: Session, past: Large, week: int) -> None:
    """Hold the round that is due; then make and want things again, once nothing is left to be had or wanted."""
    pool = past.pool
    session.flush()
    assert pool.round_due_at is not None
    due_at = pool.round_due_at
    inputs = gather(session, pool, current_round(session, pool.id), due_at)
    assert hold(session, pool.id, decided(pool.revision, inputs), due_at, entropy) is not None
    if week % BATCH_WEEKS == 0:
        _expire(session, past)
        past.batches()
    if session.exec(select(Want.id).where(col(Want.ended_at).is_(None)).limit(1)).first() is None:
        past.wants()


def _expire(session: Session, past: Large) -> None:
    """Let what is left over be past its date: on offer is as much after a year as after a month."""
    left = session.exec(select(Batch.id).where(col(Batch.left) > 0)).all()
    bulk.update(session, past.pool.id, Batch, ("left", "expired_at"), [(one, 0, past.at) for one in left])
