"""Two members of a pool who turn out to be one person become one member; sums, holds and rights stay what they are.

One of the two stays, everything of the other becomes theirs. Transfers never change: the other's balance follows by
transfers of its own, and what effort was recognised of it counts for the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from sqlmodel import col, delete, func, or_, select, update

from core import ledger
from core.columns import EPOCH
from core.errors import BelowLimitTogetherError
from core.events import Event, GoodEvent, TaskEdited
from core.ledger import Entry, TransferKind
from core.members import take_debt_up
from core.names import key_of, unique_name
from core.store import lock_pool
from core.tables import (
    Backing,
    Batch,
    Bid,
    Claim,
    Confirmation,
    Contribution,
    Deed,
    FreeTaking,
    GivenUnit,
    Good,
    Member,
    Membership,
    Pledge,
    Pool,
    PoolRow,
    Task,
    Want,
)
from core.tasks import reopen
from core.wants import wants_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

# Columns that name a member and nothing else: they name the one that stays.
NAMING: tuple[tuple[type[PoolRow], str], ...] = (
    (Task, "creator_id"),
    (Claim, "member_id"),
    (Claim, "offered_to_id"),
    (Claim, "disputed_by_id"),
    (Batch, "member_id"),
    (Contribution, "member_id"),
    (Want, "member_id"),
    (GivenUnit, "member_id"),
    (Pledge, "member_id"),
    (Bid, "member_id"),
    (Backing, "member_id"),
    (Confirmation, "member_id"),
    (FreeTaking, "member_id"),
    (Membership, "member_id"),
)
UNSYNCHRONISED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Merged:
    """What was put together: the member that stays, what both had by member, wants that ended, slots that are free."""

    member: Member
    balances: dict[int, int]
    balance: int
    replaced: tuple[str, ...]
    ended: tuple[str, ...]
    freed: tuple[int, ...]
    events: tuple[Event, ...]


def merge(session: Session, one: Member, two: Member, now: datetime) -> Merged:
    """Make one member of two: the one who is there stays, of two the older, with their name and settings.

    Raises BelowLimitTogetherError if they owe more together than one may.
    """
    pool = lock_pool(session, one.pool_id)
    kept, other = sorted((one, two), key=lambda row: (row.left_at is not None, row.admitted_at is None, row.id))
    session.flush()
    if other.left_at is not None:  # who is there again owes again what the others took over
        take_debt_up(session, pool, other, now)
        session.flush()
    balances = {row.id: ledger.balance(session, pool.id, row.id) for row in (kept, other)}
    events: list[Event] = [TaskEdited(task) for task in _tasks_shown(session, other)]
    freed = _one_slot_each(session, kept, other, now)
    replaced = _one_want_each(session, kept, other, now)
    _one_role_each(session, kept, other)
    _one_word_each(session, kept, other)
    _hand_over(session, kept, other)
    _drop_own(session, kept)
    _transfer(session, pool, kept, other, now)
    _retire(session, kept, other, now)
    session.flush()
    ended = _fit(session, pool, kept, now)
    goods = [session.get_one(Good, (pool.id, want.good_id)) for want in (*replaced, *ended)]
    names = tuple(good.name for good in goods)
    return Merged(
        kept,
        balances,
        ledger.balance(session, pool.id, kept.id),
        names[: len(replaced)],
        names[len(replaced) :],
        tuple(task.number for task in freed),
        (*events, *(GoodEvent(good) for good in goods)),
    )


def _tasks_shown(session: Session, member: Member) -> list[Task]:
    """Return the tasks whose cards may name a member."""
    query = (
        select(Task)
        .join(Claim, (col(Claim.pool_id) == Task.pool_id) & (col(Claim.task_id) == Task.id))
        .where(Claim.pool_id == member.pool_id, Claim.member_id == member.id, col(Claim.ended_at).is_(None))
    )
    return list(session.exec(query.where(col(Task.closed_at).is_(None)).order_by(col(Task.number))).all())


def _one_slot_each(session: Session, kept: Member, other: Member, now: datetime) -> list[Task]:
    """Open the second slot of tasks of which both hold one; what is confirmed stays, then what is reported."""
    standing = (
        Claim.pool_id == kept.pool_id,
        col(Claim.member_id).in_((kept.id, other.id)),
        col(Claim.ended_at).is_(None),
    )
    twice = select(Claim.task_id).where(*standing).group_by(col(Claim.task_id)).having(func.count() > 1)
    query = select(Claim).where(*standing, col(Claim.task_id).in_(twice)).order_by(col(Claim.task_id), col(Claim.id))
    freed = []
    for task_id, group in groupby(session.exec(query).all(), key=lambda row: row.task_id):
        # Sorted so, the first has come furthest; of two alike it is the older.
        rows = sorted(group, key=lambda row: (row.confirmed_at is None, row.reported_at is None))
        task = session.get_one(Task, (kept.pool_id, task_id))
        for row in rows[1:]:
            if row.confirmed_at is None:
                reopen(session, task, row, now)
                freed.append(task)
    return freed


def _one_want_each(session: Session, kept: Member, other: Member, now: datetime) -> list[Want]:
    """Let the newer of two wants for a good replace the older, as asking again would: it keeps its place."""
    own = {want.good_id: want for want in wants_of(session, kept)}
    replaced = []
    for want in wants_of(session, other):
        if want.good_id not in own:
            continue
        older, newer = sorted((own[want.good_id], want), key=lambda row: (row.at, row.id))
        newer.got, newer.waited = newer.got + older.got, max(newer.waited, older.waited)
        older.ended_at = now
        replaced.append(older)
    return replaced


def _one_role_each(session: Session, kept: Member, other: Member) -> None:
    """Let the member that stays be in a project what either of them was."""
    roles = select(Membership).where(Membership.pool_id == other.pool_id, Membership.member_id == other.id)
    for role in session.exec(roles).all():
        own = session.get(Membership, (kept.pool_id, role.project_id, kept.id))
        if own is not None:
            own.maintainer = max(own.maintainer, role.maintainer)
            own.admitted_at = own.admitted_at or role.admitted_at
            session.delete(role)


def _one_word_each(session: Session, kept: Member, other: Member) -> None:
    """Let what each said of the same thing be said once."""
    _newest_of_each(session, Bid, kept, other, "task_id")
    _newest_of_each(session, Backing, kept, other, "task_id")
    _newest_of_each(session, Confirmation, kept, other, "subject", "subject_id")
    _newest_of_each(session, FreeTaking, kept, other, "good_id")


def _newest_of_each(
    session: Session,
    table: type[Bid | Backing | Confirmation | FreeTaking],
    kept: Member,
    other: Member,
    *subject: str,
) -> None:
    """Leave one row of two about the same subject, the newer."""
    query = select(table).where(table.pool_id == kept.pool_id, col(table.member_id).in_((kept.id, other.id)))
    newest: dict[tuple[object, ...], PoolRow] = {}
    for row in session.exec(query.order_by(col(table.at), col(table.id))).all():
        about = tuple(getattr(row, name) for name in subject)
        if about in newest:
            session.delete(newest[about])
        newest[about] = row


def _hand_over(session: Session, kept: Member, other: Member) -> None:
    """Let everything that names the other name the member that stays."""
    session.flush()
    for table, name in NAMING:
        whose = (col(table.pool_id) == other.pool_id, col(getattr(table, name)) == other.id)
        session.exec(update(table).where(*whose).values({name: kept.id}), execution_options=UNSYNCHRONISED)
    session.expire_all()  # what the session knows names the other still


def _drop_own(session: Session, kept: Member) -> None:
    """Drop what nobody may have on their own work: a bid where they hold a slot, a word that it was worth it or done.

    What has counted already stays. What can be taken back for two minutes was done by somebody who is no more.
    """
    session.flush()
    own = (col(Claim.pool_id) == kept.pool_id, col(Claim.member_id) == kept.id, col(Claim.ended_at).is_(None))
    held = select(Claim.task_id).where(*own)
    for table in (Bid, Backing):
        session.exec(
            delete(table).where(
                col(table.pool_id) == kept.pool_id, col(table.member_id) == kept.id, col(table.task_id).in_(held)
            )
        )
    reported = select(Claim.id).where(*own, col(Claim.confirmed_at).is_(None))
    session.exec(
        delete(Confirmation).where(
            col(Confirmation.pool_id) == kept.pool_id,
            col(Confirmation.member_id) == kept.id,
            col(Confirmation.subject) == "claim",
            col(Confirmation.subject_id).in_(reported),
        )
    )
    session.exec(update(Claim).where(*own, col(Claim.offered_to_id) == kept.id).values(offered_to_id=None))


def _transfer(session: Session, pool: Pool, kept: Member, other: Member, now: datetime) -> None:
    """Move the other's balance: what was recognised as such, so that it counts for the limit, and the rest.

    If both have left the pool, the commons take over from one what they took over from the other.
    """
    balance = ledger.balance(session, pool.id, other.id)
    recognised = ledger.recognised_of(session, other)
    rest = balance - recognised
    entries = [
        Entry(f"merge:{other.id}:effort", TransferKind.EFFORT, other.id, kept.id, recognised, ""),
        Entry(f"merge:{other.id}", TransferKind.MERGE, other.id, kept.id, rest, ""),
    ]
    if kept.left_at is not None:
        key = f"leave:{kept.id}:{pool.last_id}"
        entries.append(Entry(key, TransferKind.LEAVE, kept.id, ledger.COMMONS, balance, ""))
    ledger.transfer_all(session, pool, entries, now)


def _retire(session: Session, kept: Member, other: Member, now: datetime) -> None:
    """Take over rights, settings and time off; leave of the other a row that only its transfers refer to."""

    def is_taken(key: str) -> bool:
        query = select(Member.id).where(Member.pool_id == other.pool_id, Member.name_key == key)
        return session.exec(query).first() is not None

    if other.left_at is None:
        kept.steward = max(kept.steward, other.steward)
        kept.settings = {**other.settings, **kept.settings}
        away = max((kept, other), key=lambda row: _end_of(row.break_from, row.break_until))
        kept.break_from, kept.break_until = away.break_from, away.break_until
        free = max((kept, other), key=lambda row: _end_of(row.exempt_from, row.exempt_until))
        kept.exempt_from, kept.exempt_until = free.exempt_from, free.exempt_until
        kept.exempt_project_id = free.exempt_project_id
    other.name = unique_name(f"Former member {other.id}", is_taken)
    other.name_key = key_of(other.name)
    other.person_id, other.steward, other.settings = None, 0, {}
    other.left_at, other.merged_into_id = other.left_at or now, kept.id
    other.break_from = other.break_until = None
    other.exempt_from = other.exempt_until = other.exempt_project_id = None
    before = (col(Member.pool_id) == other.pool_id, col(Member.merged_into_id) == other.id)
    session.exec(update(Member).where(*before).values(merged_into_id=kept.id))
    both = or_(col(Deed.member_id) == kept.id, col(Deed.member_id) == other.id)
    session.exec(delete(Deed).where(col(Deed.pool_id) == other.pool_id, both))


def _end_of(begin: datetime | None, end: datetime | None) -> tuple[bool, bool, datetime]:
    """Return when time off ends, to compare; what has no end is last, what never began is first."""
    return begin is not None, end is None, end or EPOCH


def _fit(session: Session, pool: Pool, kept: Member, now: datetime) -> list[Want]:
    """End the newest wants until the others fit in what is free; refuse who is below the limit."""
    standing = ledger.standing(session, kept)
    if kept.left_at is None and standing.balance < -standing.limit:
        raise BelowLimitTogetherError(pool.name, standing.balance, -standing.limit)
    free, ended = standing.free, []
    for want in sorted(wants_of(session, kept), key=lambda row: (row.at, row.id), reverse=True):
        hold = want.units * (want.maximum or 0)
        if free < 0 < hold:
            want.ended_at = now
            free += hold
            ended.append(want)
    return ended
