"""`dpool run` on a real homeserver, as people meet it: in plain and in encrypted rooms, over restarts."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.matrix_people import gathered
from tests.matrix_process import Pool, prepared, running
from tests.signing_view import trusted
from tests.synapse import password_of
from tests.synapse_person import good

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.synapse import Synapse
    from tests.synapse_person import Person

    Arrive = Callable[[str], Awaitable[Person]]
    Register = Callable[[str], str]

pytest_plugins = ("tests.synapse_fixtures",)


@pytest.fixture
async def pool(synapse: Synapse, newcomer: Register, tmp_path: Path) -> AsyncIterator[Pool]:
    """The bot, running."""
    async with running(tmp_path, synapse, newcomer("Pool")) as found:
        yield found
    assert "Traceback" not in found.log
    assert password_of(found.name) not in found.log
    assert found.token() not in found.log


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_day_at_the_bakery(pool: Pool, person: Arrive, encrypted: bool) -> None:
    ana, bo = await person("Ana"), await person("Bo")
    room = await gathered(pool, ana, bo, encrypted=encrypted)
    await ana.say(room, "!pool new Valley")
    founded = await ana.hear(room, "Valley is founded", sender=pool.user)
    assert founded.was_encrypted is encrypted
    await ana.say(room, "Hill Bakery", reply_to=founded.event_id)
    await ana.hear(room, "Hill Bakery is a project of Valley", sender=pool.user)
    await ana.say(room, "hello everybody")  # is not for the bot
    await ana.say(room, "!task new Sweep 1h urgent")
    card = await bo.hear(room, r"#1 Sweep.*open", sender=pool.user)
    await bo.react(room, card.event_id, "1️⃣")
    taken, drawn = await bo.hear_all(room, "#1 is yours, Bo", "#1 Sweep.*Bo has it", sender=pool.user)
    assert taken.content["m.mentions"] == {"user_ids": [bo.user]}
    assert drawn.relation == {"rel_type": "m.replace", "event_id": card.event_id}
    # The bot goes, and comes back on the same device.
    assert await pool.stop() == 0
    await bo.say(room, f"@{pool.name} done 1")
    await pool.start()
    await pool.ready()
    await bo.hear(room, "1 h to be confirmed", sender=pool.user)
    asked = await ana.hear(room, "1 Confirm #1", sender=pool.user)
    await ana.say(room, "1", reply_to=asked.relation.get("event_id", asked.event_id))
    await ana.hear(room, "1 h confirmed", sender=pool.user)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_what_is_private_is_said_in_private(pool: Pool, person: Arrive, encrypted: bool) -> None:
    ana = await person("Ana")
    room = await gathered(pool, ana, encrypted=encrypted)
    await ana.say(room, "!pool new Valley")
    await ana.hear(room, "Valley is founded", sender=pool.user)
    await ana.say(room, "!me")
    await ana.hear(room, "for you alone", sender=pool.user)
    await ana.until(lambda: bool(ana.client.invited_rooms))
    [private] = ana.client.invited_rooms
    await ana.join(private)
    answer = await ana.hear(private, "Balance", sender=pool.user)
    assert answer.was_encrypted is encrypted
    assert await pool.stop() == 0
    await pool.start()
    await pool.ready()
    await ana.say(room, "!me")
    await ana.hear(private, "Balance", sender=pool.user)
    assert await ana.members(private) == {ana.user, pool.user}


async def test_a_client_that_leaves_out_unsigned_devices(pool: Pool, person: Arrive) -> None:
    ana = await person("Ana")
    room = await gathered(pool, ana, encrypted=True)
    signed = await trusted(ana, pool.user)
    for device in ana.client.device_store.active_user_devices(pool.user):
        (ana.client.verify_device if device.id in signed else ana.client.blacklist_device)(device)
    content = {"msgtype": "m.text", "body": "!pool new Valley"}
    good(await ana.client.room_send(room, "m.room.message", content, ignore_unverified_devices=False))
    answer = await ana.hear(room, "Valley is founded", sender=pool.user)
    assert answer.was_encrypted


async def test_a_wrong_password_is_one_line(synapse: Synapse, newcomer: Register, tmp_path: Path) -> None:
    async with prepared(tmp_path, synapse, newcomer("Pool")) as pool:
        pool.configure(synapse, {"password": "a wild guess"})
        await pool.start()
        assert await pool.ended() == 2
    [line] = said(pool)
    assert line == f"matrix: {pool.user} can't log in with matrix.password: M_FORBIDDEN Invalid username or password"


async def test_an_ended_login_is_one_line(synapse: Synapse, newcomer: Register, tmp_path: Path) -> None:
    name = newcomer("Pool")
    async with running(tmp_path, synapse, name) as pool:
        synapse.revoke(name)
        assert await pool.ended() == 2
    [line] = said(pool)
    assert "the homeserver ended the bot's login" in line


async def test_an_access_token_will_do(synapse: Synapse, person: Arrive, newcomer: Register, tmp_path: Path) -> None:
    name = newcomer("Pool")
    token = synapse.log_in(name)
    async with running(tmp_path, synapse, name, token=token) as pool:
        ana = await person("Ana")
        room = await gathered(pool, ana, encrypted=True)
        await ana.say(room, "!pool new Valley")
        await ana.hear(room, "Valley is founded", sender=pool.user)
        assert await pool.stop(signal.SIGINT) == 0
        synapse.revoke(name)
        await pool.start()
        assert await pool.ended() == 2
    assert said(pool) == ["matrix.access_token: the homeserver does not know it (any more)"]
    assert token not in pool.log


def said(pool: Pool) -> list[str]:
    """What the last lines on the terminal say to people: without what the log notes with a time."""
    return [line for line in pool.log.splitlines() if not line[:4].isdecimal()]
