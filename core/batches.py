"""Batches: units made at one time, the effort in them, and when they are offered.

`needs` is what a batch waits for: "work" (its maker's own work is not confirmed yet), "project" (far more effort than
the last one: somebody of another project has to confirm it), or nothing, and then it is offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, func, select

from core.errors import NothingToConfirmError, NotOtherProjectError
from core.events import BatchExpired, BatchMade, BatchOffered, Event
from core.members import is_in_another
from core.projects import count_projects
from core.sharing import at_cost_maximum
from core.stock import maximum_shown
from core.store import add
from core.tables import Batch, Confirmation, Contribution, Good, Member, Pledge, Product, Project, Task, Want
from core.units import round_half_up

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

LARGE_PERCENT = 125  # of the product's last average effort per unit


def gathering(session: Session, product: Product) -> list[Contribution]:
    """Return the confirmed work for a product that is in no batch yet."""
    query = select(Contribution).where(
        Contribution.pool_id == product.pool_id,
        Contribution.product_id == product.id,
        col(Contribution.batch_id).is_(None),
    )
    return list(session.exec(query.order_by(col(Contribution.id))).all())


def contributions_of(session: Session, batch: Batch) -> list[Contribution]:
    """Return the work in a batch, in the order in which it was confirmed."""
    query = select(Contribution).where(Contribution.pool_id == batch.pool_id, Contribution.batch_id == batch.id)
    return list(session.exec(query.order_by(col(Contribution.id))).all())


def settle_needs(session: Session, batch: Batch, now: datetime) -> list[Event]:
    """Once its work is confirmed, offer the batch, or ask another project if it is far above the product's average."""
    if batch.needs == "work":
        session.flush()
        total = func.coalesce(func.sum(Contribution.effort), 0)
        query = select(total).where(Contribution.pool_id == batch.pool_id, Contribution.batch_id == batch.id)
        batch.effort = int(session.exec(query).one())
    if batch.expired_at is not None:
        return []
    product = session.get_one(Product, (batch.pool_id, batch.product_id))
    if is_above_average(product, batch) and count_projects(session, batch.pool_id) > 1:
        batch.needs = "project"
        return [BatchMade(session.get_one(Good, (product.pool_id, product.good_id)), product, batch)]
    return offer(session, product, batch, now)


def batch_of(session: Session, task: Task) -> Batch | None:
    """Return the batch that a task is the maker's own work in, if it is that of `/made … 2.5h`."""
    if task.origin != "made":
        return None
    return session.exec(select(Batch).where(Batch.pool_id == task.pool_id, Batch.task_id == task.id)).first()


def withdraw(session: Session, task: Task) -> None:
    """Undo the batch whose maker's own work is void: what had gathered for it gathers again, pledges stand again."""
    batch = batch_of(session, task)
    if batch is None:
        return
    for one in contributions_of(session, batch):
        one.batch_id = None
    units = batch.units
    standing = select(Pledge).where(
        Pledge.pool_id == batch.pool_id, Pledge.product_id == batch.product_id, col(Pledge.ended_at).is_(None)
    )
    for pledge in session.exec(standing.order_by(col(Pledge.by_at).desc())):
        uncounted = min(units, pledge.made)
        pledge.made -= uncounted
        units -= uncounted
    session.flush()
    session.delete(batch)


def is_above_average(product: Product, batch: Batch) -> bool:
    """Tell whether a batch has much more effort per unit than its product's last one."""
    last = product.last_average
    return last is not None and batch.effort * 100 > LARGE_PERCENT * last * batch.units


def offer(session: Session, product: Product, batch: Batch, now: datetime) -> list[Event]:
    """Offer a batch. Wants at cost for a good that was never made learn now what they may be charged."""
    batch.needs, batch.offered_at = "", now
    product.last_average = round_half_up(batch.effort, batch.units)
    good = session.get_one(Good, (product.pool_id, product.good_id))
    session.flush()
    query = select(Want).where(
        Want.pool_id == good.pool_id,
        Want.good_id == good.id,
        col(Want.ended_at).is_(None),
        col(Want.maximum).is_(None),
    )
    asked: list[Want] = []
    for want in session.exec(query.order_by(col(Want.id))):
        if want.product_id in {None, product.id}:
            shown = maximum_shown(session, good, want.product_id)
            want.maximum = at_cost_maximum(shown or 0)
            asked.append(want)
    return [BatchOffered(good, product, batch, tuple(asked))]


def waiting_for_project(session: Session, good: Good, by: Member) -> Batch:
    """Return a batch of a good that waits for somebody of another project, at best for `by`.

    Raises NothingToConfirmError.
    """
    query = (
        select(Batch)
        .join(Product, (col(Product.pool_id) == Batch.pool_id) & (col(Product.id) == Batch.product_id))
        .where(Product.pool_id == good.pool_id, Product.good_id == good.id, Batch.needs == "project")
    )
    batches = list(session.exec(query.order_by(col(Batch.id))).all())
    if not batches:
        raise NothingToConfirmError(good.name)
    return next((batch for batch in batches if _may_confirm(session, batch, by)), batches[0])


def _may_confirm(session: Session, batch: Batch, member: Member) -> bool:
    product = session.get_one(Product, (batch.pool_id, batch.product_id))
    own = any(one.member_id == member.id for one in contributions_of(session, batch))
    return not own and is_in_another(session, product.project_id, member)


def confirm_batch(session: Session, batch: Batch, member: Member, now: datetime) -> list[Event]:
    """Let somebody of another project confirm a large batch; it is offered then."""
    product = session.get_one(Product, (batch.pool_id, batch.product_id))
    if not _may_confirm(session, batch, member):
        raise NotOtherProjectError(session.get_one(Project, (batch.pool_id, product.project_id)).name)
    row = Confirmation(pool_id=batch.pool_id, subject="batch", subject_id=batch.id, member_id=member.id, at=now)
    add(session, row)
    return offer(session, product, batch, now)


def expire(session: Session, batch: Batch, now: datetime) -> BatchExpired:
    """Take what is left of a batch off the offer, because it is past its best-before date."""
    product = session.get_one(Product, (batch.pool_id, batch.product_id))
    units, batch.left, batch.expired_at = batch.left, 0, now
    return BatchExpired(session.get_one(Good, (product.pool_id, product.good_id)), product, units)
