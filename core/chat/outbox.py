"""The outbox: messages wait here until a sender binds them to a delivery, sends it and says how it went.

A delivery is final: retries send the same text under the same key. Its number and the position of a choice in it are
what a button carries. On a server any number of processes send: they bind one after another, and a chat with something
under way is left out by all of them. Whoever dispatches is never waited for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import SQLModel, col, func, or_, select

from core.chat.ahead import Ahead
from core.chat.message import Failure, Message, Priority, merged
from core.store import is_on_server
from core.tables_chat import Chat, Delivery, Outbox

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlmodel import Session

# Every message goes through these, so they go past the objects of the session.
OUTBOX, DELIVERY = SQLModel.metadata.tables["outbox"], SQLModel.metadata.tables["delivery"]
POST = {
    dialect: insert(OUTBOX).on_conflict_do_nothing(index_elements=[OUTBOX.c.key]).returning(OUTBOX.c.id)
    for dialect, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
SENT = (
    update(DELIVERY)
    .where(DELIVERY.c.id == bindparam("delivery"))
    .values(
        state="sent",
        ref=func.coalesce(DELIVERY.c.ref, bindparam("message")),
        sent_at=bindparam("now"),
        retry_at=None,
    )
)
MERGED_MAX = 10
MERGED_CHARACTERS_MAX = 3000
LEASE = timedelta(seconds=60)
TOAST_AGE_MAX = timedelta(seconds=30)  # whoever pressed has been answered by then, or has gone on
ATTEMPTS_MAX = 60
BACKOFF_SECONDS_MAX = 600  # with it, sixty attempts last nine hours: an outage loses nothing
REST_MAX = timedelta(seconds=30)  # a chat waits so long for a message that is to be tried again
TURN_LOCK = 0x64706302  # "dpc" and a number: the class of the locks by which senders bind in turn
WRITTEN = "dpool_written"  # what is announced when there is something to send
GONE = "gone: "  # marks what is parked until its chat is back
MAYBE = "may have arrived: "  # marks the fault of a delivery that is sent once more all the same


def post(
    session: Session,
    chat: Chat,
    message: Message,
    priority: Priority,
    key: str,
    now: datetime,
    *,
    not_before: datetime | None = None,
) -> int | None:
    """Put a message into the outbox once; return the number of its row, None if its key was there already."""
    connection = session.connection()
    row = {
        "key": key,
        "platform": chat.platform,
        "chat_id": chat.id,
        "priority": priority,
        "payload": message.to_json(),
        "created_at": now,
        "not_before": not_before,
    }
    return connection.execute(POST[connection.dialect.name], row).scalar_one_or_none()


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
                failed(self._session, delivery.id, Failure("no word from its sender", 0, ambiguous=may_double), now)
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
        found = self._ahead.next_card(busy_chats, self._card_seconds)
        if found is None:
            return None
        card, original = found
        card.shown, card.drawn_at = card.wanted, self._now
        edit = Delivery(
            key=f"card:{card.id}:{self._ahead.next_edit()}",
            platform=original.platform,
            chat_id=card.chat_id,
            priority=Priority.EDIT,
            payload=card.wanted,
            edits=original.id,
            ref=original.ref,
            created_at=self._now,
        )
        self._session.add(_leased(edit, self._now))
        return edit


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


def recover(session: Session, platform: str, gone: Collection[int] | None = None) -> None:
    """Take up at once what senders of this platform left without saying how it went: all of them, or who is `gone`."""
    query = select(Delivery).where(Delivery.platform == platform, Delivery.state == "ready")
    if gone is not None:
        query = query.where(col(Delivery.sender).in_(gone))
    for delivery in session.exec(query.where(col(Delivery.sent_at).is_not(None)).with_for_update(skip_locked=True)):
        delivery.retry_at = None


def senders(session: Session, platform: str) -> set[int]:
    """Return the processes that have something of a platform under way."""
    query = select(Delivery.sender).where(Delivery.platform == platform, Delivery.state == "ready")
    return set(session.exec(query.where(col(Delivery.sent_at).is_not(None))))


def sent(session: Session, refs: Mapping[int, str], now: datetime) -> None:
    """Record that deliveries arrived, and as which messages: by the number of each, the message's own id."""
    if refs:
        rows = [{"delivery": number, "message": ref, "now": now} for number, ref in refs.items()]
        session.connection().execute(SENT, rows)
        for one in session.identity_map.values():
            if isinstance(one, Delivery) and one.id in refs:
                values = {"state": "sent", "ref": one.ref or refs[one.id], "sent_at": now, "retry_at": None}
                for name, value in values.items():
                    set_committed_value(one, name, value)


def failed(session: Session, delivery_id: int, failure: Failure, now: datetime) -> None:
    """Record that a delivery did not arrive: try again later, switch the chat off, or park it.

    What may have arrived all the same is tried once more, marked so, and then parked.
    """
    delivery = session.get_one(Delivery, delivery_id)
    was_ambiguous = delivery.fault.startswith(MAYBE)
    delivery.fault = f"{MAYBE if failure.ambiguous or was_ambiguous else ''}{failure.reason}"
    delivery.sent_at = None
    is_last = delivery.attempts >= ATTEMPTS_MAX or (failure.ambiguous and was_ambiguous)
    if delivery.priority == Priority.TOAST and (failure.gone or failure.retry_seconds is None or is_last):
        delivery.state = "dropped"
    elif failure.gone:
        delivery.state, delivery.fault = "parked", f"{GONE}{failure.reason}"
        session.get_one(Chat, delivery.chat_id).off_at = now
    elif failure.retry_seconds is None or is_last:
        delivery.state = "parked"
    else:
        backoff = min(2 ** (delivery.attempts - 1), BACKOFF_SECONDS_MAX) if delivery.attempts > 1 else 0
        delivery.retry_at = now + timedelta(seconds=max(failure.retry_seconds, backoff))


def switch_on(session: Session, chat: Chat) -> None:
    """Let a chat that was off be written to again, what waited for it included."""
    if chat.off_at is None:
        return
    chat.off_at = None
    query = select(Delivery).where(Delivery.chat_id == chat.id, Delivery.state == "parked")
    for delivery in session.exec(query.where(col(Delivery.fault).startswith(GONE))):
        delivery.state, delivery.attempts, delivery.retry_at, delivery.fault = "ready", 0, None, ""


def count_waiting(session: Session) -> int:
    """Return how many messages wait to be sent, those for chats that are off not counted."""
    rows = select(func.count()).select_from(Outbox).join(Chat, col(Chat.id) == col(Outbox.chat_id))
    deliveries = select(func.count()).select_from(Delivery).join(Chat, col(Chat.id) == col(Delivery.chat_id))
    is_on = col(Chat.off_at).is_(None)
    count = session.exec(rows.where(is_on, col(Outbox.delivery_id).is_(None))).one()
    return count + session.exec(deliveries.where(is_on, Delivery.state == "ready")).one()


def never_asked(session: Session, chat_ids: Collection[int]) -> set[int]:
    """Return which of these chats have had no message that needs somebody's action: most, where many are asked."""
    asked = select(Outbox.chat_id).where(col(Outbox.chat_id).in_(chat_ids), Outbox.priority == Priority.ASK)
    return set(chat_ids) - set(session.exec(asked.distinct()).all())


def last_ask(session: Session, chat_id: int) -> Outbox | None:
    """Return the last message of a chat that needs somebody's action, sent or not; nobody binds it meanwhile."""
    query = select(Outbox).where(Outbox.chat_id == chat_id, Outbox.priority == Priority.ASK)
    query = query.order_by(col(Outbox.id).desc()).limit(1).with_for_update()
    return session.exec(query, execution_options={"populate_existing": True}).first()


def message_shown(session: Session, chat_id: int, ref: str) -> Delivery | None:
    """Return the newest delivery that a message in a chat shows."""
    query = select(Delivery).where(Delivery.chat_id == chat_id, Delivery.ref == ref, Delivery.state == "sent")
    return session.exec(query.order_by(col(Delivery.id).desc()).limit(1)).first()
