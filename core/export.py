"""Everything about one member as a table, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from sqlmodel import col, or_, select

from core.members import selves
from core.tables import Claim, Contribution, GivenUnit, Good, Product, Task, Transfer, Want
from core.units import show_hours, show_weight

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlmodel import Session

    from core.tables import Member

    Row = tuple[datetime, str, str, str, str]

COLUMNS = ("when", "what", "about", "amount", "details")
# A cell that begins like this would be run as a formula; with an apostrophe in front it is a text.
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")


def table_of(session: Session, member: Member) -> str:
    """Return the member's claims, contributions, wants, units and transfers as CSV, the oldest first."""
    rows = [*_claims(session, member), *_work(session, member), *_wants(session, member)]
    rows += [*_units(session, member), *_transfers(session, member)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for at, *cells in sorted(rows):
        writer.writerow([f"{at:%Y-%m-%d %H:%M}", *(safe(cell) for cell in cells)])
    return text.getvalue()


def safe(cell: str) -> str:
    """Return a cell that no spreadsheet runs; a negative amount stays a figure."""
    is_amount = cell.removesuffix(" h").replace(".", "", 1).removeprefix("-").isdigit()
    return f"'{cell}" if cell.startswith(FORMULA_BEGINS) and not is_amount else cell


def _task(session: Session, pool_id: int, task_id: int) -> str:
    task = session.get_one(Task, (pool_id, task_id))
    return f"#{task.number} {task.title}"


def _good(session: Session, pool_id: int, good_id: int) -> str:
    return session.get_one(Good, (pool_id, good_id)).name


def _claims(session: Session, member: Member) -> Iterator[Row]:
    query = select(Claim).where(Claim.pool_id == member.pool_id, Claim.member_id == member.id)
    for one in session.exec(query):
        yield one.claimed_at, "claim", _task(session, one.pool_id, one.task_id), show_weight(one.weight), one.note


def _work(session: Session, member: Member) -> Iterator[Row]:
    query = select(Contribution).where(Contribution.pool_id == member.pool_id, Contribution.member_id == member.id)
    for one in session.exec(query):
        details = f"{show_hours(one.hours)} {show_weight(one.weight)}, recognised {show_hours(one.recognised)}"
        yield one.confirmed_at, "work", _task(session, one.pool_id, one.task_id), show_hours(one.effort), details


def _wants(session: Session, member: Member) -> Iterator[Row]:
    query = select(Want).where(Want.pool_id == member.pool_id, Want.member_id == member.id)
    for one in session.exec(query):
        bid = "at cost" if one.bid is None else show_hours(one.bid)
        details = "standing" if one.ended_at is None else "ended"
        yield one.at, "want", _good(session, one.pool_id, one.good_id), bid, f"{one.units} {details}"


def _units(session: Session, member: Member) -> Iterator[Row]:
    query = (
        select(GivenUnit, Product.good_id)
        .join(Product, (col(Product.pool_id) == GivenUnit.pool_id) & (col(Product.id) == GivenUnit.product_id))
        .where(GivenUnit.pool_id == member.pool_id, GivenUnit.member_id == member.id)
    )
    for one, good_id in session.exec(query):
        details = "returned" if one.returned_at else "collected" if one.collected_at else ""
        yield one.at, "unit", _good(session, one.pool_id, good_id), show_hours(one.cost), details


def _transfers(session: Session, member: Member) -> Iterator[Row]:
    own = {one.id for one in selves(session, member)}
    moved = or_(col(Transfer.from_id).in_(own), col(Transfer.to_id).in_(own))
    for one in session.exec(select(Transfer).where(Transfer.pool_id == member.pool_id, moved)):
        amount = one.amount * ((one.to_id in own) - (one.from_id in own))
        if not amount:
            continue  # from one's own account to another
        about = "" if one.round_number is None else f"round {one.round_number}"
        yield one.at, f"transfer {one.kind}", about, show_hours(amount), one.subject
