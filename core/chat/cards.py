"""Live cards: messages that show a subject and follow it, in every channel and on every platform.

Subjects are "task 12" and "good 7" (the good's id). A change sets what a card is to show; senders draw only the newest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam
from sqlmodel import SQLModel, and_, case, col, func, or_, select, update

from core.chat import views
from core.chat.message import Choice, Message
from core.tables import Good
from core.tables_chat import Account, Card, Chat, Person
from core.tasks import find_task

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from sqlmodel import Session

    from core.chat.say import Say
    from core.chat.text import Text
    from core.tables import Task
    from core.tables_chat import Outbox

# A subject may have thousands of cards, most in private chats: there, people of one language, or none, are told alike.
IS_PRIVATE = and_(col(Chat.account_id).is_not(None), col(Chat.pool_id).is_(None), Chat.topic == "")
WITH_CARD = select(Card.chat_id).where(Card.pool_id == bindparam("pool"), Card.subject == bindparam("about"))
OF_WHOM = (Account, col(Account.id) == col(Chat.account_id)), (Person, col(Person.id) == col(Account.person_id))
FIRST = (
    select(func.min(Chat.id))
    .join_from(Chat, *OF_WHOM[0], isouter=True)
    .join(*OF_WHOM[1], isouter=True)
    .where(col(Chat.id).in_(WITH_CARD))
    .group_by(case((IS_PRIVATE, 0), else_=Chat.id), IS_PRIVATE, col(Person.language))
)
SPEAKERS = (
    select(Chat, Account, Person, IS_PRIVATE)
    .join_from(Chat, *OF_WHOM[0], isouter=True)
    .join(*OF_WHOM[1], isouter=True)
    .where(col(Chat.id).in_(FIRST.correlate(None)))
    .order_by(col(Chat.id))
)
SPEAKING = (
    select(Chat.id)
    .join(Account, col(Account.id) == col(Chat.account_id))
    .join(Person, col(Person.id) == col(Account.person_id))
    .where(IS_PRIVATE, col(Person.language).in_(bindparam("languages", expanding=True)), col(Chat.id).in_(WITH_CARD))
)
CARD = SQLModel.metadata.tables["card"]
DRAW = (
    update(CARD)
    .where(CARD.c.pool_id == bindparam("pool"), CARD.c.subject == bindparam("about"))
    .where(or_(CARD.c.chat_id.in_(bindparam("chats", expanding=True)), CARD.c.chat_id.in_(SPEAKING)))
    .where(CARD.c.wanted != bindparam("face"), CARD.c.outbox_id.not_in(bindparam("fresh", expanding=True)))
    .values(wanted=bindparam("face"), marked_at=bindparam("moment"))
)


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
        return *views.task_card(session, say, find_task(session, pool_id, int(number))), ""
    good = session.get_one(Good, (pool_id, int(number)))
    return views.good_details(session, say, good), views.good_choices(say, good), views.good_answers(good)


def place(session: Session, pool_id: int, chat: Chat, outbox_id: int, message: Message) -> None:
    """Make a message the live card of its subject in its chat; an older card there follows no more."""
    for old in session.exec(
        select(Card).where(Card.pool_id == pool_id, Card.subject == message.subject, Card.chat_id == chat.id)
    ):
        session.delete(old)
    card = Card(pool_id=pool_id, subject=message.subject, chat_id=chat.id, outbox_id=outbox_id)
    card.shown = card.wanted = message.to_json()
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
    about = {"pool": pool_id, "about": subject}
    alike: dict[Say, tuple[list[int], list[str]]] = {}
    for chat, _account, person, is_private in session.exec(SPEAKERS, params=about).all():
        chat_ids, languages = alike.setdefault(say_for(chat.id), ([], []))
        if is_private:
            languages.append(person.language)
        else:
            chat_ids.append(chat.id)
    session.flush()
    for say, (chat_ids, languages) in alike.items():
        text, choices, answers = face(session, say, pool_id, subject)
        values: dict[str, Any] = {"face": Message(text, choices, answers, subject).to_json(), "moment": now}
        values |= {**about, "chats": chat_ids, "languages": languages, "fresh": list(but)}
        session.connection().execute(DRAW, values)
