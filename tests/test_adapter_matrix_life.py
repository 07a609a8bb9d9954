"""Matrix: coming and going, rooms that go on elsewhere, gaps, keys that are missing, homeservers that are away."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import stat
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from adapters.matrix import locked
from core.chat.message import Incoming
from core.chat.port import AdapterError
from tests.matrix_bot import found_pool, room_with

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.matrix_bot import Bot
    from tests.synapse import Synapse
    from tests.synapse_person import Person

    Arrive = Callable[[str], Awaitable[Person]]

pytest_plugins = ("tests.synapse_fixtures", "tests.matrix_bot_fixtures")
KINDS = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
LONG_GAP = 130


def texts(bot: Bot, room: str) -> list[str]:
    """Return what was kept of what people wrote in a room, in order."""
    return [one.text for one in bot.inbox() if one.kind is Incoming.TEXT and one.place.address == room]


# Gaps and absence


@KINDS
async def test_a_long_gap_is_filled_in_order(bot: Bot, person: Arrive, encrypted: bool) -> None:
    ana = await person("Ana")
    room = await room_with(bot, ana, encrypted=encrypted)
    await bot.stop()
    wanted = [f"!help {number}" if number % 10 == 0 else f"talk {number}" for number in range(LONG_GAP)]
    for text in wanted:
        await ana.say(room, text)
    await bot.start()
    assert texts(bot, room) == [text for text in wanted if text.startswith("!")]


async def test_what_was_written_before_it_came_or_while_it_was_away_is_not_answered(bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    room = await ana.open("Bakery")
    await ana.say(room, "!help before")
    await ana.client.room_invite(room, bot.user)
    await ana.hear(room, "pool")
    await ana.say(room, "!help first")
    await ana.hear(room, "To begin|no help")
    await ana.client.room_kick(room, bot.user)
    await ana.say(room, "!help away")
    await bot.stop()
    await ana.say(room, "!help still away")
    await bot.start()
    assert bot.chat(room).off_at is not None
    await ana.client.room_invite(room, bot.user)
    await ana.hear(room, "pool")
    assert bot.chat(room).off_at is None
    await ana.say(room, "!help again")
    await ana.hear(room, "To begin|no help")
    assert texts(bot, room) == ["!help first", "!help again"]
    kinds = [event.kind for event in bot.inbox() if event.kind is not Incoming.TEXT]
    assert kinds == [Incoming.ADDED, Incoming.GONE, Incoming.ADDED]


async def test_the_first_start_answers_nothing_old(bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    room = await ana.open("Bakery", invite=[bot.user])
    await ana.until(lambda: bot.user in ana.client.rooms[room].users)
    await ana.hear(room, "pool")
    await bot.stop()
    await ana.say(room, "!help old")
    with bot.store.write() as session:
        session.connection().exec_driver_sql("DELETE FROM meta")
        session.connection().exec_driver_sql("DELETE FROM inbox")
    await bot.start()
    await ana.say(room, "!help new")
    await ana.hear(room, "To begin|no help")
    assert texts(bot, room) == ["!help new"]


# Invitations


async def test_invitations_are_taken_from_those_on_the_list_only(bot: Bot, person: Arrive) -> None:
    ana, eve = await person("Ana"), await person("Eve")
    await bot.stop()
    bot.settings["allow_invites_from"] = (ana.user,)
    refused = await eve.open("Trap", invite=[bot.user])
    await bot.start()
    accepted = await ana.open("Bakery", invite=[bot.user])
    await ana.hear(accepted, "pool")
    others = [await eve.open(f"Trap {number}", invite=[bot.user]) for number in range(3)]
    await eve.until(lambda: all(bot.user not in eve.client.rooms[room].users for room in (refused, others[0])))
    assert not [event for event in bot.inbox() if event.place.address in {refused, *others}]
    left = [one for one in await eve.history(refused) if one.get("state_key") == bot.user][-1]
    assert "I only accept invitations" in left["content"]["reason"]


# Rooms of every version, and where they go on


@pytest.mark.parametrize("version", ["10", "11", "12"])
async def test_a_channel_moves_with_its_room(bot: Bot, person: Arrive, version: str) -> None:
    ana = await person("Ana")
    room = await found_pool(bot, ana, version=version)
    answer = await ana.ask("POST", f"/rooms/{quote(room)}/upgrade", {"new_version": "12" if version != "12" else "11"})
    new = answer["replacement_room"]
    await ana.until(lambda: new in ana.client.rooms)
    await ana.ask("POST", f"/rooms/{quote(new)}/invite", {"user_id": bot.user})
    await ana.until(lambda: bot.user in ana.client.rooms[new].users and not ana.client.rooms[new].invited_users)
    await ana.say(new, "!project")
    await ana.hear(new, "Bakery")
    assert bot.chat(new).project_id is not None
    await ana.until(lambda: bot.user not in ana.client.rooms[room].users)


async def test_a_hostile_tombstone_leads_nowhere(bot: Bot, person: Arrive) -> None:
    ana, eve = await person("Ana"), await person("Eve")
    room = await found_pool(bot, ana)
    levels = await ana.ask("GET", f"/rooms/{quote(room)}/state/m.room.power_levels/")
    await ana.state(room, "m.room.power_levels", {**levels, "invite": 50, "events": {"m.room.tombstone": 0}})
    await ana.client.room_invite(room, eve.user)
    await eve.join(room)
    trap = await eve.open("Trap", public=True)
    await eve.state(room, "m.room.tombstone", {"body": "moved", "replacement_room": trap})
    await ana.say(room, "!project")
    await ana.hear(room, "Bakery is|Bakery")
    assert bot.user not in await eve.members(trap)
    impostor = await ana.open("Impostor", public=True)
    await ana.state(room, "m.room.tombstone", {"body": "moved", "replacement_room": impostor})
    await ana.say(room, "!help me")
    await ana.hear(room, "me")
    assert bot.user not in await ana.members(impostor)
    assert bot.chat(room).project_id is not None


# Private rooms


async def test_a_private_room_that_others_enter_is_private_no_more(bot: Bot, person: Arrive) -> None:
    ana, bo = await person("Ana"), await person("Bo")
    await found_pool(bot, ana)
    private = await ana.open(invite=[bot.user], direct=True)
    await ana.hear(private, "Valley")
    await ana.say(private, "me")
    await ana.hear(private, "Ana in Valley")
    await ana.client.room_invite(private, bo.user)
    await bo.join(private)
    await ana.say(private, "!me")
    await ana.hear(private, "You're in no pool here")
    assert bot.chat(private).account_id is None


# Keys


async def key_held_back(person: Person, room: str, bot: Bot) -> dict[str, Any]:
    """Let somebody's next messages have a key that the bot does not get; return what would bring it."""
    olm = person.client.olm
    assert olm is not None
    olm.rotate_outbound_group_session(room)
    held_back = list(olm.share_group_session_parallel(room, [bot.user], ignore_unverified_devices=True))
    olm.outbound_group_sessions[room].shared = True
    return held_back[0][1]


async def test_what_cannot_be_read_is_said_once_in_a_room(
    bot: Bot, person: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locked, "GRACE_SECONDS", 1.0)
    ana = await person("Ana")
    room = await room_with(bot, ana, encrypted=True)
    await ana.say(room, "!help")
    await ana.hear(room, "To begin")
    await key_held_back(ana, room, bot)
    await ana.say(room, "!help one")
    await ana.hear(room, "I can't read some messages here")
    await ana.say(room, "!help two")
    ana.client.invalidate_outbound_session(room)
    await ana.say(room, "!help three")
    await ana.hear(room, "To begin|no help")
    assert len([one for one in ana.said_by(bot.user, room) if "I can't read" in one.text]) == 1
    assert texts(bot, room) == ["!help", "!help three"]


async def test_what_waited_for_its_key_is_taken_when_that_comes_even_after_a_restart(bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    room = await room_with(bot, ana, encrypted=True)
    await ana.say(room, "!help")
    await ana.hear(room, "To begin")
    key = await key_held_back(ana, room, bot)
    await ana.say(room, "!help late")
    await bot.stop()
    await bot.start()
    assert texts(bot, room) == ["!help"]
    await ana.ask("PUT", "/sendToDevice/m.room.encrypted/late", key)
    await ana.hear(room, "To begin|no help")
    assert texts(bot, room) == ["!help", "!help late"]


async def test_a_lost_store_is_told_and_its_new_device_reads_on(
    bot: Bot, person: Arrive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locked, "GRACE_SECONDS", 1.0)
    ana = await person("Ana")
    room = await room_with(bot, ana, encrypted=True)
    await ana.say(room, "!help")
    await ana.hear(room, "To begin")
    await bot.stop()
    await ana.say(room, "!help lost")
    shutil.rmtree(bot.folder)
    await bot.start()
    assert "a new device; what was encrypted for the earlier one can't be read" in caplog.text
    assert (await ana.hear(room, "I can't read some messages here")).was_encrypted
    await ana.say(room, "!help found")
    await ana.hear(room, "To begin|no help")
    assert texts(bot, room) == ["!help", "!help found"]


async def test_a_room_that_becomes_encrypted_just_works(bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    room = await room_with(bot, ana)
    await ana.state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    await ana.until(lambda: ana.client.rooms[room].encrypted)
    await ana.say(room, "!help")
    assert (await ana.hear(room, "To begin")).was_encrypted


async def test_who_comes_later_can_read_what_comes_later(bot: Bot, person: Arrive) -> None:
    ana, bo = await person("Ana"), await person("Bo")
    room = await room_with(bot, ana, encrypted=True)
    await ana.say(room, "!help")
    await ana.hear(room, "To begin")
    await ana.client.room_invite(room, bo.user)
    await bo.join(room)
    await bo.say(room, "!help")
    assert (await bo.hear(room, "To begin")).was_encrypted


# The homeserver and the login


@KINDS
async def test_a_homeserver_that_comes_back_is_heard_again(
    synapse: Synapse, bot: Bot, person: Arrive, encrypted: bool
) -> None:
    ana = await person("Ana")
    room = await room_with(bot, ana, encrypted=encrypted)
    await asyncio.to_thread(synapse.kill)
    await asyncio.to_thread(synapse.start)
    await ana.say(room, "!help")
    assert (await ana.hear(room, "To begin")).was_encrypted == encrypted


async def test_limits_are_kept_and_nothing_is_lost(synapse: Synapse, bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    room = await room_with(bot, ana)
    synapse.limit(bot.name, per_second=2, burst=1)
    for number in range(6):
        await ana.say(room, f"!claim {number + 1}")
    await ana.until(lambda: len([one for one in ana.said_by(bot.user, room) if one.relation]) >= 6)
    replies = [one.relation["m.in_reply_to"]["event_id"] for one in ana.said_by(bot.user, room) if one.relation]
    assert len(set(replies)) == 6
    synapse.limit(bot.name, per_second=0, burst=0)


async def test_a_revoked_login_ends_the_bot_and_its_password_brings_it_back(
    synapse: Synapse, bot: Bot, person: Arrive
) -> None:
    synapse.revoke(bot.name)
    error = await bot.ended()
    assert isinstance(error, AdapterError)
    assert "ended the bot's login (M_UNKNOWN_TOKEN)" in str(error)
    await bot.stop()
    await bot.start()
    ana = await person("Ana")
    room = await room_with(bot, ana, encrypted=True)
    await ana.say(room, "!help")
    assert (await ana.hear(room, "To begin")).was_encrypted


async def test_logins_that_do_not_work_say_why(bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    await bot.stop()
    shutil.rmtree(bot.folder)
    for settings, reason in (
        ({"password": "wrong"}, r"can't log in with matrix.password: M_FORBIDDEN"),
        ({"access_token": "wrong"}, r"matrix.access_token: the homeserver does not know it"),
        ({"access_token": ana.token}, r"matrix.access_token: belongs to @ana"),
    ):
        bot.settings = {"allow_invites_from": (), **settings}
        with pytest.raises(AdapterError, match=reason):
            await bot.start()
        await bot.stop()


async def test_an_access_token_does_as_well_but_not_without_its_keys(bot: Bot, person: Arrive) -> None:
    ana = await person("Ana")
    await bot.stop()
    shutil.rmtree(bot.folder)
    answer = await asyncio.to_thread(
        bot.synapse.request,
        "POST",
        "/_matrix/client/v3/login",
        {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": bot.user},
            "password": bot.settings["password"],
        },
    )
    bot.settings = {"allow_invites_from": ("@*:*",), "access_token": answer["access_token"]}
    await bot.start()
    room = await room_with(bot, ana, encrypted=True)
    await bot.stop()
    await bot.start()
    await ana.say(room, "!help")
    await ana.hear(room, "To begin")
    await bot.stop()
    shutil.rmtree(bot.folder)
    with pytest.raises(AdapterError, match="has not the keys of the device"):
        await bot.start()


async def test_no_secret_is_in_any_log(bot: Bot, person: Arrive, caplog: pytest.LogCaptureFixture) -> None:
    await bot.stop()
    ana = await person("Ana")
    caplog.set_level(logging.DEBUG)
    await bot.start()
    caplog.set_level(logging.DEBUG, logger="nio")
    room = await room_with(bot, ana, encrypted=True)
    await ana.say(room, "!help")
    await ana.hear(room, "To begin")
    kept = json.loads((bot.folder / "session.json").read_text("utf-8"))
    await bot.stop()
    assert "nio" in {record.name.partition(".")[0] for record in caplog.records}
    assert kept["access_token"] not in caplog.text
    assert bot.settings["password"] not in caplog.text


async def test_nobody_else_can_read_its_keys(bot: Bot) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (bot.folder, *bot.folder.iterdir())}
    assert {mode & 0o077 for mode in modes.values()} == {0}
    assert {"session.json", "cross-signing.json"} <= modes.keys()
