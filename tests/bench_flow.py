"""How much goes through: commands a second, how long an answer takes under load, and how quickly dpool starts."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count, product
from subprocess import DEVNULL, run
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from adapters.post import Carrier, Door
from bot.dispatcher import Dispatcher
from bot.main import tune
from bot.server_wire import ServerWire
from core.chat.commands import table
from core.chat.handling import House
from core.chat.inbox import RECEIVED
from core.chat.message import Event, Incoming
from core.identity import Place, Sender
from core.schema import open_store
from core.store import Store
from core.tables_chat import Person
from tests import postgres
from tests.bench_rows import Row, limit, middle, ratio, seconds
from tests.fake_adapter import FakeAdapter, until
from tests.large import NOW, Size, make_large
from tests.talk import PLATFORM
from tests.village import entropy

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Iterator

SIZE = Size().times(0.01)
PEOPLE = 198  # of 1,000 members; they write by turns, each the texts in their order
COMMANDS = 300
WARM_UP = 4  # until everybody has written everything once
COMMITS = 300
EVENTS_AT_ONCE = 20  # what one getUpdates of a busy bot brings
UPDATES_A_SECOND = 200
RATES = (100, UPDATES_A_SECOND)
LOAD_SECONDS = 5
WORKERS = 2  # on a server, one for each core
WAIT_SECONDS = 120
STARTS = 7
MUCH_TO_DO = (
    "a command is kept, handled and sent in three transactions of some fifteen statements: about 3 ms of Python, most "
    "of it SQLAlchemy's, where a commit waits 0.6 ms for the disk"
)
BUSY = {
    "SQLite": "a command takes 2 to 3 ms of the one thread that dispatches, and the machine's speed changes meanwhile",
    "PostgreSQL": (
        "a command asks the server ten times, which takes 4 ms of Python and 2 ms of waiting, under the lock of the "
        "one pool if it writes; two workers share two cores with the server and with what hands in"
    ),
}
TEXTS = ("/tasks", "/want bread 1", "/goods bread", "/bid bread 0.7", "/unwant bread", "/me")


def clock() -> datetime:
    """Return the real time: this is a benchmark."""
    return datetime.now(UTC)


@contextmanager
def stores() -> Iterator[dict[str, Store]]:
    """Make a pool of 1,000 members in a file and on a server, both of which wait for the disk."""
    with TemporaryDirectory(prefix="dpool-flow-") as folder, postgres.running(settings=()) as server:
        made = {
            "SQLite": open_store(f"sqlite:///{folder}/flow.db", NOW),
            "PostgreSQL": open_store(server.create("flow"), NOW),
        }
        for store in made.values():
            make_large(store, SIZE)
        tune()
        yield made
        for store in made.values():
            store.close()


class Flow:
    """A bot whose adapter sends to nobody: door, dispatch thread and sender as `dpool run` has them."""

    def __init__(self, store: Store, numbers: Iterator[int]) -> None:
        self.store = store
        self.adapter = FakeAdapter(platform=PLATFORM)
        self.house = House(store, table(), entropy)
        self.dispatcher = Dispatcher(self.house, clock)
        self.door = Door(store, clock, self.dispatcher.wake)
        self.carrier = Carrier(store, self.adapter, clock)
        self.dispatcher.on_done = self.carrier.wake
        self.numbers = numbers

    def event(self) -> Event:
        """Return what one of many people writes in private."""
        number = next(self.numbers)
        who = 1 + number % PEOPLE
        sender = Sender(PLATFORM, str(who), f"P {who}", f"p{who}")
        text = TEXTS[(number // PEOPLE + number) % len(TEXTS)]
        place = Place(PLATFORM, f"dm {who}", private=True)
        return Event(f"f{number}", Incoming.TEXT, place, sender, text=text, ref=f"r{number}")

    async def all_at_once(self) -> float:
        """Return the commands a second, from the door to the adapter, when many wait."""
        begin = perf_counter()
        for _ in range(COMMANDS // EVENTS_AT_ONCE):
            await self.door.receive([self.event() for _ in range(EVENTS_AT_ONCE)])
        await asyncio.to_thread(self.dispatcher.run_now)
        await self.carrier.flush()
        taken = perf_counter() - begin
        assert len(self.adapter.sent) >= COMMANDS
        return COMMANDS / taken

    async def steadily(self, updates_a_second: int) -> float:
        """Return the 99th percentile of the seconds from the inbox to the outbox under a steady load.

        Each is counted from the moment at which it should have come, so that falling behind counts.
        """
        ended: list[float] = []
        events = updates_a_second * LOAD_SECONDS
        async with self._handled(ended):
            await self.door.receive([self.event() for _ in range(PEOPLE)])  # the first ones compile what the others use
            await until(lambda: len(ended) == PEOPLE)
            begin = perf_counter()
            due = [begin + number / updates_a_second for number in range(events)]
            received = 0
            while received < events:  # a platform hands over what has come by then
                await asyncio.sleep(max(0.0, due[received] - perf_counter()))
                come = [self.event() for moment in due[received:] if moment <= perf_counter()]
                await self.door.receive(come)
                received += len(come)
            await until(lambda: len(ended) == PEOPLE + events)
        taken = sorted(end - moment for end, moment in zip(sorted(ended[PEOPLE:]), due, strict=True))
        return taken[len(taken) * 99 // 100]

    @asynccontextmanager
    async def _handled(self, ended: list[float]) -> AsyncIterator[None]:
        """Handle what comes, in a thread or on a server in processes; note when each event was done."""
        if self.store.is_sqlite:
            self.dispatcher.on_dispatched = lambda _seconds: ended.append(perf_counter())
            self.dispatcher.start()
            yield
            await asyncio.to_thread(self.dispatcher.stop)
            return
        command = [sys.executable, "-m", "tests.bench_flow", self.store.url]
        workers = [await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE) for _ in range(WORKERS)]
        readers = [asyncio.create_task(_read(one, ended)) for one in workers]
        yield
        for one in workers:
            assert one.stdin is not None
            one.stdin.close()
            await one.wait()
        await asyncio.gather(*readers)


async def _read(worker: Process, ended: list[float]) -> None:
    """Note what a worker writes: when each event was done, by the clock of all processes."""
    assert worker.stdout is not None
    while line := await worker.stdout.readline():
        ended.append(float(line))


def work(url: str) -> None:
    """Be a worker of `dpool run --role work`, until standard input ends."""

    def handled(_seconds: float) -> None:
        sys.stdout.write(f"{perf_counter()!r}\n")
        sys.stdout.flush()

    store = Store(url)
    dispatcher = Dispatcher(House(store, table(), entropy), clock)
    dispatcher.on_dispatched = handled
    wire = ServerWire(store, lambda word: dispatcher.wake() if word == RECEIVED else None)
    tune()
    wire.start()
    dispatcher.start()
    sys.stdin.read()
    dispatcher.stop()
    wire.stop()
    store.close()


def rows() -> Iterator[Row]:
    """Measure all of it."""
    with stores() as made:
        store, numbers = made["SQLite"], count()
        for one in made.values():
            for _ in range(WARM_UP):
                asyncio.run(Flow(one, numbers).all_at_once())
        commits = COMMITS / seconds(partial(_commit, store))
        through = asyncio.run(Flow(store, numbers).all_at_once())
        yield ratio(
            "commands through inbox, dispatch and outbox ÷ SQLModel commits, SQLite",
            through,
            commits,
            0.35,
            at_least=True,
            unit="rate",
            because=MUCH_TO_DO,
        )
        for (name, one), rate in product(made.items(), RATES):
            taken = asyncio.run(Flow(one, numbers).steadily(rate))
            title = f"p99 from inbox to outbox at {rate} updates/s, {name}"
            yield limit(title, taken * 1000, 50, "ms", because=BUSY[name])
    yield _start()


def _commit(store: Store) -> None:
    for _ in range(COMMITS):
        with store.write() as session:
            session.add(Person())


def _start() -> Row:
    """Compare the help of the program with Python's own start."""
    commands = ([sys.executable, "-m", "bot", "--help"], [sys.executable, "-c", "import argparse"])
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(STARTS):
        for command, taken in zip(commands, times, strict=True):
            taken.append(seconds(partial(run, command, check=True, stdout=DEVNULL)))
    return ratio("dpool --help ÷ python -c 'import argparse'", middle(times[0]), middle(times[1]), 3)


if __name__ == "__main__":
    work(sys.argv[1])
