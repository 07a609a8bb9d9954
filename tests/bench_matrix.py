"""Measure how long the bot takes to answer on Matrix: `python -m tests.bench_matrix`.

Only the ratio to a bare nio echo on the same homeserver in the same run, asked in turns, counts; one too high fails.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from tests.matrix_people import founded, gathered
from tests.matrix_process import running
from tests.synapse import Synapse
from tests.synapse_person import Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

ROUNDS, WARM_UP = 100, 10
BOUND = 1.5
QUESTION = "!task 99"  # no such task: a question to the store, one line in reply


@dataclass(frozen=True)
class Result:
    """Seconds of round trips: the bot's and the echo's, plain or encrypted."""

    name: str
    own: Sequence[float]
    baseline: Sequence[float]

    def lines(self) -> Iterator[tuple[str, float]]:
        """Return a line and a ratio for the median and for the slowest twentieth."""
        for title, cut in (("p50", 9), ("p95", 18)):
            own, baseline = (quantiles(seconds, n=20)[cut] for seconds in (self.own, self.baseline))
            ratio = own / baseline
            yield f"{self.name}, {title:3} {own * 1000:9.1f} ms {baseline * 1000:7.1f} ms {ratio:6.2f}", ratio


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


async def measured(synapse: Synapse, folder: Path) -> Result:
    """Ask the bot and the echo in turns."""
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
    return Result("round trip in a room", own[WARM_UP:], baseline[WARM_UP:])


def main() -> int:
    """Print a line for each figure; return 1 if one is above its bound."""
    with TemporaryDirectory() as name, homeserver(Path(name) / "synapse") as synapse:
        result = asyncio.run(measured(synapse, Path(name)))
    failed = False
    sys.stdout.write(f"{'':26}     dpool       echo  ratio  bound\n")
    for line, ratio in result.lines():
        failed |= ratio > BOUND
        sys.stdout.write(f"{line} {BOUND:6.2f}{'  TOO SLOW' if ratio > BOUND else ''}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
