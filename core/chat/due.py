"""Due work: rounds, reminders, releases, automatic confirmations, recurring tasks, expiry. A query over the tables.

`run_due` is idempotent and says when it wants to run next; whatever wakes it up may do so as often as it likes.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlmodel import Session, col, func, select

from core import batches, recurring, reports
from core.chat import inbox, notices, outbox
from core.chat.desk import Desk
from core.chat.telling import Telling, resume
from core.events import Event, PledgeEnded, Released, ReminderDue
from core.rounds.hold import OutdatedError, RoundHeld, decide_outside, hold, uncollected
from core.store import announce, lock_pool
from core.tables import Batch, Claim, Good, Member, Pledge, Pool, Product, Round, Task
from core.tables_chat import Outbox
from core.tasks import reopen, set_deadline
from core.trouble import Trouble, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.chat.dispatch import House

log = logging.getLogger(__name__)
CATCH_UP_MAX = timedelta(minutes=2)
RETRY_AFTER = timedelta(seconds=1)
FAULT_RETRY_AFTER = timedelta(minutes=1)
DECIDED_MAX = 4  # the last time, others have to wait if their pool changes all the time
CONFLICTS_MAX = 10  # in a row, of one thing that is due


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of a table that want something done at a moment: the column that says when, conditions, and what."""

    name: str
    table: type[Any]
    when: Any
    conditions: tuple[Any, ...]
    act: Callable[[Session, Any, datetime], Sequence[Event]]


@dataclass(frozen=True, order=True, slots=True)
class Due:
    """One thing that is due. They sort by their moments; at the same one, rounds come last."""

    at: datetime
    kind: int
    pool_id: int
    row_id: int


def run_due(house: House, now: datetime, *, is_caught_up: Callable[[], bool] = lambda: True) -> datetime | None:
    """Do everything that is due, in order; return when the next thing is (None: nothing is planned).

    A round waits, at most two minutes, until the adapters have caught up and earlier events are dispatched: the
    order of the inbox decides. What is due in its pool after it waits with it. What fails is logged, holds up nothing
    else, and is tried again later.
    """
    tried: set[Due] = set()
    waiting: set[int] = set()
    again: list[datetime] = []
    found, upcoming = _look(house, now, tried)
    while found:
        for due in found:
            tried.add(due)
            if due.kind == ROUND and now < due.at + CATCH_UP_MAX and _is_behind(house, now, is_caught_up):
                waiting.add(due.pool_id)
                again.append(now + RETRY_AFTER)
            if due.pool_id not in waiting and not _succeeds(house, due, now):
                again.append(now + FAULT_RETRY_AFTER)
        found, upcoming = _look(house, now, tried)
    return min((one for one in (upcoming, *again) if one is not None), default=None)


def next_due(session: Session, now: datetime) -> datetime | None:
    """Return when the next thing after now is due; messages that are held back count as well."""
    wanted = [(kind.when, kind.conditions) for kind in KINDS]
    wanted += [(col(Pool.round_due_at), ()), (col(Outbox.not_before), (col(Outbox.delivery_id).is_(None),))]
    moments = [session.exec(select(func.min(when)).where(when > now, *conditions)).one() for when, conditions in wanted]
    return min((one for one in moments if one is not None), default=None)


def _look(house: House, now: datetime, tried: set[Due]) -> tuple[list[Due], datetime | None]:
    """Return what is due and was not tried yet, in order; and when the next thing is due."""
    with house.store.read() as session:
        found = [
            Due(at, number, pool_id, row_id)
            for number, kind in enumerate(KINDS)
            for pool_id, row_id, at in session.exec(
                select(kind.table.pool_id, kind.table.id, kind.when).where(kind.when <= now, *kind.conditions)
            )
        ]
        rounds = select(Pool.id, Pool.round_due_at).where(col(Pool.round_due_at) <= now)
        found += [Due(at, ROUND, pool_id, 0) for pool_id, at in session.exec(rounds) if at is not None]
        untold = select(Round.due_at, Round.pool_id, Round.id).where(col(Round.told_id).is_not(None))
        found += [Due(at, TELLING, pool_id, row_id) for at, pool_id, row_id in session.exec(untold) if at is not None]
        return sorted(set(found) - tried), next_due(session, now)


def _is_behind(house: House, now: datetime, is_caught_up: Callable[[], bool]) -> bool:
    with house.store.read() as session:
        return not is_caught_up() or inbox.count_waiting(session, now) > 0


def _succeeds(house: House, due: Due, now: datetime, tries: int = CONFLICTS_MAX) -> bool:
    """Do one due thing in a transaction of its own; return whether that went well. A store out of reach is raised."""
    try:
        if due.kind == ROUND:
            _hold_round(house, due.pool_id, now)
        elif due.kind == TELLING:
            resume(house, due.pool_id, due.row_id, now)
        else:
            _do(house, KINDS[due.kind], due, now)
    except Exception as error:
        trouble = trouble_of(error)
        if trouble is Trouble.OUTAGE:
            raise
        if trouble is Trouble.CONFLICT and tries:
            return _succeeds(house, due, now, tries - 1)
        log.exception("%s could not be done", due)
        house.on_fault(error)
        return False
    return True


def _do(house: House, kind: Kind, due: Due, now: datetime) -> None:
    with house.store.write() as session:
        lock_pool(session, due.pool_id)
        where = (kind.table.pool_id == due.pool_id, kind.table.id == due.row_id, *kind.conditions)
        if session.exec(select(kind.when).where(*where)).first() != due.at:
            return  # somebody else was quicker
        happened = kind.act(session, session.get_one(kind.table, (due.pool_id, due.row_id)), now)
        # The moment is part of the key: the next reminder of the same row is another message.
        key = f"due:{kind.name}:{due.pool_id}:{due.row_id}:{due.at.isoformat()}"
        desk = Desk(session, now, key, language=house.language)
        notices.tell(desk, happened)
        desk.draw()
        announce(session, outbox.WRITTEN)


def _hold_round(house: House, pool_id: int, now: datetime) -> None:
    held = _held(house, pool_id, now)
    if held is not None:
        Telling(house, pool_id, held.round.id, held.inputs, held.outcome, now).run()


@uncollected()
def _held(house: House, pool_id: int, now: datetime) -> RoundHeld | None:
    """Hold a round; if its pool changes meanwhile, begin anew before it is decided while others wait."""
    tries_left = DECIDED_MAX
    while True:
        tries_left -= 1
        decided = decide_outside(house.store, pool_id, now, tries_left)
        if decided is None:
            return None
        with suppress(OutdatedError), house.store.write() as session:
            return hold(session, pool_id, decided, now, house.entropy)
        del decided  # it is large


# What is done, by kind


def _attend_claim(session: Session, claim: Claim, now: datetime) -> Sequence[Event]:
    """Remind, release or confirm a claim, whatever its stage says; then set the next deadline."""
    pool_id = claim.pool_id
    task, member = session.get_one(Task, (pool_id, claim.task_id)), session.get_one(Member, (pool_id, claim.member_id))
    if claim.stage == "confirm":
        return reports.finish(session, task, claim, None, now)
    if claim.stage == "release":
        reopen(session, task, claim, now)
        return [Released(task, claim, member)]
    is_overdue = claim.stage == "due"
    set_deadline(claim, task, now)
    return [ReminderDue(task, claim, member, is_overdue)]


def _expire(session: Session, batch: Batch, now: datetime) -> Sequence[Event]:
    return [batches.expire(session, batch, now)]


def _end_pledge(session: Session, pledge: Pledge, now: datetime) -> Sequence[Event]:
    pledge.ended_at = now
    product = session.get_one(Product, (pledge.pool_id, pledge.product_id))
    return [PledgeEnded(session.get_one(Good, (pledge.pool_id, product.good_id)), product, pledge)]


KINDS = (
    Kind("claim", Claim, col(Claim.deadline_at), (), _attend_claim),
    Kind("task", Task, col(Task.next_at), (), recurring.recur),
    Kind("batch", Batch, col(Batch.until_at), (col(Batch.expired_at).is_(None), col(Batch.left) > 0), _expire),
    Kind("pledge", Pledge, col(Pledge.by_at), (col(Pledge.ended_at).is_(None),), _end_pledge),
)
ROUND = len(KINDS)
TELLING = ROUND + 1  # what a process that died had not told of a round
