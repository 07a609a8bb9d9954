"""Dispatch: events of the inbox, each in one transaction. Effects, answers and "done" commit together or not at all.

Where many wait, some share a transaction; it is as if each had its own, committed at the same moment.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from core import dialects
from core.chat import comings, inbox, outbox
from core.chat.desk import Desk
from core.chat.handling import Handling, House
from core.chat.message import Event, Incoming, Message, Priority
from core.identity import account_of, chat_of, speaker_of
from core.store import OtherPoolError
from core.tables_chat import Inbox
from core.trouble import Trouble, trouble_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

__all__ = ["House", "dispatch_all", "dispatch_next", "dispatch_some"]

log = logging.getLogger(__name__)
FAULTS_MAX = 3
CONFLICTS_MAX = 10  # in a row, of one event
TOGETHER_MAX = 5  # a commit costs less for each, and who brings more waits some milliseconds
CHANGED = "dpool_changed"  # what is announced when something else may be due
PEOPLE = frozenset({Incoming.TEXT, Incoming.PRESS})  # somebody waits for an answer


class Dispatched(NamedTuple):
    """How many events were handled, and whether more may wait."""

    handled: int
    may_be_more: bool


def dispatch_next(house: House, now: datetime) -> bool:
    """Handle the oldest waiting event; return whether there was one."""
    return dispatch_some(house, now, 1).handled > 0


def dispatch_some(house: House, now: datetime, count: int = TOGETHER_MAX) -> Dispatched:
    """Handle the oldest waiting events, up to `count`, in one transaction.

    A fault of the program rolls everything back, and what came before is done without the event that has it. Alone,
    it is set aside after three faults and its sender told, once. When two processes get into each other's way it is
    done again; when the store is out of reach, that is raised.
    """
    conflicts = 0
    while True:
        begun: list[int] = []
        try:
            may_be_more = _dispatch(house, now, count, begun)
        except Exception as error:
            trouble = trouble_of(error)
            if trouble is Trouble.CONFLICT and conflicts < CONFLICTS_MAX:
                conflicts += 1
                continue
            if not begun or trouble is Trouble.OUTAGE:
                raise  # nothing is wrong with the event
            if len(begun) > 1:
                count = len(begun) - 1
                continue
            log.exception("event %s could not be handled", begun[0])
            house.on_fault(error)
            _count_fault(house, begun[0], error, now)
            return Dispatched(1, may_be_more=True)
        return Dispatched(len(begun), may_be_more)


def _dispatch(house: House, now: datetime, count: int, begun: list[int]) -> bool:
    """Handle events, each in a session of its own as if it were alone; `begun` are those that it came to.

    All are about one pool, so that nobody has one and waits for another: the rest is left for the next time.
    Returns whether more may wait.
    """
    left: set[str] = set()
    with house.store.together() as session_of_next:
        with session_of_next() as session:
            rows = inbox.waiting(session, count)
        for row in rows:
            if row.chat in left:
                continue
            begun.append(row.id)
            try:
                with session_of_next() as session:
                    _handle(house, session, row, now)
            except OtherPoolError:
                begun.pop()
                left.add(row.chat)
        if rows:
            with session_of_next() as session:
                inbox.done(session, begun, now, outbox.WRITTEN, CHANGED)
    return bool(left) or len(rows) == count


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
                dialects.set_now(session.connection())  # the way back, should the database refuse something
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
    if event.sender is None:
        account, chat = None, chat_of(session, event.place)
    else:
        account, chat, members = speaker_of(session, event.sender, event.place)
        desk.know(account.person_id, members)
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
