"""What the console knows of the store: who is there and where, the clock of the pool, words to complete."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlmodel import Session, col, func, select

from core.chat import outbox
from core.chat.message import Message, Priority
from core.identity import Place, Sender, account_of, chat_of
from core.settings import PoolSettings
from core.tables import Good, Member, Pool, Project
from core.tables_chat import Account, Chat, Delivery, Inbox

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from core.store import Store

PLATFORM = "console"
PRIVATE = "dm"
RECENT_MAX = 3
HISTORY_MAX = 200


@dataclass(frozen=True, slots=True)
class Known:
    """What there is: people by handle, channels by name with their project, goods; and where the pool stands."""

    zone: ZoneInfo
    people: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    goods: tuple[str, ...] = ()
    pool: str = ""
    members: int = 0
    projects: int = 0
    round_due_at: datetime | None = None


def sender(handle: str) -> Sender:
    """Return the person of a handle, as the console's platform tells of them."""
    return Sender(PLATFORM, handle, handle[:1].upper() + handle[1:], handle)


def place(handle: str, channel: str) -> Place:
    """Return a channel, or somebody's private chat."""
    if channel == PRIVATE:
        return Place(PLATFORM, f"{PRIVATE}:{handle}", private=True)
    return Place(PLATFORM, channel)


def open_private(store: Store, handle: str) -> None:
    """Make sure that somebody can be written to in private: on the console everybody can, from the start."""
    with store.write() as session:
        chat_of(session, place(handle, PRIVATE), account_of(session, sender(handle)))


def look(store: Store, handle: str, channel: str, zone: ZoneInfo) -> Known:
    """Return what there is, of the pool that is meant here; `zone` where there is none."""
    with store.read() as session:
        accounts = session.exec(select(Account).where(Account.platform == PLATFORM).order_by(col(Account.user_id)))
        people = {one.user_id: one.name for one in accounts}
        chats = session.exec(
            select(Chat).where(Chat.platform == PLATFORM, col(Chat.account_id).is_(None)).order_by(col(Chat.id))
        ).all()
        channels = {chat.address: _project_name(session, chat) for chat in chats}
        pool = _pool(session, handle, next((chat for chat in chats if chat.address == channel), None))
        if pool is None:
            return Known(zone, people, channels)
        goods = session.exec(select(Good.name).where(Good.pool_id == pool.id).order_by(col(Good.name_key)))
        in_pool = (Member.pool_id == pool.id, col(Member.left_at).is_(None))
        return Known(
            PoolSettings(pool.settings).timezone,
            people,
            channels,
            tuple(goods),
            pool.name,
            session.exec(select(func.count()).select_from(Member).where(*in_pool)).one(),
            session.exec(select(func.count()).select_from(Project).where(Project.pool_id == pool.id)).one(),
            pool.round_due_at,
        )


def recent(store: Store, where: Place) -> list[tuple[Delivery, Message]]:
    """Return the last messages of a chat, each as it stands now."""
    with store.read() as session:
        query = select(Chat).where(Chat.platform == where.platform, Chat.address == where.address)
        chat = session.exec(query).first()
        if chat is None:
            return []
        found = select(Delivery).where(
            Delivery.chat_id == chat.id,
            Delivery.state == "sent",
            col(Delivery.edits).is_(None),
            Delivery.priority != Priority.TOAST,
        )
        rows = session.exec(found.order_by(col(Delivery.id).desc()).limit(RECENT_MAX)).all()
        newest = [outbox.message_shown(session, chat.id or 0, row.ref or "") or row for row in rows]
    return [(row, Message.from_json(row.payload)) for row in newest[::-1]]


def typed(store: Store) -> list[str]:
    """Return what was typed here so far, the oldest first."""
    with store.read() as session:
        query = select(Inbox.payload).where(Inbox.platform == PLATFORM).order_by(col(Inbox.id).desc())
        texts = [str(payload.get("text", "")) for payload in session.exec(query.limit(HISTORY_MAX))]
    return [text for text in reversed(texts) if text]


def _pool(session: Session, handle: str, chat: Chat | None) -> Pool | None:
    if chat is not None and chat.pool_id is not None:
        return session.get(Pool, chat.pool_id)
    mine = (
        select(Pool)
        .join(Member, col(Member.pool_id) == col(Pool.id))
        .join(Account, col(Account.person_id) == col(Member.person_id))
        .where(Account.platform == PLATFORM, Account.user_id == handle)
    )
    found = session.exec(mine.order_by(col(Pool.id)).limit(1)).first()
    return found or session.exec(select(Pool).order_by(col(Pool.id)).limit(1)).first()


def _project_name(session: Session, chat: Chat) -> str:
    if chat.pool_id is None or chat.project_id is None:
        return ""
    return session.get_one(Project, (chat.pool_id, chat.project_id)).name
