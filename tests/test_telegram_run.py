"""The real `dpool run` as a process of its own, over real HTTP: what people do on phones, how it starts and ends."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import closing
from socket import socket
from typing import TYPE_CHECKING

from aiohttp import ClientSession

from tests.bot_api import CONFLICT, CUT_BEFORE, SERVER_ERROR, BotApi
from tests.telegram_process import Process, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bot_api_world import Chat, User

pytest_plugins = ("tests.telegram_fixtures",)
STOP_SECONDS_MAX = 20.0  # sooner than a long poll ends
HELPS = 7  # three at a time, three seconds apart: the other chat is answered before the last of them
KNOWN_TO_TELEGRAM = "only-telegram-knows-it"


async def founded(api: BotApi, ana: User, dee: User) -> tuple[Chat, Chat]:
    """A pool with a bakery and a garden."""
    bakery = api.group("Bakery", [ana])
    garden = api.group("Garden", [dee], supergroup=True)
    await api.add_bot(bakery, ana)
    await api.add_bot(garden, dee)
    hello = await api.said(bakery, "can be part of a pool")
    assert hello.labels == ["Found a pool", "Join by code"]
    told = await api.talk(ana, bakery, "/pool new Valley", "Valley is founded")
    code = re.search(r"code: (\w{4}-\w{4})", told.text)
    assert code is not None
    await api.touch(ana, told, "Yes: Bakery")
    await api.said(bakery, "Bakery is a project of Valley now")
    await api.talk(dee, garden, f"/project new Garden {code[1]}", "Garden is a project of Valley now")
    return bakery, garden


async def test_from_founding_a_pool_to_a_round(api: BotApi, tmp_path: Path) -> None:
    ana, bo, cy, dee, eli = (api.user(name) for name in ("Ana", "Bo", "Cy", "Dee", "Eli"))
    async with running(tmp_path, api, is_hurried=True) as process:
        bakery, garden = await founded(api, ana, dee)
        await api.talk(ana, bakery, "/good new bread unit:loaf", "Bakery makes bread now")

        # Work: two press at once, one has it
        card = await api.talk(ana, bakery, "/task new Bake 1h for:bread urgent", "#1 Bake")
        toasts = await asyncio.gather(*(api.touch(one, card, "Claim #1") for one in (bo, cy)))
        assert sorted(toasts) in (
            ["#1 is taken by Bo. Others: /tasks", "#1 is yours, Bo."],
            ["#1 is taken by Cy. Others: /tasks", "#1 is yours, Cy."],
        )
        await api.until(lambda: "Done #1" in card.labels)
        who, other = (bo, cy) if f"{bo.first_name} has it" in card.text else (cy, bo)
        await api.touch(who, card, "Done #1")
        confirmed = await api.said(bakery, "1 h to be confirmed")
        assert "Confirm #1" in confirmed.labels
        await api.touch(other, confirmed, "Confirm #1")
        await api.said(bakery, f"{who.first_name}: 1 h confirmed")
        await api.talk(ana, bakery, "/made bread 2", "2 loaves of bread made")

        # Wants, in the other group: a bid by reply to the card of the good, and one in plain words
        bread = await process.recorded(await api.talk(eli, garden, "/goods bread", "most hours per loaf"))
        answer = await api.talk(eli, garden, "1.5", "Eli, bread: 1 loaf, at most 1.5 h", reply_to=bread)
        assert answer.reply_to is not None
        assert answer.reply_to.text == "1.5"
        await api.talk(dee, garden, "@dpool_bot I'd like 1 bread", "Dee, bread: 1 loaf")

        # What is private: a link first, then the private chat
        link = await api.talk(eli, garden, "/me", "for you alone")
        assert [one.url for one in link.buttons] == ["https://t.me/dpool_bot?start=run-me"]
        await api.open_link(eli, link.buttons[0].url)
        await api.said(eli, "Eli in Valley")
        since = time.monotonic()
        await api.write(eli, garden, "/me")
        await api.said(eli, "Balance: 0 h", since=since)

        # A week later: the round, by itself, and buttons from before the restart
        task = await api.talk(ana, bakery, "/task new Dishes 1h urgent", "#2 Dishes")
        assert await process.stop() == 0
        process.days_ahead = 7
        await process.start()
        await process.ready()
        await api.said(garden, r"bread: 2 of 2 given")
        await api.said(eli, r"You get 1 loaf of bread")
        assert "yours" in await api.touch(cy, task, "Claim #2")
    assert api.refusals == []


async def test_limits_are_kept_as_telegram_has_them(api: BotApi, tmp_path: Path) -> None:
    api.limits.is_on = True
    ana, bo = api.user("Ana"), api.user("Bo")
    async with running(tmp_path, api):
        group, other = api.group("Bakery", [ana]), api.group("Garden", [bo])
        await api.add_bot(group, ana)
        await api.add_bot(other, bo)
        for number in range(HELPS):
            await api.write(ana, group, f"/help {number}")
        await api.until(lambda: len(api.sent(group)) >= 3)
        await api.talk(bo, other, "/pool new Valley", "Valley is founded")
        assert len(api.sent(group)) < HELPS  # nobody waits for the busy chat
        await api.until(lambda: len(api.sent(group)) == HELPS)
    assert api.refusals == []


# Starting and ending


async def ended(process: Process, words: str) -> None:
    """It ended by itself, with one line that says why, and no secret in it."""
    assert await process.ended() == 2
    last = process.log.splitlines()[-1]
    assert re.search(words, last), process.log
    assert "Traceback" not in process.log
    assert process.api.token.split(":")[1] not in process.log


async def test_a_wrong_token_is_said_in_one_line(api: BotApi, tmp_path: Path) -> None:
    process = Process(tmp_path, api)
    process.configure(token=f"{api.bot.id}:another-token-of-the-right-shape")
    await process.start()
    await ended(process, r"^telegram: the token is not accepted")
    assert "another-token" not in process.log


async def test_a_second_poller_is_said_in_one_line(api: BotApi, tmp_path: Path) -> None:
    async with running(tmp_path, api) as process:
        api.fail("getUpdates", CONFLICT, 10)
        api.updates.interrupt()
        await ended(process, r"^telegram: another program asks for this bot's updates")


async def test_it_stops_at_once_when_told(api: BotApi, tmp_path: Path) -> None:
    ana = api.user("Ana")
    async with running(tmp_path, api) as process:
        await api.talk(ana, ana, "/start", ".")
        began = time.monotonic()
        assert await process.stop() == 0
        assert time.monotonic() - began < STOP_SECONDS_MAX
    assert "Traceback" not in process.log


async def test_an_outage_is_waited_out(api: BotApi, tmp_path: Path) -> None:
    ana = api.user("Ana")
    async with running(tmp_path, api) as process:
        await api.talk(ana, ana, "/start", ".")
        await api.go_down()
        await api.write(ana, ana, "/pool new Valley")
        await api.until(lambda: "does not answer" in process.log)
        await api.go_up()
        api.fail("getUpdates", SERVER_ERROR, 1)
        api.fail("getUpdates", CUT_BEFORE, 1)
        await api.said(ana, "Valley is founded")
        await api.until(lambda: "answers again" in process.log)
        assert process.log.count("does not answer") == 1


# Webhooks


def free_port() -> int:
    """A port nobody listens at."""
    with closing(socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def test_webhook_mode(api: BotApi, tmp_path: Path) -> None:
    ana, port = api.user("Ana"), free_port()
    url = f"http://127.0.0.1:{port}/telegram"
    process = Process(tmp_path, api)
    process.configure(webhook={"url": url, "secret": KNOWN_TO_TELEGRAM, "listen": f"127.0.0.1:{port}"})
    await process.start()
    try:
        await process.ready()
        await api.until(lambda: api.updates.webhook.url)
        assert (api.updates.webhook.url, api.updates.webhook.secret) == (url, KNOWN_TO_TELEGRAM)
        await api.talk(ana, ana, "/pool new Valley", "Valley is founded")
        forged = {"update_id": 1, "message": (await api.write(ana, ana, "/pool new Forged")).to_json()}
        await api.said(ana, "Forged is founded")
        forged["update_id"] = 2
        async with ClientSession() as session:
            for headers in ({}, {"X-Telegram-Bot-Api-Secret-Token": "guessed"}):
                async with session.post(url, json=forged, headers=headers) as response:
                    assert response.status == 403
        assert api.counts["getUpdates"] == 0
        assert process.query("SELECT count(*) FROM pool") == [(2,)]
        assert process.query("SELECT count(*) FROM inbox") == [(2,)]
        assert await process.stop() == 0
    finally:
        if process.is_running:
            await process.stop()


async def test_a_webhook_without_a_secret_does_not_start(api: BotApi, tmp_path: Path) -> None:
    process = Process(tmp_path, api)
    process.configure(webhook={"url": "http://127.0.0.1:1/x", "listen": "127.0.0.1:1"})
    await process.start()
    await ended(process, r"telegram\.webhook\.secret: is missing")
    assert not api.calls
