"""Linking: one person writes from several accounts, on one platform or several.

A one-use code from one account, typed in the other, shows both what will be put together; only their yes does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, delete, or_, select

from core import ledger
from core.codes import CODE_LIFE, digest_of, new_code
from core.errors import NothingToLinkError, OwnCodeError, UnknownCodeError
from core.events import Event, Linked
from core.identity import accounts_of
from core.merging import merge
from core.store import lock_pool
from core.tables import Member
from core.tables_chat import Account, Code, Person

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlmodel import Session

    from core.codes import Entropy

PURPOSE = "person"


@dataclass(frozen=True, slots=True)
class Part:
    """What linking does in one pool; balances in thousandths, None where one of the two is no member.

    `replaced`: goods of which one want stays, `ended`: goods whose wants no longer fit, `freed`: tasks held twice.
    """

    pool: str
    name: str
    own: int | None
    other: int | None
    balance: int
    replaced: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    freed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What linking does, or did: with whom, from which accounts the code came, what changes, and what happened."""

    person_id: int
    others: tuple[Account, ...]
    parts: tuple[Part, ...]
    events: tuple[Event, ...]


def issue(session: Session, account: Account, now: datetime, entropy: Entropy) -> str:
    """Return a one-use code that links another account to the person of this one; older ones are void."""
    session.exec(delete(Code).where(col(Code.purpose) == PURPOSE, col(Code.person_id) == account.person_id))
    code = new_code(entropy)
    row = Code(digest=digest_of(code), purpose=PURPOSE, person_id=account.person_id, expires_at=now + CODE_LIFE)
    session.add(row)
    return code


def redeem(session: Session, account: Account, code: str, now: datetime) -> Result:
    """Take a code from an account and return what linking would do; the first who types it is the only one who can.

    Raises UnknownCodeError, OwnCodeError, or what linking would raise.
    """
    row = _find(session, code, now)
    if row.person_id == account.person_id:
        raise OwnCodeError
    mine = (col(Code.purpose) == PURPOSE, col(Code.account_id) == account.id)
    session.exec(delete(Code).where(*mine))
    row.used_at, row.account_id = now, account.id
    session.flush()
    savepoint = session.begin_nested()
    try:
        return _link(session, account, row.person_id or 0, now)
    finally:
        savepoint.rollback()
        session.expire_all()


def void(session: Session, code: str, now: datetime) -> None:
    """Let a code that was shown to everybody link nothing. Raises UnknownCodeError."""
    session.delete(_find(session, code, now))


def _find(session: Session, code: str, now: datetime) -> Code:
    row = session.get(Code, digest_of(code), with_for_update=True)
    if row is None or row.purpose != PURPOSE or row.used_at is not None or row.expires_at < now:
        raise UnknownCodeError(code)
    return row


def link(session: Session, account: Account, person_id: int, now: datetime) -> Result:
    """Link an account with the person whose code was typed in it; there is no way back.

    Raises NothingToLinkError if there was no such code (or it is over), or BelowLimitTogetherError.
    """
    query = select(Code).where(Code.purpose == PURPOSE, Code.account_id == account.id, Code.person_id == person_id)
    row = session.exec(query.where(col(Code.expires_at) >= now).with_for_update()).first()
    if row is None:
        raise NothingToLinkError
    return _link(session, account, person_id, now)


def _link(session: Session, account: Account, person_id: int, now: datetime) -> Result:
    """Make one person of two: the older one, with both accounts, and as one member of every pool."""
    kept_id, gone_id = sorted((account.person_id, person_id))
    people = session.exec(
        select(Person).where(col(Person.id).in_((kept_id, gone_id))).order_by(col(Person.id)).with_for_update()
    ).all()
    kept, gone = people
    own = _members(session, account.person_id)
    others = _members(session, person_id)
    other_accounts = tuple(accounts_of(session, person_id))
    parts: list[Part] = []
    events: list[Event] = []
    for pool_id in sorted(own.keys() | others.keys()):
        part, happened = _put_together(session, kept_id, own.get(pool_id), others.get(pool_id), now)
        parts += part
        events += happened
    for one in accounts_of(session, gone_id):
        one.person_id = kept_id
    kept.language, kept.pool_id = kept.language or gone.language, kept.pool_id or gone.pool_id
    whose = or_(col(Code.person_id).in_((kept_id, gone_id)), col(Code.account_id) == account.id)
    session.exec(delete(Code).where(col(Code.purpose) == PURPOSE, whose))
    session.flush()
    return Result(person_id, other_accounts, tuple(parts), (*events, Linked(account, other_accounts)))


def _members(session: Session, person_id: int) -> dict[int, Member]:
    """Return a person as a member of pools, also of those they have left."""
    return {row.pool_id: row for row in session.exec(select(Member).where(Member.person_id == person_id))}


def _put_together(
    session: Session, person_id: int, own: Member | None, other: Member | None, now: datetime
) -> tuple[list[Part], Sequence[Event]]:
    """Let one member of a pool be the person, made of two if both are in it; nothing is said of a pool they left."""
    member = next(one for one in (own, other) if one is not None)
    pool = lock_pool(session, member.pool_id)
    if own is None or other is None:
        member.person_id = person_id
        balance = ledger.balance(session, pool.id, member.id)
        part = Part(pool.name, member.name, balance if own else None, balance if other else None, balance)
        return [part] if member.left_at is None else [], []
    merged = merge(session, own, other, now)
    merged.member.person_id = person_id
    had = merged.balances
    part = Part(
        pool.name,
        merged.member.name,
        had[own.id],
        had[other.id],
        merged.balance,
        merged.replaced,
        merged.ended,
        merged.freed,
    )
    return [part] if merged.member.left_at is None else [], merged.events
