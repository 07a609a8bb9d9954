"""Hold the round of a pool in a process of its own and say how long its parts took and how much memory it needed.

python -m tests.bench_round DATABASE
"""

from __future__ import annotations

import json
import resource
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlmodel import select

from core.rounds.hold import decide_outside, hold, uncollected
from core.store import Store
from core.tables import Pool
from tests.village import entropy

if TYPE_CHECKING:
    from collections.abc import Sequence


@uncollected()
@uncollected()  # as they are in due work
def measured(url: str) -> dict[str, float]:
    """Hold the due round of the only pool: seconds to decide, to hold and locked, most memory in MB."""
    store = Store(url)
    with store.read() as session:
        pool = session.exec(select(Pool)).one()
        pool_id, now = pool.id, pool.round_due_at
    assert now is not None
    begin = perf_counter()
    decided = decide_outside(store, pool_id, now, tries_left=1)
    assert decided is not None
    begin_held = perf_counter()
    locked: list[float] = []

    def note(*arguments: Any) -> None:
        if "FOR UPDATE" in arguments[2]:
            locked.append(perf_counter())

    event.listen(store.engine, "after_cursor_execute", note)
    with store.write() as session:
        assert hold(session, pool_id, decided, now, entropy) is not None
    end = perf_counter()
    store.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # A file has one lock, taken at the beginning.
    waiting = end - (begin_held if store.is_sqlite else locked[0])
    return {"decide": begin_held - begin, "held": end - begin_held, "locked": waiting, "memory": memory}


def main(arguments: Sequence[str]) -> None:
    """Print the figures as JSON."""
    (url,) = arguments
    sys.stdout.write(json.dumps(measured(url)))


if __name__ == "__main__":
    main(sys.argv[1:])
