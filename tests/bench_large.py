"""The large pool: its round, its commands, and how they grow with the number of members."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.schema import open_store
from core.tables import Claim, Task
from core.tables_chat import Inbox
from tests import postgres
from tests.bench_bare import bare_seconds
from tests.bench_rows import Row, limit, middle, ratio, seconds
from tests.large import NOW, Size, make_large
from tests.talk import Talk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.store import Store

REPEATS = 5
SMALL = 0.01  # 1,000 members
LATER = NOW + timedelta(days=8)  # a day after the round
PLACE = "project 1"
# What a member types; {task} is an open one that nobody holds. Each is asked in the project's channel.
READING = (
    "/tasks",
    "/tasks mend",
    "/tasks 30m",
    "/tasks mine",
    "/tasks page:20",
    "/goods",
    "/goods page:3",
    "/goods bread",
    "/goods bred",
    "/me",
    "/wants",
    "/why",
    "/why bread",
    "/why {task}",
    "/task {task}",
    "/members",
    "/members ba",
    "/members page:20",
    "/project",
    "/pool",
    "/history",
    "/rounds",
    "/rounds 1",
    "/shortfalls",
    "/handover",
    "/help",
)
WRITING = (
    ("/want bread 1", "/bid bread 0.7", "/unwant bread"),
    ("/claim {task}", "/done {task} 1h", "/confirm {task}"),
    ("/claim {task}", "/drop {task}"),
)
BOUND_SECONDS = {"SQLite": 5.0, "PostgreSQL": 1.0}


@dataclass(frozen=True)
class Made:
    """A store that was made in a folder."""

    store: Store
    folder: Path


@contextmanager
def large_file(factor: float) -> Iterator[Made]:
    """Make a large pool in a file."""
    with TemporaryDirectory(prefix="dpool-large-") as name:
        folder = Path(name)
        store = open_store(f"sqlite:///{folder}/large.db", NOW)
        make_large(store, Size().times(factor))
        yield Made(store, folder)
        store.close()


def held(url: str) -> dict[str, float]:
    """Hold the round of a large pool in another process; return what it says."""
    command = [sys.executable, "-m", "tests.bench_round", url]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(run.stdout)
    return figures


def rows() -> Iterator[Row]:
    """Measure everything about large pools."""
    with large_file(SMALL) as small, large_file(1) as large:
        held(small.store.url)
        small.store.analyse()
        yield from _rounds(large)
        large.store.analyse()
        times = {name: _commands(made.store) for name, made in (("small", small), ("large", large))}
        slowest = max(times["large"], key=lambda text: times["large"][text])
        yield limit(f"the slowest command of the large pool ({slowest})", times["large"][slowest] * 1000, 50, "ms")
        small_middle, large_middle = (middle(list(times[name].values())) for name in ("small", "large"))
        yield ratio("growth: commands, 100,000 members ÷ 1,000 (p50)", large_middle, small_middle, 1.5)
    yield from _server_round()


def _rounds(large: Made) -> Iterator[Row]:
    before = large.folder / "before.db"
    large.store.close()
    shutil.copyfile(large.folder / "large.db", before)
    figures = held(large.store.url)
    yield limit("a round of the large pool: memory", figures["memory"], 600, "MB")
    yield limit("its apply holds up other writers, SQLite", figures["locked"], BOUND_SECONDS["SQLite"], "s")
    bare = bare_seconds(before, large.folder / "large.db")
    yield ratio("a full round ÷ its bare SQL", figures["decide"] + figures["held"], bare, 3)


def _server_round() -> Iterator[Row]:
    with postgres.running(settings=("shared_buffers=256MB", "max_wal_size=4GB")) as server:
        store = open_store(server.create("large"), NOW)
        make_large(store, Size())
        with store.write() as session:
            session.connection().exec_driver_sql("ANALYZE")
        figures = held(store.url)
        store.close()
    yield limit("its apply holds up writers of the same pool, PostgreSQL", figures["locked"], 1, "s")


def _commands(store: Store) -> dict[str, float]:
    """Return the median seconds of each command, from the inbox to its answer in the outbox."""
    talk = Talk(store, LATER)
    with store.read() as session:
        taken = select(Claim.id).where(Claim.pool_id == Task.pool_id, Claim.task_id == Task.id)
        query = select(Task.number).where(col(Task.closed_at).is_(None), ~taken.exists()).order_by(col(Task.number))
        numbers = iter(session.exec(query.limit(REPEATS * len(WRITING) + 1)).all())
    found: dict[str, list[float]] = {}
    talk.say(1, "/me")  # the first one compiles what the others use
    last = next(numbers)
    for text in READING:
        found[text] = [_answered(talk, 1, text.format(task=last)) for _ in range(REPEATS)]
    for _ in range(REPEATS):
        for chain in WRITING:
            number = next(numbers)
            for text in chain:
                who = 2 if text.startswith("/confirm") else 1
                found.setdefault(text, []).append(_answered(talk, who, text.format(task=number)))
    return {text: middle(runs) for text, runs in found.items()}


def _answered(talk: Talk, who: int, text: str) -> float:
    talk.receive(who, text, PLACE)
    taken = seconds(talk.dispatch)
    with talk.store.read() as session:
        event = session.exec(select(Inbox).order_by(col(Inbox.id).desc()).limit(1)).one()
    assert not event.fault, (text, event.fault)
    return taken
