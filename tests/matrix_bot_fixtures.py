"""Fixtures around a bot on a real homeserver. They stand on those of `tests.synapse_fixtures`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.matrix_bot import Bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from core.store import Store
    from tests.synapse import Synapse


@pytest.fixture
async def bot(
    synapse: Synapse, file_store: Store, tmp_path: Path, newcomer: Callable[[str], str]
) -> AsyncIterator[Bot]:
    """A bot that runs."""
    name = await asyncio.to_thread(newcomer, "Pool")
    found = Bot(synapse, file_store, tmp_path / "matrix-store", name)
    await found.start()
    yield found
    await found.stop()
