"""Kill the program again and again while people use it: `python -m tests.torture --kills 300 --seed 1 --store sqlite`.

Each story has a seed of its own and so many kills; should one fail, its seed is printed, and `--seed` begins with it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from core.bulk import stored
from tests import postgres
from tests.bot_api import BotApi
from tests.torture_checks import Model, Verdict, rows_of, verdict
from tests.torture_process import fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bot_api_world import Chat, Message, User

KILLS_A_STORY = 30
CALLS_A_LIFE_MAX = 30
LIFE_SECONDS_MAX = 2.0
AHEAD_MAX = 10  # people do not go on typing to somebody who does not answer
QUIET_SECONDS_MAX = 120.0
PEOPLE = ("Ana", "Bo", "Cy", "Dee", "Eli", "Fay")
GOODS = ("/want bread", "/bid bread 1.5", "/made bread 2", "/unwant bread", "/collected bread")
WAITING = """SELECT (SELECT count(*) FROM inbox WHERE done_at IS NULL)
    + (SELECT count(*) FROM outbox WHERE delivery_id IS NULL AND not_before IS NULL)
    + (SELECT count(*) FROM delivery WHERE state = 'ready')
    + (SELECT count(*) FROM pool WHERE round_due_at <= {now})"""


@dataclass
class Crowd:
    """Six people in two groups who type and press whatever comes to their minds."""

    api: BotApi
    random: Random
    model: Model = field(default_factory=Model)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    people: list[User] = field(default_factory=list)
    groups: list[Chat] = field(default_factory=list)

    async def settle(self, now: datetime) -> None:
        """Found the pool and its two projects; its rounds are half a day away from now."""
        api = self.api
        self.people = [api.user(name) for name in PEOPLE]
        bakery, garden = api.group("Hill Bakery", self.people[:3]), api.group("Sunny Garden", self.people[3:])
        self.groups = [bakery, garden]
        ana, dee = self.people[0], self.people[3]
        for group, owner in ((bakery, ana), (garden, dee)):
            await api.add_bot(group, owner)
        founded = await api.talk(ana, bakery, "/pool new Valley", "code: ")
        code = founded.text.split("code: ")[1][:9]
        await api.talk(ana, bakery, "/project new Hill Bakery", "is a project of")
        await api.talk(dee, garden, f"/project new Sunny Garden {code}", "is a project of")
        far = now + timedelta(hours=12)
        await api.talk(ana, bakery, f"/pool set rounds daily {far:%H:%M}", "rounds is daily")
        await api.talk(ana, bakery, "/good new bread unit:loaf", "makes bread")

    async def act(self) -> None:
        """Let somebody do something."""
        group = self.random.choice(self.groups)
        who = self.api.users[self.random.choice(list(group.members))]
        if who is self.api.bot:
            return
        if self.random.random() < 0.3:
            await self._press(who, group)
            return
        text = self._words(who)
        self.model.commands.append(await self.api.write(who, group, text))

    def _words(self, who: User) -> str:
        """Return a command, and note what it must lead to."""
        number, some = next(self.numbers), self.random.randrange(1, 60)
        kind = self.random.choice(("job", "job", "deed", "guest", "work", "work", "work", "goods"))
        if kind == "guest" and who.first_name in {"Ana", "Dee"}:
            self.model.guests.add(f"Guest {number}x")
            return f"/member new Guest {number}x"
        if kind == "job":
            self.model.tasks.add(f"Job {number}x")
            return f"/task new Job {number}x 1h urgent"
        if kind == "deed":
            self.model.tasks.add(f"Deed {number}x")
            return f"/did Deed {number}x 1h{' for:bread' if who in self.people[:3] else ''}"
        if kind == "work":
            return self.random.choice((f"/claim {some}", f"/done {some}", f"/confirm {some}", f"/drop {some}"))
        return self.random.choice(
            ("/want bread", "/bid bread 1.5", "/made bread 2", "/unwant bread", "/collected bread")
        )

    async def _press(self, who: User, group: Chat) -> None:
        shown: list[Message] = [one for one in self.api.sent(group)[-12:] if any(button.data for button in one.buttons)]
        if shown:
            message = self.random.choice(shown)
            button = self.random.choice([one for one in message.buttons if one.data])
            if not button.label.startswith(("Undo", "Remove")):
                await self.api.press_data(who, message, button.data)


async def story(seed: int, kills: int, url: str, folder: Path) -> Verdict:
    """Let people use the program while its processes are killed; return what became of it."""
    random = Random(seed)
    async with BotApi(seed=seed) as api, fleet(folder, api, url) as ships:
        await ships.start()
        crowd = Crowd(api, random)
        await crowd.settle(datetime.now(UTC))
        busy = asyncio.create_task(_keep_busy(crowd))
        try:
            while ships.kill_count < kills:
                await _let_live(api, random)
                await (ships.next_day() if random.random() < 0.1 else ships.strike(random))
        finally:
            busy.cancel()
        await ships.next_day()
        await _quiet(api, url, datetime.now(UTC) + timedelta(days=ships.days))
        return verdict(url, api, crowd.model, ships.days)


async def _let_live(api: BotApi, random: Random) -> None:
    """Wait until the program has asked so many more things of Telegram: it is killed when it is at work."""
    calls = len(api.calls) + random.randrange(CALLS_A_LIFE_MAX)
    with suppress(TimeoutError):
        await api.until(lambda: len(api.calls) >= calls, LIFE_SECONDS_MAX)
    await asyncio.sleep(random.uniform(0, 0.05))


async def _keep_busy(crowd: Crowd) -> None:
    while True:
        if len(crowd.api.updates) < AHEAD_MAX:
            await crowd.act()
        await asyncio.sleep(crowd.random.uniform(0, 0.06))


async def _quiet(api: BotApi, url: str, now: datetime) -> None:
    """Wait until everything that came in is handled, every round held, and everything that was said is sent."""
    waiting = WAITING.format(now=stored(now))
    await api.until(lambda: not len(api.updates) and rows_of(url, waiting) == [(0,)], QUIET_SECONDS_MAX)


def main() -> int:
    """Play stories until so many processes have been killed; stop at the first fault."""
    parser = argparse.ArgumentParser(prog="tests.torture", description="Kill dpool while people use it.")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    given = parser.parse_args()
    with postgres.running(settings=()) if given.store == "postgresql" else nullcontext() as server:
        for number, seed in enumerate(count(given.seed)):
            if number * KILLS_A_STORY >= given.kills:
                return 0
            with tempfile.TemporaryDirectory() as folder:
                url = f"sqlite:///{folder}/dpool.db" if server is None else server.create(f"torture_{seed}")
                found = asyncio.run(story(seed, KILLS_A_STORY, url, Path(folder)))
            said = f"{found.command_count} commands, {found.doubled_count} said twice, {found.parked_count} parked"
            sys.stdout.write(f"seed {seed}: {KILLS_A_STORY} kills, {said}, {len(found.faults)} faults\n")
            if found.faults:
                sys.stdout.write("\n".join(found.faults) + "\n")
                return 1
    raise AssertionError("there is always another seed")


if __name__ == "__main__":
    sys.exit(main())
