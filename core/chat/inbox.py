"""The inbox: events are kept here before the platform hears that they arrived, each once.

On a server any number of processes dispatch, each event in one of them: whoever takes some locks their chats until the
transaction ends, so that the next events of these chats wait and other chats go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col, func, select, update

from core.store import announced, is_on_server
from core.tables_chat import Inbox

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlmodel import Session


CHAT_LOCK = 0x64706301  # "dpc" and a number: the class of the locks on chats
INBOX = SQLModel.metadata.tables["inbox"]
RECEIVED = "dpool_received"  # what is announced when an event has been kept
RECEIVE = {
    "sqlite": sqlite.insert(INBOX).values(fault="").on_conflict_do_nothing().returning(INBOX.c.id),
    "postgresql": postgresql.insert(INBOX).values(fault="").on_conflict_do_nothing().returning(announced(RECEIVED)),
}
WAITING = select(Inbox).where(col(Inbox.done_at).is_(None)).order_by(col(Inbox.id))
WAITING_IN_CHATS = WAITING.where(col(Inbox.chat).in_(bindparam("chats", expanding=True))).with_for_update()
# The offset keeps the server from trying the lock of any chat before it is the next one's turn.
IN_TURN = WAITING.with_only_columns(col(Inbox.chat)).where(col(Inbox.chat).not_in(bindparam("passed", expanding=True)))
TURNS = IN_TURN.offset(0).subquery()
FREE_CHATS = select(TURNS.c.chat).where(func.pg_try_advisory_xact_lock(CHAT_LOCK, func.hashtext(TURNS.c.chat)))


def receive(session: Session, platform: str, event_id: str, chat: str, payload: dict[str, Any], now: datetime) -> bool:
    """Keep an event; return whether it is new. `chat` is what order is kept in."""
    connection = session.connection()
    row = {"platform": platform, "event_id": event_id, "chat": chat, "payload": payload, "received_at": now}
    return connection.execute(RECEIVE[connection.dialect.name], row).first() is not None


def waiting(session: Session, count: int) -> list[Inbox]:
    """Return the oldest events that are not dispatched yet; on a server, of the chats that nobody else is at."""
    if not is_on_server(session):
        return list(session.exec(WAITING.limit(count)))
    passed: list[str] = []
    while chats := list(session.exec(FREE_CHATS.limit(count), params={"passed": passed})):
        # Only now is it sure that whoever had these chats before has committed.
        rows = list(session.exec(WAITING_IN_CHATS.limit(count), params={"chats": chats}))
        if rows:
            return rows
        passed += chats
    return []


def done(session: Session, row_ids: Collection[int], now: datetime, *words: str) -> None:
    """Note that events have been dispatched, and announce words."""
    query = update(INBOX).where(INBOX.c.id.in_(row_ids)).values(done_at=now)
    if words and is_on_server(session):
        query = query.returning(*map(announced, words))
    session.connection().execute(query)


def count_waiting(session: Session, until: datetime | None = None) -> int:
    """Return how many events wait, received by `until`."""
    query = select(func.count()).select_from(Inbox).where(col(Inbox.done_at).is_(None))
    if until is not None:
        query = query.where(col(Inbox.received_at) <= until)
    return session.exec(query).one()
