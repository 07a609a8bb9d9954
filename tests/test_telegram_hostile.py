"""Ten thousand hostile updates, and a backlog: nothing uncaught, nothing lost, everything in order."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.chat import inbox
from core.tables import Task
from core.tables_chat import Inbox
from tests.bot_api import BotApi
from tests.telegram_fuzz import as_text, hostile
from tests.telegram_inside import hurry, serving

if TYPE_CHECKING:
    import pytest

    from core.store import Store
    from tests.bot_api_world import Chat, User

HOSTILE_COUNT, EVERY = 10_000, 100
BACKLOG_CHATS, BACKLOG_EACH = 100, 20
WAIT_SECONDS = 240  # a busy machine is slow; a quiet one takes a tenth of it


async def examples(api: BotApi, user: User, chat: Chat) -> list[dict[str, object]]:
    """Updates of every kind that are as they should be."""
    own = api.add_message(chat, api.bot, "x", markup={"inline_keyboard": [[{"text": "Yes", "callback_data": "1:0"}]]})
    message = api.add_message(chat, user, "/tasks", reply_to=own)
    press = await api.press(user, own, "Yes")
    joined = {"old_chat_member": {"status": "left"}, "new_chat_member": {"status": "member"}, "date": 1}
    return [
        {"message": message.to_json()},
        {"message": api.add_message(chat, user, "@dpool_bot what's to do?").to_json()},
        {"message": api.add_message(api.private(user), user, "/me").to_json()},
        {"message": api.add_message(chat, user, "/want bread 2").to_json()},
        {"edited_message": message.to_json()},
        {"callback_query": {"id": press.id, "from": user.to_json(), "message": own.to_json(), "data": "1:0"}},
        {"my_chat_member": {"chat": chat.to_json(), "from": user.to_json(), **joined}},
    ]


async def test_ten_thousand_hostile_updates(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    random = Random(20261123)
    async with BotApi() as api, serving(file_store, api) as faults:
        ana, mallory = api.user("Ana"), api.user("Mallory")
        bakery, elsewhere = api.group("Bakery", [ana]), api.group("Elsewhere", [mallory], supergroup=True)
        await api.add_bot(bakery, ana)
        await api.add_bot(elsewhere, mallory)
        await api.write(ana, bakery, "/pool new Valley")
        await api.write(ana, bakery, "/project new Hill")
        valid = await examples(api, mallory, elsewhere)
        for number in range(HOSTILE_COUNT):
            if number % EVERY == 0:
                await api.write(ana, bakery, f"/task new T{number} 1h")
            api.push(as_text(hostile(random, valid)))
        await api.write(ana, bakery, "/task new Last 1h")
        await api.until(lambda: not len(api.updates), WAIT_SECONDS)
        await api.said(bakery, "#101 Last", WAIT_SECONDS)
    assert faults.found == []
    with file_store.read() as session:
        titles = session.exec(select(Task.title).order_by(col(Task.number))).all()
        assert inbox.count_waiting(session) == 0
    assert [*titles] == [*(f"T{number}" for number in range(0, HOSTILE_COUNT, EVERY)), "Last"]


async def test_a_backlog_is_worked_off_in_order(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    async with BotApi() as api:
        said = await backlog(api, Random(2000))
        assert len(api.updates) == sum(map(len, said.values())) == BACKLOG_CHATS * BACKLOG_EACH
        private = [chat for chat in said if chat.kind == "private"]
        async with serving(file_store, api) as faults:
            await api.until(lambda: api.counts["sendMessage"] == len(private) * BACKLOG_EACH, WAIT_SECONDS)
        assert (faults.found, api.refusals) == ([], [])
        for chat in private:
            assert [re.findall(r"'\w+'", one.text) for one in api.sent(chat)] == [[f"'{word}'"] for word in said[chat]]
    with file_store.read() as session:
        rows = session.exec(select(Inbox).order_by(col(Inbox.id))).all()
    assert all(row.done_at is not None for row in rows)
    for chat, words in said.items():
        assert [row.payload["text"] for row in rows if row.chat == f"telegram:{chat.id}"] == [
            f"/{one}" for one in words
        ]


async def backlog(api: BotApi, random: Random) -> dict[Chat, list[str]]:
    """Let people write unknown words: in private each is answered, in groups with silence. Returns what was said."""
    writers: dict[Chat, User] = {}
    for number in range(BACKLOG_CHATS // 2):
        user = api.user(f"Person{number}")
        group = api.group(f"Group{number}", [user])
        group.members[api.bot.id] = "member"
        writers |= {api.private(user): user, group: user}
    said: dict[Chat, list[str]] = {chat: [] for chat in writers}
    for chat in random.sample([*writers] * BACKLOG_EACH, BACKLOG_CHATS * BACKLOG_EACH):
        said[chat].append(f"word{len(said[chat])}")
        await api.write(writers[chat], chat, f"/{said[chat][-1]}")
    return said
