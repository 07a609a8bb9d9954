"""Reading ahead: what waits to be sent, read at once for all that are bound in one transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select as select_rows
from sqlmodel import col, func, or_, select

from core.chat import cards
from core.chat.message import Priority
from core.tables_chat import Account, Card, Chat, Delivery, Outbox, Person

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
        self._cards: list[tuple[Card, Delivery, Chat]] = []
        self._next_edit: int | None = None
        self._taken: set[int] = set()
        self._has_more_tries = self._has_more_rows = self._has_more_cards = True

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
            if first.id not in self._taken and not _is_held_up(first, busy_chats):
                return first
            del self._rows[0]
        return None

    def take(self, rows: Collection[Outbox]) -> None:
        """Leave out messages from now on."""
        self._taken.update(row.id for row in rows)

    def next_card(self, busy_chats: Collection[int], card_seconds: int) -> tuple[Card, Delivery, Chat] | None:
        """Return the card to be drawn now, the one that waits longest, with the message it was sent as and its chat."""
        while self._cards or self._has_more_cards:
            if not self._cards:
                self._cards = self._read_cards(busy_chats, card_seconds)
                self._has_more_cards = len(self._cards) == self._count
                continue
            found = self._cards.pop(0)
            if found[0].chat_id not in busy_chats:
                return found
        return None

    def next_edit(self) -> int:
        """Return a number that no delivery has had when this was first asked."""
        if self._next_edit is None:
            self._next_edit = (self._session.exec(select(func.max(Delivery.id))).one() or 0) + 1
        return self._next_edit

    def _read_cards(self, busy_chats: Collection[int], card_seconds: int) -> list[tuple[Card, Delivery, Chat]]:
        self._session.flush()  # what has been looked at is not to come again
        cards.mark(self._session, self._now)
        drawn_by = self._now - timedelta(seconds=card_seconds)
        query = (
            select_rows(Card, Delivery, Chat, Account, Person)  # whose language is asked for with each card
            .join(Outbox, col(Outbox.id) == col(Card.outbox_id))
            .join(Delivery, col(Delivery.id) == col(Outbox.delivery_id))
            .join(Chat, col(Chat.id) == col(Card.chat_id))
            .join(Account, col(Account.id) == col(Chat.account_id), isouter=True)
            .join(Person, col(Person.id) == col(Account.person_id), isouter=True)
            .where(col(Delivery.platform) == self._platform, col(Delivery.state) == "sent", col(Chat.off_at).is_(None))
            .where(col(Card.marked_at).is_not(None), col(Card.chat_id).not_in(busy_chats))
            .where(or_(col(Card.drawn_at).is_(None), col(Card.drawn_at) <= drawn_by))
            .order_by(col(Card.marked_at), col(Card.id))
            .limit(self._count)
            .with_for_update(of=Card, skip_locked=True)
            .execution_options(populate_existing=True)  # they are marked past the session
        )
        return [(card, delivery, chat) for card, delivery, chat, *_who in self._session.execute(query)]

    def _read_tries(self, busy_chats: Collection[int]) -> list[Delivery]:
        self._session.flush()  # what was set aside is not to come again
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
            .where(col(Outbox.id).not_in(self._taken))
            .order_by(col(Outbox.priority), col(Outbox.id))
            .limit(self._count)
            .with_for_update(of=Outbox, skip_locked=True)
        )
        return [row for row, _chat in self._session.exec(query)]


def _is_held_up(one: Delivery | Outbox, busy_chats: Collection[int]) -> bool:
    return one.priority != Priority.TOAST and one.chat_id in busy_chats
