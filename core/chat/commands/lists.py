"""Filters of the list of open tasks: words, a length, one's own, a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import Session, col, select, union

from core.chat import views
from core.chat.message import Choice
from core.chat.parameters import Kind, Parameter
from core.numbers import read_hours, tries_hours
from core.tables import Bid, Claim, Member, Task
from core.units import show_hours

if TYPE_CHECKING:
    from core.chat.context import Context

NOT_CLOSED = (  # most lists have no other filter, so what they ask is built once
    select(Task)
    .where(Task.pool_id == bindparam("pool_id"), col(Task.closed_at).is_(None))
    .order_by(col(Task.weight).desc(), *views.BY_DUE)
    .offset(bindparam("begin"))
    .limit(bindparam("count"))
)
OPEN = NOT_CLOSED.where(views.has_free_slot())
OWN_CLAIMS = select(Claim.task_id).where(
    Claim.pool_id == bindparam("pool_id"), Claim.member_id == bindparam("member_id"), col(Claim.ended_at).is_(None)
)
OWN_BIDS = select(Bid.task_id).where(Bid.pool_id == bindparam("pool_id"), Bid.member_id == bindparam("member_id"))
OWN = NOT_CLOSED.where(col(Task.id).in_(union(OWN_CLAIMS, OWN_BIDS)))
PAGE = re.compile(r"page:[0-9]{1,3}")
PAGED = (Parameter("page", Kind.COUNT, optional=True),)


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


def page_choices(context: Context, typed: str, page: int, *, has_more: bool) -> list[Choice]:
    """Return the buttons to the pages before and after one; `typed` is the command without its page."""
    say, project_id = context.say, context.project.id if context.has_project else 0
    found = [(say("More"), page + 1)] if has_more else []
    found += [(say("Back"), page - 1)] if page > 1 else []
    return [Choice(str(label), f"{typed} {number}", context.pool_id, project_id) for label, number in found]


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


def open_tasks(session: Session, member: Member, wanted: Filter, size: int) -> tuple[list[Task], bool]:
    """Return a page of open tasks, the highest weight first, and whether there are more."""
    params = {"pool_id": member.pool_id, "begin": wanted.page * size, "count": size + 1}
    query = OPEN
    if wanted.mine:
        query, params = OWN, {**params, "member_id": member.id}
    if wanted.hours_max:
        query = query.where(col(Task.hours) <= wanted.hours_max)
    for word in wanted.words:
        query = query.where(col(Task.title).icontains(word, autoescape=True))
    found = session.exec(query, params=params).all()
    return list(found[:size]), len(found) > size
