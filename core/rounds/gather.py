"""Read everything a round decides from, as it stands in one view of the store."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlmodel import col, func, or_, select

from core import ledger
from core.members import active_since, is_exempt
from core.projects import count_projects
from core.rounds.inputs import (
    NONE,
    BatchRow,
    BidRow,
    CapRow,
    ContributionRow,
    GoodRow,
    Inputs,
    MemberRow,
    ProductRow,
    TaskRow,
    WantRow,
)
from core.settings import MemberSettings, PoolSettings
from core.stock import Offer, rule_of
from core.tables import (
    Backing,
    Batch,
    Bid,
    Claim,
    Contribution,
    FreeTaking,
    GivenUnit,
    Good,
    Member,
    Membership,
    Pledge,
    Pool,
    Product,
    Round,
    Task,
    Want,
)
from core.tasks import hours_since
from core.timing import last_round

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlmodel import Session


def gather(session: Session, pool: Pool, current: Round, due_at: datetime) -> Inputs:
    """Return the inputs of a round that is due at `due_at`."""
    pool_id = pool.id
    settings = PoolSettings(pool.settings)
    last = last_round(session, pool_id)
    since = last.due_at if last else None
    tasks = _tasks(session, pool_id, since)
    goods, products, batches = _goods(session, pool, since, due_at)
    members = _members(session, pool, settings, current, due_at)
    here = {member.id for member in members}
    return Inputs(
        number=current.number or 0,
        secret=current.secret,
        elapsed_seconds=int((due_at - since).total_seconds()) if since else 0,
        growth=settings.growth,
        max_weight=settings.max_weight,
        levy=settings.levy,
        commons=ledger.balance(session, pool_id, ledger.COMMONS),
        tasks=tasks,
        bids=[row for row in _bids(session, pool_id, {task.id for task in tasks}) if row.member_id in here],
        caps=_caps(session, pool_id, due_at),
        goods=goods,
        products=products,
        batches=batches,
        wants=[row for row in _wants(session, pool_id) if row.member_id in here],
        members=members,
        contributions=_contributions(session, pool_id, settings.backers),
    )


def _tasks(session: Session, pool_id: int, since: datetime | None) -> list[TaskRow]:
    taken = (
        select(Claim.task_id, func.count().label("count"))
        .where(Claim.pool_id == pool_id, col(Claim.ended_at).is_(None))
        .group_by(col(Claim.task_id))
        .subquery()
    )
    query = (
        select(Task, func.coalesce(taken.c.count, 0))
        .outerjoin(taken, taken.c.task_id == Task.id)
        .where(Task.pool_id == pool_id, col(Task.closed_at).is_(None))
    )
    open_tasks = [(task, int(count)) for task, count in session.exec(query) if task.slots > count]
    open_tasks.sort(key=lambda row: (row[0].due_at is None, row[0].due_at or row[0].created_at, row[0].number))
    return [
        TaskRow(task.id, task.number, task.slots - count, task.weight, task.hours, int(_was_open(task, since)))
        for task, count in open_tasks
    ]


def _was_open(task: Task, since: datetime | None) -> bool:
    return since is not None and task.opened_at is not None and task.opened_at <= since


def _bids(session: Session, pool_id: int, task_ids: set[int]) -> list[BidRow]:
    query = select(Bid.task_id, Bid.member_id, Bid.weight).where(Bid.pool_id == pool_id)
    return sorted(BidRow(*row) for row in session.exec(query) if row[0] in task_ids)


def _caps(session: Session, pool_id: int, due_at: datetime) -> list[CapRow]:
    """Return the hours members want to take on in the round that opens now; tasks taken since it was due count."""
    query = select(Member.id, Member.settings).where(Member.pool_id == pool_id, Member.settings != {})
    caps = {member_id: MemberSettings(settings).hours for member_id, settings in session.exec(query)}
    taken = hours_since(session, pool_id, due_at) if caps else {}
    return sorted(CapRow(one, max(0, cap - taken.get(one, 0))) for one, cap in caps.items() if cap is not None)


def _goods(
    session: Session, pool: Pool, since: datetime | None, due_at: datetime
) -> tuple[list[GoodRow], list[ProductRow], list[BatchRow]]:
    pool_id = pool.id
    goods = {good.id: good for good in session.exec(select(Good).where(Good.pool_id == pool_id, Good.free == ""))}
    products = session.exec(select(Product).where(Product.pool_id == pool_id).order_by(col(Product.id))).all()
    offers = {product.id: Offer(product) for product in products if product.good_id in goods}
    rows = []
    fresh = or_(col(Batch.until_at).is_(None), col(Batch.until_at) > due_at)
    for batch in session.exec(select(Batch).where(*_on_offer(pool_id), fresh).order_by(col(Batch.id))):
        offers[batch.product_id].add(batch)
        rows.append(BatchRow(batch.id, batch.product_id, batch.units, batch.left, batch.given, batch.effort))
    pledged, made = _pledged(session, pool_id), _made(session, pool_id, since)
    product_rows = [
        ProductRow(
            product.id,
            product.good_id,
            offers[product.id].units,
            offers[product.id].effort_left,
            product.leftover_rounds,
            NONE if product.last_average is None else product.last_average,
            pledged[product.id],
            made[product.id],
        )
        for product in products
        if product.id in offers
    ]
    good_rows = [GoodRow(good.id, good.name, rule_of(session, good)) for good in goods.values()]
    return sorted(good_rows), product_rows, rows


def _on_offer(pool_id: int) -> tuple[ColumnElement[bool], ...]:
    return (col(Batch.pool_id) == pool_id, col(Batch.left) > 0, col(Batch.offered_at).is_not(None))


def _pledged(session: Session, pool_id: int) -> dict[int, int]:
    """Return what is promised of each product and not there yet; that is made, but has to be confirmed, too."""
    result: dict[int, int] = defaultdict(int)
    waiting = select(Batch.product_id, func.sum(Batch.left)).where(
        Batch.pool_id == pool_id, col(Batch.offered_at).is_(None)
    )
    for product_id, units in session.exec(waiting.group_by(col(Batch.product_id))):
        result[product_id] = int(units)
    query = select(Pledge).where(Pledge.pool_id == pool_id, col(Pledge.ended_at).is_(None))
    for pledge in session.exec(query):
        result[pledge.product_id] += pledge.units - pledge.made
    return result


def _made(session: Session, pool_id: int, since: datetime | None) -> dict[int, int]:
    result: dict[int, int] = defaultdict(int)
    query = select(Batch.product_id, func.sum(Batch.units)).where(
        Batch.pool_id == pool_id, col(Batch.offered_at).is_not(None)
    )
    if since is not None:
        query = query.where(col(Batch.offered_at) > since)
    for product_id, units in session.exec(query.group_by(col(Batch.product_id))):
        result[product_id] = int(units)
    return result


def _wants(session: Session, pool_id: int) -> list[WantRow]:
    query = select(Want).where(Want.pool_id == pool_id, col(Want.ended_at).is_(None))
    return [
        WantRow(
            row.id,
            row.good_id,
            row.member_id,
            row.product_id or 0,
            row.units,
            row.got,
            NONE if row.bid is None else row.bid,
            NONE if row.maximum is None else row.maximum,
            row.waited,
        )
        for row in session.exec(query.order_by(col(Want.at), col(Want.id)))
    ]


def _members(session: Session, pool: Pool, settings: PoolSettings, current: Round, due_at: datetime) -> list[MemberRow]:
    pool_id = pool.id
    balances, recognised = ledger.balances(session, pool_id), ledger.recognised(session, pool_id)
    active = _active(session, pool_id, active_since(session, pool_id, current.number or 0))
    query = select(Member).where(Member.pool_id == pool_id, col(Member.admitted_at).is_not(None))
    return [
        MemberRow(
            member.id,
            balances.get(member.id, 0),
            ledger.limit_with(settings, recognised.get(member.id, 0)),
            int(member.id in active and not is_exempt(member, current.opened_at, due_at)),
        )
        for member in session.exec(query.where(col(Member.left_at).is_(None)).order_by(col(Member.id)))
    ]


def _active(session: Session, pool_id: int, since: datetime | None) -> set[int]:
    """Return who joined, had effort confirmed or got a unit since then."""
    joined = select(Member.id).where(Member.pool_id == pool_id)
    worked = select(Contribution.member_id).where(Contribution.pool_id == pool_id)
    got = select(GivenUnit.member_id).where(GivenUnit.pool_id == pool_id, col(GivenUnit.returned_at).is_(None))
    if since is not None:
        joined = joined.where(Member.joined_at > since)
        worked = worked.where(Contribution.confirmed_at > since)
        got = got.where(GivenUnit.at > since)
    return {member_id for query in (joined, worked.distinct(), got.distinct()) for member_id in session.exec(query)}


def _contributions(session: Session, pool_id: int, backers: int) -> list[ContributionRow]:
    """Return all the work in batches on offer, and what is due and not credited in full."""
    needed = backers if count_projects(session, pool_id) > 1 else 0
    backed = _backed_tasks(session, pool_id, needed)
    taken = _taken_products(session, pool_id, needed)
    in_batch = col(Contribution.batch_id).in_(select(Batch.id).where(*_on_offer(pool_id)))
    query = select(Contribution, in_batch).where(
        Contribution.pool_id == pool_id, or_(Contribution.recognised < col(Contribution.effort), in_batch)
    )
    rows = []
    for one, is_in_batch in session.exec(query.order_by(col(Contribution.confirmed_at), col(Contribution.id))):
        is_common = one.product_id is None
        is_wanted = (is_common and (needed == 0 or one.task_id in backed)) or one.product_id in taken
        due = one.effort if is_wanted else one.due
        if due > one.recognised or is_in_batch:
            rows.append(ContributionRow(one.id, one.member_id, one.batch_id or 0, one.effort, due, one.recognised))
    return rows


def _backed_tasks(session: Session, pool_id: int, needed: int) -> set[int]:
    query = select(Backing.task_id).where(Backing.pool_id == pool_id).group_by(col(Backing.task_id))
    return set(session.exec(query.having(func.count() >= needed)))


def _taken_products(session: Session, pool_id: int, needed: int) -> set[int]:
    """Return the products of free goods that enough members of other projects, or others than the makers, took."""
    query = (
        select(Product.id, Product.project_id, FreeTaking.member_id)
        .join(FreeTaking, (col(FreeTaking.pool_id) == Product.pool_id) & (col(FreeTaking.good_id) == Product.good_id))
        .where(Product.pool_id == pool_id)
    )
    takings = session.exec(query).all()
    if not takings:
        return set()
    makers = set(
        session.exec(select(Contribution.product_id, Contribution.member_id).where(Contribution.pool_id == pool_id))
    )
    homes: dict[int, set[int]] = defaultdict(set)
    for project_id, member_id in session.exec(
        select(Membership.project_id, Membership.member_id).where(
            Membership.pool_id == pool_id, col(Membership.admitted_at).is_not(None)
        )
    ):
        homes[member_id].add(project_id)
    counts: dict[int, int] = defaultdict(int)
    for product_id, project_id, member_id in takings:
        is_other = needed == 0 or bool(homes[member_id] - {project_id})
        counts[product_id] += int(is_other and (product_id, member_id) not in makers)
    return {product_id for product_id, count in counts.items() if count >= max(1, needed)}
