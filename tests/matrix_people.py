"""What people do with the bot in tests that run it as a process of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.matrix_process import Pool
    from tests.synapse_person import Person

MESSAGES = frozenset({"m.room.message", "m.room.encrypted"})
QUIET_SECONDS = 300.0


async def gathered(pool: Pool, host: Person, *guests: Person, encrypted: bool) -> str:
    """A room with the bot and these people in it."""
    room = await host.open("Bakery", invite=[pool.user, *(one.user for one in guests)], encrypted=encrypted)
    for one in guests:
        await one.join(room)
    await host.until(lambda: _are_there(host, room, pool, *guests))
    return room


def _are_there(host: Person, room: str, *expected: Pool | Person) -> bool:
    joined = host.client.rooms[room].users.keys() - host.client.rooms[room].invited_users.keys()
    return {one.user for one in expected} <= joined


async def founded(pool: Pool, host: Person, room: str, name: str) -> str:
    """Found a pool in a room, which becomes one of its projects; return the code to join with."""
    await host.say(room, f"!pool new {name}")
    said = await host.hear(room, f"{name} is founded", sender=pool.user)
    await host.say(room, f"!project new {name} Bakery")
    await host.hear(room, f"{name} Bakery is a project", sender=pool.user)
    return said.text.partition("code: ")[2].split()[0]


def new_messages(pool: Pool, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The bot's messages in a room, in order; not its edits, and nothing but messages."""
    own = [one for one in history if one["sender"] == pool.user and one["type"] in MESSAGES]
    return [one for one in own if one["content"].get("m.relates_to", {}).get("rel_type") != "m.replace"]


def answered(messages: list[dict[str, Any]]) -> list[str]:
    """What the messages answer, in order: event ids."""
    found = [one["content"].get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id") for one in messages]
    return [one for one in found if one]


async def silence(pool: Pool, listener: Person, asked: Collection[str] = ()) -> None:
    """Wait until the bot has heard these messages, and has nothing left to handle and to send."""
    sql = (
        "SELECT (SELECT count(*) FROM inbox WHERE done_at IS NULL)"
        " + (SELECT count(*) FROM outbox WHERE delivery_id IS NULL)"
        " + (SELECT count(*) FROM delivery WHERE state = 'ready')"
        " + (SELECT count(*) FROM mark) + (SELECT count(*) FROM card WHERE marked_at IS NOT NULL)"
    )
    async with asyncio.timeout(QUIET_SECONDS):
        while not set(asked) <= {one for (one,) in pool.query("SELECT event_id FROM inbox")} or pool.figure(sql):
            await listener.turn(0.2)


async def check_answers(pool: Pool, listener: Person, rooms: Collection[str], asked: Collection[str]) -> None:
    """See that each message was handled once and answered once, and that no message was sent twice."""
    assert pool.query("SELECT event_id FROM inbox WHERE done_at IS NULL OR fault <> ''") == []
    handled = [one for (one,) in pool.query("SELECT event_id FROM inbox")]
    assert set(asked) <= set(handled)
    messages = [one for room in rooms for one in new_messages(pool, await listener.history(room))]
    answers = Counter(answered(messages))
    assert {one: answers[one] for one in asked} == dict.fromkeys(asked, 1)
    assert len(messages) == pool.figure("SELECT count(*) FROM delivery WHERE state = 'sent' AND edits IS NULL")
