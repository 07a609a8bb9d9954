"""Whatever dies in the middle, bot or homeserver: each message is handled once, each answer comes once."""

from __future__ import annotations

import asyncio
import signal
from random import Random
from typing import TYPE_CHECKING

from aiohttp import ClientError

from tests.matrix_people import check_answers, founded, gathered, silence
from tests.matrix_process import running
from tests.synapse import SynapseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.synapse import Synapse
    from tests.synapse_person import Person

    Arrive = Callable[[str], Awaitable[Person]]
    Register = Callable[[str], str]

pytest_plugins = ("tests.synapse_fixtures",)

KILLS, MESSAGES = 20, 200
DELAY_SECONDS_MAX = 0.5


async def wrote(person: Person, room: str, text: str, number: int) -> str:
    """Write a text, again and again until it has arrived; return its event id."""
    while True:
        try:
            return await person.send(room, "m.room.message", {"msgtype": "m.text", "body": text}, f"{room} {number}")
        except (ClientError, OSError, SynapseError):
            await asyncio.sleep(0.1)  # the homeserver is away


async def test_killed_at_twenty_points(synapse: Synapse, person: Arrive, newcomer: Register, tmp_path: Path) -> None:
    random = Random(5)
    async with running(tmp_path, synapse, newcomer("Pool"), is_hurried=True) as pool:
        ana, dee = await person("Ana"), await person("Dee")
        bakery = await gathered(pool, ana, dee, encrypted=False)
        garden = await gathered(pool, dee, ana, encrypted=True)
        code = await founded(pool, ana, bakery, "Valley")
        await dee.say(garden, f"!project new Garden {code}")
        await dee.hear(garden, "Garden is a project", sender=pool.user)
        asked: list[str] = []

        async def write_some() -> None:
            for _ in range(MESSAGES // KILLS):
                one, room = random.choice(((ana, bakery), (dee, garden)))
                asked.append(await wrote(one, room, f"!task new Chore {len(asked)} 1h urgent", len(asked)))

        for _ in range(KILLS):
            writing = asyncio.create_task(write_some())
            await asyncio.sleep(random.uniform(0, DELAY_SECONDS_MAX))
            assert await pool.stop(signal.SIGKILL) == -signal.SIGKILL
            await pool.start()
            await writing
            await pool.ready()
        await silence(pool, ana, asked)
        assert pool.query("SELECT count(*), count(DISTINCT title) FROM task") == [(MESSAGES, MESSAGES)]
        await check_answers(pool, ana, (bakery, garden), asked)
    assert "Traceback" not in pool.log


async def test_the_homeserver_is_killed_in_the_middle(
    synapse: Synapse, person: Arrive, newcomer: Register, tmp_path: Path
) -> None:
    async with running(tmp_path, synapse, newcomer("Pool")) as pool:
        ana = await person("Ana")
        room = await gathered(pool, ana, encrypted=False)
        await founded(pool, ana, room, "Valley")

        async def write_all() -> list[str]:
            return [await wrote(ana, room, f"!task new Chore {number} 1h", number) for number in range(60)]

        writing = asyncio.create_task(write_all())
        await ana.hear(room, "#10 Chore", sender=pool.user)
        synapse.kill()
        await pool.logged("the homeserver does not answer")
        await asyncio.to_thread(synapse.start)
        asked = await writing
        await ana.hear(room, "#60 Chore", sender=pool.user)
        await silence(pool, ana, asked)
        await check_answers(pool, ana, [room], asked)
        assert await pool.stop() == 0
    assert "Traceback" not in pool.log
