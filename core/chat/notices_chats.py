"""Chats that are closed to us, and telling those who can open them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.chat.desk import Desk
from core.chat.message import Message
from core.members import maintainers
from core.tables import Pool, Project

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

    from core.chat.say import Say
    from core.tables_chat import Chat


def switch_off(session: Session, chat: Chat, now: datetime, language: str = "en") -> None:
    """Send nothing more to a chat until it is back; its project's people hear of it."""
    if chat.off_at is None:
        chat.off_at = now
        tell_closed(session, chat, now, language)


def tell_closed(session: Session, chat: Chat, now: datetime, language: str = "en") -> None:
    """Tell the maintainers of a channel in private, or else the stewards, that it is closed; once a day at most."""
    if chat.pool_id is None or chat.project_id is None:
        return
    project = session.get_one(Project, (chat.pool_id, chat.project_id))
    desk = Desk(session, now, f"closed:{chat.id}:{now.date()}", language=language)

    def write(say: Say) -> Message:
        return Message(
            say(
                "I can't write in a chat of {project} any more. Is the bot still in it, and may it write there?",
                project=project.name,
            )
        )

    if not sum(desk.to_member(one, write) for one in maintainers(session, project)):
        desk.to_stewards(session.get_one(Pool, chat.pool_id), write)
