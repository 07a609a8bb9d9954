"""People in a pool: joining, being admitted, roles, breaks, exemptions and leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import col, func, select

from core import ledger
from core.clean import clean
from core.errors import LastOfKindError, NotMaintainerError, NotStewardError
from core.events import Joined, JoinRequested
from core.ledger import Entry, TransferKind
from core.names import key_of, unique_name
from core.settings import PoolSettings, ProjectSettings
from core.store import add, pool_of
from core.tables import Member, Membership, Pool, Project, Round

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlmodel import Session

    from core.events import Event

ACTIVE_ROUNDS = 4
NAMES_MAX = 3
MEMBER = select(Member).where(Member.pool_id == bindparam("pool_id"), Member.person_id == bindparam("person_id"))
NAME_LENGTH_MAX = 60  # characters of what a platform says somebody is called


def member_of(session: Session, pool_id: int, person_id: int) -> Member | None:
    """Return the person as a member of the pool."""
    return session.exec(MEMBER, params={"pool_id": pool_id, "person_id": person_id}).first()


def selves(session: Session, member: Member) -> list[Member]:
    """Return a member with those who became part of it when accounts were linked: their transfers are its own."""
    merged = select(Member).where(Member.pool_id == member.pool_id, Member.merged_into_id == member.id)
    return [member, *session.exec(merged.order_by(col(Member.id)))]


def new_member(session: Session, pool: Pool, name: str, person_id: int | None, now: datetime) -> Member:
    """Add a member under a name that nobody else has. Without a person: somebody without a phone."""

    def is_taken(key: str) -> bool:
        return (
            session.exec(select(Member.id).where(Member.pool_id == pool.id, Member.name_key == key)).first() is not None
        )

    shown = clean(name, NAME_LENGTH_MAX)[:NAME_LENGTH_MAX].strip()
    # Others must be able to type it: a name that would be read as a task or a command is put behind a word.
    if shown[:1].isdigit() or shown[:1] in "#/!" or not any(character.isalpha() for character in key_of(shown)):
        shown = f"Somebody {shown}" if key_of(shown) else "Somebody"
    unique = unique_name(shown, is_taken)
    member = Member(pool_id=pool.id, name=unique, name_key=key_of(unique), person_id=person_id, joined_at=now)
    return add(session, member)


def join(session: Session, pool: Pool, person_id: int, name: str, now: datetime) -> tuple[Member, list[Event]]:
    """Return the person as a member of the pool, joining if need be (or asking to, if the pool admits)."""
    member = member_of(session, pool.id, person_id)
    if member is not None and member.left_at is None:
        return member, []
    if member is None:
        member = new_member(session, pool, name, person_id, now)
    else:
        take_debt_up(session, pool, member, now)
    member.break_from = member.break_until = member.exempt_from = member.exempt_until = None
    member.joined_at, member.admitted_at, member.left_at = now, None, None
    if PoolSettings(pool.settings).admission == "open":
        member.admitted_at = now
        return member, []
    return member, [JoinRequested(pool, None, member)]


def take_debt_up(session: Session, pool: Pool, member: Member, now: datetime) -> None:
    """Let somebody who comes back owe again what the commons took over: nobody leaves to be rid of a debt."""
    debt = ledger.sum_of_kind(session, member, TransferKind.LEAVE)
    entry = Entry(f"rejoin:{member.id}:{pool.last_id}", TransferKind.LEAVE, member.id, ledger.COMMONS, max(0, debt), "")
    ledger.transfer(session, pool, entry, now)


def join_project(session: Session, project: Project, member: Member, now: datetime) -> tuple[Membership, list[Event]]:
    """Make a member of the pool a member of the project too (or let them ask)."""
    membership = membership_of(session, project, member)
    if membership is not None:
        return membership, []
    membership = Membership(pool_id=project.pool_id, project_id=project.id, member_id=member.id, joined_at=now)
    add(session, membership)
    if ProjectSettings(project.settings).admission == "open":
        membership.admitted_at = now
        return membership, [Joined(project, member)]
    return membership, [JoinRequested(pool_of(session, project), project, member)]


def membership_of(session: Session, project: Project, member: Member) -> Membership | None:
    """Return how a member belongs to a project."""
    return session.get(Membership, (project.pool_id, project.id, member.id))


def is_in(session: Session, project: Project, member: Member) -> bool:
    """Tell whether the member belongs to the project."""
    membership = membership_of(session, project, member)
    return membership is not None and membership.admitted_at is not None


def is_maintainer(session: Session, project: Project, member: Member) -> bool:
    """Tell whether the member maintains the project; the stewards look after one that was closed."""
    if project.archived_at is not None and member.steward:
        return True
    membership = membership_of(session, project, member)
    return membership is not None and membership.maintainer == 1


def is_in_another(session: Session, project_id: int, member: Member) -> bool:
    """Tell whether the member belongs to some project other than this one."""
    query = select(Membership.project_id).where(
        Membership.pool_id == member.pool_id,
        Membership.member_id == member.id,
        Membership.project_id != project_id,
        col(Membership.admitted_at).is_not(None),
    )
    return session.exec(query.limit(1)).first() is not None


def projects_of(session: Session, member: Member) -> list[Project]:
    """Return the projects the member belongs to, the oldest first."""
    query = (
        select(Project)
        .join(Membership, (col(Membership.pool_id) == Project.pool_id) & (col(Membership.project_id) == Project.id))
        .where(Membership.pool_id == member.pool_id, Membership.member_id == member.id)
        .where(col(Membership.admitted_at).is_not(None), col(Project.archived_at).is_(None))
    )
    return list(session.exec(query.order_by(col(Project.id))).all())


def maintainers(session: Session, project: Project) -> list[Member]:
    """Return who maintains the project."""
    query = (
        select(Member)
        .join(Membership, (col(Membership.pool_id) == Member.pool_id) & (col(Membership.member_id) == Member.id))
        .where(Membership.pool_id == project.pool_id, Membership.project_id == project.id, Membership.maintainer == 1)
    )
    return list(session.exec(query.order_by(col(Member.id))).all())


def stewards(session: Session, pool: Pool) -> list[Member]:
    """Return the pool's stewards."""
    query = select(Member).where(Member.pool_id == pool.id, Member.steward == 1, col(Member.left_at).is_(None))
    return list(session.exec(query.order_by(col(Member.id))).all())


def require_maintainer(session: Session, project: Project, member: Member) -> None:
    """Refuse everybody who does not maintain the project."""
    if not is_maintainer(session, project, member):
        names = [one.name for one in maintainers(session, project)]
        raise NotMaintainerError(project.name, tuple(names[:NAMES_MAX]))


def require_steward(session: Session, pool: Pool, member: Member) -> None:
    """Refuse everybody who is not a steward of the pool."""
    if not member.steward:
        raise NotStewardError(pool.name, tuple(one.name for one in stewards(session, pool)[:NAMES_MAX]))


def make_maintainer(session: Session, project: Project, member: Member, now: datetime) -> None:
    """Give a member the maintainer's role, admitting them to the project if need be."""
    membership, _events = join_project(session, project, member, now)
    membership.admitted_at = membership.admitted_at or now
    membership.maintainer = 1


def remove_maintainer(session: Session, project: Project, member: Member) -> None:
    """Take the role away; the last maintainer stays."""
    membership = membership_of(session, project, member)
    if membership is None or not membership.maintainer:
        return
    if len(maintainers(session, project)) == 1:
        role = "maintainer"
        raise LastOfKindError(role, project.name)
    membership.maintainer = 0


def remove_steward(session: Session, pool: Pool, member: Member) -> None:
    """Take the role away; the last steward stays."""
    if member.steward and len(stewards(session, pool)) == 1:
        role = "steward"
        raise LastOfKindError(role, pool.name)
    member.steward = 0


def page_of(session: Session, pool_id: int, words: list[str], begin: int, count: int) -> list[Member]:
    """Return some of the people in a pool by their names, only those in whose name all words are."""
    query = select(Member.id).where(
        Member.pool_id == pool_id, col(Member.left_at).is_(None), col(Member.admitted_at).is_not(None)
    )
    for word in words:
        query = query.where(col(Member.name_key).contains(key_of(word), autoescape=True))
    # Which ones is read off an index alone, however far down in a long list.
    numbers = session.exec(query.order_by(col(Member.name_key)).offset(begin).limit(count)).all()
    found = session.exec(select(Member).where(Member.pool_id == pool_id, col(Member.id).in_(numbers)))
    return sorted(found, key=lambda member: member.name_key)


def count_members(session: Session, pool_id: int) -> int:
    """Return how many people are in the pool."""
    query = select(func.count()).select_from(Member)
    return session.exec(query.where(Member.pool_id == pool_id, col(Member.left_at).is_(None))).one()


def count_in(session: Session, project: Project) -> int:
    """Return how many people are in a project."""
    query = select(func.count()).select_from(Membership).where(Membership.pool_id == project.pool_id)
    return session.exec(
        query.where(Membership.project_id == project.id, col(Membership.admitted_at).is_not(None))
    ).one()


def active_since(session: Session, pool_id: int, number: int) -> datetime | None:
    """Return the start of the last rounds that make somebody active; None: the pool is younger than that."""
    query = select(Round.due_at).where(
        Round.pool_id == pool_id, Round.number == number - ACTIVE_ROUNDS, Round.state == "done"
    )
    return session.exec(query).first()


def take_break(member: Member, period: timedelta, now: datetime) -> None:
    """Let the member pause from now on; it counts in the rounds that open after that."""
    member.break_from, member.break_until = now, now + period


def is_exempt(member: Member, opened_at: datetime, due_at: datetime) -> bool:
    """Tell whether a member is on a break that began before the round opened, or exempted at its end."""
    began_before = member.break_from is not None and member.break_from < opened_at
    is_exempted = member.exempt_from is not None and member.exempt_from <= due_at
    return (began_before and _lasts(member.break_until, due_at)) or (
        is_exempted and _lasts(member.exempt_until, due_at)
    )


def _lasts(until: datetime | None, at: datetime) -> bool:
    return until is None or until > at
