"""Due work: rounds, reminders, releases, automatic confirmations, recurring tasks, expiry. A query over the tables.

`run_due` is idempotent and says when it wants to run next; whatever wakes it up may do so as often as it likes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import Session, col, func, select

from core import batches, recurring, reports
from core.chat import inbox, notices
from core.chat.desk import Desk
from core.events import Event, PledgeEnded, Released, ReminderDue
from core.rounds.hold import decide_outside, due_pools, hold
from core.store import lock_pool
from core.tables import Batch, Claim, Good, Member, Pledge, Pool, Product, Task
from core.tables_chat import Outbox
from core.tasks import reopen, set_deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from core.chat.dispatch import House

CATCH_UP_MAX = timedelta(minutes=2)
RETRY_AFTER = timedelta(seconds=1)


def run_due(house: House, now: datetime, *, is_caught_up: Callable[[], bool] = lambda: True) -> datetime | None:
    """Do everything that is due; return when the next thing is (None: nothing is planned).

    A round waits, at most two minutes, until the adapters have caught up and earlier events are dispatched: the
    order of the inbox decides.
    """
    for find, act in STEPS:
        while _run_one(house, find, act, now):
            pass
    with house.store.read() as session:
        pools = due_pools(session, now)
        waits = pools and (not is_caught_up() or inbox.count_waiting(session, now) > 0)
        first_due = session.exec(select(func.min(Pool.round_due_at))).one() if pools else None
    if waits and first_due is not None and now < first_due + CATCH_UP_MAX:
        return now + RETRY_AFTER
    for pool_id in pools:
        _hold_round(house, pool_id, now)
    with house.store.read() as session:
        return next_due(session, now)


def next_due(session: Session, now: datetime) -> datetime | None:
    """Return when the next thing is due."""
    columns = (Pool.round_due_at, Claim.deadline_at, Task.next_at, Batch.until_at, Pledge.by_at)
    waiting = (
        None,
        None,
        col(Task.next_at).is_not(None),
        (col(Batch.expired_at).is_(None)) & (Batch.left > 0),
        col(Pledge.ended_at).is_(None),
    )
    found = []
    for column, condition in zip(columns, waiting, strict=True):
        query = select(func.min(column))
        found.append(session.exec(query if condition is None else query.where(condition)).one())
    held_back = (col(Outbox.delivery_id).is_(None), col(Outbox.not_before) > now)
    found.append(session.exec(select(func.min(Outbox.not_before)).where(*held_back)).one())
    return min((one for one in found if one is not None), default=None)


def _hold_round(house: House, pool_id: int, now: datetime) -> None:
    decided = decide_outside(house.store, pool_id, now)
    if decided is None:
        return
    with house.store.write() as session:
        held = hold(session, pool_id, decided, now, house.entropy)
        if held is not None:
            desk = Desk(session, now, f"round:{pool_id}:{held.round.number}", language=house.language)
            notices.tell(desk, [held])
            desk.draw()


Key = tuple[int, int]


def _run_one(
    house: House,
    find: Callable[[Session, datetime], Key | None],
    act: Callable[[Session, Key, datetime], Sequence[Event]],
    now: datetime,
) -> bool:
    """Do one due thing in a transaction of its own; return whether there was one."""
    with house.store.read() as session:
        if find(session, now) is None:
            return False
    with house.store.write() as session:
        key = find(session, now)
        if key is None:
            return False
        lock_pool(session, key[0])
        happened = act(session, key, now)
        desk = Desk(
            session, now, f"due:{act.__name__}:{key[0]}:{key[1]}:{int(now.timestamp())}", language=house.language
        )
        notices.tell(desk, happened)
        desk.draw()
    return True


def _due_claim(session: Session, now: datetime) -> Key | None:
    query = select(Claim.pool_id, Claim.id).where(col(Claim.deadline_at) <= now)
    return session.exec(query.order_by(col(Claim.deadline_at), col(Claim.id)).limit(1)).first()


def _attend_claim(session: Session, key: Key, now: datetime) -> Sequence[Event]:
    """Remind, release or confirm a claim, whatever its stage says; then set the next deadline."""
    claim = session.get_one(Claim, key)
    task, member = session.get_one(Task, (key[0], claim.task_id)), session.get_one(Member, (key[0], claim.member_id))
    if claim.stage == "confirm":
        return reports.finish(session, task, claim, None, now)
    if claim.stage == "release":
        reopen(session, task, claim, now)
        return [Released(task, claim, member)]
    is_overdue = claim.stage == "due"
    set_deadline(claim, task, now)
    return [ReminderDue(task, claim, member, is_overdue)]


def _due_task(session: Session, now: datetime) -> Key | None:
    query = select(Task.pool_id, Task.id).where(col(Task.next_at) <= now)
    return session.exec(query.order_by(col(Task.next_at), col(Task.id)).limit(1)).first()


def _recur(session: Session, key: Key, now: datetime) -> Sequence[Event]:
    return recurring.recur(session, session.get_one(Task, key), now)


def _due_batch(session: Session, now: datetime) -> Key | None:
    query = select(Batch.pool_id, Batch.id).where(
        col(Batch.until_at) <= now, col(Batch.expired_at).is_(None), Batch.left > 0
    )
    return session.exec(query.order_by(col(Batch.until_at), col(Batch.id)).limit(1)).first()


def _expire(session: Session, key: Key, now: datetime) -> Sequence[Event]:
    return [batches.expire(session, session.get_one(Batch, key), now)]


def _due_pledge(session: Session, now: datetime) -> Key | None:
    query = select(Pledge.pool_id, Pledge.id).where(col(Pledge.by_at) <= now, col(Pledge.ended_at).is_(None))
    return session.exec(query.order_by(col(Pledge.by_at), col(Pledge.id)).limit(1)).first()


def _end_pledge(session: Session, key: Key, now: datetime) -> Sequence[Event]:
    pledge = session.get_one(Pledge, key)
    pledge.ended_at = now
    product = session.get_one(Product, (key[0], pledge.product_id))
    return [PledgeEnded(session.get_one(Good, (key[0], product.good_id)), product, pledge)]


STEPS: tuple[
    tuple[Callable[[Session, datetime], Key | None], Callable[[Session, Key, datetime], Sequence[Event]]], ...
] = (
    (_due_claim, _attend_claim),
    (_due_task, _recur),
    (_due_batch, _expire),
    (_due_pledge, _end_pledge),
)
