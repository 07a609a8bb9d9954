"""A thousand messages in five rooms, as fast as the homeserver takes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.matrix_people import answered, founded, gathered, new_messages, silence
from tests.matrix_process import running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.synapse import Synapse
    from tests.synapse_person import Person

    Arrive = Callable[[str], Awaitable[Person]]
    Register = Callable[[str], str]

pytest_plugins = ("tests.synapse_fixtures",)

ROOMS, MESSAGES = 5, 200


async def wrote_all(person: Person, room: str) -> list[str]:
    """Write one message after another; return their event ids. Every other one is for somebody else's bot."""
    return [await person.say(room, f"!{'play' if number % 2 else 'task'} {number}") for number in range(MESSAGES)]


async def test_a_thousand_messages_in_five_rooms(
    synapse: Synapse, person: Arrive, newcomer: Register, tmp_path: Path
) -> None:
    async with running(tmp_path, synapse, newcomer("Pool")) as pool:
        people = [await person(f"Ana{number}") for number in range(ROOMS)]
        rooms = [await gathered(pool, one, encrypted=number == 0) for number, one in enumerate(people)]
        for number, (one, room) in enumerate(zip(people, rooms, strict=True)):
            await founded(pool, one, room, f"Valley{number}")
        written = await asyncio.gather(*(wrote_all(one, room) for one, room in zip(people, rooms, strict=True)))
        await silence(pool, people[0], [one for some in written for one in some])
        handled = [one for (one,) in pool.query("SELECT event_id FROM inbox WHERE done_at IS NOT NULL ORDER BY id")]
        for one, room, asked in zip(people, rooms, written, strict=True):
            assert [event_id for event_id in handled if event_id in set(asked)] == asked
            replies = answered(new_messages(pool, await one.history(room)))
            assert [reply for reply in replies if reply in set(asked)] == asked[::2]
        assert await pool.stop() == 0
    assert "Traceback" not in pool.log
