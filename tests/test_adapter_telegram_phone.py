"""What a phone shows: messages of the pool as they arrive on Telegram, texts, buttons and what can be tapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.post import Carrier, Door
from adapters.settings import TelegramSettings
from adapters.telegram import connect
from core.chat import inbox
from core.chat.commands import table
from core.chat.dispatch import dispatch_all
from core.chat.handling import House
from core.chat.message import Event, Incoming
from core.identity import Place, Sender
from tests.bot_api import BotApi
from tests.clocks import StillClock
from tests.conftest import entropy
from tests.telegram_inside import hurry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from core.store import Store
    from tests.bot_api_world import Chat, Message, User

# What is typed in the group (after `dm:` in private), and the last message that comes of it: `…` is what a tap copies,
# [[…]] a moment shown in the reader's own zone; below the text the rows of buttons.
SHOWN = """
> /task new Bake bread 1.5h for:bread due:2w
#1 Bake bread · 1.5 h · ×1 · due [[Mon 18 May 23:59]] · for bread · takes bids
Hill Bakery
[I'd do it]

> /bid 1 0.8
Ana, you're in for #1 at ×0.8. Decided [[Sun 18:00]].
[Lower] [Undo]

> /task new Carry the oven to the mill and back 2h x3 urgent
#2 Carry the oven to the mill and back · 2 h · ×1 · open 3 of 3
Hill Bakery
[Claim #2]

> /claim 2
#2 is yours, Ana.
#2 Carry the oven to the mill and back · 2 h · ×1 · Ana has it · open 2 of 3
Hill Bakery
[Claim #2] [Done #2] [Drop #2]
[Undo]

> /done 2 90m
#2 Carry the oven to the mill and back · 2 h · ×1 · Ana: 1.5 h to be confirmed · open 2 of 3
Hill Bakery
[Claim #2] [Confirm #2]
[Dispute #2] [Undo]

> /made bread 3 2.5h until:sat
3 loaves of bread, offered once #3 is confirmed.
#3 3 bread · 2.5 h · ×1 · for bread · Ana: 2.5 h to be confirmed
Hill Bakery
[Confirm #3] [Dispute #3]
[Undo]

> /want bread 2
Ana, bread: 2 loaves, at cost. Decided [[Sun 18:00]].
[Undo]

> /want bread 2.5
2.5: how many, a whole number, or at most 2.5 h each?
[At most 2.5 h] [2 of them]
[3 of them]

> /bid bread 4
Ana, bread: 1 loaf, at most 4 h. Decided [[Sun 18:00]].
[I meant 4 loaves] [Undo]

> /goods
bread · 0 loaves left · 1 wanted · Hill Bakery
[Want bread]

> /goods bread
bread · 0 loaves left · 1 wanted
Hill Bakery · 0 left
Reply with your most hours per loaf, e.g. 1.5
[Want bread]

> /task new
What is to be done? Reply e.g. `Dishes 2h`
(reply)

> dm: /start
Valley.
What's next?
[Tasks] [Goods] [Me]

> dm: /why bread
No round has been held yet. What would happen now: /round

> dm: frobnicate
I don't know 'frobnicate'. What I can do: /help
"""


class Phone:
    """Ana's phone: what she types is handled, sent, and read off the server."""

    def __init__(self, api: BotApi, store: Store) -> None:
        self.api = api
        self.clock = StillClock()
        self.house = House(store, table(), entropy())
        settings = TelegramSettings.model_validate({"token": api.token, "api_url": api.url})
        self.adapter = connect(settings, Door(store, self.clock, lambda: None))
        self.carrier = Carrier(store, self.adapter, self.clock)
        self.ana: User = api.user("Ana")
        self.group: Chat = api.group("Hill Bakery", [self.ana])
        self.group.members[api.bot.id] = "member"
        self.ana.has_started = True

    async def types(self, text: str) -> Message:
        """Type something; return the last message that came of it."""
        _, private, words = text.rpartition("dm: ")
        chat = self.api.private(self.ana) if private else self.group
        place = Place("telegram", str(chat.id), title=chat.title, private=chat is not self.group)
        asked = self.api.add_message(chat, self.ana, words)
        event = Event(
            text, Incoming.TEXT, place, Sender("telegram", str(self.ana.id), "Ana"), words, f"{chat.id}/{asked.id}"
        )
        with self.house.store.write() as session:
            inbox.receive(session, "telegram", f"{asked.id}", place.address, event.to_json(), self.clock())
        dispatch_all(self.house, self.clock())
        await self.carrier.flush()
        return self.api.sent(chat)[-1]


def seen(message: Message) -> str:
    """Return a message as it looks."""
    text, shown, at = message.text, "", 0
    for entity in sorted(message.entities, key=lambda one: one["offset"]):
        start, end = entity["offset"], entity["offset"] + entity["length"]
        left, right = {"code": ("`", "`"), "date_time": ("[[", "]]")}.get(entity["type"], ("", ""))
        shown += text[at:start] + left + text[start:end] + right
        at = end
    lines = [shown + text[at:]]
    lines += [" ".join(f"[{button.label}]" for button in row) for row in message.rows]
    return "\n".join(lines + ["(reply)"] * message.asks_for_reply)


@pytest.fixture
async def phone(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Phone]:
    hurry(monkeypatch)
    async with BotApi() as api:
        one = Phone(api, file_store)
        await one.adapter.start()
        for text in ("/pool new Valley", "/project new Hill Bakery", "/good new bread unit:loaf"):
            await one.types(text)
        yield one
        await one.adapter.stop()


async def test_messages_as_a_phone_shows_them(phone: Phone) -> None:
    typed = [line[2:] for line in SHOWN.splitlines() if line.startswith("> ")]
    found = [f"> {text}\n{seen(await phone.types(text))}\n" for text in typed]
    assert "\n".join(found) == SHOWN.lstrip()
