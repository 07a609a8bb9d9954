"""Double entry, append-only: who owes how much effort to whom, as a sum of transfers that never change.

Amounts are thousandths of a weighted hour. The commons, the pool's own account, is written as None. Modelled on
TigerBeetle's transfers: immutable, a client-chosen key that makes a repeat harmless, balances only ever summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, union_all
from sqlmodel import case, col, select

from core.settings import PoolSettings
from core.store import add, pool_of
from core.tables import Member, Pool, Transfer, Want

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlmodel import Session
    from sqlmodel.sql.expression import Select

COMMONS: None = None


class TransferKind(StrEnum):
    """What moves effort."""

    EFFORT = "effort"
    COST = "cost"
    SETTLE = "settle"
    RETURN = "return"
    MERGE = "merge"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Entry:
    """A transfer to be made: `amount` from one account to another, negative the other way round, 0 not at all."""

    key: str
    kind: TransferKind
    from_id: int | None
    to_id: int | None
    amount: int
    subject: str
    round_number: int | None = None


class KeyReusedError(Exception):
    """The same key for a different transfer: a fault of the program, never of a person."""


def transfer(session: Session, pool: Pool, entry: Entry, at: datetime) -> bool:
    """Make a transfer once; return whether it is new. The same key for another transfer raises KeyReusedError."""
    if entry.amount == 0:
        return False
    from_id, to_id = (entry.from_id, entry.to_id) if entry.amount > 0 else (entry.to_id, entry.from_id)
    known = session.exec(select(Transfer).where(Transfer.pool_id == pool.id, Transfer.key == entry.key)).first()
    if known is None:
        row = Transfer(
            pool_id=pool.id,
            key=entry.key,
            kind=entry.kind,
            from_id=from_id,
            to_id=to_id,
            amount=abs(entry.amount),
            subject=entry.subject,
            round_number=entry.round_number,
            at=at,
        )
        add(session, row)
        return True
    if (known.kind, known.from_id, known.to_id, known.amount) != (entry.kind, from_id, to_id, abs(entry.amount)):
        raise KeyReusedError(entry.key)
    return False


def transfer_all(session: Session, pool: Pool, entries: Iterable[Entry], at: datetime) -> None:
    """Make several transfers, each once."""
    for entry in entries:
        transfer(session, pool, entry, at)


def balance(session: Session, pool_id: int, account_id: int | None) -> int:
    """Return the balance of a member, or of the commons, as the sum of its transfers."""
    incoming = _sum_of(session, pool_id, Transfer.to_id, account_id)
    return incoming - _sum_of(session, pool_id, Transfer.from_id, account_id)


def _sum_of(session: Session, pool_id: int, side: object, account_id: int | None) -> int:
    total = func.coalesce(func.sum(Transfer.amount), 0)
    return int(session.exec(select(total).where(Transfer.pool_id == pool_id, col(side) == account_id)).one())


def balances(session: Session, pool_id: int) -> dict[int | None, int]:
    """Return the balance of every account that ever had a transfer; they add up to zero."""
    return balances_and_recognised(session, pool_id)[0]


RECOGNITION = (
    (Transfer.to_id, (TransferKind.EFFORT,), 1),
    (Transfer.from_id, (TransferKind.EFFORT, TransferKind.RETURN), -1),
)


def _side(side: int | None, kinds: tuple[TransferKind, ...], sign: int) -> Select[int, int]:
    of_kinds = case((col(Transfer.kind).in_(kinds), col(Transfer.amount)), else_=0)
    amounts = ((sign * col(Transfer.amount)).label("amount"), (sign * of_kinds).label("effort"))
    return select(*amounts).where(Transfer.pool_id == bindparam("pool_id"), col(side) == bindparam("member_id"))


# Every want asks for these, so they are built once.
SIDES = union_all(*(_side(*one) for one in RECOGNITION)).subquery()
HELD = select(func.coalesce(func.sum(col(Want.units) * func.coalesce(Want.maximum, 0)), 0)).where(
    Want.pool_id == bindparam("pool_id"),
    Want.member_id == bindparam("member_id"),
    col(Want.ended_at).is_(None),
    Want.good_id != bindparam("but_good_id"),
)
OWN = select(
    func.coalesce(func.sum(SIDES.c.amount), 0), func.coalesce(func.sum(SIDES.c.effort), 0), HELD.scalar_subquery()
)


def recognised(session: Session, pool_id: int) -> dict[int, int]:
    """Return each member's effort recognised so far, reversals taken off."""
    return balances_and_recognised(session, pool_id)[1]


def balances_and_recognised(session: Session, pool_id: int) -> tuple[dict[int | None, int], dict[int, int]]:
    """Return both at once, for all. What members have more or less is what the commons have less or more."""
    balances: dict[int | None, int] = {}
    efforts: dict[int, int] = {}
    for side, kinds, sign in RECOGNITION:
        rows = select(side, Transfer.kind, func.sum(Transfer.amount)).where(Transfer.pool_id == pool_id)
        of_members = rows.where(col(side) > 0).group_by(col(side), col(Transfer.kind))
        for member_id, kind, total in session.execute(of_members):
            amount = sign * int(total)
            balances[member_id] = balances.get(member_id, 0) + amount
            if kind in kinds:
                efforts[member_id] = efforts.get(member_id, 0) + amount
    if balances:
        balances[COMMONS] = -sum(balances.values())
    return balances, efforts


def recognised_of(session: Session, member: Member) -> int:
    """Return one member's effort recognised so far, reversals taken off."""
    return _own(session, member)[1]


def _own(session: Session, member: Member, but_good_id: int = 0) -> tuple[int, int, int]:
    """Return a member's balance, effort recognised and holds."""
    where = {"pool_id": member.pool_id, "member_id": member.id, "but_good_id": but_good_id}
    balance, effort, held = session.exec(OWN, params=where).one()
    return int(balance), int(effort), int(held)


def sum_of_kind(session: Session, member: Member, kind: TransferKind) -> int:
    """Return what transfers of one kind brought a member (positive) or took (negative)."""
    total = func.coalesce(func.sum(Transfer.amount), 0)
    of_kind = (Transfer.pool_id == member.pool_id, Transfer.kind == kind)
    incoming = select(total).where(*of_kind, Transfer.to_id == member.id)
    outgoing = select(total).where(*of_kind, Transfer.from_id == member.id)
    return int(session.exec(incoming).one()) - int(session.exec(outgoing).one())


def limit_with(settings: PoolSettings, effort_recognised: int) -> int:
    """Return how far below zero a balance may go: newcomers a little, more with every hour recognised."""
    return limits_with(settings, [effort_recognised])[0]


def limits_with(settings: PoolSettings, efforts: Iterable[int]) -> list[int]:
    """Return the limit for each of several efforts recognised."""
    most, newcomer = settings.limit, settings.newcomer
    return [min(most, newcomer + max(0, effort)) for effort in efforts]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a member stands: balance, limit and holds; `free` is what another want may hold at most."""

    balance: int
    limit: int
    held: int

    @property
    def free(self) -> int:
        """What is left to hold."""
        return self.balance + self.limit - self.held


def standing(session: Session, member: Member, *, but_good_id: int = 0) -> Standing:
    """Return a member's balance, limit and holds; those for `but_good_id` left out, since a new want replaces them."""
    balance, effort, held = _own(session, member, but_good_id)
    return Standing(balance, limit_with(PoolSettings(pool_of(session, member).settings), effort), held)
