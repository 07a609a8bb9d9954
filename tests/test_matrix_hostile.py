"""Five thousand hostile events: the bot takes note of none but those it can read, and goes on."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from sqlmodel import func, select

from adapters.matrix import connect
from adapters.settings import MatrixSettings
from bot.clock import Clock
from bot.main import serve
from core.chat.commands import table
from core.chat.handling import House
from core.tables_chat import Inbox
from tests.conftest import entropy
from tests.hostile_homeserver import USER, Homeserver, serving
from tests.matrix_fuzz import PEOPLE, hostile, sendable
from tests.matrix_people import founded, gathered, silence
from tests.matrix_process import running
from tests.synapse import SynapseError
from tests.telegram_fuzz import any_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    import pytest

    from core.store import Store
    from tests.synapse import Synapse
    from tests.synapse_person import Person

    Arrive = Callable[[str], Awaitable[Person]]
    Register = Callable[[str], str]

pytest_plugins = ("tests.synapse_fixtures",)

SEED = 5
SYNCS, EVENTS = 50, 100  # 5,000 in all
HEARD_MIN = 300  # so many of them are commands that can be read, and are answered
SENT, LOCKED = 200, 40  # through a real homeserver, the latter encrypted
FOUND = "!pool new Valley"


def member(user_id: str, membership: str = "join") -> dict[str, Any]:
    """Somebody's arrival."""
    held = {"type": "m.room.member", "state_key": user_id, "sender": user_id, "event_id": f"$member{user_id}"}
    return {**held, "content": {"membership": membership}}


def text(event_id: str, body: str) -> dict[str, Any]:
    """Something Ana says."""
    held = {"type": "m.room.message", "sender": PEOPLE[0], "event_id": event_id}
    return {**held, "content": {"msgtype": "m.text", "body": body}}


def joined(room: str, events: list[Any]) -> dict[str, Any]:
    """A sync in which something happened in a room."""
    return {"rooms": {"join": {room: {"timeline": {"events": events}}}}}


def hostile_sync(random: Random, number: int) -> dict[str, Any]:
    """A sync full of harm."""
    events = [hostile(random, number * EVENTS + index) for index in range(EVENTS)]
    timeline = {"events": events, "limited": random.random() < 0.1, "prev_batch": random.choice(("p", 1, None))}
    room = {"timeline": timeline, "state": random.choice(({}, {"events": [hostile(random, -1)]}, any_json(random)))}
    rooms: dict[str, Any] = {"join": {f"!room{number % 3}": room}}
    if random.random() < 0.3:
        rooms["invite"] = {"!invited": {"invite_state": any_json(random)}, "!odd": any_json(random)}
        rooms["leave"] = {"!gone": any_json(random)}
    found: dict[str, Any] = {"rooms": rooms, "device_one_time_keys_count": any_json(random)}
    for key in ("to_device", "account_data", "device_lists"):
        if random.random() < 0.3:
            found[key] = random.choice((any_json(random), {"events": [any_json(random), hostile(random, -2)]}))
    return found


@asynccontextmanager
async def serving_bot(store: Store, homeserver: Homeserver, folder: Path) -> AsyncIterator[list[Exception]]:
    """The whole bot inside this process; yields the faults of the program."""
    faults: list[Exception] = []
    login = {"homeserver": homeserver.url, "user": USER, "password": "correct horse", "store": str(folder / "keys")}
    settings = MatrixSettings.model_validate({**login, "allow_invites_from": ["*:valley.test"]})
    house = House(store, table(), entropy(), on_fault=faults.append)
    async with asyncio.TaskGroup() as group:
        bot = group.create_task(serve(house, Clock(), {"matrix": partial(connect, settings)}))
        yield faults
        bot.cancel()


async def test_a_hostile_homeserver(file_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    random = Random(SEED)
    arrival = joined("!home", [member(PEOPLE[0]), member(USER)])
    syncs = [{}, arrival, *(hostile_sync(random, number) for number in range(SYNCS))]
    async with (
        serving(syncs, partial(hostile, random, -3)) as homeserver,
        serving_bot(file_store, homeserver, tmp_path) as faults,
    ):
        await homeserver.until(lambda: homeserver.is_drained)
        homeserver.add(joined("!home", [text("$last", FOUND)]))
        await homeserver.until(lambda: homeserver.has_heard("Valley is founded"))
        with file_store.read() as session:
            assert session.exec(select(func.count()).select_from(Inbox)).one() > HEARD_MIN
    assert faults == []
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR] == []


async def sent(person: Person, room: str, kind: str, content: Any, number: int) -> bool:
    """Send an event as it is; return whether the homeserver took it."""
    try:
        await person.ask("PUT", f"/rooms/{room}/send/{kind}/{number}", content)
    except SynapseError:
        return False
    return True


def locked(person: Person, room: str, random: Random) -> dict[str, Any]:
    """Encrypt something odd."""
    assert person.client.olm is not None
    inside = random.choice(({"type": "m.room.message", "content": any_json(random)}, {"type": any_json(random)}, {}))
    found: dict[str, Any] = person.client.olm.group_encrypt(room, dict(inside))
    return found


async def test_hostile_members_of_a_real_room(
    synapse: Synapse, person: Arrive, newcomer: Register, tmp_path: Path
) -> None:
    random = Random(SEED)
    async with running(tmp_path, synapse, newcomer("Pool")) as pool:
        ana, eve = await person("Ana"), await person("Eve")
        rooms = [await gathered(pool, ana, eve, encrypted=encrypted) for encrypted in (False, True)]
        await founded(pool, ana, rooms[0], "Valley")
        events = [(random.choice(rooms), *sendable(random)) for _ in range(SENT)]
        taken = [await sent(eve, *event, number) for number, event in enumerate(events)]
        assert taken.count(True) > SENT // 2
        await eve.say(rooms[1], "hello")  # now the bot has the key to what follows
        for number in range(SENT, SENT + LOCKED):
            assert await sent(eve, rooms[1], "m.room.encrypted", locked(eve, rooms[1], random), number)
        await ana.say(rooms[0], "!task new Sweep 1h")
        await ana.hear(rooms[0], "#[0-9]+ Sweep", sender=pool.user)
        await ana.say(rooms[1], "!pool new Hill")
        await ana.hear(rooms[1], "Hill is founded", sender=pool.user)
        await silence(pool, ana)
        assert pool.query("SELECT fault FROM inbox WHERE fault <> ''") == []
        assert await pool.stop() == 0
    assert "Traceback" not in pool.log
