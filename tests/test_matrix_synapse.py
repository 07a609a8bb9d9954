"""The homeserver that other tests stand on: rooms plain and encrypted, limits, and it may die."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.synapse import Synapse, SynapseError, password_of
from tests.synapse_person import Person

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Arrive = Callable[[str], Awaitable[Person]]

pytest_plugins = ("tests.synapse_fixtures",)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_people_hear_each_other(person: Arrive, encrypted: bool) -> None:
    ana, bo = await person("Ana"), await person("Bo")
    room = await ana.open("Bakery", invite=[bo.user], encrypted=encrypted)
    await bo.join(room)
    await ana.until(lambda: bo.user in ana.client.rooms[room].users)
    said = await ana.say(room, "who bakes?", mentions=[bo.user])
    heard = await bo.hear(room, "who bakes")
    assert (heard.event_id, heard.was_encrypted) == (said, encrypted)
    assert heard.content["m.mentions"] == {"user_ids": [bo.user]}
    answer = await bo.say(room, "me", reply_to=said, thread=said)
    assert (await ana.hear(room, "^me$")).relation["rel_type"] == "m.thread"
    await bo.edit(room, answer, "not me")
    assert (await ana.hear(room, "^not me$")).relation == {"rel_type": "m.replace", "event_id": answer}


@pytest.mark.parametrize("encrypted", [False, True])
async def test_reactions_and_what_is_taken_back(person: Arrive, encrypted: bool) -> None:
    ana = await person("Ana")
    room = await ana.open("Bakery", encrypted=encrypted)
    said = await ana.say(room, "who bakes?")
    reaction = await ana.react(room, said, "1️⃣")
    assert [one["event_id"] for one in await ana.related(room, said, "m.annotation")] == [reaction]
    await ana.redact(room, said)
    history = await ana.history(room)
    assert [one["event_id"] for one in history if "redacted_because" in one.get("unsigned", {})] == [said]
    assert history[-1]["type"] == "m.room.redaction"


@pytest.mark.parametrize("version", ["10", "11", "12"])
async def test_rooms_of_every_version(person: Arrive, version: str) -> None:
    ana = await person("Ana")
    room = await ana.open("Bakery", version=version)
    created = next(one for one in await ana.history(room) if one["type"] == "m.room.create")
    assert created["content"]["room_version"] == version


async def test_nobody_said_it(person: Arrive) -> None:
    ana = await person("Ana")
    room = await ana.open("Bakery")
    await ana.say(room, "hello")
    with pytest.raises(AssertionError, match=r"nobody said /hello/; ana[0-9]+ heard there:"):
        await ana.hear(room, "hello", seconds=0.2)


async def test_who_writes_too_much_is_told_to_wait(synapse: Synapse, person: Arrive) -> None:
    ana = await person("Ana")
    room = await ana.open("Bakery")
    synapse.limit(ana.name, per_second=1, burst=2)
    texts = [f"{number}" for number in range(10)]
    with pytest.raises(SynapseError, match="M_LIMIT_EXCEEDED"):
        await say_all(ana, room, texts)
    synapse.limit(ana.name, per_second=0, burst=0)
    await say_all(ana, room, texts)


async def say_all(person: Person, room: str, texts: list[str]) -> None:
    for text in texts:
        await person.say(room, text)


async def test_a_session_may_end(synapse: Synapse, person: Arrive) -> None:
    ana = await person("Ana")
    synapse.revoke(ana.name)
    with pytest.raises(SynapseError, match="M_UNKNOWN_TOKEN"):
        await ana.turn(0)
    back = await Person.arrive(synapse, ana.name)
    await back.depart()


@pytest.mark.parametrize("end", [Synapse.kill, Synapse.stop])
async def test_it_goes_on_where_it_ended(synapse: Synapse, person: Arrive, end: Callable[[Synapse], None]) -> None:
    ana = await person("Ana")
    room = await ana.open("Bakery")
    said = await ana.send(room, "m.room.message", {"msgtype": "m.text", "body": "hello"}, "a transaction")
    end(synapse)
    with pytest.raises(OSError, match="refused"):
        synapse.request("GET", "/_matrix/client/versions")
    end(synapse)  # nothing is left to end
    synapse.start()
    assert await ana.send(room, "m.room.message", {"msgtype": "m.text", "body": "hello"}, "a transaction") == said
    texts = [one for one in await ana.history(room) if one["type"] == "m.room.message"]
    assert [one["event_id"] for one in texts] == [said]


async def test_nobody_logs_in_with_a_wrong_password(synapse: Synapse) -> None:
    with pytest.raises(SynapseError, match="M_FORBIDDEN"):
        await Person.arrive(synapse, "nobody")
    assert password_of("ana") != password_of("bo")


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    faulty = Synapse(tmp_path, {"rc_message": "often"})
    with pytest.raises(SynapseError, match=r"did not start: [\s\S]*Error"):
        faulty.start()
