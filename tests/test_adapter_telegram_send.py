"""Parcels sent over HTTP: what arrives on the phone, and what each refusal means to the pool."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.telegram import api as telegram_api
from adapters.telegram import client
from core.chat.message import Choice, Failure, Priority
from core.chat.port import AdapterError
from core.chat.text import Style, Text
from core.identity import Sender
from tests import bot_api
from tests.adapter_telegram import KeptDoor, parcel, started
from tests.bot_api_values import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from adapters.telegram.client import Telegram
    from tests.bot_api import BotApi
    from tests.bot_api_world import Chat, User

pytest_plugins = ("tests.telegram_fixtures",)
CLAIM = (Choice("Claim #1", "claim 1"),)


@pytest.fixture
async def adapter(api: BotApi, door: KeptDoor) -> AsyncIterator[Telegram]:
    async with started(api, door) as one:
        yield one


async def failure(adapter: Telegram, chat: Chat, **rest: str) -> Failure:
    found = await adapter.send(parcel(chat, **rest))
    assert isinstance(found, Failure)
    return found


# What arrives


async def test_a_message_with_buttons(api: BotApi, adapter: Telegram, group: Chat, ana: User) -> None:
    asked = api.add_message(group, ana, "/tasks")
    text = Text.of("#1 Bake <b>", Style.BOLD) + " see example.org"
    ref = await adapter.send(parcel(group, text, choices=CLAIM, reply_to=f"{group.id}/{asked.id}"))
    (message,) = api.sent(group)
    assert ref == f"{group.id}/{message.id}"
    assert (message.text, message.marked("bold")) == ("#1 Bake <b> see example.org", ["#1 Bake <b>"])
    assert (message.labels, message.buttons[0].data, message.reply_to) == (["Claim #1"], "17:0", asked)
    assert api.calls[-1].given["link_preview_options"] == {"is_disabled": True}


async def test_a_deleted_question_is_answered_all_the_same(
    api: BotApi, adapter: Telegram, group: Chat, ana: User
) -> None:
    asked = api.add_message(group, ana, "/tasks")
    await api.delete(asked)
    await adapter.send(parcel(group, reply_to=f"{group.id}/{asked.id}"))
    await adapter.send(parcel(group, reply_to=f"-77/{asked.id}"))  # from before the group moved
    assert [message.reply_to for message in api.sent(group)] == [None, None]


async def test_an_answer_stays_in_its_topic(api: BotApi, adapter: Telegram, group: Chat, ana: User) -> None:
    topic = await api.topic(group, "Bread", ana)
    await adapter.send(parcel(group, "in it", topic=str(topic)))
    await adapter.send(parcel(group, "in General"))
    assert [one.text for one in api.sent(group, topic=topic)] == ["in it"]
    assert [one.text for one in api.sent(group, topic=0)] == ["in General"]
    assert "message_thread_id" not in api.calls[-1].given


async def test_a_question_opens_the_reply_of_whom_it_is_for(
    api: BotApi, adapter: Telegram, group: Chat, ana: User
) -> None:
    asked = api.add_message(group, ana, "/task new")
    await adapter.send(parcel(group, "What?", answers="task new", reply_to=f"{group.id}/{asked.id}"))
    bo = next(user for user in api.users.values() if user.first_name == "Bo")
    accounts = {3: Sender("telegram", str(bo.id), "Bo")}
    await adapter.send(parcel(group, "Which?", answers="join", mentions=(3,), accounts=accounts))
    first, second = api.sent(group)
    assert [first.asks(ana), first.asks(bo), second.asks(ana), second.asks(bo)] == [True, False, False, True]
    assert (second.text, second.marked("text_mention")) == ("Bo: Which?", ["Bo"])


async def test_notices_come_quietly_into_a_group_and_ring_in_private(
    api: BotApi, adapter: Telegram, group: Chat, ana: User
) -> None:
    ana.has_started = True
    for chat, priority in ((group, Priority.NOTICE), (group, Priority.ASK), (api.private(ana), Priority.NOTICE)):
        await adapter.send(parcel(chat, priority=priority))
    assert [bool(call.given.get("disable_notification")) for call in api.calls[-3:]] == [True, False, False]


async def test_a_long_text_comes_in_parts_the_last_with_the_buttons(
    api: BotApi, adapter: Telegram, group: Chat, ana: User
) -> None:
    asked = api.add_message(group, ana, "/history")
    text = "\n".join("x" * 99 for _line in range(60))
    ref = await adapter.send(parcel(group, text, choices=CLAIM, reply_to=f"{group.id}/{asked.id}"))
    first, second = api.sent(group)
    assert ref == f"{group.id}/{second.id}"
    assert f"{first.text}\n{second.text}" == text
    assert (first.labels, second.labels) == ([], ["Claim #1"])
    assert (first.reply_to, second.reply_to) == (asked, None)
    assert await adapter.send(parcel(group, "short now", edits=str(ref))) == ref
    assert second.text == "short now"


async def test_a_long_text_that_stopped_half_way_goes_on_there(api: BotApi, adapter: Telegram, group: Chat) -> None:
    text = "\n".join(f"{line:099}" for line in range(100))
    sends = asyncio.create_task(adapter.send(parcel(group, text)))
    await api.until(lambda: api.sent(group))
    api.fail("sendMessage", bot_api.SERVER_ERROR)
    assert isinstance(await sends, Failure)
    assert len(api.sent(group)) == 1
    assert isinstance(await adapter.send(parcel(group, text)), str)
    assert "\n".join(one.text for one in api.sent(group)) == text


async def test_a_file_comes_with_its_text(api: BotApi, adapter: Telegram, group: Chat) -> None:
    content = "a,b\nÄ,🍞\n"
    await adapter.send(parcel(group, "All of yours.", file=("dpool-1.csv", content)))
    await adapter.send(parcel(group, "long " * 300, file=("dpool-1.csv", "a,b\n")))
    first, second, third = api.sent(group)
    assert first.document is not None
    assert third.document is not None
    assert (first.text, first.document.name) == ("All of yours.", "dpool-1.csv")
    assert first.document.content.decode() == content
    assert (second.text, third.text) == (("long " * 300).strip(), "")


async def test_nothing_to_say_is_not_sent(api: BotApi, adapter: Telegram, group: Chat) -> None:
    assert await adapter.send(parcel(group, Text())) == ""
    assert api.sent(group) == []


# Edits


async def test_a_card_is_edited_in_place(api: BotApi, adapter: Telegram, group: Chat) -> None:
    ref = str(await adapter.send(parcel(group, choices=CLAIM)))
    assert await adapter.send(parcel(group, "Taken", edits=ref)) == ref
    (message,) = api.sent(group)
    assert (message.text, message.labels) == ("Taken", [])
    assert await adapter.send(parcel(group, "Taken", edits=ref)) == ref  # not modified: it is shown already
    assert api.refusals[-1].description.startswith("Bad Request: message is not modified")


async def test_a_card_that_was_deleted_stays_so_an_answer_comes_anew(
    api: BotApi, adapter: Telegram, group: Chat
) -> None:
    ref = str(await adapter.send(parcel(group)))
    await api.delete(api.sent(group)[0])
    assert (await failure(adapter, group, text="Taken", edits=ref, subject="task 1")).retry_seconds is None
    assert api.sent(group) == []
    await adapter.send(parcel(group, "Sure?", edits=ref))
    assert [one.text for one in api.sent(group)] == ["Sure?"]


async def test_messages_of_a_group_that_moved_are_left_alone(api: BotApi, adapter: Telegram, group: Chat) -> None:
    await adapter.send(parcel(group, "another"))
    number = api.sent(group)[0].id
    assert (await failure(adapter, group, text="Taken", edits=f"-77/{number}", subject="task 1")).retry_seconds is None
    assert [one.text for one in api.sent(group)] == ["another"]


# Refusals


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (403, "Forbidden: bot was kicked from the supergroup chat"),
        (403, "Forbidden: bot was blocked by the user"),
        (403, "Forbidden: bot can't initiate conversation with a user"),
        (400, "Bad Request: chat not found"),
        (400, "Bad Request: not enough rights to send text messages to the chat"),
        (400, "Bad Request: CHAT_WRITE_FORBIDDEN"),
    ],
)
async def test_a_chat_that_is_closed_to_us(api: BotApi, adapter: Telegram, group: Chat, code: int, words: str) -> None:
    api.fail("sendMessage", bot_api.Fault(RefusedError(code, words)))
    found = await failure(adapter, group)
    assert (found.gone, found.retry_seconds) == (True, None)


@pytest.mark.parametrize("words", ["Bad Request: message thread not found", "Bad Request: TOPIC_CLOSED"])
async def test_a_topic_that_is_closed(api: BotApi, adapter: Telegram, group: Chat, ana: User, words: str) -> None:
    topic = await api.topic(group, "Bread", ana)
    api.fail("sendMessage", bot_api.Fault(RefusedError(400, words)))
    assert (await failure(adapter, group, topic=str(topic))).gone


async def test_what_telegram_will_never_take_is_not_tried_again(api: BotApi, adapter: Telegram, group: Chat) -> None:
    api.fail("sendMessage", bot_api.Fault(RefusedError(400, "Bad Request: BUTTON_DATA_INVALID")))
    found = await failure(adapter, group)
    assert (found.gone, found.retry_seconds, found.ambiguous) == (False, None, False)


async def test_who_is_told_to_wait_holds_up_nobody_else(api: BotApi, adapter: Telegram, group: Chat, ana: User) -> None:
    api.fail("sendMessage", bot_api.slow_down(7), chat=group)
    found = await failure(adapter, group)
    assert found.retry_seconds == 7
    assert not found.ambiguous
    assert set(adapter.busy_chats()) == {group.id}
    ana.has_started = True
    assert isinstance(await adapter.send(parcel(api.private(ana))), str)
    other = await failure(adapter, group, topic="44")
    assert 6 < (other.retry_seconds or 0) <= 7
    assert api.counts["sendMessage"] == 2


async def test_a_server_that_fails_did_nothing(api: BotApi, adapter: Telegram, group: Chat) -> None:
    for code in (500, 502):
        api.fail("sendMessage", bot_api.Fault(RefusedError(code, "Internal Server Error")))
        found = await failure(adapter, group)
        assert found.retry_seconds is not None
        assert not found.ambiguous


async def test_nobody_there_is_safe_to_repeat(api: BotApi, adapter: Telegram, group: Chat) -> None:
    await api.go_down()
    found = await failure(adapter, group)
    assert found.retry_seconds is not None
    assert not found.ambiguous


@pytest.mark.parametrize("fault", [bot_api.CUT_BEFORE, bot_api.CUT_AFTER])
async def test_an_answer_that_was_cut_off_says_nothing(
    api: BotApi, adapter: Telegram, group: Chat, fault: bot_api.Fault
) -> None:
    api.fail("sendMessage", fault)
    found = await failure(adapter, group)
    assert found.retry_seconds is not None
    assert found.ambiguous


@pytest.mark.parametrize(("module", "name"), [(telegram_api, "ANSWER_SECONDS"), (client, "SEND_SECONDS_MAX")])
async def test_no_answer_in_time_says_nothing(
    api: BotApi, door: KeptDoor, group: Chat, monkeypatch: pytest.MonkeyPatch, module: object, name: str
) -> None:
    monkeypatch.setattr(module, name, 0.2)
    async with started(api, door) as adapter:
        api.fail("sendMessage", bot_api.hang(2.0))
        found = await failure(adapter, group)
    assert found.retry_seconds is not None
    assert found.ambiguous


@pytest.mark.parametrize(
    ("code", "page", "is_ambiguous"),
    [(502, "<html>" + "x" * 5000, False), (200, "<html>", True), (200, "[]", True), (500, "[]", False)],
)
async def test_a_page_instead_of_an_answer(
    api: BotApi, door: KeptDoor, group: Chat, caplog: pytest.LogCaptureFixture, code: int, page: str, is_ambiguous: bool
) -> None:
    async def answer(request: web.Request) -> web.Response:
        me = f'{{"ok": true, "result": {json.dumps(api.bot.to_json())}}}'
        is_known = request.path.endswith(("getMe", "deleteWebhook"))
        return web.Response(text=me) if is_known else web.Response(text=page, status=code)

    app = web.Application()
    app.router.add_post("/{rest:.*}", answer)
    async with TestServer(app) as server:
        api.port = server.port or 0
        async with started(api, door) as adapter:
            found = await failure(adapter, group)
    assert (found.retry_seconds is not None, found.ambiguous) == (True, is_ambiguous)
    assert len(found.reason) < 100
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_token_that_is_revoked_stops_the_bot(api: BotApi, adapter: Telegram, group: Chat) -> None:
    api.token = f"{api.bot.id}:BB-another-token-of-the-tests-0000"
    with pytest.raises(AdapterError, match=r"^telegram: the token is not accepted: ask @BotFather") as caught:
        await adapter.send(parcel(group))
    assert "canary" not in str(caught.value)


async def test_a_group_that_moved_meanwhile(api: BotApi, adapter: Telegram, door: KeptDoor, ana: User) -> None:
    group = api.group("Bakery", [ana])
    await api.add_bot(group, ana)
    new = await api.migrate(group)
    found = await failure(adapter, group)
    assert found.retry_seconds is not None
    assert not found.ambiguous
    (event,) = door.events
    assert (event.kind, event.place.address, event.moved_to) == ("moved", str(group.id), str(new.id))
