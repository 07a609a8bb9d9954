"""Fixtures around a real homeserver. A test module has them with `pytest_plugins = ("tests.synapse_fixtures",)`."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.synapse import Synapse
from tests.synapse_person import Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

NUMBERS = count(1)


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """A homeserver for all tests of a worker: whoever stops it starts it again."""
    found = Synapse(tmp_path_factory.mktemp("synapse"))
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture
def newcomer(synapse: Synapse) -> Callable[[str], str]:
    """Registers somebody who is new, shown by a name; returns the name to log in with."""

    def register(shown: str) -> str:
        name = f"{shown.lower()}{next(NUMBERS)}"
        synapse.register(name, shown)
        return name

    return register


@pytest.fixture
async def person(synapse: Synapse, newcomer: Callable[[str], str]) -> AsyncIterator[Callable[[str], Awaitable[Person]]]:
    """Bring somebody new who is logged in, shown by the name given."""
    here: list[Person] = []

    async def arrive(shown: str) -> Person:
        name = await asyncio.to_thread(newcomer, shown)
        found = await Person.arrive(synapse, name)
        here.append(found)
        return found

    yield arrive
    for one in here:
        await one.depart()
