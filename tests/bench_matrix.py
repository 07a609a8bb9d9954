"""Measure how long the bot takes to answer on Matrix: `python -m tests.bench_matrix`.

Only the ratio to a bare nio echo on the same homeserver in the same run, asked in turns, counts; one too high fails.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from tests.bench_rows import Row, ratio
from tests.matrix_people import founded, gathered
from tests.matrix_process import running
from tests.synapse import Synapse
from tests.synapse_person import Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROUNDS, WARM_UP = 100, 10
BOUND = 1.5
QUESTION = "!task 99"  # no such task: a question to the store, one line in reply


@contextmanager
def homeserver(folder: Path) -> Iterator[Synapse]:
    """A homeserver that knows everybody."""
    found = Synapse(folder)
    found.start()
    try:
        for name in ("pool", "echo", "ana"):
            found.register(name)
        yield found
    finally:
        found.stop()


@asynccontextmanager
async def echoing(synapse: Synapse, host: Person) -> AsyncIterator[str]:
    """The echo, in a room with somebody."""
    other = await Person.arrive(synapse, "echo")
    room = await host.open("Echo", invite=[other.user])
    await other.join(room)
    login = (synapse.url, other.user, other.token, str(other.client.device_id))
    program = [sys.executable, "-m", "tests.matrix_echo", *login]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    try:
        if process.stdout is not None:
            await process.stdout.readline()
        yield room
    finally:
        process.terminate()
        await process.wait()
        await other.depart()


async def round_trip(person: Person, room: str) -> float:
    """Ask, and wait for the answer; return how many seconds that took."""
    known = len(person.heard)
    start = perf_counter()
    asked = await person.say(room, QUESTION)
    await person.until(
        lambda: any(one.relation.get("m.in_reply_to") == {"event_id": asked} for one in person.heard[known:])
    )
    return perf_counter() - start


async def measured(synapse: Synapse, folder: Path) -> tuple[list[float], list[float]]:
    """Ask the bot and the echo in turns; return the seconds of their round trips."""
    async with running(folder, synapse, "pool") as pool:
        ana = await Person.arrive(synapse, "ana")
        try:
            async with echoing(synapse, ana) as other:
                room = await gathered(pool, ana, encrypted=False)
                await founded(pool, ana, room, "Valley")
                own, baseline = [], []
                for _ in range(WARM_UP + ROUNDS):
                    own.append(await round_trip(ana, room))
                    baseline.append(await round_trip(ana, other))
        finally:
            await ana.depart()
    return own[WARM_UP:], baseline[WARM_UP:]


def rows() -> Iterator[Row]:
    """Measure the median and the slowest twentieth."""
    with TemporaryDirectory() as name, homeserver(Path(name) / "synapse") as synapse:
        ours, bare = asyncio.run(measured(synapse, Path(name)))
    for title, cut in (("p50", 9), ("p95", 18)):
        own, baseline = (quantiles(taken, n=20)[cut] for taken in (ours, bare))
        yield ratio(f"Matrix: question to answer in a room, {title} ÷ bare nio echo", own, baseline, BOUND)


def main() -> int:
    """Print a line for each figure; return 1 if one is above its bound."""
    found = list(rows())
    for row in found:
        sys.stdout.write(f"{row.name}: {row.measured} / {row.against} = {row.figure:.2f} (bound {row.bound:g})\n")
    return int(any(row.is_missed for row in found))


if __name__ == "__main__":
    sys.exit(main())
