"""A short torture on both stores; a long one is `make torture`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.chat.player import Player
from tests import postgres
from tests.bot_api import BotApi
from tests.stage import VALLEY, act
from tests.torture import story
from tests.torture_checks import Model, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.store import Store

KILLS = 6
UNASKED = "bo@bakery: /did Deed 3x 1h"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'dpool.db'}"
        return
    with postgres.running() as server:
        yield server.create("torture")


async def test_kills_lose_nothing_and_double_nothing(url: str, tmp_path: Path) -> None:
    found = await story(11, KILLS, url, tmp_path)
    assert found.faults == []
    assert found.command_count > KILLS


async def test_what_is_lost_doubled_or_unanswered_would_be_found(store: Store) -> None:
    act(Player(store), VALLEY + "bo@bakery: /task new Job 1x 1h\nbo@bakery: /task new Job 1x 1h\n" + UNASKED)
    api = BotApi()
    asked = api.add_message(api.group("Bakery"), api.user("Ana"), "/tasks")
    found = verdict(store.url, api, Model({"Job 1x", "Job 2x"}, set(), [asked]), 3)
    assert found.faults == [
        "0 rounds in 3 days",
        "task lost: Job 2x",
        "task doubled: Job 1x",
        "task from nowhere: Deed 3x",
        "no answer to '/tasks': []",
    ]
