"""Pruning: the post of long ago goes, a few hundred rows at a time, so that nobody waits for it.

What can still be used stays however old it is: what waits, and the messages of live cards. A button of anything else
that is gone says that it is too old. Of a pool's own rows only those go that say how to take something back. Events
are known by their ids for longer than any platform sends them again.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import defer
from sqlmodel import col, delete, func, select, tuple_

from core.tables import Deed, Task
from core.tables_chat import Card, Chat, Code, Delivery, Inbox, Meta, Outbox, Press
from core.trouble import Trouble, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from sqlmodel import Session

    from core.store import Store

log = logging.getLogger(__name__)
KEPT = timedelta(days=30)
EVERY = timedelta(days=1)
BATCH_ROWS = 500
BATCHES_MAX = 20  # at one go; other due work comes in between
PAUSE = timedelta(seconds=1)
FAULT_PAUSE = timedelta(hours=1)
PRUNED_AT = "pruned_at"  # the fact in `meta` that says when it was last done
Key = int | str | tuple[int, int]
DELIVERY_OF_PRESS = re.compile(r"[0-9]{1,18}(?=:)")


class Pruning:
    """Prunes a store once a day; `run` may be called as often as one likes. `on_fault` hears of what went wrong."""

    def __init__(self, store: Store, on_fault: Callable[[Exception], None] = lambda _error: None) -> None:
        self._store = store
        self._on_fault = on_fault
        self._batches: Iterator[None] | None = None

    def run(self, now: datetime) -> datetime:
        """Do a part of it if it is due; return when to call again. What fails is logged, and begun again later.

        That the store is out of reach is raised.
        """
        try:
            return self._run(now)
        except Exception as error:
            if trouble_of(error) is not Trouble.FAULT:
                raise
            log.exception("what is old could not be deleted")
            self._on_fault(error)
            return now + FAULT_PAUSE

    def _run(self, now: datetime) -> datetime:
        if self._batches is None:
            due_at = self._due_at(now)
            if due_at > now:
                return due_at
            self._batches = _batches(self._store, now - KEPT)
        batches, self._batches = self._batches, None  # one that fails begins again
        for _number in range(BATCHES_MAX):
            if next(batches, self) is self:
                return self._finish(now)
        self._batches = batches
        return now + PAUSE

    def _due_at(self, now: datetime) -> datetime:
        with self._store.read() as session:
            fact = session.get(Meta, PRUNED_AT)
        return datetime.fromisoformat(fact.value) + EVERY if fact is not None else now

    def _finish(self, now: datetime) -> datetime:
        with self._store.write() as session:
            session.merge(Meta(key=PRUNED_AT, value=now.isoformat()))
        return now + EVERY


def _batches(store: Store, cutoff: datetime) -> Iterator[None]:
    """Do a batch at each step, in a transaction of its own."""
    yield from _each(store, _cards, 0, cutoff)
    with store.read() as session:
        # No card is ever made for an old message: whatever comes meanwhile does not change what may go.
        query = select(Outbox.delivery_id).join(Card, col(Card.outbox_id) == col(Outbox.id))
        live = {number for number in session.exec(query) if number is not None}
    yield from _each(store, partial(_deliveries, live), 0, cutoff)
    yield from _each(store, _outbox, 0, cutoff)
    yield from _each(store, _inbox, 0, cutoff)
    yield from _each(store, _presses, "", cutoff)
    yield from _each(store, _deeds, (0, 0), cutoff)
    with store.write() as session:
        session.exec(delete(Code).where(col(Code.expires_at) < cutoff))


def _each(
    store: Store, prune: Callable[[Session, Any, datetime], Key | None], start: Key, cutoff: datetime
) -> Iterator[None]:
    """Let `prune` go through a table: it looks at the rows after a key and returns the last one's, None at the end."""
    after: Key | None = start
    while after is not None:
        with store.write() as session:
            after = prune(session, after, cutoff)
        yield


def _cards(session: Session, after: int, cutoff: datetime) -> int | None:
    """Let cards go that have shown the same for long, of tasks that are over."""
    query = select(Card, Outbox.created_at).join(Outbox, col(Outbox.id) == col(Card.outbox_id))
    rows = session.exec(query.where(col(Card.id) > after).order_by(col(Card.id)).limit(BATCH_ROWS)).all()
    tasks = {
        card.id: (card.pool_id, int(card.subject.split()[1]))
        for card, created_at in rows
        if card.subject.startswith("task ") and card.marked_at is None and (card.drawn_at or created_at) < cutoff
    }
    key = tuple_(col(Task.pool_id), col(Task.number))
    over = select(Task.pool_id, Task.number).where(key.in_(list(tasks.values())), col(Task.closed_at) < cutoff)
    closed = set(session.exec(over).all())
    session.exec(delete(Card).where(col(Card.id).in_([card_id for card_id, task in tasks.items() if task in closed])))
    return rows[-1][0].id if len(rows) == BATCH_ROWS else None


def _deliveries(live: Collection[int], session: Session, after: int, cutoff: datetime) -> int | None:
    """Let deliveries go, but for the last one of each message that is `live` or that was changed lately.

    The first one stays with the last: later edits refer to it. The newest of all stays, so that numbers go on.
    """
    payload: Any = Delivery.payload  # most of a row, and not looked at
    query = select(Delivery).options(defer(payload))
    query = query.where(col(Delivery.id) > after, col(Delivery.id) < _newest(session, Delivery))
    rows = session.exec(query.order_by(col(Delivery.id)).limit(BATCH_ROWS)).all()
    old = [row for row in rows if row.created_at < cutoff]
    last = _last_shown(session, {(row.chat_id, row.ref) for row in old if row.ref is not None})
    off = _off(session, {row.chat_id for row in old if row.state == "ready"}, cutoff)

    def is_used(row: Delivery) -> bool:
        if row.state == "ready":
            return row.chat_id not in off
        shown_id, shown_at = last.get((row.chat_id, row.ref), (0, cutoff - KEPT))
        if row.edits is None:
            return row.id in live or shown_at >= cutoff
        return row.edits in live and row.id == shown_id

    ids = [row.id for row in old if not is_used(row)]
    session.exec(delete(Delivery).where(col(Delivery.id).in_(ids)))
    return rows[-1].id if len(old) == BATCH_ROWS else None


def _last_shown(
    session: Session, messages: Collection[tuple[int, str | None]]
) -> dict[tuple[int, str | None], tuple[int, datetime]]:
    """Return the last delivery that each message shows, and when it was made, by chat and reference."""
    place = (col(Delivery.chat_id), col(Delivery.ref))
    query = select(*place, func.max(Delivery.id), func.max(Delivery.created_at)).where(Delivery.state == "sent")
    rows = session.exec(query.where(tuple_(*place).in_(list(messages))).group_by(*place))
    return {(chat_id, ref): (last_id, at) for chat_id, ref, last_id, at in rows}


def _off(session: Session, chats: Collection[int], cutoff: datetime) -> set[int]:
    """Return those chats that have been off for long."""
    query = select(Chat.id).where(col(Chat.id).in_(chats), col(Chat.off_at) < cutoff)
    return set(session.exec(query).all())


def _outbox(session: Session, after: int, cutoff: datetime) -> int | None:
    """Let messages go whose delivery is gone, and those that were never sent to a chat that has long been off."""
    query = select(Outbox.id, Outbox.chat_id, Outbox.delivery_id, Outbox.created_at)
    query = query.where(col(Outbox.id) > after, col(Outbox.id) < _newest(session, Outbox))
    rows = session.exec(query.order_by(col(Outbox.id)).limit(BATCH_ROWS)).all()
    old = [(row_id, chat_id, delivery_id) for row_id, chat_id, delivery_id, created_at in rows if created_at < cutoff]
    known = set(session.exec(select(Delivery.id).where(col(Delivery.id).in_({row[2] for row in old} - {None}))).all())
    off = _off(session, {chat_id for _id, chat_id, delivery_id in old if delivery_id is None}, cutoff)
    ids = [
        row_id
        for row_id, chat_id, delivery_id in old
        if (chat_id in off if delivery_id is None else delivery_id not in known)
    ]
    session.exec(delete(Outbox).where(col(Outbox.id).in_(ids)))
    return rows[-1][0] if len(old) == BATCH_ROWS else None


def _inbox(session: Session, after: int, cutoff: datetime) -> int | None:
    """Let events go that were handled, or set aside, long ago."""
    query = select(Inbox.id, Inbox.done_at, Inbox.received_at)
    query = query.where(col(Inbox.id) > after, col(Inbox.id) < _newest(session, Inbox))
    rows = session.exec(query.order_by(col(Inbox.id)).limit(BATCH_ROWS)).all()
    old = [(row_id, done_at) for row_id, done_at, received_at in rows if received_at < cutoff]
    ids = [row_id for row_id, done_at in old if done_at is not None and done_at < cutoff]
    session.exec(delete(Inbox).where(col(Inbox.id).in_(ids)))
    return rows[-1][0] if len(old) == BATCH_ROWS else None


def _presses(session: Session, after: str, cutoff: datetime) -> str | None:
    """Forget that choices took effect which nobody can press any more."""
    query = select(Press.key, Press.at).where(col(Press.key) > after)
    rows = session.exec(query.order_by(col(Press.key)).limit(BATCH_ROWS)).all()
    old = [key for key, at in rows if at < cutoff]
    pressed = {key: int(match[0]) for key in old if (match := DELIVERY_OF_PRESS.match(key))}
    known = set(session.exec(select(Delivery.id).where(col(Delivery.id).in_(set(pressed.values())))).all())
    session.exec(delete(Press).where(col(Press.key).in_([key for key in old if pressed.get(key) not in known])))
    return rows[-1][0] if len(rows) == BATCH_ROWS else None


def _deeds(session: Session, after: tuple[int, int], cutoff: datetime) -> tuple[int, int] | None:
    """Forget how to take back what nobody can take back any more."""
    key = tuple_(col(Deed.pool_id), col(Deed.id))
    query = select(Deed.pool_id, Deed.id, Deed.at).where(key > after)
    rows = session.exec(query.order_by(col(Deed.pool_id), col(Deed.id)).limit(BATCH_ROWS)).all()
    old = [(pool_id, number) for pool_id, number, at in rows if at < cutoff]
    session.exec(delete(Deed).where(key.in_(old)))
    return (rows[-1][0], rows[-1][1]) if len(rows) == BATCH_ROWS else None


def _newest(session: Session, table: type[Inbox | Outbox | Delivery]) -> int:
    """Return the highest number of a table: that row is kept, whoever looks for what came last finds it."""
    return session.exec(select(func.max(table.id))).one() or 0
