"""`dpool check` and `dpool replay`: is everything in a database as it must be? It may be in use meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, func, select

from bot.database import chosen, looked_into
from bot.errors import UserError
from core import audit
from core.tables import Pool, Round

if TYPE_CHECKING:
    from argparse import Namespace

    from sqlmodel import Session


def command(arguments: Namespace) -> int:
    """Look into all pools, or one; return 1 if something is not as it must be."""
    with looked_into(chosen(arguments)) as store, store.read() as session:
        pools = session.exec(select(Pool).order_by(col(Pool.id))).all()
        found = [pool for pool in pools if arguments.pool in {None, pool.id}]
        if arguments.pool is not None and not found:
            known = ", ".join(f"{pool.id} ({pool.name})" for pool in pools) or "none"
            raise UserError(f"There is no pool {arguments.pool}; there are: {known}.")
        is_whole = arguments.command == "check"
        faults = sum(_look_into(session, pool, arguments.round, is_whole=is_whole) for pool in found)
    return 1 if faults else 0


def _look_into(session: Session, pool: Pool, number: int | None, *, is_whole: bool) -> int:
    """Print what is found in a pool; return how much that is."""
    held = select(func.count()).select_from(Round).where(Round.pool_id == pool.id, Round.state == "done")
    count = session.exec(held.where(Round.number == number) if number is not None else held).one()
    if number is not None and not count:
        raise UserError(f"{pool.name} has held no round {number}.")
    findings = audit.replay(session, pool, number)
    if is_whole:
        findings += audit.check(session, pool)
    for one in findings:
        print(f"{pool.name}: {one.invariant.value}: {one.where}: {one.found}, not {one.expected}")
    rounds = "1 round" if count == 1 else f"{count} rounds"
    if not findings:
        print(f"{pool.name}: {rounds} decided again, {'and ' if is_whole else ''}everything is as it must be.")
    return len(findings)
