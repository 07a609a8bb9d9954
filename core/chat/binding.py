"""Binding: a sender takes what waits in the outbox, and the cards that are to be drawn, and makes deliveries of them.

A delivery is final: retries send the same text under the same key. Its number and the position of a choice in it are
what a button carries. On a server any number of processes send: they bind one after another, and a chat with something
under way is left out by all of them. Whoever dispatches is never waited for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, func, or_, select

from core.chat import cards, outbox
from core.chat.ahead import Ahead
from core.chat.desk import Desk
from core.chat.message import Failure, Message, Priority, merged
from core.store import is_on_server
from core.tables_chat import Delivery, Outbox

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlmodel import Session

    from core.chat.say import Say
    from core.tables_chat import Card, Chat

MERGED_MAX = 10
MERGED_CHARACTERS_MAX = 3000
LEASE = timedelta(seconds=60)
TOAST_AGE_MAX = timedelta(seconds=30)  # whoever pressed has been answered by then, or has gone on
REST_MAX = timedelta(seconds=30)  # a chat waits so long for a message that is to be tried again
TURN_LOCK = 0x64706302  # "dpc" and a number: the class of the locks by which senders bind in turn


def bind(
    session: Session,
    platform: str,
    now: datetime,
    *,
    count: int,
    busy_chats: Collection[int] = (),
    card_seconds: int = 3,
    repeats_safely: bool = False,
    sender: int = 0,
) -> list[Delivery]:
    """Return up to `count` deliveries to be sent now, each to another chat, none to a chat that waits for one.

    A toast is no message in a chat: it waits for nothing there, and nothing waits for it. `sender` is the
    process that will send them; the rest is as in `bind_next`.
    """
    if is_on_server(session):
        session.exec(select(func.pg_advisory_xact_lock(TURN_LOCK, func.hashtext(platform))))
    busy = {*busy_chats, *_chats_waiting(session, platform, now)}
    bound = Binding(session, platform, now, count, card_seconds=card_seconds, repeats_safely=repeats_safely)
    while len(bound.found) < count and (delivery := bound.next(busy)) is not None:
        delivery.sender = sender
        if delivery.priority != Priority.TOAST:
            busy.add(delivery.chat_id)
    return bound.finish()


def _chats_waiting(session: Session, platform: str, now: datetime) -> Sequence[int]:
    """Return the chats in which a message is under way, or is tried again soon: so a chat's messages keep their order.

    What is tried again later than that holds up nobody, and neither does a toast.
    """
    is_soon = col(Delivery.retry_at) <= now + REST_MAX
    query = select(Delivery.chat_id).where(Delivery.platform == platform, Delivery.state == "ready")
    query = query.where(Delivery.priority != Priority.TOAST, col(Delivery.retry_at) > now)
    query = query.where(or_(col(Delivery.sent_at).is_not(None), is_soon))
    return session.exec(query).all()


def bind_next(
    session: Session,
    platform: str,
    now: datetime,
    *,
    busy_chats: Collection[int] = (),
    card_seconds: int = 3,
    repeats_safely: bool = False,
) -> Delivery | None:
    """Return what is to be sent next: a delivery that waits for another try, or one bound from the outbox now.

    `busy_chats` are left out, because their platform's limits say so. Cards are drawn at most every `card_seconds`.
    `repeats_safely`: the platform takes a key twice for once, so that what nobody reported on is simply sent again.
    """
    bound = Binding(session, platform, now, 1, card_seconds=card_seconds, repeats_safely=repeats_safely)
    bound.next(busy_chats)
    return next(iter(bound.finish()), None)


class Binding:
    """Binding up to `count` deliveries in one transaction: what is written of them is written at once, at the end."""

    def __init__(
        self, session: Session, platform: str, now: datetime, count: int, *, card_seconds: int, repeats_safely: bool
    ) -> None:
        self.found: list[Delivery] = []
        self._session = session
        self._now = now
        self._card_seconds = card_seconds
        self._repeats_safely = repeats_safely
        self._ahead = Ahead(session, platform, now, count)
        self._bound: list[tuple[Delivery, list[Outbox]]] = []
        self._desk = Desk(session, now, "")
        self._faces: dict[tuple[Say, int, str], Message] = {}

    def next(self, busy_chats: Collection[int]) -> Delivery | None:
        """Return what is to be sent next, if there is anything; it has no number before the end."""
        with self._session.no_autoflush:
            waiting, row = self._next_try(busy_chats), self._next_row(busy_chats)
            delivery = None
            if min(one.priority if one is not None else Priority.NOTICE for one in (waiting, row)) >= Priority.ASK:
                delivery = self._draw_card(busy_chats)
            if delivery is None and waiting is not None and (row is None or waiting.priority <= row.priority):
                delivery = _leased(waiting, self._now)
            elif delivery is None and row is not None:
                delivery = self._bind(_mergeable(self._session, row, self._now))
        if delivery is not None:
            self.found.append(delivery)
        return delivery

    def finish(self) -> list[Delivery]:
        """Write it all; return what is to be sent."""
        self._session.flush()
        for delivery, rows in self._bound:
            for row in rows:
                row.delivery_id = delivery.id
        self._session.flush()
        return self.found

    def _next_try(self, busy_chats: Collection[int]) -> Delivery | None:
        """Return the delivery to be tried again; set aside those for which that makes no sense any more."""
        now = self._now
        while (delivery := self._ahead.next_try(busy_chats)) is not None:
            if _is_stale(delivery.priority, delivery.created_at, now) or _is_superseded(self._session, delivery):
                delivery.state = "dropped"
                continue
            if delivery.sent_at is not None:
                # To show the same thing twice is to show it once: only a new message can come double.
                may_double = delivery.edits is None and not self._repeats_safely
                failure = Failure("no word from its sender", 0, ambiguous=may_double)
                outbox.failed(self._session, delivery.id, failure, now)
            if delivery.state == "ready":
                return delivery
        return None

    def _next_row(self, busy_chats: Collection[int]) -> Outbox | None:
        while (row := self._ahead.next_row(busy_chats)) is not None and _is_stale(
            row.priority, row.created_at, self._now
        ):
            self._bind([row]).state = "dropped"
        return row

    def _bind(self, rows: list[Outbox]) -> Delivery:
        first = rows[0]
        message = merged([Message.from_json(row.payload) for row in rows])
        delivery = Delivery(
            key=first.key,
            platform=first.platform,
            chat_id=first.chat_id,
            priority=first.priority,
            payload=message.to_json(),
            created_at=self._now,
        )
        original = self._session.get(Delivery, message.edits) if message.edits else None
        if original is not None and original.ref is not None:
            # Without a reference nobody knows which message it is: then what would replace it comes as a new one.
            delivery.edits, delivery.ref = original.edits or original.id, original.ref
        self._session.add(_leased(delivery, self._now))
        self._ahead.take(rows)
        self._bound.append((delivery, rows))
        return delivery

    def _draw_card(self, busy_chats: Collection[int]) -> Delivery | None:
        """Bind an edit for a card that no longer shows the newest state."""
        while (found := self._ahead.next_card(busy_chats, self._card_seconds)) is not None:
            card, original, chat = found
            card.marked_at = None
            newest = self._face(card, chat)
            if newest != Message.from_json(card.shown):
                card.shown, card.drawn_at = newest.to_json(), self._now
                edit = Delivery(
                    key=f"card:{card.id}:{self._ahead.next_edit()}",
                    platform=original.platform,
                    chat_id=card.chat_id,
                    priority=Priority.EDIT,
                    payload=card.shown,
                    edits=original.id,
                    ref=original.ref,
                    created_at=self._now,
                )
                self._session.add(_leased(edit, self._now))
                return edit
        return None

    def _face(self, card: Card, chat: Chat) -> Message:
        """Return what a card is to show in a chat; many speak the same language."""
        say = self._desk.say_in(chat, card.pool_id)
        key = (say, card.pool_id, card.subject)
        if key not in self._faces:
            self._faces[key] = cards.face(self._session, say, card.pool_id, card.subject)
        return self._faces[key]


def _is_stale(priority: int, since: datetime, now: datetime) -> bool:
    return priority == Priority.TOAST and since < now - TOAST_AGE_MAX


def _is_superseded(session: Session, delivery: Delivery) -> bool:
    """Tell whether a later edit shows something newer: only the newest state is drawn."""
    if delivery.edits is None:
        return False
    later = select(Delivery.id).where(
        Delivery.chat_id == delivery.chat_id,
        Delivery.ref == delivery.ref,
        col(Delivery.id) > delivery.id,
        col(Delivery.state).in_(("ready", "sent")),
    )
    return session.exec(later.limit(1)).first() is not None


def _mergeable(session: Session, row: Outbox, now: datetime) -> list[Outbox]:
    """Return the notices that go out as one message with this one: same chat, no choices, in order."""
    if not row.payload.get("merges"):
        return [row]
    query = select(Outbox).where(
        Outbox.chat_id == row.chat_id,
        Outbox.priority == row.priority,
        col(Outbox.delivery_id).is_(None),
        col(Outbox.id) >= row.id,
        or_(col(Outbox.not_before).is_(None), col(Outbox.not_before) <= now),
    )
    rows: list[Outbox] = []
    length = 0
    for one in session.exec(query.order_by(col(Outbox.id)).limit(MERGED_MAX).with_for_update(skip_locked=True)):
        length += len(str(Message.from_json(one.payload).text))
        if not one.payload.get("merges") or (rows and length > MERGED_CHARACTERS_MAX):
            break
        rows.append(one)
    return rows


def _leased(delivery: Delivery, now: datetime) -> Delivery:
    """Count an attempt, begun at `sent_at`. Should its sender never say how it went, it comes up again later."""
    delivery.attempts, delivery.sent_at, delivery.retry_at = delivery.attempts + 1, now, now + LEASE
    return delivery
