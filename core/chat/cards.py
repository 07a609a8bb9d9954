"""Live cards: messages that show a subject and follow it, in every channel and on every platform.

Subjects are "task 12" and "good 7" (the good's id). A change sets what a card is to show; senders draw only the newest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlmodel import select

from core.chat import views
from core.chat.message import Choice, Message
from core.tables import Good
from core.tables_chat import Card
from core.tasks import find_task

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from sqlmodel import Session

    from core.chat.say import Say
    from core.chat.text import Text
    from core.tables import Task
    from core.tables_chat import Chat, Outbox


def task_subject(task: Task) -> str:
    """Return the subject of a task's card."""
    return f"task {task.number}"


def good_subject(good: Good) -> str:
    """Return the subject of a good's card."""
    return f"good {good.id}"


def face(session: Session, say: Say, pool_id: int, subject: str) -> tuple[Text, tuple[Choice, ...], str]:
    """Return what a card shows: its text, its choices, and the command that a plain reply to it is for."""
    kind, number = subject.split()
    if kind == "task":
        task = find_task(session, pool_id, int(number))
        return views.task_details(session, say, task), views.task_choices(session, say, task), ""
    good = session.get_one(Good, (pool_id, int(number)))
    return views.good_details(session, say, good), views.good_choices(say, good), views.good_answers(good)


def place(session: Session, pool_id: int, chat: Chat, row: Outbox, message: Message) -> None:
    """Make a message the live card of its subject in its chat; an older card there follows no more."""
    for old in session.exec(
        select(Card).where(Card.pool_id == pool_id, Card.subject == message.subject, Card.chat_id == chat.id)
    ):
        session.delete(old)
    card = Card(pool_id=pool_id, subject=message.subject, chat_id=chat.id, outbox_id=row.id)
    card.shown = card.wanted = row.payload
    session.add(card)


def release(session: Session, row: Outbox) -> None:
    """Let a message that has not been sent yet be no card any more."""
    for card in session.exec(select(Card).where(Card.outbox_id == row.id)):
        session.delete(card)


def mark(
    session: Session,
    pool_id: int,
    subject: str,
    say_for: Callable[[int], Say],
    now: datetime,
    *,
    but: Collection[int] = (),
) -> None:
    """Let all cards of a subject show its newest state, but for those just written (by their outbox rows).

    `say_for` gives the language of a chat.
    """
    faces: dict[Say, dict[str, Any]] = {}
    # A sender may have drawn one since it was read here, if it was.
    query = select(Card).where(Card.pool_id == pool_id, Card.subject == subject).with_for_update()
    for card in session.exec(query, execution_options={"populate_existing": True}):
        if card.outbox_id in but:
            continue
        say = say_for(card.chat_id)
        if say not in faces:
            text, choices, answers = face(session, say, pool_id, subject)
            faces[say] = Message(text, choices, answers, subject).to_json()
        wanted = faces[say]
        if wanted != card.wanted:
            card.wanted, card.marked_at = wanted, now
