"""Leaving a pool: claims and wants end, the balance goes to the commons, and on wish the name is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import ledger
from core.errors import LastOfKindError
from core.events import Event, GoodEvent, MakerGone, TaskEdited
from core.identity import memberships_of_person
from core.ledger import Entry, TransferKind
from core.members import (
    count_members,
    is_maintainer,
    maintainers,
    projects_of,
    remove_maintainer,
    stewards,
)
from core.names import key_of, unique_name
from core.store import pool_of
from core.tables import Batch, Bid, Claim, Deed, Good, Member, Membership, Pledge, Product, Project, Task, Want
from core.tables_chat import Account, Chat, Person
from core.tasks import bids_on, claims_of, keep_slots, reopen

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
    own = select(Membership).where(Membership.pool_id == member.pool_id, Membership.member_id == member.id)
    for membership in session.exec(own).all():
        session.delete(membership)
    return events


def end_membership(session: Session, project: Project, member: Member, membership: Membership) -> None:
    """Take a member out of a project; its last maintainer stays."""
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
        _anonymise(session, member)
    person = session.get_one(Person, person_id)
    person.language, person.pool_id = "", None
    for account in session.exec(select(Account).where(Account.person_id == person_id)):
        account.name, account.handle = "", ""
    return events


def _anonymise(session: Session, member: Member) -> None:
    """Take away what tells who a member was, and what they wrote about work."""

    def is_taken(key: str) -> bool:
        query = select(Member.id).where(Member.pool_id == member.pool_id, Member.name_key == key)
        return session.exec(query).first() is not None

    member.name = unique_name(f"Former member {member.id}", is_taken)
    member.name_key = key_of(member.name)
    member.person_id, member.settings = None, {}
    member.break_from = member.break_until = None
    member.exempt_from = member.exempt_until = member.exempt_project_id = None
    for claim in session.exec(select(Claim).where(Claim.pool_id == member.pool_id, Claim.member_id == member.id)):
        claim.note = ""
    said = select(Claim).where(Claim.pool_id == member.pool_id, Claim.disputed_by_id == member.id)
    for claim in session.exec(said):
        claim.dispute = ""
    for deed in session.exec(select(Deed).where(Deed.pool_id == member.pool_id, Deed.member_id == member.id)):
        session.delete(deed)


def close(session: Session, project: Project, now: datetime) -> list[Event]:
    """Close a project: its channels are free, its open tasks, offers and promises end; people and figures stay.

    Work in somebody's hands can still be reported and confirmed, units that were given can still be handed over.
    """
    project.archived_at = now
    for chat in session.exec(select(Chat).where(Chat.pool_id == project.pool_id, Chat.project_id == project.id)):
        chat.project_id = chat.pool_id = None
    events = _close_tasks(session, project, now)
    query = select(Product).where(Product.pool_id == project.pool_id, Product.project_id == project.id)
    for product in session.exec(query).all():
        events += _close_product(session, project, product, now)
    return events


def _close_tasks(session: Session, project: Project, now: datetime) -> list[Event]:
    query = select(Task).where(
        Task.pool_id == project.pool_id, Task.project_id == project.id, col(Task.closed_at).is_(None)
    )
    events: list[Event] = []
    for task in session.exec(query).all():
        task.next_at = None
        for bid in bids_on(session, task):
            session.delete(bid)
        keep_slots(task, claims_of(session, task), now)
        events.append(TaskEdited(task))
    return events


def _close_product(session: Session, project: Project, product: Product, now: datetime) -> list[Event]:
    of_product = (col(Batch.pool_id) == product.pool_id, col(Batch.product_id) == product.id)
    for batch in session.exec(select(Batch).where(*of_product, col(Batch.expired_at).is_(None))):
        batch.left, batch.expired_at = 0, now
    pledges = select(Pledge).where(Pledge.pool_id == product.pool_id, Pledge.product_id == product.id)
    for pledge in session.exec(pledges.where(col(Pledge.ended_at).is_(None))):
        pledge.ended_at = now
    good = session.get_one(Good, (product.pool_id, product.good_id))
    wants = select(Want).where(Want.pool_id == product.pool_id, Want.product_id == product.id)
    events: list[Event] = [GoodEvent(good)]
    for want in session.exec(wants.where(col(Want.ended_at).is_(None))).all():
        want.ended_at = now
        events.append(MakerGone(good, want, project))
    return events
