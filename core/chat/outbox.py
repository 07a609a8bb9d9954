"""The outbox: messages wait here until a sender binds them to a delivery (`core.chat.binding`) and says how it went."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import SQLModel, col, func, select

from core.chat.message import Failure, Message, Priority
from core.tables_chat import Chat, Delivery, Outbox

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
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
ATTEMPTS_MAX = 60
BACKOFF_SECONDS_MAX = 600  # with it, sixty attempts last nine hours: an outage loses nothing
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


def last_asks(session: Session, chat_ids: Collection[int]) -> dict[int, Outbox]:
    """Return the last message of each chat that needs somebody's action, sent or not; nobody binds it meanwhile."""
    asked = select(func.max(Outbox.id)).where(col(Outbox.chat_id).in_(chat_ids), Outbox.priority == Priority.ASK)
    query = select(Outbox).where(col(Outbox.id).in_(asked.group_by(col(Outbox.chat_id)))).with_for_update()
    return {row.chat_id: row for row in session.exec(query, execution_options={"populate_existing": True})}


def message_shown(session: Session, chat_id: int, ref: str) -> Delivery | None:
    """Return the newest delivery that a message in a chat shows."""
    query = select(Delivery).where(Delivery.chat_id == chat_id, Delivery.ref == ref, Delivery.state == "sent")
    return session.exec(query.order_by(col(Delivery.id).desc()).limit(1)).first()
