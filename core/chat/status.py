"""How the post and the rounds stand: what came in last, what waits, what is stuck, what is due. Nothing personal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, func, or_, select

from core.chat.dispatch import FAULTS_MAX
from core.tables import Pool, Round
from core.tables_chat import Chat, Delivery, Inbox, Outbox

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

REASONS_MAX = 5


@dataclass(frozen=True, slots=True)
class Queues:
    """How much waits: events for dispatch, the oldest since `waiting_since`; messages to be sent, by platform."""

    events: int
    waiting_since: datetime | None
    messages: dict[str, int]
    messages_since: datetime | None


@dataclass(frozen=True, slots=True)
class PlatformStatus:
    """One platform: what came in last; what waits, is held back for later, or is parked; which chats are off."""

    platform: str
    received_at: datetime | None
    waiting: int
    held_back: int
    parked: int
    chats_off: int
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """One pool: when its next round is due, and when the last one was held."""

    pool_id: int
    name: str
    due_at: datetime | None
    held_at: datetime | None


@dataclass(frozen=True, slots=True)
class SetAside:
    """Events that could not be handled: how many, and the numbers in the inbox and the faults of the last of them."""

    count: int
    last: dict[int, str]


@dataclass(frozen=True, slots=True)
class Status:
    """Everything an administrator wants to see."""

    queues: Queues
    platforms: tuple[PlatformStatus, ...]
    pools: tuple[PoolStatus, ...]
    set_aside: SetAside


def status(session: Session, now: datetime) -> Status:
    """Return how everything stands."""
    names = sorted({*session.exec(select(Chat.platform).distinct()), *_queued_platforms(session)})
    waiting = queues(session, now)
    platforms = tuple(_platform(session, name, waiting.messages.get(name, 0), now) for name in names)
    return Status(waiting, platforms, pools(session), _set_aside(session))


def queues(session: Session, now: datetime) -> Queues:
    """Return how much waits, what is held back until later and chats that are off not counted."""
    waits = col(Inbox.done_at).is_(None)
    events = session.exec(select(func.count()).select_from(Inbox).where(waits)).one()
    oldest = session.exec(select(Inbox.received_at).where(waits).order_by(col(Inbox.id)).limit(1)).first()
    is_now = or_(col(Outbox.not_before).is_(None), col(Outbox.not_before) <= now)
    messages: dict[str, int] = {}
    since: list[datetime] = []
    unbound = select(Outbox.platform, func.count(), func.min(Outbox.created_at)).join(
        Chat, col(Chat.id) == col(Outbox.chat_id)
    )
    unbound = unbound.where(col(Chat.off_at).is_(None), col(Outbox.delivery_id).is_(None), is_now)
    bound = select(Delivery.platform, func.count(), func.min(Delivery.created_at)).join(
        Chat, col(Chat.id) == col(Delivery.chat_id)
    )
    bound = bound.where(col(Chat.off_at).is_(None), Delivery.state == "ready")
    found = [*session.exec(unbound.group_by(col(Outbox.platform)))]
    found += session.exec(bound.group_by(col(Delivery.platform)))
    for platform, count, first in found:
        messages[platform] = messages.get(platform, 0) + count
        since.append(first)
    return Queues(events, oldest, messages, min(since, default=None))


def pools(session: Session) -> tuple[PoolStatus, ...]:
    """Return when each pool's rounds were and are."""
    held = select(func.max(Round.ran_at)).where(col(Round.pool_id) == col(Pool.id)).correlate(Pool).scalar_subquery()
    query = select(Pool.id, Pool.name, Pool.round_due_at, held).order_by(col(Pool.id))
    return tuple(PoolStatus(*row) for row in session.exec(query))


def parked(session: Session) -> dict[str, int]:
    """Return how many messages of each platform could not be delivered; looks at every delivery."""
    query = select(Delivery.platform, func.count()).where(Delivery.state == "parked")
    return dict(session.exec(query.group_by(col(Delivery.platform))).all())


def _queued_platforms(session: Session) -> set[str]:
    """Return where events wait that may be the first ones of their platform."""
    return set(session.exec(select(Inbox.platform).where(col(Inbox.done_at).is_(None)).distinct()))


def _platform(session: Session, name: str, waiting: int, now: datetime) -> PlatformStatus:
    last = select(Inbox.received_at).where(Inbox.platform == name).order_by(col(Inbox.id).desc()).limit(1)
    later = select(func.count()).select_from(Outbox).where(Outbox.platform == name, col(Outbox.not_before) > now)
    parked = select(Delivery.fault, func.count()).where(Delivery.platform == name, Delivery.state == "parked")
    reasons = dict(
        session.exec(parked.group_by(col(Delivery.fault)).order_by(func.count().desc(), Delivery.fault)).all()
    )
    off = select(func.count()).select_from(Chat).where(Chat.platform == name, col(Chat.off_at).is_not(None))
    return PlatformStatus(
        name,
        session.exec(last).first(),
        waiting,
        session.exec(later.where(col(Outbox.delivery_id).is_(None))).one(),
        sum(reasons.values()),
        session.exec(off).one(),
        dict(list(reasons.items())[:REASONS_MAX]),
    )


def _set_aside(session: Session) -> SetAside:
    query = select(Inbox.id, Inbox.fault).where(col(Inbox.done_at).is_not(None), Inbox.fault != "")
    # An event that was handled at a second try is none of them.
    found = {number: fault for number, fault in session.exec(query) if len(fault.split()) >= FAULTS_MAX}
    return SetAside(len(found), {number: found[number] for number in sorted(found)[-REASONS_MAX:]})
