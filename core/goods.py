"""Goods and products: who makes what, batches made, units handed over or offered again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import col, func, select

from core import ledger, tasks
from core.batches import gathering, settle_needs
from core.errors import (
    AlreadyAProductError,
    FreeGoodError,
    NotAProductError,
    NothingGatheredError,
    NothingToCollectError,
)
from core.events import BatchMade, Event, GoodCreated, Reported, UnitsMissing, UnitsReturned
from core.ledger import Entry, TransferKind
from core.names import find, key_of
from core.recognition import take_back
from core.store import add, pool_of
from core.tables import Batch, Claim, GivenUnit, Good, Member, Pledge, Product, Project, Task
from core.tasks import Draft, check_bounds
from core.units import BATCH_UNITS_MAX, HOURS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlmodel import Session


GOOD = select(Good).where(Good.pool_id == bindparam("pool_id"), Good.name_key == bindparam("name_key"))  # built once
TO_COLLECT = (
    select(GivenUnit, Product)
    .join(Product, (col(Product.pool_id) == GivenUnit.pool_id) & (col(Product.id) == GivenUnit.product_id))
    .where(GivenUnit.pool_id == bindparam("pool_id"), GivenUnit.member_id == bindparam("member_id"))
    .where(col(GivenUnit.collected_at).is_(None), col(GivenUnit.returned_at).is_(None))
    .order_by(col(GivenUnit.id))
)
TO_COLLECT_OF = TO_COLLECT.where(Product.good_id == bindparam("good_id"))
MISSING_DAYS_MAX = 7
UNCOLLECTED_DAYS_MIN = 14


@dataclass(frozen=True, slots=True)
class GoodDraft:
    """A good as it was typed; `units` is the plural of `unit`, `free` what is handed over at once."""

    name: str
    unit: str = ""
    units: str = ""
    free: str = ""
    rule: str = ""
    pickup: str = ""


def find_good(session: Session, pool_id: int, word: str) -> Good:
    """Return the good a word names, whole or by a unique beginning."""
    whole = _good_named(session, pool_id, word)
    return find(session, Good, word, [col(Good.pool_id) == pool_id]) if whole is None else whole


def _good_named(session: Session, pool_id: int, name: str) -> Good | None:
    return session.exec(GOOD, params={"pool_id": pool_id, "name_key": key_of(name)}).first()


def product_of(session: Session, good: Good, project: Project) -> Product:
    """Return a project's version of a good, or raise NotAProductError."""
    product = _product(session, good, project)
    if product is None:
        raise NotAProductError(good.name, project.name)
    return product


def _product(session: Session, good: Good, project: Project) -> Product | None:
    query = select(Product).where(Product.pool_id == good.pool_id, Product.good_id == good.id)
    return session.exec(query.where(Product.project_id == project.id)).first()


def products_of(session: Session, project: Project) -> list[tuple[Product, Good]]:
    """Return what a project makes."""
    query = (
        select(Product, Good)
        .join(Good, (col(Good.pool_id) == Product.pool_id) & (col(Good.id) == Product.good_id))
        .where(Product.pool_id == project.pool_id, Product.project_id == project.id)
    )
    return list(session.exec(query.order_by(col(Good.name_key))).all())


def new_good(session: Session, project: Project, draft: GoodDraft, now: datetime) -> GoodCreated:
    """Add a product of the project; the good comes into being with its first product."""
    good = _good_named(session, project.pool_id, draft.name)
    if good is None:
        good = Good(pool_id=project.pool_id, name=draft.name, name_key=key_of(draft.name), created_at=now)
        good.unit, good.units, good.free, good.rule = draft.unit, draft.units, draft.free, draft.rule
        add(session, good)
    elif _product(session, good, project) is not None:
        raise AlreadyAProductError(good.name, project.name)
    product = Product(pool_id=project.pool_id, good_id=good.id, project_id=project.id, pickup=draft.pickup)
    product.created_at = now
    return GoodCreated(good, add(session, product))


@dataclass(frozen=True, slots=True)
class Made:
    """What `/made` did: the batch, what happened, and the report of the sender's own work, if there is one."""

    batch: Batch
    report: Reported | None
    events: Sequence[Event]


def made(
    session: Session,
    good: Good,
    project: Project,
    member: Member,
    units: int,
    hours: int | None,
    until_at: datetime | None,
    now: datetime,
) -> Made:
    """Turn what has gathered in a product into a batch; `hours` (thousandths) adds the sender's own work at ×1.00."""
    product = product_of(session, good, project)
    if good.free:
        raise FreeGoodError(good.name)
    check_bounds("units", units, 1, BATCH_UNITS_MAX)
    if hours is not None:
        check_bounds("hours", hours, 1, HOURS_MAX)
    gathered = gathering(session, product)
    if not gathered and hours is None:
        raise NothingGatheredError(good.name, units, _unconfirmed(session, product))
    batch = Batch(pool_id=product.pool_id, product_id=product.id, member_id=member.id, units=units, left=units)
    batch.effort, batch.made_at, batch.until_at = sum(one.effort for one in gathered), now, until_at
    add(session, batch)
    for contribution in gathered:
        contribution.batch_id = batch.id
    _count_pledges(session, product, units)
    if hours is None:
        return Made(batch, None, settle_needs(session, batch, now))
    batch.needs = "work"
    report = _report_own(session, product, batch, member, hours, now)
    return Made(batch, report, [BatchMade(good, product, batch), report])


def _report_own(
    session: Session, product: Product, batch: Batch, member: Member, hours: int, now: datetime
) -> Reported:
    good = session.get_one(Good, (product.pool_id, product.good_id))
    project = session.get_one(Project, (product.pool_id, product.project_id))
    estimate = None if product.last_average is None else min(HOURS_MAX, max(1, product.last_average * batch.units))
    draft = Draft(f"{batch.units} {good.name}", estimate or hours, product=product, origin="made")
    task = tasks.post(session, project, member, draft, now).task
    row = tasks.new_claim(session, task, member, task.weight, "claimed", now)
    batch.task_id = task.id
    return tasks.report(session, task, row, member, hours, "", now)


def _unconfirmed(session: Session, product: Product) -> tuple[int, ...]:
    query = (
        select(Task.number)
        .join(Claim, (col(Claim.pool_id) == Task.pool_id) & (col(Claim.task_id) == Task.id))
        .where(Task.pool_id == product.pool_id, Task.product_id == product.id, col(Claim.reported_at).is_not(None))
        .where(col(Claim.confirmed_at).is_(None), col(Claim.ended_at).is_(None))
    )
    return tuple(session.exec(query.order_by(col(Task.number))).all())


def _count_pledges(session: Session, product: Product, units: int) -> None:
    query = select(Pledge).where(Pledge.pool_id == product.pool_id, Pledge.product_id == product.id)
    for pledge in session.exec(query.where(col(Pledge.ended_at).is_(None)).order_by(col(Pledge.by_at))):
        counted = min(units, pledge.units - pledge.made)
        pledge.made += counted
        units -= counted


def did(
    session: Session, project: Project, member: Member, title: str, hours: int, product: Product | None, now: datetime
) -> Reported:
    """Report work that nobody had asked for; it is confirmed like a task's, and no time alone confirms it."""
    draft = Draft(title, hours, product=product, origin="did")
    task = tasks.post(session, project, member, draft, now).task
    row = tasks.new_claim(session, task, member, task.weight, "claimed", now)
    return tasks.report(session, task, row, member, hours, "", now)


def to_collect(session: Session, member: Member, good: Good | None = None) -> list[GivenUnit]:
    """Return the units a member was given and has not collected, of one good or of all."""
    params = {"pool_id": member.pool_id, "member_id": member.id}
    if good is None:
        found = session.exec(TO_COLLECT, params=params)
    else:
        found = session.exec(TO_COLLECT_OF, params={**params, "good_id": good.id})
    return [unit for unit, _product in found]


def collected(session: Session, member: Member, good: Good, now: datetime, *, product: Product | None = None) -> int:
    """Record that a member has got all units of a good, or of one product; return how many."""
    units = [one for one in to_collect(session, member, good) if product is None or one.product_id == product.id]
    if not units:
        raise NothingToCollectError(good.name)
    for unit in units:
        unit.collected_at, unit.missing_at = now, None
    return len(units)


def missing(session: Session, member: Member, good: Good, now: datetime) -> list[UnitsMissing]:
    """Record that units did not reach a member; the makers of each product confirm it with `/return`."""
    found = to_collect(session, member, good)
    units = [unit for unit in found if (now - unit.at).days < MISSING_DAYS_MAX]
    if not units:
        raise NothingToCollectError(good.name, days=MISSING_DAYS_MAX if found else 0)
    for unit in units:
        unit.missing_at = now
    counts = Counter(unit.product_id for unit in units)
    return [
        UnitsMissing(good, session.get_one(Product, (good.pool_id, product_id)), member, count)
        for product_id, count in sorted(counts.items())
    ]


def give_back(session: Session, product: Product, member: Member, now: datetime) -> UnitsReturned:
    """Reverse units that were not got, or not collected for 14 days: cost and recognition go back, they are offered."""
    good = session.get_one(Good, (product.pool_id, product.good_id))
    found = [unit for unit in to_collect(session, member, good) if unit.product_id == product.id]
    units = [unit for unit in found if unit.missing_at is not None or (now - unit.at).days >= UNCOLLECTED_DAYS_MIN]
    if not units:
        raise NothingToCollectError(good.name, member.name, UNCOLLECTED_DAYS_MIN if found else 0)
    pool = pool_of(session, product)
    for unit in units:
        unit.returned_at = now
        batch = session.get_one(Batch, (unit.pool_id, unit.batch_id))
        batch.given -= 1
        batch.left += int(batch.expired_at is None)
        entry = Entry(f"return:{unit.id}", TransferKind.RETURN, ledger.COMMONS, member.id, unit.cost, good.name)
        ledger.transfer(session, pool, entry, now)
        take_back(session, pool, batch, f"return:{unit.id}", now)
    return UnitsReturned(good, member, len(units), sum(unit.cost for unit in units))


def handover(session: Session, project: Project, begin: int, limit: int) -> list[tuple[Member, Good, int]]:
    """Return who gets what of a project's products and has not collected it: (member, good, units), by their names."""
    query = (
        select(Member, Good, func.count())
        .select_from(Product)
        .join(GivenUnit, (col(GivenUnit.pool_id) == Product.pool_id) & (col(GivenUnit.product_id) == Product.id))
        .join(Member, (col(Member.pool_id) == GivenUnit.pool_id) & (col(Member.id) == GivenUnit.member_id))
        .join(Good, (col(Good.pool_id) == Product.pool_id) & (col(Good.id) == Product.good_id))
        .where(Product.pool_id == project.pool_id, Product.project_id == project.id)
        .where(col(GivenUnit.collected_at).is_(None), col(GivenUnit.returned_at).is_(None))
        .group_by(col(Member.pool_id), col(Member.id), col(Good.pool_id), col(Good.id))
        .order_by(col(Good.name_key), col(Member.name_key))
    )
    return [(member, good, count) for member, good, count in session.exec(query.offset(begin).limit(limit))]
