"""The inbox: events are kept here before the platform hears that they arrived, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlmodel import col, func, select

from core.tables_chat import Inbox

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


def receive(session: Session, platform: str, event_id: str, chat: str, payload: dict[str, Any], now: datetime) -> bool:
    """Keep an event; return whether it is new. `chat` is what order is kept in."""
    known = select(Inbox.id).where(Inbox.platform == platform, Inbox.event_id == event_id)
    if session.exec(known).first() is not None:
        return False
    session.add(Inbox(platform=platform, event_id=event_id, chat=chat, payload=payload, received_at=now))
    return True


def next_waiting(session: Session) -> Inbox | None:
    """Return the oldest event that is not dispatched yet."""
    query = select(Inbox).where(col(Inbox.done_at).is_(None)).order_by(col(Inbox.id)).limit(1)
    return session.exec(query).first()


def count_waiting(session: Session, until: datetime | None = None) -> int:
    """Return how many events wait, received by `until`."""
    query = select(func.count()).select_from(Inbox).where(col(Inbox.done_at).is_(None))
    if until is not None:
        query = query.where(col(Inbox.received_at) <= until)
    return session.exec(query).one()
