"""Matrix: a pool in a real room, plain and encrypted: what is said, offered, pressed, and who hears of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from core.chat.message import Incoming
from tests.matrix_bot import found_pool, room_with

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.matrix_bot import Bot
    from tests.synapse_person import Person

    Arrive = Callable[[str], Awaitable[Person]]

pytest_plugins = ("tests.synapse_fixtures", "tests.matrix_bot_fixtures")
KINDS = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
ONE, TWO, THREE = (f"{number}\ufe0f\u20e3" for number in (1, 2, 3))


async def numbers(bot: Bot, person: Person, room: str, ref: str) -> list[str]:
    """Return the numbers that the bot offers under a message."""
    found = [one for one in await person.related(room, ref, "m.annotation") if one["sender"] == bot.user]
    return sorted(one["content"]["m.relates_to"]["key"] for one in found)


async def offered(bot: Bot, person: Person, room: str, ref: str, keys: list[str]) -> None:
    """Wait until the bot offers exactly these numbers."""
    found: list[str] = []
    try:
        async with asyncio.timeout(60):
            while (found := await numbers(bot, person, room, ref)) != keys:
                await person.turn(0.2)
    except TimeoutError:
        said = "\n".join(one.text for one in person.said_by(bot.user, room))
        raise AssertionError(f"offered are {found} after\n{said}") from None


@KINDS
async def test_a_card_is_offered_pressed_and_follows(bot: Bot, person: Arrive, encrypted: bool) -> None:
    ana, bo = await person("Ana"), await person("Bo")
    room = await found_pool(bot, ana, encrypted=encrypted)
    await ana.client.room_invite(room, bo.user)
    await bo.join(room)
    await ana.say(room, "!task new Bake 1h urgent")
    card = await bo.hear(room, "#1 Bake")
    assert card.was_encrypted == encrypted
    assert "1 Claim #1 · !claim 1" in card.text
    assert card.content["msgtype"] == "m.notice"
    assert card.content["m.mentions"] == {}
    assert "<strong>1</strong> Claim #1 · <code>!claim 1</code>" in card.content["formatted_body"]
    await offered(bot, bo, room, card.event_id, [ONE])
    await bo.react(room, card.event_id, ONE)
    edit = await bo.hear(room, "Bo has it")
    assert edit.relation == {"rel_type": "m.replace", "event_id": card.event_id}
    assert edit.content["body"].startswith("* ")
    await bo.until(lambda: any("#1 is yours" in one.text for one in bo.said_by(bot.user, room)))
    await offered(bot, bo, room, card.event_id, [ONE, TWO, THREE])
    await ana.react(room, card.event_id, TWO.replace("\ufe0f", ""))
    refused = await ana.hear(room, "^Ana: ")
    assert refused.content["msgtype"] == "m.notice"
    assert refused.content["m.mentions"] == {"user_ids": [ana.user]}
    assert refused.relation["m.in_reply_to"] == {"event_id": card.event_id}


async def test_a_number_in_reply_presses_and_a_good_takes_it_as_a_bid(bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    room = await found_pool(bot, ana)
    await ana.say(room, "!task new Bake 1h urgent")
    card = await ana.hear(room, "#1 Bake")
    await ana.say(room, "> <@pool> #1 Bake\n> 1 h\n\n1", reply_to=card.event_id)
    await ana.hear(room, "#1 is yours, Ana")
    await ana.say(room, "!good new bread unit:loaf")
    good = await ana.hear(room, "Reply with your most hours")
    assert "1 Want bread · !want bread" in good.text
    await ana.say(room, "1", reply_to=good.event_id)
    await ana.hear(room, "at most 1 h")


async def test_what_is_not_for_the_bot_is_not_kept(bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    room = await room_with(bot, ana)
    before = len(bot.inbox())
    await ana.say(room, "did you see the match?")
    await ana.react(room, await ana.say(room, "pool party tonight"), ONE)
    await ana.send(room, "m.room.message", {"msgtype": "m.notice", "body": "!help"})
    await ana.send(room, "m.room.message", {"msgtype": "m.image", "body": "!help", "url": "mxc://x/y"})
    await ana.say(room, "/help")
    await ana.hear(room, "To begin")
    assert [event.text for event in bot.inbox()[before:] if event.kind is not Incoming.ADDED] == ["/help"]


@pytest.mark.parametrize("text", ["!help", "/help", "@{local} help", "{local}: help", "{user} help", "{shown}, help"])
async def test_ways_to_speak_to_it(bot: Bot, person: Arrive, text: str) -> None:
    ana = await person("Ana")
    room = await room_with(bot, ana)
    await ana.say(room, text.format(local=bot.name, user=bot.user, shown=bot.name.upper()))
    assert (await ana.hear(room, "To begin")).content["msgtype"] == "m.notice"


@KINDS
async def test_threads_are_answered_in_the_thread(bot: Bot, person: Arrive, encrypted: bool) -> None:
    ana = await person("Ana")
    room = await found_pool(bot, ana, encrypted=encrypted)
    root = await ana.say(room, "about baking")
    asked = await ana.say(room, "!task new Bake 1h urgent", thread=root)
    card = await ana.hear(room, "#1 Bake")
    while not card.relation:  # the room itself is told too
        card = await ana.hear(room, "#1 Bake")
    assert card.relation == {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": False,
        "m.in_reply_to": {"event_id": asked},
    }
    await ana.react(room, card.event_id, ONE)
    toast = await ana.hear(room, "#1 is yours")
    assert toast.relation["event_id"] == root


async def test_edits_and_redactions_of_commands_come_to_nothing(bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    room = await found_pool(bot, ana)
    said = await ana.say(room, "!task new Bake 1h urgent")
    await ana.hear(room, "#1 Bake")
    await ana.edit(room, said, "!task new Sweep 1h urgent")
    await ana.redact(room, said)
    await ana.say(room, "!tasks")
    assert "Sweep" not in (await ana.hear(room, "Bake")).text
    kinds = [event.kind for event in bot.inbox()]
    assert {Incoming.EDIT, Incoming.DELETE} <= set(kinds)
    assert [event.ref for event in bot.inbox() if event.kind in {Incoming.EDIT, Incoming.DELETE}] == [said, said]


async def test_what_people_type_rings_nobody_and_is_no_markup(bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    await ana.client.set_displayname("A<b>na\u202e @room")
    room = await found_pool(bot, ana)
    await ana.say(room, "!task new @room <b>bake</b> 1h urgent")
    card = await ana.hear(room, "#1 @room")
    assert card.content["m.mentions"] == {}
    assert "&lt;b&gt;bake&lt;/b&gt;" in card.content["formatted_body"]
    await ana.say(room, "!claim 1")
    claimed = await ana.hear(room, "#1 is yours")
    assert "A<b>na @room" in claimed.text
    assert "room" not in claimed.content["m.mentions"]


@KINDS
async def test_private_answers_come_in_a_room_that_is_opened_once(bot: Bot, person: Arrive, encrypted: bool) -> None:
    ana = await person("Ana")
    room = await found_pool(bot, ana, encrypted=encrypted)
    await ana.say(room, "!me")
    shown = await ana.hear(room, "That's for you alone")
    await ana.until(lambda: bool(ana.client.invited_rooms))
    private = next(iter(ana.client.invited_rooms))
    assert private in shown.text
    await ana.join(private)
    assert ana.client.rooms[private].encrypted == encrypted
    mine = await ana.hear(private, "Ana in Valley")
    assert mine.content["msgtype"] == "m.text"
    await bot.stop()
    await bot.start()
    await ana.say(room, "!me")
    await ana.hear(private, "Ana in Valley")
    await ana.say(private, "tasks")
    await ana.hear(private, "task")
    assert not ana.client.invited_rooms
    await ana.say(private, "!export")
    await ana.until(lambda: any(one.content.get("msgtype") == "m.file" for one in ana.said_by(bot.user, private)))
    file = next(one for one in ana.said_by(bot.user, private) if one.content["msgtype"] == "m.file")
    assert ("file" in file.content) == encrypted
    assert file.was_encrypted == encrypted
