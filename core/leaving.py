"""Leaving a pool: claims and wants end, the balance goes to the commons, and on wish the name is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import ledger
from core.errors import LastOfKindError
from core.events import Event, GoodEvent, TaskEdited
from core.identity import memberships_of_person
from core.ledger import Entry, TransferKind
from core.members import (
    count_members,
    is_maintainer,
    maintainers,
    membership_of,
    projects_of,
    remove_maintainer,
    stewards,
)
from core.names import key_of
from core.store import pool_of
from core.tables import Bid, Claim, Good, Member, Project, Task, Want
from core.tables_chat import Account, Person
from core.tasks import reopen

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session


def leave(session: Session, member: Member, now: datetime) -> list[Event]:
    """Let a member leave the pool. The last steward and last maintainers stay, unless nobody else is there.

    What is confirmed and not yet wanted is given to all: it is never credited.
    """
    pool = pool_of(session, member)
    is_alone = count_members(session, member.pool_id) == 1
    if member.steward and len(stewards(session, pool)) == 1 and not is_alone:
        role = "steward"
        raise LastOfKindError(role, pool.name)
    for project in projects_of(session, member):
        if is_maintainer(session, project, member) and len(maintainers(session, project)) == 1 and not is_alone:
            role = "maintainer"
            raise LastOfKindError(role, project.name)
    events = [*_end_claims(session, member, now), *_end_wants(session, member, now)]
    session.flush()
    balance = ledger.balance(session, member.pool_id, member.id)
    key = f"leave:{member.id}:{pool.last_id}"
    entry = Entry(key, TransferKind.LEAVE, member.id, ledger.COMMONS, balance, "", None)
    ledger.transfer(session, pool, entry, now)
    member.left_at, member.steward = now, 0
    for project in projects_of(session, member):
        end_membership(session, project, member)
    return events


def end_membership(session: Session, project: Project, member: Member) -> None:
    """Take a member out of a project; its last maintainer stays."""
    membership = membership_of(session, project, member)
    if membership is None:
        return
    if member.left_at is None:
        remove_maintainer(session, project, member)
    session.delete(membership)


def _end_claims(session: Session, member: Member, now: datetime) -> list[Event]:
    events: list[Event] = []
    query = select(Claim).where(
        Claim.pool_id == member.pool_id,
        Claim.member_id == member.id,
        col(Claim.ended_at).is_(None),
        col(Claim.confirmed_at).is_(None),
    )
    for claim in session.exec(query).all():
        task = session.get_one(Task, (member.pool_id, claim.task_id))
        reopen(session, task, claim, now)
        if task.origin != "task":
            task.closed_at = task.cancelled_at = now
        events.append(TaskEdited(task))
    for bid in session.exec(select(Bid).where(Bid.pool_id == member.pool_id, Bid.member_id == member.id)):
        session.delete(bid)
    return events


def _end_wants(session: Session, member: Member, now: datetime) -> list[Event]:
    events: list[Event] = []
    query = select(Want).where(Want.pool_id == member.pool_id, Want.member_id == member.id)
    for want in session.exec(query.where(col(Want.ended_at).is_(None))).all():
        want.ended_at = now
        events.append(GoodEvent(session.get_one(Good, (member.pool_id, want.good_id))))
    return events


def forget(session: Session, person_id: int, now: datetime) -> list[Event]:
    """Let a person leave all pools and be made anonymous: names and notes go, the sums stay."""
    events: list[Event] = []
    for member in memberships_of_person(session, person_id):
        events += leave(session, member, now)
    for member in session.exec(select(Member).where(Member.person_id == person_id)).all():
        member.name = f"Former member {member.id}"
        member.name_key = key_of(member.name)
        member.person_id, member.settings = None, {}
        own = select(Claim).where(Claim.pool_id == member.pool_id, Claim.member_id == member.id)
        for claim in session.exec(own):
            claim.note = ""
        said = select(Claim).where(Claim.pool_id == member.pool_id, Claim.disputed_by_id == member.id)
        for claim in session.exec(said):
            claim.dispute = ""
    session.get_one(Person, person_id).language = ""
    session.get_one(Person, person_id).pool_id = None
    for account in session.exec(select(Account).where(Account.person_id == person_id)):
        account.name, account.handle = "", ""
    return events
