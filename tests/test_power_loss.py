"""The power fails: whatever the disk kept of what was not synced, nothing that was acknowledged is missing."""

from __future__ import annotations

import hashlib
from contextlib import closing
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import apsw
from sqlalchemy import create_engine
from sqlalchemy.event import listen
from sqlmodel import select

from core.audit import check
from core.chat.commands import table
from core.chat.dispatch import dispatch_all
from core.chat.due import run_due
from core.chat.handling import House
from core.chat.player import Player
from core.schema import open_store
from core.store import Store
from core.tables import Pool
from tests.apsw_driver import Connection, driver
from tests.conftest import NOW, entropy
from tests.power_loss import Disk, Image
from tests.stage import VALLEY, act

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

IMAGES = 200
CONTINUED_EVERY = 10
CHECKPOINT_PAGES = 40  # so that many of the losses fall into one
WORK = """
bo@bakery: /task new Bake 2h for:bread urgent
bo@bakery: /claim 1
bo@bakery: /done 1
ana@bakery: /confirm 1
ana@bakery: /made bread 4
dee@garden: /want bread 2
eli@garden: /bid bread 1.5
dee@garden: /task new Weed 1h
eli@garden: /bid 2 0.9
now 2026-05-10 18:00
eli@garden: /done 2
dee@garden: /confirm 2
dee@garden: /collected bread
bo@bakery: /back 2
eli@garden: /undo
now 2026-05-17 18:00
"""


def digest(connection: apsw.Connection) -> str:
    """Return what tells one state of a database from every other."""
    return hashlib.sha256(connection.serialize("main")).hexdigest()


def _set(pragma: str, connection: Connection, _record: object) -> None:
    connection.execute(pragma)


class Recording:
    """A pool at work on a recorded disk: what was done to the files, and the state after each commit."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, work: str, *pragmas: str) -> None:
        self.path = folder / "dpool.db"
        open_store(f"sqlite:///{self.path}", NOW).close()
        with closing(apsw.Connection(str(self.path))) as connection:
            self.states = [digest(connection)]  # first before any commit, then after each
        self.before = {self.path.name: self.path.read_bytes()}
        self.disk = Disk("recorded")
        recorded = driver("recorded", self._committed)
        with monkeypatch.context() as patch:
            patch.setattr("core.store.create_engine", partial(create_engine, module=recorded))
            store = Store(f"sqlite:///{self.path}")
        for pragma in (f"wal_autocheckpoint={CHECKPOINT_PAGES}", *pragmas):
            listen(store.engine, "connect", partial(_set, f"PRAGMA {pragma}"))
        act(Player(store), work)
        store.close()
        self.disk.unregister()

    def _committed(self, connection: apsw.Connection) -> None:
        self.states.append(digest(connection))
        self.disk.committed()


def goes_on(path: Path) -> list[str]:
    """Open a database as the program does after a crash, let it finish what was begun, and look for faults."""
    store = open_store(f"sqlite:///{path}", NOW)
    faults: list[Exception] = []
    house = House(store, table(), entropy(), on_fault=faults.append)
    dispatch_all(house, NOW)
    run_due(house, NOW)
    with store.read() as session:
        findings = [str(one) for pool in session.exec(select(Pool)) for one in check(session, pool)]
    store.close()
    return findings + [repr(fault) for fault in faults]


def images(recording: Recording, folder: Path, count: int) -> Iterator[tuple[Path, Image]]:
    """Make images of losses of power at random moments; yield where each is and what had been done by then."""
    operations, random = recording.disk.operations, Random(1)
    cuts = set(random.sample(range(len(operations)), count))
    image = Image(dict(recording.before))
    for number, operation in enumerate(operations):
        if number in cuts:
            lost = folder / f"image{number}"
            lost.mkdir()
            image.write(lost, random)
            yield lost / "dpool.db", image
        image.follow(operation)
    assert image.commit_count == len(recording.states) - 1


def is_whole(recording: Recording, path: Path, image: Image) -> bool:
    """Tell whether a database is as it was after the last commit that somebody was told of, or the one under way."""
    with closing(apsw.Connection(str(path))) as connection:
        return digest(connection) in recording.states[image.commit_count : image.commit_count + 2]


def test_what_was_acknowledged_survives_a_loss_of_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(tmp_path, monkeypatch, VALLEY + WORK)
    at_risk = 0
    for number, (path, image) in enumerate(images(recording, tmp_path, IMAGES)):
        at_risk += bool(image.pending)
        assert is_whole(recording, path, image)
        if number % CONTINUED_EVERY == 0:
            assert goes_on(path) == []
    assert at_risk > IMAGES / 2


def test_without_syncs_it_would_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(tmp_path, monkeypatch, VALLEY, "synchronous=OFF")

    def is_lost(path: Path, image: Image) -> bool:
        try:
            return not is_whole(recording, path, image)
        except apsw.CorruptError:
            return True

    assert any(is_lost(path, image) for path, image in images(recording, tmp_path, IMAGES // 10))
