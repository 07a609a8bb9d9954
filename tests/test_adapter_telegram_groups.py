"""Groups as they are: the whole bot on the Bot API server, as people on their phones see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, select

from core.chat import comings, outbox
from core.chat import message as chat_message
from core.chat.text import Text
from core.tables import Member
from core.tables_chat import Account, Delivery, Outbox
from core.tables_chat import Chat as ChatRow
from tests.bot_api import BotApi
from tests.bot_api_people import WAIT_SECONDS
from tests.telegram_inside import Faults, hurry, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from core.store import Store
    from tests.bot_api_world import Chat, Message, User

pytest_plugins = ("tests.telegram_fixtures",)


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BotApi]:
    hurry(monkeypatch)
    async with BotApi() as server:
        yield server


@pytest.fixture
async def faults(api: BotApi, file_store: Store) -> AsyncIterator[Faults]:
    async with serving(file_store, api) as found:
        yield found
        assert found.found == []


@pytest.fixture
def bo(api: BotApi) -> User:
    return api.user("Bo")


@pytest.fixture
async def bakery(api: BotApi, faults: Faults, ana: User, bo: User) -> Chat:
    """A group that is a project of Valley; Ana is its maintainer and the pool's steward."""
    del faults
    group = api.group("Hill Bakery", [ana, bo])
    await api.add_bot(group, ana)
    await api.write(ana, group, "/pool new Valley")
    await api.press(ana, await api.said(group, "Valley is founded"), "Yes")
    await api.said(group, "is a project of Valley now")
    return group


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let greetings not wait."""
    monkeypatch.setattr(comings, "GREETING_DELAY", timedelta())


async def quiet(api: BotApi) -> None:
    """Wait until everything so far is handled and sent."""
    who = api.user("Quinn")
    await api.write(who, who, "/privacy")
    await api.said(who, "Stored")


async def asked(api: BotApi, store: Store, chat: Chat, pattern: str, seconds: float = WAIT_SECONDS) -> Message:
    """Wait for a message and until the bot has noted it: no person answers within the same moment."""
    message = await api.said(chat, pattern, seconds)

    def is_noted() -> bool:
        with store.read() as session:
            query = select(Delivery.id).where(Delivery.ref == f"{chat.id}/{message.id}", Delivery.state == "sent")
            return session.exec(query).first() is not None

    await api.until(is_noted)
    return message


# Coming into a group


@pytest.mark.usefixtures("faults", "hasty")
async def test_founding_a_pool_by_buttons_and_replies(api: BotApi, ana: User, bo: User, file_store: Store) -> None:
    group = api.group("Hill Bakery", [ana, bo])
    await api.add_bot(group, ana)
    hello = await api.said(group, "Hello! This group can be part of a pool")
    assert hello.labels == ["Found a pool", "Join by code"]
    await api.set_bot_status(group, ana, "administrator")  # no reason to greet again
    await api.press(ana, hello, "Found")
    question = await asked(api, file_store, group, "What is it called")
    assert (question.asks(ana), question.asks(bo)) == (True, False)
    await api.write(ana, group, "Valley", reply_to=question)
    founded = await api.said(group, "Valley is founded")
    assert founded.labels == ["Yes: Hill Bakery", "Add a group"]
    await api.press(ana, founded, "Yes")
    await api.said(group, "Hill Bakery is a project of Valley now")
    assert len([one for one in api.sent(group) if "Hello" in one.text]) == 1


async def test_another_group_joins_by_the_link(api: BotApi, bakery: Chat) -> None:
    dee = api.user("Dee")
    garden = api.group("Sunny Garden", [dee], supergroup=True)
    link = api.button(await api.said(bakery, "Valley is founded"), "Add a group").url
    await api.open_link(dee, link, garden)
    question = await api.said(garden, "This group joins Valley. What is the project called")
    assert question.labels == ["Sunny Garden"]
    await api.press(dee, question, "Sunny")
    await api.said(garden, "Sunny Garden is a project of Valley now; Dee maintains it")
    assert api.find(garden, "Hello") is None  # the code came along: nothing else has to be asked


@pytest.mark.usefixtures("hasty")
async def test_another_group_joins_by_typing_the_code(api: BotApi, bakery: Chat, file_store: Store) -> None:
    code = (await api.said(bakery, "code: ")).text.partition("code: ")[2][:9]
    dee = api.user("Dee")
    garden = api.group("Garden", [dee])
    await api.add_bot(garden, dee)
    await api.press(dee, await api.said(garden, "Hello"), "Join by code")
    await api.write(dee, garden, code.lower(), reply_to=await asked(api, file_store, garden, "Which code"))
    await api.write(dee, garden, "Sunny Garden", reply_to=await asked(api, file_store, garden, "joins Valley"))
    await api.said(garden, "Sunny Garden is a project of Valley now")


async def test_joining_in_private_by_a_link(api: BotApi, bakery: Chat) -> None:
    code = (await api.said(bakery, "code: ")).text.partition("code: ")[2][:9]
    cy = api.user("Cy")
    await api.open_link(cy, f"https://t.me/{api.bot.username}?start=join-{code}")
    await api.said(cy, "Valley")
    await api.write(cy, cy, "/me")
    await api.said(cy, "Cy in Valley")


# Who is meant


async def test_mentions_and_commands_with_a_name(
    api: BotApi, bakery: Chat, ana: User, bo: User, file_store: Store
) -> None:
    await api.write(ana, bakery, "/good new bread unit:loaf")
    card = await asked(
        api, file_store, bakery, "most hours per loaf", 30
    )  # the first good of a process loads its plurals
    await api.write(bo, bakery, f"@{api.bot.username} want bread 2")
    await api.said(bakery, "Bo, bread: 2 loaves")
    await api.write(bo, bakery, "1.5", reply_to=card)
    await api.said(bakery, "Bo, bread: 1 loaf, at most 1.5 h")
    before = len(api.sent(bakery))
    for text in ("/me@another_bot", "nice weather", "/weather"):
        await api.write(bo, bakery, text)
    await quiet(api)
    assert len(api.sent(bakery)) == before


async def test_what_is_ignored(api: BotApi, bakery: Chat, ana: User, bo: User) -> None:
    task = await api.write(bo, bakery, "/task new Dishes 1h urgent")
    await api.said(bakery, "#1 Dishes")
    before = len(api.sent(bakery))
    await api.edit(task, "/task new Everything 900h")
    await api.write(bo, bakery, "/task new Forwarded 1h", forward=ana)
    await api.write(bo, bakery, "/task new Channel 1h", sender_chat=api.channel("News"))
    await api.write(api.user("Other", is_bot=True), bakery, "/task new Robot 1h")
    await quiet(api)
    assert len(api.sent(bakery)) == before


async def test_an_anonymous_admin_is_told_how_to_be_known_once(
    api: BotApi, bakery: Chat, ana: User, file_store: Store
) -> None:
    await api.write(ana, bakery, "/task new Dishes 1h urgent")
    card = await api.said(bakery, "#1 Dishes")
    for text in ("/claim 1", "/tasks", "/weather", "chat among people"):
        await api.write(ana, bakery, text, sender_chat=bakery)
    await api.said(bakery, "You write as the group")
    await api.press(ana, card, "Claim")  # a tap shows who it is
    await api.said(bakery, "Ana has it")
    await quiet(api)
    assert len([one for one in api.sent(bakery) if "as the group" in one.text]) == 1
    with file_store.read() as session:
        assert {row.name for row in session.exec(select(Member))} == {"Ana"}
        assert "1087968824" not in {row.user_id for row in session.exec(select(Account))}


async def test_what_is_personal_goes_into_private(api: BotApi, bakery: Chat, bo: User) -> None:
    await api.write(bo, bakery, "/me")
    offer = await api.said(bakery, "That's for you alone")
    await api.open_link(bo, api.button(offer, "See mine").url)
    await api.said(bo, "Bo in Valley")
    await api.write(bo, bakery, "/wants")
    await api.said(bo, "You want nothing|no wants")
    assert api.find(bakery, "You want nothing|no wants") is None


# Topics


async def test_a_project_that_lives_in_a_topic(api: BotApi, bakery: Chat, bo: User) -> None:
    code = (await api.said(bakery, "code: ")).text.partition("code: ")[2][:9]
    dee = api.user("Dee")
    house = api.group("House", [dee, bo], is_forum=True)
    await api.add_bot(house, dee)
    kitchen = await api.topic(house, "Kitchen", dee)
    await api.write(dee, house, f"/project new Kitchen {code}", topic=kitchen)
    await api.said(house, "Kitchen is a project")
    await api.write(bo, house, "/task new Dishes 1h urgent", topic=kitchen)
    card = await api.said(house, "#1 Dishes")
    await api.press(bo, card, "Claim")
    await api.said(house, "Bo has it")
    assert [one for one in api.sent(house) if one.topic != kitchen and "Hello" not in one.text] == []


async def test_a_topic_that_is_closed_and_opened_again(api: BotApi, bakery: Chat, ana: User) -> None:
    code = (await api.said(bakery, "code: ")).text.partition("code: ")[2][:9]
    house = api.group("House", [ana], is_forum=True)
    await api.add_bot(house, ana)
    kitchen = await api.topic(house, "Kitchen", ana)
    await api.write(ana, house, f"/project new Kitchen {code}", topic=kitchen)
    await api.said(house, "Kitchen is a project")
    await api.write(ana, ana, "/start")
    await api.said(ana, "Valley")
    house.closed_topics.add(kitchen)
    await api.write(ana, house, "/project", topic=kitchen)
    await api.said(ana, "I can't write in a chat of Kitchen any more")
    await api.write(ana, house, "/privacy")
    await api.said(house, "Stored")  # the rest of the group is not closed
    house.closed_topics.discard(kitchen)
    api.tell(api.add_message(house, ana, topic=kitchen, extra={"forum_topic_reopened": {}}))
    await api.said(house, "Kitchen in Valley")


# Moving, going, coming back


async def test_a_group_becomes_a_supergroup_and_loses_nothing(
    api: BotApi, bakery: Chat, ana: User, bo: User, file_store: Store
) -> None:
    await api.write(ana, bakery, "/task new Dishes 1h urgent")
    await api.said(bakery, "#1 Dishes")
    new = await api.migrate(bakery)
    await api.write(bo, new, "/tasks")
    tasks = await api.said(new, "#1 Dishes")
    await api.press(bo, tasks, "Claim")
    await api.said(new, "#1 is yours, Bo")
    assert api.find(new, "Hello") is None
    with file_store.read() as session:  # and no greeting is still to come
        assert session.exec(select(Outbox).where(col(Outbox.delivery_id).is_(None))).all() == []


async def test_a_move_that_is_heard_of_by_a_refusal(api: BotApi, bakery: Chat, bo: User) -> None:
    new = api.group("Hill Bakery", supergroup=True)
    new.members, bakery.migrated_to = dict(bakery.members), new  # nobody has told us yet
    await api.write(bo, bakery, "/project")
    await api.said(new, "Hill Bakery in Valley")
    assert [call.description for call in api.refusals] == ["Bad Request: group chat was upgraded to a supergroup chat"]


@pytest.mark.usefixtures("hasty")
async def test_removed_from_a_group_its_maintainers_hear_and_nothing_is_lost(
    api: BotApi, bakery: Chat, ana: User, bo: User
) -> None:
    await api.write(ana, ana, "/start")
    await api.said(ana, "Valley")
    await api.kick_bot(bakery, bo)
    await api.said(ana, "I can't write in a chat of Hill Bakery any more")
    await api.add_bot(bakery, bo)
    await api.said(bakery, r"Hill Bakery in Valley")  # greeted as what it is
    await api.write(bo, bakery, "/tasks")
    await quiet(api)
    assert len([one for one in api.sent(ana) if "I can't write" in one.text]) == 1


async def test_without_the_right_to_write_the_message_waits(
    api: BotApi, bakery: Chat, ana: User, bo: User, file_store: Store
) -> None:
    await api.write(ana, ana, "/start")
    await api.said(ana, "Valley")
    bakery.can_write = False
    await api.write(bo, bakery, "/task new Dishes 1h urgent")
    await api.said(ana, "I can't write in a chat of Hill Bakery any more")
    with file_store.read() as session:
        assert [row.state for row in session.exec(select(Delivery).where(Delivery.state == "parked"))] == ["parked"]
    bakery.can_write = True
    await api.set_bot_status(bakery, ana, "administrator")
    await api.said(bakery, "#1 Dishes")


async def test_who_blocks_us_is_left_alone_and_found_again(api: BotApi, bakery: Chat, bo: User) -> None:
    await api.write(bo, bo, "/start")
    await api.write(bo, bakery, "/me")
    await api.said(bo, "Hello|Valley|Bo in")
    await api.block(bo)
    await api.write(bo, bakery, "/me")
    await api.said(bakery, "That's for you alone")
    await api.unblock(bo)
    await api.write(bo, bakery, "/wants")
    await api.said(bo, "You want nothing|no wants")


async def test_several_notices_for_one_chat_are_one_message(api: BotApi, bakery: Chat, file_store: Store) -> None:
    with file_store.write() as session:
        chat = session.exec(select(ChatRow).where(ChatRow.address == str(bakery.id))).one()
        for text in ("There's bread.", "There's jam."):
            message = chat_message.Message(Text.of(text), merges=True)
            outbox.post(session, chat, message, chat_message.Priority.NOTICE, text, datetime.now(UTC))
    assert (await api.said(bakery, "There's jam")).text == "There's bread.\nThere's jam."
