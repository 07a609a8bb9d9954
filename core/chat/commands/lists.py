"""Filters of the list of open tasks: words, a length, one's own, a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import Session, col, func, or_, select

from core.numbers import read_hours, tries_hours
from core.tables import Bid, Claim, Member, Task
from core.units import show_hours

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

PAGE = re.compile(r"page:[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks are meant; `hours_max` in thousandths."""

    words: tuple[str, ...] = ()
    hours_max: int = 0
    mine: bool = False
    page: int = 0

    def with_page(self, page: int) -> str:
        """Return the filter as it is typed, for another page."""
        parts = [*self.words, *(["mine"] if self.mine else [])]
        parts += [show_hours(self.hours_max).replace(" ", "")] if self.hours_max else []
        return " ".join([*parts, f"page:{page + 1}"])


def read_page(word: str) -> int:
    """Read `page:2`, which only buttons write, as the number of pages before it."""
    return max(0, int(word.removeprefix("page:")) - 1)


def read_filter(text: str) -> Filter:
    """Read a filter; hours that cannot be read are refused."""
    words: list[str] = []
    hours_max, mine, page = 0, False, 0
    for word in text.split():
        if word.casefold() == "mine":
            mine = True
        elif PAGE.fullmatch(word):
            page = read_page(word)
        elif tries_hours(word):
            hours_max = read_hours(word)
        else:
            words.append(word)
    return Filter(tuple(words), hours_max, mine, page)


def open_tasks(session: Session, member: Member, wanted: Filter, size: int) -> tuple[list[Task], int]:
    """Return a page of open tasks, the highest weight first, and how many there are in all."""
    conditions = _conditions(member, wanted)
    total = session.exec(select(func.count()).select_from(Task).where(*conditions)).one()
    query = select(Task).where(*conditions).order_by(col(Task.weight).desc(), col(Task.due_at), col(Task.number))
    return list(session.exec(query.offset(wanted.page * size).limit(size)).all()), total


def _conditions(member: Member, wanted: Filter) -> list[ColumnElement[bool]]:
    taken = (
        select(func.count())
        .select_from(Claim)
        .where(Claim.pool_id == Task.pool_id, Claim.task_id == Task.id, col(Claim.ended_at).is_(None))
        .scalar_subquery()
    )
    conditions: list[ColumnElement[bool]] = [col(Task.pool_id) == member.pool_id, col(Task.closed_at).is_(None)]
    if wanted.mine:
        own = select(Claim.task_id).where(
            Claim.pool_id == member.pool_id, Claim.member_id == member.id, col(Claim.ended_at).is_(None)
        )
        bids = select(Bid.task_id).where(Bid.pool_id == member.pool_id, Bid.member_id == member.id)
        conditions.append(or_(col(Task.id).in_(own), col(Task.id).in_(bids)))
    else:
        conditions.append(taken < col(Task.slots))
    if wanted.hours_max:
        conditions.append(col(Task.hours) <= wanted.hours_max)
    conditions += [col(Task.title).icontains(word, autoescape=True) for word in wanted.words]
    return conditions
