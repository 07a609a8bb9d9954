"""Reading ahead: what waits to be sent, read at once for all that are bound in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, or_, select

from core.chat.message import Priority
from core.tables_chat import Chat, Delivery, Outbox

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlmodel import Session


class Ahead:
    """What waits on a platform, read for `count` that are bound in one transaction: nobody else binds meanwhile."""

    def __init__(self, session: Session, platform: str, now: datetime, count: int) -> None:
        self._session = session
        self._platform = platform
        self._now = now
        self._count = count
        self._tries: list[Delivery] = []
        self._rows: list[Outbox] = []
        self._has_more_tries = self._has_more_rows = True

    def next_try(self, busy_chats: Collection[int]) -> Delivery | None:
        """Return the delivery to be tried again now, the most urgent and oldest."""
        while self._tries or self._has_more_tries:
            if not self._tries:
                self._tries = self._read_tries(busy_chats)
                self._has_more_tries = len(self._tries) == self._count
                continue
            first = self._tries[0]
            is_waiting = first.state == "ready" and (first.retry_at is None or first.retry_at <= self._now)
            if is_waiting and not _is_held_up(first, busy_chats):
                return first
            del self._tries[0]
        return None

    def next_row(self, busy_chats: Collection[int]) -> Outbox | None:
        """Return the message to be bound now, the most urgent and oldest."""
        while self._rows or self._has_more_rows:
            if not self._rows:
                self._rows = self._read_rows(busy_chats)
                self._has_more_rows = len(self._rows) == self._count
                continue
            first = self._rows[0]
            if first.delivery_id is None and not _is_held_up(first, busy_chats):
                return first
            del self._rows[0]
        return None

    def _read_tries(self, busy_chats: Collection[int]) -> list[Delivery]:
        query = (
            select(Delivery, Chat)  # the chat is asked for with each delivery
            .join(Chat, col(Chat.id) == col(Delivery.chat_id))
            .where(Delivery.platform == self._platform, Delivery.state == "ready", col(Chat.off_at).is_(None))
            .where(or_(col(Delivery.retry_at).is_(None), col(Delivery.retry_at) <= self._now))
            .where(or_(Delivery.priority == Priority.TOAST, col(Delivery.chat_id).not_in(busy_chats)))
            .order_by(col(Delivery.priority), col(Delivery.id))
            .limit(self._count)
            .with_for_update(of=Delivery, skip_locked=True)
        )
        return [delivery for delivery, _chat in self._session.exec(query)]

    def _read_rows(self, busy_chats: Collection[int]) -> list[Outbox]:
        query = (
            select(Outbox, Chat)
            .join(Chat, col(Chat.id) == col(Outbox.chat_id))
            .where(Outbox.platform == self._platform, col(Outbox.delivery_id).is_(None), col(Chat.off_at).is_(None))
            .where(or_(col(Outbox.not_before).is_(None), col(Outbox.not_before) <= self._now))
            .where(or_(Outbox.priority == Priority.TOAST, col(Outbox.chat_id).not_in(busy_chats)))
            .order_by(col(Outbox.priority), col(Outbox.id))
            .limit(self._count)
            .with_for_update(of=Outbox, skip_locked=True)
        )
        return [row for row, _chat in self._session.exec(query)]


def _is_held_up(one: Delivery | Outbox, busy_chats: Collection[int]) -> bool:
    return one.priority != Priority.TOAST and one.chat_id in busy_chats
