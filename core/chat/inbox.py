"""The inbox: events are kept here before the platform hears that they arrived, each once.

On a server any number of processes dispatch, each event in one of them: whoever takes one locks its chat until the
transaction ends, so that the next event of that chat waits and other chats go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, func, select, update

from core.store import announce, is_on_server
from core.tables_chat import Inbox

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlmodel import Session


CHAT_LOCK = 0x64706301  # "dpc" and a number: the class of the locks on chats
PAGE_ROWS = 50
RECEIVED = "dpool_received"  # what is announced when an event has been kept


def receive(session: Session, platform: str, event_id: str, chat: str, payload: dict[str, Any], now: datetime) -> bool:
    """Keep an event; return whether it is new. `chat` is what order is kept in."""
    insert = postgresql.insert if is_on_server(session) else sqlite.insert
    row = Inbox(platform=platform, event_id=event_id, chat=chat, payload=payload, received_at=now)
    statement = insert(Inbox).values(row.model_dump(exclude={"id"})).on_conflict_do_nothing()
    is_new = session.exec(statement.returning(col(Inbox.id))).first() is not None
    if is_new:
        announce(session, RECEIVED)
    return is_new


def next_waiting(session: Session) -> Inbox | None:
    """Return the oldest event that is not dispatched yet; on a server, of the chats that nobody else is at."""
    query = select(Inbox).where(col(Inbox.done_at).is_(None)).order_by(col(Inbox.id)).limit(1)
    if not is_on_server(session):
        return session.exec(query).first()
    passed: set[str] = set()
    while chats := _chats_waiting(session, passed):
        for chat in chats:
            passed.add(chat)
            if session.exec(select(func.pg_try_advisory_xact_lock(CHAT_LOCK, func.hashtext(chat)))).one():
                # Only now is it sure that whoever had the chat before has committed.
                row = session.exec(query.where(Inbox.chat == chat).with_for_update()).first()
                if row is not None:
                    return row
    return None


def waiting(session: Session, count: int) -> list[Inbox]:
    """Return the oldest events that are not dispatched yet; on a server one, since it locks the chat it is of."""
    if count > 1 and not is_on_server(session):
        query = select(Inbox).where(col(Inbox.done_at).is_(None)).order_by(col(Inbox.id)).limit(count)
        return list(session.exec(query))
    row = next_waiting(session)
    return [] if row is None else [row]


def done(session: Session, row_ids: Collection[int], now: datetime) -> None:
    """Note that events have been dispatched."""
    query = update(Inbox).where(col(Inbox.id).in_(row_ids)).values(done_at=now)
    session.exec(query, execution_options={"synchronize_session": False})


def _chats_waiting(session: Session, passed: Collection[str]) -> list[str]:
    """Return the chats of the oldest events that wait, but for those passed already; in order, each once."""
    query = select(Inbox.chat).where(col(Inbox.done_at).is_(None), col(Inbox.chat).not_in(passed))
    return list(dict.fromkeys(session.exec(query.order_by(col(Inbox.id)).limit(PAGE_ROWS))))


def count_waiting(session: Session, until: datetime | None = None) -> int:
    """Return how many events wait, received by `until`."""
    query = select(func.count()).select_from(Inbox).where(col(Inbox.done_at).is_(None))
    if until is not None:
        query = query.where(col(Inbox.received_at) <= until)
    return session.exec(query).one()
