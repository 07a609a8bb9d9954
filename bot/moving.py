"""What `dpool migrate`, `backup` and `restore` share: copying while telling how far it is, and looking at the copy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sqlmodel import Session, col, func, select

from bot.database import connected, opened, require_alone
from bot.errors import UserError
from core import audit
from core.copying import NotEmptyError, copy_into, tables, transferred
from core.schema import is_newest, name_of
from core.tables import Member, Pool, Round
from core.tables_chat import Inbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from core.copying import Content
    from core.store import Store

ROWS_BETWEEN_LINES = 100_000
THOUSANDTHS = 1000


def copy_to(database: str, source: Store, now: datetime) -> int:
    """Copy everything into an empty database that nobody uses, or go on with it; return an exit code."""
    with connected(database) as target:
        if is_newest(target) is False:
            raise NotEmptyError(name_of(target))
    with opened(database, now, half_done=True) as target:
        require_alone(target)
        with source.read() as session:
            return copied(target, session)


def copied(target: Store, source: Session) -> int:
    """Copy everything, and say so; return an exit code."""
    contents = copy_into(target, source, _tell)
    with target.read() as session:
        sums = transferred(session)
        if sums != transferred(source):
            raise UserError(f"The ledger in {name_of(target)} has other sums. Empty it, then begin again.")
        print(f"{compared(contents)}, and so are the sums of the ledger ({_hours(sum(sums.values()))} transferred).")
        for line in described(session):
            print(line)
        return looked_through(session)


def _tell(table: str, count: int, total: int) -> None:
    if count == total or count % ROWS_BETWEEN_LINES == 0:
        print(f"{table}: {count:,} of {total:,}")
        sys.stdout.flush()


def compared(contents: dict[str, Content]) -> str:
    """Say how much was compared."""
    rows = sum(content.rows for content in contents.values())
    return f"{rows:,} rows in {len(tables())} tables are the same"


def _hours(thousandths: int) -> str:
    return f"{thousandths // THOUSANDTHS:,}.{thousandths % THOUSANDTHS:03} h"


def described(session: Session) -> Iterator[str]:
    """Say what is in a database, in a line for each pool and one for the last message."""
    for pool in session.exec(select(Pool).order_by(col(Pool.id))):
        there = (Member.pool_id == pool.id, col(Member.left_at).is_(None))
        members = session.exec(select(func.count()).select_from(Member).where(*there)).one()
        held = (Round.pool_id == pool.id, Round.state == "done")
        rounds = session.exec(select(func.count()).select_from(Round).where(*held)).one()
        yield f"{pool.name}: {_count(members, 'member')}, {_count(rounds, 'round')}"
    last = session.exec(select(Inbox.received_at).order_by(col(Inbox.id).desc()).limit(1)).first()
    yield f"The last message came {last:%Y-%m-%d %H:%M} UTC." if last is not None else "No message ever came."


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def looked_through(session: Session) -> int:
    """Check what must always be true of each pool, and say what is not; return an exit code."""
    findings = 0
    for pool in session.exec(select(Pool).order_by(col(Pool.id))):
        found = audit.check(session, pool)
        findings += len(found)
        if found:
            print(f"{pool.name}: {len(found)} things are not as they must be, as in what was copied: see dpool check")
    if not findings:
        print("Everything is as it must be.")
    return 1 if findings else 0
