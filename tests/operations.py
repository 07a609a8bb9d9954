"""What tests of the administrator's commands share: databases with a pool that has lived a little, and empty ones."""

from __future__ import annotations

import shutil
import time
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

from core.copying import contents
from core.schema import open_store
from core.store import Store
from tests.conftest import NOW
from tests.stage import act, on_stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.copying import Content
    from tests.postgres import Server

LIFE = """
ana@bakery: /task new Bake bread 1.5h for:bread urgent
bo@bakery: /claim 1
bo@bakery: /done 1
ana@bakery: [Confirm #1]
ana@bakery: /made bread 3
dee@garden: /want bread 2
bo@bakery: /want bread
now 2026-05-10 18:00
"""
WAIT_SECONDS = 60
COUNT = count()


@cache
def _life(empty_database: Path) -> bytes:
    """Let a pool live, once."""
    path = empty_database.with_name("life.db")
    shutil.copyfile(empty_database, path)
    act(on_stage(Store(url_of(path)), LIFE), "ana@bakery: /me").store.close()
    return path.read_bytes()


def file_with_life(empty_database: Path, path: Path) -> Path:
    """Let there be a file with a pool in it, closed."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(_life(empty_database))
    return path


def empty_on(server: Server) -> str:
    """Return the URL of a new, migrated, empty database."""
    if not server.execute("SELECT 1 FROM pg_database WHERE datname = 'blank'"):
        open_store(server.create("blank"), NOW).close()
    return server.create(f"empty{next(COUNT)}", template="blank")


def contents_of(url: str) -> dict[str, Content]:
    """Return what every table of a database holds."""
    store = Store(url)
    with store.read() as session:
        found = contents(session)
    store.close()
    return found


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
