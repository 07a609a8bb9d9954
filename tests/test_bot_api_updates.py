"""The Bot API server of the tests: which updates a bot gets, by long polling and by webhook, and planned faults."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, web
from telegram.error import BadRequest, Conflict, Forbidden, NetworkError, RetryAfter, TelegramError

from tests.bot_api import BLOCKED, CUT_AFTER, CUT_BEFORE, SERVER_ERROR, BotApi, hang, slow_down
from tests.telegram_bots import bot_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telegram import Bot

    from tests.bot_api_world import Chat, User

pytest_plugins = ("tests.telegram_fixtures",)
KNOWN_TO_TELEGRAM = "and-to-us-alone"


@pytest.fixture
async def group(api: BotApi, ana: User, bot: Bot) -> Chat:
    """A group with the bot in it, which has heard so already."""
    chat = api.group("Bakery", [ana, api.user("Bo")])
    await api.add_bot(chat, ana)
    told = await bot.get_updates()
    assert [one.my_chat_member is not None for one in told] == [True, False]
    assert await bot.get_updates(offset=told[-1].update_id + 1) == ()
    return chat


async def heard(bot: Bot) -> list[str]:
    """Return the texts of what waits, and take it."""
    updates = await bot.get_updates()
    if updates:
        await bot.get_updates(offset=updates[-1].update_id + 1)
    return [one.effective_message.text or "" for one in updates if one.effective_message is not None]


# What a bot may see


async def test_privacy_mode(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    own = api.chats[group.id].messages[(await bot.send_message(group.id, "x")).message_id]
    for text in ("hello", "/tasks", "/tasks@dpool_bot", "/tasks@other_bot", "hey @dpool_bot", "see /tasks", "@other"):
        await api.write(ana, group, text)
    await api.write(ana, group, "an answer", reply_to=own)
    assert await heard(bot) == ["/tasks", "/tasks@dpool_bot", "hey @dpool_bot", "an answer"]
    await api.set_bot_status(group, ana, "administrator")
    await api.write(ana, group, "hello")
    await api.set_bot_status(group, ana, "member")
    await api.write(ana, group, "hello again")
    await api.write(ana, ana, "in private")
    assert await heard(bot) == ["hello", "in private"]
    await api.kick_bot(group, ana)
    await api.write(ana, group, "/tasks")
    assert await heard(bot) == [""]  # somebody has left: it itself


async def test_privacy_mode_can_be_off(ana: User) -> None:
    async with BotApi(privacy=False) as api, bot_on(api) as bot:
        group = api.group("Bakery", [ana])
        await api.add_bot(group, ana)
        await api.write(ana, group, "hello")
        assert (await heard(bot))[-1] == "hello"
        assert bot.can_read_all_group_messages


async def test_all_kinds_of_writers(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    await api.write(ana, group, "/a", sender_chat=group)
    await api.write(ana, group, "/b", sender_chat=api.channel("News"))
    await api.write(ana, group, "/c", forward=api.user("Bo"))
    message = await api.write(ana, group, "/d")
    await api.edit(message, "/e")
    told = await bot.get_updates()
    anonymous, channel, forwarded, _new, edited = (one.effective_message for one in told)
    assert anonymous is not None
    assert anonymous.from_user is not None
    assert (anonymous.from_user.username, anonymous.sender_chat and anonymous.sender_chat.id) == (
        "GroupAnonymousBot",
        group.id,
    )
    assert channel is not None
    assert channel.sender_chat is not None
    assert channel.sender_chat.type == "channel"
    assert forwarded is not None
    assert forwarded.forward_origin is not None
    assert edited is not None
    assert (told[-1].edited_message, edited.text) == (edited, "/e")


async def test_links_open_the_private_chat_or_add_the_bot(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    await api.open_link(ana, "https://t.me/dpool_bot?start=join-K7Q2")
    await api.open_link(ana, "https://t.me/dpool_bot?startgroup=join-K7Q2", group)
    new = api.group("Garden", [ana])
    await api.open_link(ana, "https://t.me/dpool_bot?startgroup=join-K7Q2", new)
    assert [one for one in await heard(bot) if one] == [
        "/start join-K7Q2",
        "/start@dpool_bot join-K7Q2",
        "/start@dpool_bot join-K7Q2",
    ]
    assert new.has(api.bot)


# Long polling


async def test_updates_are_kept_until_the_offset_passes_them(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    for number in range(5):
        await api.write(ana, group, f"/{number}")
    first = [one.update_id for one in await bot.get_updates()]
    assert [one.update_id for one in await bot.get_updates()] == first
    assert first == list(range(first[0], first[0] + 5))
    assert [one.update_id for one in await bot.get_updates(offset=first[3], limit=1)] == [first[3]]
    assert [one.update_id for one in await bot.get_updates()] == first[3:]
    assert [one.update_id for one in await bot.get_updates(offset=-1)] == first[4:]
    assert len(api.updates) == 1


async def test_a_poll_waits_for_news(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=10))
    await api.until(lambda: api.updates.is_polled)
    await api.write(ana, group, "/now")
    assert [one.message.text for one in await poll if one.message] == ["/now"]


async def test_numbers_begin_anew_after_a_quiet_week(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    await api.write(ana, group, "/old")
    last = (await bot.get_updates())[-1].update_id
    await bot.get_updates(offset=last + 1)
    api.updates.begin_anew()
    await api.write(ana, group, "/new")
    told = await bot.get_updates(offset=last + 1, timeout=1)
    assert [one.message.text for one in told if one.message] == ["/new"]
    assert abs(told[0].update_id - last) > 100


async def test_only_what_is_allowed_is_kept(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    await bot.get_updates(allowed_updates=["message"])
    message = await api.write(ana, group, "/a")
    await api.edit(message, "/b")
    assert await heard(bot) == ["/a"]


async def test_a_second_poll_ends_the_first(api: BotApi, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=10))
    await api.until(lambda: api.updates.is_polled)
    async with bot_on(api) as second:
        assert await second.get_updates(timeout=0) == ()
    with pytest.raises(Conflict, match="terminated by other getUpdates request"):
        await first


# Webhooks


@asynccontextmanager
async def listener(answers: list[int]) -> AsyncIterator[tuple[str, list[tuple[str, str]]]]:
    """Something that takes posts, with these answers at first, then 200; yields its address and what came."""
    posts: list[tuple[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        update = await request.json()
        posts.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token", ""), update["message"]["text"]))
        return web.Response(status=answers.pop(0) if answers else 200)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", posts
    await runner.cleanup()


async def test_a_webhook_gets_one_after_the_other_until_it_takes_it(
    api: BotApi, bot: Bot, group: Chat, ana: User
) -> None:
    async with listener([500, 404]) as (url, posts):
        await bot.set_webhook(url, secret_token=KNOWN_TO_TELEGRAM)
        await api.write(ana, group, "/a")
        await api.write(ana, group, "/b")
        await api.until(lambda: not len(api.updates))
        assert posts == [(KNOWN_TO_TELEGRAM, "/a")] * 3 + [(KNOWN_TO_TELEGRAM, "/b")]
        assert api.updates.webhook.codes == [500, 404, 200, 200]
        with pytest.raises(Conflict, match="can't use getUpdates method while webhook is active"):
            await bot.get_updates()
        assert (await bot.get_webhook_info()).url == url
        await bot.delete_webhook()
    await api.write(ana, group, "/c")
    assert await heard(bot) == ["/c"]


async def test_a_webhook_out_of_reach_is_told(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    await bot.set_webhook("http://127.0.0.1:1/hook", secret_token=KNOWN_TO_TELEGRAM)
    await api.write(ana, group, "/a")
    await api.until(lambda: api.updates.webhook.codes)
    info = await bot.get_webhook_info()
    assert (info.pending_update_count, info.last_error_message) == (1, "Connection refused")
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == ()


@pytest.mark.parametrize(("url", "secret"), [("http://a.org/x", "a b"), ("a.org", "x"), ("http://a.org", "é")])
async def test_webhooks_refused(bot: Bot, url: str, secret: str) -> None:
    with pytest.raises(BadRequest):
        await bot.set_webhook(url, secret_token=secret)


# Faults


async def test_faults_come_as_planned_and_go(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    await api.write(ana, ana, "/start")
    api.fail("sendMessage", slow_down(7), chat=group)
    api.fail("sendMessage", BLOCKED, chat=api.private(ana))
    await bot.get_me()
    with pytest.raises(RetryAfter):
        await bot.send_message(group.id, "x")
    with pytest.raises(Forbidden):
        await bot.send_message(ana.id, "x")
    api.fail("sendMessage", SERVER_ERROR, 2)
    for _ in range(2):
        with pytest.raises(NetworkError, match="Internal Server Error"):
            await bot.send_message(group.id, "x")
    assert api.sent(group) == []
    await bot.send_message(group.id, "x")
    assert [call.code for call in api.calls if call.method == "sendMessage"] == [429, 403, 500, 500, 200]
    api.fail("sendMessage", SERVER_ERROR)
    api.mend()
    await bot.send_message(group.id, "y")


async def test_lines_are_cut_with_and_without_effect(api: BotApi, bot: Bot, group: Chat) -> None:
    api.fail("sendMessage", CUT_BEFORE)
    api.fail("sendMessage", CUT_AFTER)
    api.fail("sendMessage", hang(0.01))
    for text in "abc":
        with pytest.raises(NetworkError):
            await bot.send_message(group.id, text)
    assert [one.text for one in api.sent(group)] == ["b", "c"]
    assert [call.code for call in api.calls if call.method == "sendMessage"] == [0, 0, 0]


async def test_it_can_be_out_of_reach(api: BotApi, bot: Bot, group: Chat) -> None:
    await api.go_down()
    with pytest.raises(NetworkError):
        await bot.send_message(group.id, "x")
    await api.go_up()
    await bot.send_message(group.id, "y")
    assert [one.text for one in api.sent(group)] == ["y"]


async def test_any_update_at_all_can_be_handed_out(api: BotApi, bot: Bot) -> None:
    number = api.push('{"message": {"chat": 1e400, "text": "\\ud800"}}')
    assert api.push({}) == number + 1
    async with ClientSession() as session, session.get(f"{api.url}/bot{api.token}/getUpdates") as response:
        assert (await response.json())["result"] == [
            {"update_id": number, "message": {"chat": float("inf"), "text": "\ud800"}},
            {"update_id": number + 1},
        ]
    assert bot.id == api.bot.id


async def test_methods_that_are_not_served(bot: Bot) -> None:
    with pytest.raises(TelegramError, match="not found"):
        await bot.do_api_request("sendMessages")
    with pytest.raises(TelegramError, match="Not Found"):
        await bot.send_dice(1)
