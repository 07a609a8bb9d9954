"""Read everything a round decides from, as it stands in one view of the store.

Rows of a large pool are read as plain columns, never as objects.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import false, select
from sqlmodel import and_, col, func, or_

from core import ledger, sharing
from core.bulk import sliced
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
from core.stock import effort_left
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
    PoolRow,
    Product,
    Round,
    Task,
    Want,
)
from core.tasks import hours_since
from core.timing import last_round

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Mapped
    from sqlmodel import Session

IS_ON_OFFER: tuple[ColumnElement[bool], ...] = (col(Batch.left) > 0, col(Batch.offered_at).is_not(None))
IS_UNPAID: ColumnElement[bool] = col(Contribution.recognised) < col(Contribution.effort)
IS_OWED: ColumnElement[bool] = col(Contribution.recognised) < col(Contribution.due)


def gather(session: Session, pool: Pool, current: Round, due_at: datetime) -> Inputs:
    """Return the inputs of a round that is due at `due_at`."""
    pool_id = pool.id
    settings = PoolSettings(pool.settings)
    last = last_round(session, pool_id)
    since = last.due_at if last else None
    tasks = _tasks(session, pool_id, since)
    goods, products, batches = _goods(session, pool, since, due_at)
    balances, recognised = ledger.balances_and_recognised(session, pool_id)
    present = _present(session, pool, current, due_at)
    limits = ledger.limits_with(settings, (recognised.get(one, 0) for one, _shares in present))
    members = [
        MemberRow(one, balances.get(one, 0), limit, shares)
        for (one, shares), limit in zip(present, limits, strict=True)
    ]
    here = {member.id for member in members}
    return Inputs(
        number=current.number or 0,
        secret=current.secret,
        elapsed_seconds=int((due_at - since).total_seconds()) if since else 0,
        growth=settings.growth,
        max_weight=settings.max_weight,
        levy=settings.levy,
        commons=balances.get(ledger.COMMONS, 0),
        tasks=tasks,
        bids=[row for row in _bids(session, pool_id, {task.id for task in tasks}) if row.member_id in here],
        caps=_caps(session, pool_id, due_at),
        goods=goods,
        products=products,
        batches=batches,
        wants=[row for row in _wants(session, pool_id) if row.member_id in here],
        members=members,
        contributions=_contributions(session, pool_id, settings.backers, {batch.id for batch in batches}),
    )


def _of(pool_id: int, table: type[PoolRow], *columns: str | ColumnElement[Any] | Mapped[Any]) -> Select[Any]:
    """Return the query for columns of a pool's rows in one table, by their names or as they stand."""
    found: list[Any] = [getattr(table, one) if isinstance(one, str) else one for one in columns]
    return select(*found).where(col(table.pool_id) == pool_id)


def _read(session: Session, query: Select[Any]) -> Sequence[Any]:
    """Return rows of columns, without what a session does for objects."""
    return session.connection().execute(query).all()


def _first(session: Session, query: Select[Any]) -> set[int]:
    """Return the first column as a set."""
    return {row[0] for row in _read(session, query)}


def _tasks(session: Session, pool_id: int, since: datetime | None) -> list[TaskRow]:
    """Return the tasks with free slots, those due first at the head."""
    is_taken = and_(col(Claim.pool_id) == Task.pool_id, col(Claim.task_id) == Task.id, col(Claim.ended_at).is_(None))
    free = col(Task.slots) - func.count(col(Claim.id))
    rises = col(Task.opened_at) <= since if since is not None else false()
    query = (
        _of(pool_id, Task, "id", "number", free, "weight", "hours", rises)
        .outerjoin(Claim, is_taken)
        .where(col(Task.closed_at).is_(None))
        .group_by(col(Task.pool_id), col(Task.id))
        .having(free > 0)
        .order_by(col(Task.due_at).is_(None), col(Task.due_at), col(Task.number))
    )
    return [TaskRow._make((*values, int(bool(rises)))) for *values, rises in _read(session, query)]


def _bids(session: Session, pool_id: int, task_ids: set[int]) -> list[BidRow]:
    query = _of(pool_id, Bid, *BidRow._fields)
    return sorted(BidRow._make(row) for row in _read(session, query) if row[0] in task_ids)


def _caps(session: Session, pool_id: int, due_at: datetime) -> list[CapRow]:
    """Return the hours members want to take on in the round that opens now; tasks taken since it was due count."""
    query = _of(pool_id, Member, "id", "settings").where(col(Member.settings) != {})
    caps = {member_id: MemberSettings(settings).hours for member_id, settings in _read(session, query)}
    capped = {one: cap for one, cap in caps.items() if cap is not None}
    taken = dict[int, int]()
    for part in sliced(list(capped)):
        taken |= hours_since(session, pool_id, due_at, part)
    return sorted(CapRow(one, max(0, cap - taken.get(one, 0))) for one, cap in capped.items())


def _goods(
    session: Session, pool: Pool, since: datetime | None, due_at: datetime
) -> tuple[list[GoodRow], list[ProductRow], list[BatchRow]]:
    """Return the goods that cost something, their products, and the batches of those that are on offer."""
    pool_id, rule = pool.id, PoolSettings(pool.settings).rule
    named = _of(pool_id, Good, "id", "name", "rule").where(col(Good.free) == "").order_by(col(Good.id))
    goods = [GoodRow(one, name, sharing.Rule(own or rule)) for one, name, own in _read(session, named)]
    fresh = or_(col(Batch.until_at).is_(None), col(Batch.until_at) > due_at)
    offered = _of(pool_id, Batch, *BatchRow._fields).where(*IS_ON_OFFER, fresh).order_by(col(Batch.id))
    batches = [BatchRow._make(row) for row in _read(session, offered)]
    units, effort = defaultdict[int, int](int), defaultdict[int, int](int)
    for batch in batches:
        units[batch.product_id] += batch.left
        effort[batch.product_id] += effort_left(batch.effort, batch.units, batch.given)
    pledged, made = pledged_units(session, pool_id), made_units(session, pool_id, since)
    kept = {good.id for good in goods}
    average = func.coalesce(col(Product.last_average), NONE)
    versions = _of(pool_id, Product, "id", "good_id", "leftover_rounds", average).order_by(col(Product.id))
    products = [
        ProductRow(one, good_id, units[one], effort[one], rounds, average, pledged[one], made[one])
        for one, good_id, rounds, average in _read(session, versions)
        if good_id in kept
    ]
    return goods, products, batches


def pledged_units(session: Session, pool_id: int) -> dict[int, int]:
    """Return what is promised of each product and not there yet; that is made, but has to be confirmed, too."""
    waiting = _of(pool_id, Batch, "product_id", "left").where(col(Batch.offered_at).is_(None))
    promised = _of(pool_id, Pledge, "product_id", col(Pledge.units) - col(Pledge.made))
    result: dict[int, int] = defaultdict(int)
    for query in (waiting, promised.where(col(Pledge.ended_at).is_(None))):
        for product_id, units in _read(session, query):
            result[product_id] += units
    return result


def made_units(session: Session, pool_id: int, since: datetime | None) -> dict[int, int]:
    """Return what was made of each product since then."""
    query = _of(pool_id, Batch, "product_id", "units").where(col(Batch.offered_at).is_not(None))
    if since is not None:
        query = query.where(col(Batch.offered_at) > since)
    result: dict[int, int] = defaultdict(int)
    for product_id, units in _read(session, query):
        result[product_id] += units
    return result


def _wants(session: Session, pool_id: int) -> list[WantRow]:
    product, bid, most = (
        func.coalesce(col(one), missing)
        for one, missing in ((Want.product_id, 0), (Want.bid, NONE), (Want.maximum, NONE))
    )
    query = _of(pool_id, Want, "id", "good_id", "member_id", product, "units", "got", bid, most, "waited")
    standing = query.where(col(Want.ended_at).is_(None)).order_by(col(Want.at), col(Want.id))
    return [WantRow._make(row) for row in _read(session, standing)]


def _present(session: Session, pool: Pool, current: Round, due_at: datetime) -> list[tuple[int, int]]:
    """Return the members in order, and 1 for those who share."""
    pool_id = pool.id
    active = _active(session, pool_id, active_since(session, pool_id, current.number or 0))
    away = or_(col(Member.break_from).is_not(None), col(Member.exempt_from).is_not(None))
    absent = session.scalars(select(Member).where(col(Member.pool_id) == pool_id, away))
    active -= {member.id for member in absent if is_exempt(member, current.opened_at, due_at)}
    query = _of(pool_id, Member, "id").where(col(Member.admitted_at).is_not(None), col(Member.left_at).is_(None))
    return [(one, int(one in active)) for (one,) in _read(session, query.order_by(col(Member.id)))]


def _active(session: Session, pool_id: int, since: datetime | None) -> set[int]:
    """Return who joined, had effort confirmed or got a unit since then."""
    joined = _of(pool_id, Member, "id")
    if since is None:
        return _first(session, joined)
    # Plus 0: for distinct numbers SQLite would go through an index of all members' past instead of that of moments.
    worker, getter = col(Contribution.member_id) + 0, col(GivenUnit.member_id) + 0
    worked = _of(pool_id, Contribution, worker).where(col(Contribution.confirmed_at) > since)
    got = _of(pool_id, GivenUnit, getter).where(col(GivenUnit.at) > since, col(GivenUnit.returned_at).is_(None))
    queries = (joined.where(col(Member.joined_at) > since), worked.distinct(), got.distinct())
    return set[int]().union(*(_first(session, query) for query in queries))


def _contributions(session: Session, pool_id: int, backers: int, on_offer: set[int]) -> list[ContributionRow]:
    """Return all the work in batches on offer, and what is due and not credited in full, the oldest first.

    What was made for products and nobody wants, or was credited long ago, is not gone through.
    """
    needed = backers if count_projects(session, pool_id) > 1 else 0
    taken = _taken_products(session, pool_id, needed)
    names = ("id", "confirmed_at", "member_id", "task_id", "product_id", "batch_id", "effort", "due", "recognised")
    work = _of(pool_id, Contribution, *names)
    product_id, batch_id = col(Contribution.product_id), col(Contribution.batch_id)
    common = _read(session, work.where(IS_UNPAID, product_id.is_(None)))
    backed = _backed_tasks(session, pool_id, needed, {one.task_id for one in common})
    queries = [work.where(IS_OWED), *(work.where(IS_UNPAID, product_id.in_(part)) for part in sliced(sorted(taken)))]
    queries += [work.where(batch_id.in_(part)) for part in sliced(sorted(on_offer))]
    found = {one.id: one for rows in (common, *(_read(session, query) for query in queries)) for one in rows}
    rows = []
    for one in sorted(found.values(), key=lambda row: (row.confirmed_at, row.id)):
        is_wanted = one.task_id in backed if one.product_id is None else one.product_id in taken
        due = one.effort if is_wanted else one.due
        if due > one.recognised or one.batch_id in on_offer:
            rows.append(ContributionRow(one.id, one.member_id, one.batch_id or 0, one.effort, due, one.recognised))
    return rows


def _backed_tasks(session: Session, pool_id: int, needed: int, task_ids: set[int]) -> set[int]:
    """Return those of these tasks that enough have backed."""
    if needed == 0:
        return task_ids
    result = set[int]()
    for part in sliced(sorted(task_ids)):
        query = _of(pool_id, Backing, "task_id").where(col(Backing.task_id).in_(part)).group_by(col(Backing.task_id))
        result |= _first(session, query.having(func.count(col(Backing.member_id)) >= needed))
    return result


def _taken_products(session: Session, pool_id: int, needed: int) -> set[int]:
    """Return the products of free goods that enough members of other projects, or others than the makers, took."""
    of_good = and_(col(FreeTaking.pool_id) == Product.pool_id, col(FreeTaking.good_id) == Product.good_id)
    query = _of(pool_id, Product, "id", "project_id", col(FreeTaking.member_id)).join(FreeTaking, of_good)
    takings = _read(session, query)
    if not takings:
        return set()
    free = {product_id for product_id, _project_id, _member_id in takings}
    work = _of(pool_id, Contribution, "product_id", "member_id").where(col(Contribution.product_id).in_(free))
    makers = {tuple(row) for row in _read(session, work)}
    homes: dict[int, set[int]] = defaultdict(set)
    members = _of(pool_id, Membership, "project_id", "member_id").where(col(Membership.admitted_at).is_not(None))
    for project_id, member_id in _read(session, members):
        homes[member_id].add(project_id)
    counts: dict[int, int] = defaultdict(int)
    for product_id, project_id, member_id in takings:
        is_other = needed == 0 or bool(homes[member_id] - {project_id})
        counts[product_id] += int(is_other and (product_id, member_id) not in makers)
    return {product_id for product_id, count in counts.items() if count >= max(1, needed)}
