"""Fixtures for all tests: an empty store, migrated once and copied for each test."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from core.schema import open_store
from core.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without a row. Every worker of xdist makes its own."""
    path = tmp_path_factory.mktemp("template") / "dpool.db"
    open_store(f"sqlite:///{path}", NOW).close()  # the last connection takes the journal back into the file
    return path


@pytest.fixture
def store(empty_database: Path, tmp_path: Path) -> Iterator[Store]:
    """A store of its own for each test, empty and ready to use; its file is `store.path`."""
    path = tmp_path / "dpool.db"
    shutil.copyfile(empty_database, path)
    found = Store(f"sqlite:///{path}")
    yield found
    found.close()
