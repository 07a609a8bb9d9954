"""Pools and projects: founding, codes, channels and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import col, func, select

from core.codes import CODE_LIFE, digest_of, new_code
from core.errors import ChannelTakenError, NameTakenError, UnknownCodeError
from core.events import ProjectFounded
from core.members import make_maintainer, new_member
from core.names import key_of
from core.settings import PoolSettings
from core.store import add, add_now
from core.tables import Member, Pool, Project
from core.tables_chat import Chat, Code
from core.timing import open_round, schedule

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

    from core.codes import Entropy

COUNT = (  # every card of common work asks for it, so it is built once
    select(func.count())
    .select_from(Project)
    .where(Project.pool_id == bindparam("pool_id"), col(Project.archived_at).is_(None))
)


def found_pool(
    session: Session, name: str, settings: dict[str, str], founder: tuple[int, str], now: datetime, entropy: Entropy
) -> tuple[Pool, Member]:
    """Found a pool; `founder` is (person id, name) and becomes its first steward. Its first round opens at once."""
    pool = add_now(session, Pool(name=name, settings=settings, code=new_code(entropy), founded_at=now))
    person_id, member_name = founder
    member = new_member(session, pool, member_name, person_id, now)
    member.steward, member.admitted_at = 1, now
    open_round(session, pool, now, entropy)
    schedule(session, pool, now)
    return pool, member


def pool_by_code(session: Session, code: str) -> Pool:
    """Return the pool of a join code, or raise UnknownCodeError."""
    pool = session.exec(select(Pool).where(Pool.code == code.upper())).first()
    if pool is None:
        raise UnknownCodeError(code)
    return pool


def change_setting(session: Session, pool: Pool, key: str, value: str, now: datetime) -> None:
    """Change a setting of the pool; another timetable or time zone moves the next round, unless that is due already."""
    pool.settings = PoolSettings.change(pool.settings, key, value)
    if pool.round_due_at is None or pool.round_due_at > now:
        schedule(session, pool, now)


def new_project(session: Session, pool: Pool, name: str, member: Member, chat: Chat, now: datetime) -> ProjectFounded:
    """Make this chat a new project's channel and the member its maintainer."""
    if chat.project_id is not None and chat.pool_id is not None:
        raise ChannelTakenError(session.get_one(Project, (chat.pool_id, chat.project_id)).name)
    taken = session.exec(select(Project).where(Project.pool_id == pool.id, Project.name_key == key_of(name))).first()
    if taken is not None:
        kind = "project"
        raise NameTakenError(kind, taken.name)
    project = add(session, Project(pool_id=pool.id, name=name, name_key=key_of(name), created_at=now))
    make_maintainer(session, project, member, now)
    chat.pool_id, chat.project_id = pool.id, project.id
    return ProjectFounded(project, member)


def channel_code(session: Session, project: Project, now: datetime, entropy: Entropy) -> str:
    """Return a one-use code that links another chat to the project within ten minutes."""
    code = new_code(entropy)
    row = Code(digest=digest_of(code), purpose="channel", pool_id=project.pool_id, project_id=project.id)
    row.expires_at = now + CODE_LIFE
    session.add(row)
    return code


def link_channel(session: Session, chat: Chat, code: str, now: datetime) -> Project:
    """Link a chat to the project of a one-use code."""
    row = session.get(Code, digest_of(code), with_for_update=True)
    if row is None or row.purpose != "channel" or row.used_at is not None or row.expires_at < now:
        raise UnknownCodeError(code)
    project = session.get_one(Project, (row.pool_id, row.project_id))
    if project.archived_at is not None:
        raise UnknownCodeError(code)
    taken = project_of_chat(session, chat)
    if taken is not None:
        raise ChannelTakenError(taken.name)
    row.used_at = now
    chat.pool_id, chat.project_id = project.pool_id, project.id
    return project


def project_of_chat(session: Session, chat: Chat) -> Project | None:
    """Return the project whose channel the chat is."""
    if chat.pool_id is None or chat.project_id is None:
        return None
    return session.get(Project, (chat.pool_id, chat.project_id))


def projects(session: Session, pool_id: int) -> list[Project]:
    """Return the pool's projects that are not archived, the oldest first."""
    query = select(Project).where(Project.pool_id == pool_id, col(Project.archived_at).is_(None))
    return list(session.exec(query.order_by(col(Project.id))).all())


def count_projects(session: Session, pool_id: int) -> int:
    """Return how many projects the pool has."""
    return session.exec(COUNT, params={"pool_id": pool_id}).one()
