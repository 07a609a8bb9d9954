"""Live cards: messages that show a subject and follow it, in every channel and on every platform.

Subjects are "task 12" and "good 7" (the good's id). A change notes its subject, whatever the number of cards; senders
mark the cards, and draw only the newest state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import SQLModel, col, delete, func, select, update

from core.chat import views
from core.chat.message import Message
from core.store import is_on_server, is_unchanged
from core.tables import Good
from core.tables_chat import Card, Mark
from core.tasks import find_task

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlmodel import Session

    from core.chat.say import Say
    from core.tables import Task
    from core.tables_chat import Chat

CARD, MARK = SQLModel.metadata.tables["card"], SQLModel.metadata.tables["mark"]
CARDS_LOCK = 0x64706305  # "dpc" and a number: senders of all platforms mark and draw cards in turn
MARKS_MAX = 1000  # taken up at once: some milliseconds, while nobody else writes to a file
ABOUT = (CARD.c.pool_id == bindparam("pool"), CARD.c.subject == bindparam("about"))
FIRST = select(CARD.c.pool_id, CARD.c.subject).where(*ABOUT).limit(1)
NOTE = MARK.insert().from_select(["pool_id", "subject"], FIRST).returning(MARK.c.id)
IS_FRESH = CARD.c.outbox_id.in_(bindparam("fresh", expanding=True))
SHOWN = update(CARD).where(*ABOUT, IS_FRESH).values(mark_id=bindparam("newest"))
# What somebody holds just now is being replaced by a newer card.
IS_BEHIND = (CARD.c.marked_at.is_(None), CARD.c.mark_id < bindparam("newest"))
UNMARKED = select(CARD.c.id).where(*ABOUT, *IS_BEHIND).with_for_update(skip_locked=True)
SPREAD = update(CARD).where(CARD.c.id.in_(UNMARKED.correlate(None))).values(marked_at=bindparam("moment"))


def task_subject(task: Task) -> str:
    """Return the subject of a task's card."""
    return f"task {task.number}"


def good_subject(good: Good) -> str:
    """Return the subject of a good's card."""
    return f"good {good.id}"


def face(session: Session, say: Say, pool_id: int, subject: str) -> Message:
    """Return what a card shows: its text, its choices, and the command that a plain reply to it is for."""
    kind, number = subject.split()
    if kind == "task":
        text, choices = views.task_card(session, say, find_task(session, pool_id, int(number)))
        return Message(text, choices, subject=subject)
    good = session.get_one(Good, (pool_id, int(number)))
    text, choices = views.good_details(session, say, good), views.good_choices(say, good)
    return Message(text, choices, views.good_answers(good), subject)


def place(session: Session, pool_id: int, chat: Chat, outbox_id: int, message: Message, now: datetime) -> None:
    """Make a message the live card of its subject in its chat; an older card there follows no more.

    If it shows what was read before others changed the pool, it is to be drawn anew.
    """
    marked_at = None if is_unchanged(session, pool_id) else now
    for old in session.exec(
        select(Card).where(Card.pool_id == pool_id, Card.subject == message.subject, Card.chat_id == chat.id)
    ):
        session.delete(old)
    shown = Message(message.text, message.choices, message.answers, message.subject).to_json()
    card = Card(pool_id=pool_id, subject=message.subject, chat_id=chat.id, outbox_id=outbox_id, shown=shown)
    card.marked_at = marked_at
    session.add(card)


def release(session: Session, pool_id: int, subjects: Collection[str], outbox_ids: Collection[int]) -> None:
    """Let messages about these subjects that have not been sent yet be no cards any more."""
    query = delete(Card).where(col(Card.pool_id) == pool_id, col(Card.subject).in_(subjects))
    session.exec(query.where(col(Card.outbox_id).in_(outbox_ids)))


def note(session: Session, pool_id: int, subject: str, fresh: Collection[int] = ()) -> None:
    """Note with a change that the cards of its subject have to follow, if there are any.

    `fresh` are outbox rows written with the change: cards among them show it already, in words of their own.
    """
    about = {"pool": pool_id, "about": subject}
    number = session.connection().execute(NOTE, about).scalar_one_or_none()
    if number is not None and fresh:
        session.flush()
        session.connection().execute(SHOWN, {**about, "fresh": fresh, "newest": number})


def mark(session: Session, now: datetime) -> None:
    """Take up what was noted: mark the cards that are to be drawn. Senders do so, and draw, one after another.

    Only what is committed is taken up, so that nothing is drawn without the change it was marked for.
    """
    if is_on_server(session):
        session.exec(select(func.pg_advisory_xact_lock(CARDS_LOCK)))
    found = session.exec(select(Mark.id, Mark.pool_id, Mark.subject).order_by(col(Mark.id)).limit(MARKS_MAX)).all()
    if not found:
        return
    newest = {(pool_id, subject): number for number, pool_id, subject in found}
    rows = [
        {"pool": pool_id, "about": subject, "newest": number, "moment": now}
        for (pool_id, subject), number in newest.items()
    ]
    session.flush()
    session.connection().execute(SPREAD, rows)
    session.exec(delete(Mark).where(col(Mark.id).in_([row[0] for row in found])))
