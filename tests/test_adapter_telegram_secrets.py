"""The token is nowhere to be seen: in no log line at any level, in no error, in no repr."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

import pytest

from adapters.telegram import api as telegram_api
from adapters.telegram import connect, polling
from adapters.telegram.api import Api
from bot.log import set_up
from core.chat.port import AdapterError
from tests import bot_api
from tests.adapter_telegram import KeptDoor, parcel, receiving, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bot_api import BotApi


pytest_plugins = ("tests.telegram_fixtures",)
PROOF = "canary-of-the-webhook"
CANARIES = ("canary", bot_api.TOKEN.partition(":")[2])


class Written(logging.Handler):
    """Everything that is logged, by whomever, at any level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def written() -> Iterator[Written]:
    """The log of `dpool run` with everything let through, the libraries' own lines too."""
    set_up([bot_api.TOKEN, PROOF], logging.DEBUG)
    loud = {name: logging.getLogger(name) for name in ("httpx", "httpcore", "telegram", "aiohttp.access")}
    levels = {name: one.level for name, one in loud.items()}
    for one in loud.values():
        one.setLevel(logging.DEBUG)
    handler = Written()
    logging.getLogger().handlers[:] = [handler]
    yield handler
    for name, one in loud.items():
        one.setLevel(levels[name])


def assert_hidden(lines: list[str]) -> None:
    assert [line for line in lines if any(canary in line for canary in CANARIES)] == []


async def test_no_line_of_any_log_tells_the_token(
    api: BotApi, door: KeptDoor, written: Written, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setattr(telegram_api, "PAUSE_SECONDS_MIN", 0.02)
    monkeypatch.setattr(polling, "CONFLICT_SECONDS", 0.02)
    ana = api.user("Ana")
    ana.has_started = True
    hook = {"url": f"http://127.0.0.1:{unused_tcp_port}/t", "secret": PROOF, "listen": f"127.0.0.1:{unused_tcp_port}"}
    async with receiving(api, door, webhook=hook):
        await api.until(lambda: api.counts["setWebhook"])
    async with receiving(api, door) as (adapter, loop):
        await api.until(adapter.is_caught_up)
        for fault in (bot_api.BLOCKED, bot_api.SERVER_ERROR, bot_api.CUT_BEFORE, bot_api.slow_down(1)):
            api.fail("sendMessage", fault)
            await adapter.send(parcel(api.private(ana)))
        await api.go_down()
        await api.until(lambda: not adapter.is_caught_up())
        await adapter.send(parcel(api.private(ana)))
        await api.go_up()
        await api.until(adapter.is_caught_up)
        api.fail("getUpdates", bot_api.CONFLICT, times=9)
        api.push({})
        await api.until(loop.done)
        logging.getLogger("x").error("told by somebody: %r %s", adapter, api.url, exc_info=loop.exception())
    assert any("/bot***/" in line for line in written.lines)  # there was something to hide
    assert_hidden(written.lines)


async def test_no_error_and_no_repr_tells_the_token(api: BotApi, door: KeptDoor) -> None:
    adapter = connect(settings(api), door)
    api.token = f"{api.bot.id}:BB-another-one-of-the-tests-0000000"
    with pytest.raises(AdapterError) as caught:
        await adapter.start()
    await adapter.stop()
    shown = [*traceback.format_exception(caught.value), repr(adapter), str(vars(adapter)), repr(settings(api))]
    bot = Api(bot_api.TOKEN, api.url)
    shown += [repr(bot), str(bot), f"{bot}"]
    await bot.shutdown()
    assert_hidden(shown)
