"""Updates over HTTP: kept before Telegram hears of it, each once; and what to do when nobody answers."""

from __future__ import annotations

import asyncio
import logging
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession
from sqlmodel import select

from adapters.telegram import api as telegram_api
from adapters.telegram import connect, polling, webhook
from core.chat.port import AdapterError
from core.tables_chat import Inbox
from tests import bot_api
from tests.adapter_telegram import KeptDoor, receiving, settings
from tests.bot_api_values import RefusedError

if TYPE_CHECKING:
    from core.store import Store
    from tests.bot_api import BotApi
    from tests.bot_api_world import User

pytest_plugins = ("tests.telegram_fixtures",)
PROOF = "as-the-webhook-was-told"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram_api, "PAUSE_SECONDS_MIN", 0.02)
    monkeypatch.setattr(telegram_api, "PAUSE_SECONDS_MAX", 0.05)
    monkeypatch.setattr(polling, "CONFLICT_SECONDS", 0.02)


def texts(door: KeptDoor) -> list[str]:
    return [event.text for event in door.events]


def kept(store: Store) -> list[str]:
    with store.read() as session:
        return [row.payload["text"] for row in session.exec(select(Inbox).order_by("id"))]


# Polling


async def test_updates_are_kept_before_they_are_confirmed(api: BotApi, door: KeptDoor, ana: User) -> None:
    door.gate = asyncio.Event()
    for number in range(3):
        await api.write(ana, ana, f"/task {number}")
    async with receiving(api, door):
        await api.until(lambda: api.counts["getUpdates"])
        assert (len(api.updates), api.updates.confirmed, kept(door.store)) == (3, 0, [])
        door.gate.set()
        await api.until(lambda: api.updates.confirmed == 3)
    assert kept(door.store) == texts(door) == ["/task 0", "/task 1", "/task 2"]


async def test_what_was_kept_and_not_confirmed_is_not_kept_twice(api: BotApi, door: KeptDoor, ana: User) -> None:
    await api.write(ana, ana, "/me")
    api.fail("getUpdates", bot_api.CUT_AFTER, times=2)
    async with receiving(api, door):
        await api.until(lambda: texts(door))
    async with receiving(api, door):  # the next process: its first question has no offset
        await api.until(lambda: api.updates.is_polled)
    assert kept(door.store) == ["/me"]


async def test_a_backlog_comes_in_order_and_then_we_have_caught_up(api: BotApi, door: KeptDoor, ana: User) -> None:
    expected = [f"/task {number}" for number in range(250)]
    for text in expected:
        await api.write(ana, ana, text)
    async with receiving(api, door) as (adapter, _loop):
        assert not adapter.is_caught_up()
        await api.until(adapter.is_caught_up)
        assert texts(door) == expected
    waits = [call.given["timeout"] for call in api.calls if call.method == "getUpdates"]
    assert waits[:3] == [0, 0, 0]  # nobody waits for a long poll to end before a round may be held


async def test_after_a_quiet_week_numbers_begin_anew(api: BotApi, door: KeptDoor, ana: User) -> None:
    async with receiving(api, door):
        for text in ("/me", "/tasks", "/goods"):
            await api.write(ana, ana, text)
            await api.until(lambda: api.updates.is_polled and not len(api.updates))
            api.updates.begin_anew()
    assert texts(door) == ["/me", "/tasks", "/goods"]


@pytest.mark.parametrize(
    "update",
    [
        {"message": 5},
        {"message": {"chat": {"id": 1, "type": "private"}, "text": ["/me"]}},
        {"callback_query": {"id": {}, "from": [], "message": None}},
        '{"message": {"text": "\\ud800", "from": {"id": 99999999999999999999}}}',
        {"what_is_to_come": {}},
    ],
)
async def test_an_update_without_sense_holds_up_nobody(
    api: BotApi, door: KeptDoor, ana: User, update: dict[str, object] | str
) -> None:
    api.push(update)
    await api.write(ana, ana, "/me")
    async with receiving(api, door):
        await api.until(lambda: api.updates.confirmed == 2)
    assert texts(door) == ["/me"]


async def test_the_wanted_kinds_are_named(api: BotApi, door: KeptDoor) -> None:
    async with receiving(api, door):
        await api.until(lambda: api.counts["getUpdates"])
    asked = next(call for call in api.calls if call.method == "getUpdates")
    assert asked.given["allowed_updates"] == ["message", "edited_message", "callback_query", "my_chat_member"]


# When nobody answers


async def test_an_outage_is_waited_out(
    api: BotApi, door: KeptDoor, ana: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "adapters.telegram")
    async with receiving(api, door) as (adapter, loop):
        await api.until(adapter.is_caught_up)
        await api.go_down()
        await api.until(lambda: not adapter.is_caught_up())
        await api.write(ana, ana, "/me")
        await api.go_up()
        await api.until(lambda: texts(door) == ["/me"])
        assert not loop.done()
    said = [record.getMessage() for record in caplog.records if record.name == "adapters.telegram.api"]
    assert [text.split(",")[0] for text in said] == ["telegram: does not answer", "telegram: answers again"]


@pytest.mark.parametrize(
    "fault",
    [
        bot_api.SERVER_ERROR,
        bot_api.CUT_BEFORE,
        bot_api.slow_down(1),
        bot_api.Fault(RefusedError(502, "Bad Gateway")),
        bot_api.Fault(RefusedError(429, "Too Many Requests")),
        bot_api.Fault(RefusedError(400, "Bad Request: whatever this is")),
    ],
)
async def test_what_fails_is_asked_again(api: BotApi, door: KeptDoor, ana: User, fault: bot_api.Fault) -> None:
    await api.write(ana, ana, "/me")
    api.fail("getUpdates", fault)
    async with receiving(api, door) as (_adapter, loop):
        await api.until(lambda: api.updates.confirmed == 1)
        assert not loop.done()
    assert texts(door) == ["/me"]


async def test_at_the_start_too(api: BotApi, door: KeptDoor) -> None:
    api.fail("getMe", bot_api.CUT_BEFORE)
    api.fail("deleteWebhook", bot_api.SERVER_ERROR)
    async with receiving(api, door) as (adapter, _loop):
        await api.until(adapter.is_caught_up)


async def test_a_second_poller_is_said_in_one_line(api: BotApi, door: KeptDoor) -> None:
    api.fail("getUpdates", bot_api.CONFLICT, times=2)
    async with receiving(api, door) as (_adapter, loop):
        await api.until(loop.done)
        with pytest.raises(ExceptionGroup) as caught:
            await loop
    assert str(caught.value.exceptions[0]) == polling.SECOND_POLLER


async def test_the_question_of_the_last_process_is_no_second_poller(api: BotApi, door: KeptDoor) -> None:
    api.fail("getUpdates", bot_api.CONFLICT)
    async with receiving(api, door) as (adapter, loop):
        await api.until(adapter.is_caught_up)
        assert not loop.done()


@pytest.mark.parametrize("token", ["1234567:AA-another-token-of-the-tests-canary", "canary", "canary/../x"])
async def test_a_wrong_token_is_said_in_one_line(api: BotApi, door: KeptDoor, token: str) -> None:
    adapter = connect(settings(api, token=token), door)
    with pytest.raises(AdapterError, match=r"^telegram: the token is not accepted") as caught:
        await adapter.start()
    await adapter.stop()
    assert "canary" not in f"{caught.value}{caught.value.__cause__}"


async def test_a_token_revoked_while_it_runs_too(api: BotApi, door: KeptDoor) -> None:
    async with receiving(api, door) as (adapter, loop):
        await api.until(adapter.is_caught_up)
        api.token = bot_api.TOKEN.replace("AA", "BB")
        api.updates.push({})
        await api.until(loop.done)
        assert isinstance(loop.exception(), ExceptionGroup)
        api.token = bot_api.TOKEN


async def test_it_stops_at_once_in_the_middle_of_a_long_poll(api: BotApi, door: KeptDoor) -> None:
    async with asyncio.timeout(polling.POLL_SECONDS - 5), receiving(api, door):
        await api.until(lambda: api.updates.is_polled)
    left = [task for task in asyncio.all_tasks() if "adapters" in repr(task.get_coro())]
    assert left == []


# Webhook


@pytest.fixture
def hook(unused_tcp_port: int) -> dict[str, str]:
    url = f"http://127.0.0.1:{unused_tcp_port}/telegram"
    return {"url": url, "secret": PROOF, "listen": f"127.0.0.1:{unused_tcp_port}"}


async def test_a_webhook_answers_when_the_update_is_kept(
    api: BotApi, door: KeptDoor, ana: User, hook: dict[str, str]
) -> None:
    door.gate = asyncio.Event()
    await api.write(ana, ana, "/me")
    async with receiving(api, door, webhook=hook):
        await api.until(lambda: api.updates.webhook.url)
        await api.write(ana, ana, "/tasks")
        assert (api.updates.confirmed, kept(door.store)) == (0, [])
        door.gate.set()
        await api.until(lambda: api.updates.confirmed == 2)
        assert api.updates.webhook.codes == [200, 200]
    assert kept(door.store) == ["/me", "/tasks"]
    assert api.updates.webhook.secret == PROOF
    assert api.counts["getUpdates"] == 0


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, b"{}", 403),
        ({webhook.PROOF_HEADER: "guessed"}, b"{}", 403),
        ({webhook.PROOF_HEADER: PROOF}, b"{", 400),
        ({webhook.PROOF_HEADER: PROOF}, b"[" * 100_000, 400),
        ({webhook.PROOF_HEADER: PROOF}, b" " * (webhook.BODY_BYTES_MAX + 1), 413),
        ({webhook.PROOF_HEADER: PROOF}, b'{"update_id": 1, "message": 5}', 200),
    ],
)
async def test_who_calls_the_webhook_has_to_prove_it(
    api: BotApi, door: KeptDoor, hook: dict[str, str], headers: dict[str, str], body: bytes, code: int
) -> None:
    async with receiving(api, door, webhook=hook), ClientSession() as session:
        await api.until(lambda: api.updates.webhook.url)
        async with session.post(hook["url"], data=BytesIO(body), headers=headers) as response:
            assert response.status == code
        async with session.get(hook["url"]) as response:
            assert response.status == 405
        async with session.post(hook["url"] + "/x", data=b"{}") as response:
            assert response.status == 404
    assert door.events == []


async def test_a_webhook_has_caught_up_when_nothing_waits(
    api: BotApi, door: KeptDoor, ana: User, hook: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "LOOK_SECONDS", 0.02)
    door.gate = asyncio.Event()
    await api.write(ana, ana, "/me")
    async with receiving(api, door, webhook=hook) as (adapter, _loop):
        await api.until(lambda: api.counts["getWebhookInfo"] >= 2)
        assert not adapter.is_caught_up()
        door.gate.set()
        await api.until(adapter.is_caught_up)


async def test_polling_takes_over_from_a_webhook(api: BotApi, door: KeptDoor, ana: User, hook: dict[str, str]) -> None:
    async with receiving(api, door, webhook=hook):
        await api.until(lambda: api.updates.webhook.url)
    await api.write(ana, ana, "/me")
    async with receiving(api, door):
        await api.until(lambda: texts(door) == ["/me"])
    assert api.updates.webhook.url == ""


async def test_a_port_that_is_taken_is_said_in_one_line(api: BotApi, door: KeptDoor, hook: dict[str, str]) -> None:
    adapter = connect(settings(api, webhook=hook | {"listen": f"127.0.0.1:{api.port}"}), door)
    await adapter.start()
    with pytest.raises(AdapterError, match=rf"^telegram: can't listen at 127\.0\.0\.1:{api.port}: .*in use"):
        await adapter.run()
    await adapter.stop()


async def test_an_address_that_telegram_does_not_take_is_said_in_one_line(
    api: BotApi, door: KeptDoor, hook: dict[str, str]
) -> None:
    api.fail("setWebhook", bot_api.Fault(RefusedError(400, "Bad Request: bad webhook: HTTPS url must be provided")))
    adapter = connect(settings(api, webhook=hook), door)
    await adapter.start()
    with pytest.raises(AdapterError, match=r"^telegram: telegram\.webhook\.url is not accepted: .*https url must be"):
        await adapter.run()
    await adapter.stop()
