"""Dispatch: one event of the inbox in one transaction. Effects, answers and "done" commit together or not at all."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.chat import comings, inbox, outbox
from core.chat.desk import Desk
from core.chat.handling import Handling, House
from core.chat.message import Event, Incoming, Message, Priority
from core.identity import account_of, chat_of
from core.store import Trouble, announce, trouble_of
from core.tables_chat import Inbox

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

__all__ = ["House", "dispatch_all", "dispatch_next"]

log = logging.getLogger(__name__)
FAULTS_MAX = 3
CONFLICTS_MAX = 10  # in a row, of one event
CHANGED = "dpool_changed"  # what is announced when something else may be due
PEOPLE = frozenset({Incoming.TEXT, Incoming.PRESS})  # somebody waits for an answer


def dispatch_next(house: House, now: datetime) -> bool:
    """Handle the oldest waiting event; return whether there was one.

    A fault of the program rolls everything back; after three the event is set aside and its sender told, once. When
    two processes get into each other's way it is done again; when the store is out of reach, that is raised.
    """
    row_id, conflicts = 0, 0
    while True:
        try:
            with house.store.write() as session:
                row = inbox.next_waiting(session)
                if row is None:
                    return False
                row_id = row.id
                _handle(house, session, row, now)
                row.done_at = now
                announce(session, outbox.WRITTEN, CHANGED)
        except Exception as error:
            trouble = trouble_of(error)
            if trouble is Trouble.CONFLICT and conflicts < CONFLICTS_MAX:
                conflicts += 1
                continue
            if not row_id or trouble is Trouble.OUTAGE:
                raise  # nothing is wrong with the event
            log.exception("event %s could not be handled", row_id)
            house.on_fault(error)
            _count_fault(house, row_id, error, now)
        return True


def dispatch_all(house: House, now: datetime) -> int:
    """Handle everything that waits; return how many events that were."""
    count = 0
    while dispatch_next(house, now):
        count += 1
    return count


def _count_fault(house: House, row_id: int, error: Exception, now: datetime) -> None:
    """Leave the event for another try, or set it aside, so that it holds up nobody."""
    with house.store.write() as session:
        row = session.get_one(Inbox, row_id, with_for_update=True)
        row.fault = f"{row.fault} {type(error).__name__}".strip()
        if len(row.fault.split()) < FAULTS_MAX or row.done_at is not None:
            return
        row.done_at = now
        try:
            with session.begin_nested():
                _apologise(house, session, row, now)
        except Exception:
            log.exception("nobody could be told that event %s was set aside", row_id)


def _apologise(house: House, session: Session, row: Inbox, now: datetime) -> None:
    event = Event.from_json(row.payload)
    if event.sender is None or event.kind not in PEOPLE:
        return
    chat = chat_of(session, event.place, account_of(session, event.sender))
    desk = Desk(session, now, f"in:{row.id}", language=house.language)
    say = desk.say_in(chat)
    text = say("That went wrong here, and nothing was changed. It has been noted.")
    desk.post(chat, Message(text, reply_to=event.ref), Priority.REPLY)


def _handle(house: House, session: Session, row: Inbox, now: datetime) -> None:
    event = Event.from_json(row.payload)
    desk = Desk(session, now, f"in:{row.id}", language=house.language)
    account = account_of(session, event.sender) if event.sender is not None else None
    chat = chat_of(session, event.place, account)
    comings.open_up(session, event, chat)
    if comings.follow(house, desk, event, chat) or account is None:
        return
    if event.kind is Incoming.TEXT:
        comings.drop_greeting_for(session, event, chat)
        Handling(house, desk, event, chat, account).text()
    elif event.kind is Incoming.PRESS:
        Handling(house, desk, event, chat, account).press()
    elif event.kind is Incoming.ADDED:
        comings.greet(house, desk, event, chat, account)
