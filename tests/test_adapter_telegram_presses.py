"""Each press has one answer, in two seconds at most, whatever else goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from adapters.post import Carrier
from adapters.telegram import presses
from core.chat import outbox
from core.chat.message import Choice, Failure, Message, Priority
from core.chat.text import Text
from core.identity import Place, chat_of
from tests import bot_api
from tests.adapter_telegram import KeptDoor, parcel, receiving
from tests.bot_api_people import WAIT_SECONDS
from tests.bot_api_values import RefusedError
from tests.clocks import StillClock
from tests.fake_adapter import FakeAdapter, until
from tests.telegram_inside import hurry, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from adapters.telegram.client import Telegram
    from core.chat.port import Parcel
    from core.store import Store
    from tests.bot_api import BotApi
    from tests.bot_api_world import Chat, Press, User

pytest_plugins = ("tests.telegram_fixtures",)
SHORT = pytest.mark.parametrize("patience", [0.3])


@pytest.fixture
def patience() -> float:
    """How many seconds a press is left unanswered: on the slowest machine long enough for its result to come."""
    return WAIT_SECONDS


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch, patience: float) -> None:
    monkeypatch.setattr(presses.Presses.__init__, "__kwdefaults__", {"answer_seconds": patience})


@pytest.fixture
async def adapter(api: BotApi, door: KeptDoor) -> AsyncIterator[Telegram]:
    async with receiving(api, door) as (one, _loop):
        await api.until(one.is_caught_up)
        yield one


async def pressed(api: BotApi, adapter: Telegram, group: Chat, user: User) -> Press:
    """A press of a button that has reached the bot."""
    await adapter.send(parcel(group, choices=(Choice("Claim #1", "claim 1"),)))
    press = await api.press(user, api.sent(group)[-1], "Claim")
    await api.until(lambda: api.updates.is_polled and not len(api.updates))
    return press


def toast(group: Chat, press: Press, text: str = "", *, topic: str = "") -> Parcel:
    return parcel(group, text, key="toast", topic=topic, toast_for=press.id, priority=Priority.TOAST)


@pytest.mark.parametrize("patience", [2.0])
async def test_a_result_in_time_is_the_answer(
    api: BotApi, adapter: Telegram, group: Chat, ana: User, patience: float
) -> None:
    press = await pressed(api, adapter, group, ana)
    assert await adapter.send(toast(group, press, "Bo did that already.")) == ""
    await asyncio.sleep(1.1 * patience)
    assert (press.text, api.counts["answerCallbackQuery"], len(api.sent(group))) == ("Bo did that already.", 1, 1)


@SHORT
async def test_without_a_result_the_answer_is_blank_and_what_comes_late_a_message(
    api: BotApi, adapter: Telegram, group: Chat, ana: User, patience: float
) -> None:
    topic = await api.topic(group, "Bread", ana)
    press = await pressed(api, adapter, group, ana)
    await api.until(lambda: press.is_answered)
    assert press.seconds >= patience
    await adapter.send(toast(group, press, "Bo did that already.", topic=str(topic)))
    assert (press.text, api.counts["answerCallbackQuery"]) == ("", 1)
    assert [one.text for one in api.sent(group, topic=topic)] == ["Bo did that already."]


@SHORT
async def test_nothing_to_say_is_no_message_though_late(api: BotApi, adapter: Telegram, group: Chat, ana: User) -> None:
    press = await pressed(api, adapter, group, ana)
    await api.until(lambda: press.is_answered)
    assert await adapter.send(toast(group, press)) == ""
    assert len(api.sent(group)) == 1


async def test_what_is_too_long_for_a_toast_is_a_message(
    api: BotApi, adapter: Telegram, group: Chat, ana: User
) -> None:
    press = await pressed(api, adapter, group, ana)
    await adapter.send(toast(group, press, "🍞" * 101))
    assert (press.text, press.is_answered, api.sent(group)[-1].text) == ("", True, "🍞" * 101)


async def test_a_toast_waits_for_no_limit(api: BotApi, adapter: Telegram, group: Chat, ana: User) -> None:
    press = await pressed(api, adapter, group, ana)
    api.fail("sendMessage", bot_api.slow_down(30))
    assert isinstance(await adapter.send(parcel(group, key="other")), Failure)
    assert adapter.busy_chats()
    await adapter.send(toast(group, press, "Done."))
    assert press.text == "Done."


async def test_a_press_of_an_earlier_process_is_answered_if_it_still_can_be(
    api: BotApi, adapter: Telegram, group: Chat, ana: User
) -> None:
    press = await api.press_data(ana, api.add_message(group, api.bot, "card"), "x" * 3)
    api.updates.interrupt()
    await adapter.send(toast(group, press, "Done."))
    assert press.text == "Done."
    api.answer_seconds = 0.0
    late = await api.press_data(ana, api.add_message(group, api.bot, "card"), "x" * 3)
    await adapter.send(toast(group, late, "Done late."))
    assert api.sent(group)[-1].text == "Done late."


async def test_an_answer_that_failed_is_tried_again(api: BotApi, adapter: Telegram, group: Chat, ana: User) -> None:
    press = await pressed(api, adapter, group, ana)
    api.fail("answerCallbackQuery", bot_api.SERVER_ERROR)
    assert isinstance(await adapter.send(toast(group, press, "Done.")), Failure)
    assert await adapter.send(toast(group, press, "Done.")) == ""
    assert press.text == "Done."


@SHORT
async def test_a_blank_answer_that_fails_is_let_go(api: BotApi, adapter: Telegram, group: Chat, ana: User) -> None:
    api.fail("answerCallbackQuery", bot_api.Fault(RefusedError(400, "Bad Request: query is too old")))
    await pressed(api, adapter, group, ana)
    await api.until(lambda: api.counts["answerCallbackQuery"] == 1)
    other = await pressed(api, adapter, group, ana)
    await api.until(lambda: other.is_answered)


@SHORT
async def test_a_press_that_makes_no_sense_is_answered_too(api: BotApi, adapter: Telegram, ana: User) -> None:
    del adapter
    channel = api.channel("News")
    press = await api.press_data(ana, api.add_message(channel, api.bot, "card"), "1:0")
    await api.until(lambda: press.is_answered)
    assert press.text == ""


async def test_a_toast_overtakes_what_waits_in_its_chat(file_store: Store) -> None:
    other = FakeAdapter(gate=asyncio.Event())
    carrier = Carrier(file_store, other, StillClock())

    def post(text: str, priority: Priority) -> None:
        with file_store.write() as session:
            place = chat_of(session, Place("fake", "a"))
            message = Message(Text.of(text), toast_for="press" if priority is Priority.TOAST else "")
            outbox.post(session, place, message, priority, text, StillClock()())

    for text in ("under way", "waits"):
        post(text, Priority.REPLY)
    flush = asyncio.create_task(carrier.flush())
    await until(lambda: other.sent == ["under way"])
    post("toast", Priority.TOAST)
    again = asyncio.create_task(carrier.flush())
    await until(lambda: other.sent == ["under way", "toast"])
    assert other.gate is not None
    other.gate.set()
    await asyncio.gather(flush, again)
    assert other.sent == ["under way", "toast", "waits"]
    other.busy = {other.parcels[0].chat_id}
    post("too much for now", Priority.REPLY)
    post("another toast", Priority.TOAST)
    await carrier.flush()
    assert other.sent[3:] == ["another toast"]


# With a pool behind it


async def test_two_press_at_once_one_wins_and_the_other_hears_it_kindly(
    api: BotApi, file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    ana, bo, cy = (api.user(name) for name in ("Ana", "Bo", "Cy"))
    group = api.group("Bakery", [ana, bo, cy])
    async with serving(file_store, api) as faults:
        await api.add_bot(group, ana)
        for text in ("/pool new Valley", "/project new Hill Bakery", "/task new Dishes 1h urgent"):
            await api.write(ana, group, text)
        card = await api.said(group, "#1 Dishes")
        pressed_by = [await api.press(user, card, "Claim") for user in (bo, cy, bo)]
        await api.until(lambda: all(press.is_answered for press in pressed_by))
        await api.said(group, "Bo has it")
        await api.until(lambda: "Claim #1" not in card.labels)
    won, lost, again = pressed_by
    assert lost.text.startswith("#1 is taken by Bo.")
    assert again.text == "You did that already."
    assert api.counts["answerCallbackQuery"] == 3
    assert won.text == "#1 is yours, Bo."
    assert faults.found == []
