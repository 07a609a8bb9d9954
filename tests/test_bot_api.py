"""The Bot API server of the tests, asked by python-telegram-bot itself: what it takes, and each refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeChat,
    CopyTextButton,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, RetryAfter, TelegramError

from tests.telegram_bots import bot_on

if TYPE_CHECKING:
    from tests.bot_api import BotApi
    from tests.bot_api_world import Chat, User

pytest_plugins = ("tests.telegram_fixtures",)


@pytest.fixture
async def group(api: BotApi, ana: User) -> Chat:
    chat = api.group("Bakery", [ana, api.user("Bo")], supergroup=True)
    await api.add_bot(chat, ana)
    return chat


def keys(*labels: str, data: str = "1:0") -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(label, callback_data=data)] for label in labels])


# What is shown


async def test_html_is_shown_as_it_is_meant(api: BotApi, bot: Bot, group: Chat) -> None:
    text = '<b>Bread &amp; <i>rolls</i></b> &lt;3 🥖 <a href="https://a.org">here</a> <code>/x</code> /tasks @ana'
    sent = await bot.send_message(group.id, text, parse_mode="HTML")
    assert sent.text == "Bread & rolls <3 🥖 here /x /tasks @ana"
    message = api.sent(group)[-1]
    assert [(one["type"], message.part(one)) for one in message.entities] == [
        ("bold", "Bread & rolls"),
        ("italic", "rolls"),
        ("text_link", "here"),
        ("code", "/x"),
        ("bot_command", "/tasks"),
        ("mention", "@ana"),
    ]


async def test_times_and_mentions_are_entities(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    text = f'<tg-time unix="1800000000" format="wDT">Fri 18:00</tg-time> <a href="tg://user?id={ana.id}">Ana</a>'
    sent = await bot.send_message(group.id, text, parse_mode="HTML")
    assert [one.type for one in sent.entities] == [MessageEntity.DATE_TIME, MessageEntity.TEXT_MENTION]
    assert api.sent(group)[-1].marked("date_time") == ["Fri 18:00"]


async def test_white_space_around_a_text_goes_and_entities_follow(api: BotApi, bot: Bot, group: Chat) -> None:
    await bot.send_message(group.id, "\n 🥖 bread \n", entities=[MessageEntity("bold", 5, 5)])
    message = api.sent(group)[-1]
    assert (message.text, message.marked("bold")) == ("🥖 bread", ["bread"])


async def test_buttons_answers_and_documents(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    asked = await api.write(ana, group, "/tasks")
    rows = [[InlineKeyboardButton("Open", url="https://t.me/dpool_bot?start=me")],
            [InlineKeyboardButton("Copy", copy_text=CopyTextButton("K7Q2-M4PD"))]]  # fmt: skip
    await bot.send_message(
        group.id, "there", reply_markup=InlineKeyboardMarkup(rows), reply_parameters=ReplyParameters(asked.id)
    )
    message = api.sent(group)[-1]
    assert message.reply_to is asked
    assert [(one.label, one.url, one.copies) for one in message.buttons] == [
        ("Open", "https://t.me/dpool_bot?start=me", ""),
        ("Copy", "", "K7Q2-M4PD"),
    ]
    await bot.send_document(group.id, InputFile(b"a,b", "my.csv"), caption="yours")
    document = api.sent(group)[-1].document
    assert document is not None
    assert (document.name, document.content, api.sent(group)[-1].text) == ("my.csv", b"a,b", "yours")


async def test_a_selective_question_opens_the_reply_box_of_one(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    asked = await api.write(ana, group, "/want")
    await bot.send_message(
        group.id, "How many?", reply_markup=ForceReply(selective=True), reply_parameters=ReplyParameters(asked.id)
    )
    message, bo = api.sent(group)[-1], next(one for one in api.users.values() if one.first_name == "Bo")
    assert message.asks(ana)
    assert not message.asks(bo)
    with pytest.raises(BadRequest, match="can't be edited"):
        await bot.edit_message_text("x", group.id, message.id)


async def test_edits_replace_text_and_buttons(api: BotApi, bot: Bot, group: Chat) -> None:
    sent = await bot.send_message(group.id, "one", reply_markup=keys("Yes"))
    await bot.edit_message_text("two", group.id, sent.message_id, reply_markup=keys("No"))
    message = api.sent(group)[-1]
    assert (message.text, message.before, message.labels) == ("two", ["one"], ["No"])
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("two", group.id, sent.message_id, reply_markup=keys("No"))
    await bot.edit_message_reply_markup(group.id, sent.message_id)
    assert message.labels == []


# Refusals of texts and keyboards


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": " \n"}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "🥖" * 2049}, "message is too long"),
        ({"text": "<b>x", "parse_mode": "HTML"}, "can't find end tag"),
        ({"text": "a <3 b", "parse_mode": "HTML"}, "unclosed start tag at byte offset 2"),
        ({"text": "<x>y</x>", "parse_mode": "HTML"}, 'unsupported start tag "x"'),
        ({"text": "<b><i>x</b></i>", "parse_mode": "HTML"}, "unmatched end tag"),
        ({"text": "x</b>", "parse_mode": "HTML"}, "unexpected end tag"),
        ({"text": "*x*", "parse_mode": "Markdown"}, "unsupported parse_mode"),
        ({"text": "ab", "entities": [MessageEntity("bold", 1, 2)]}, "ends after the end"),
        ({"text": "🥖", "entities": [MessageEntity("bold", 1, 1)]}, "splits a UTF-16 symbol"),
        ({"text": "🥖", "entities": [MessageEntity("bold", 0, 1)]}, "splits a UTF-16 symbol"),
        ({"text": "abc", "entities": [MessageEntity("bold", 0, 2), MessageEntity("code", 1, 2)]}, "overlaps another"),
        ({"text": "abc", "entities": [MessageEntity("nice", 0, 2)]}, "incorrect type"),
        ({"text": "abc", "entities": [MessageEntity("text_link", 0, 2)]}, "can't find field url"),
        ({"text": "abc", "entities": [MessageEntity("date_time", 0, 2)]}, "can't find field unix_time"),
        ({"text": "x", "reply_markup": keys("Yes", data="x" * 65)}, "button_data_invalid"),
        ({"text": "x", "reply_markup": keys("Yes", data="é" * 33)}, "button_data_invalid"),
        ({"text": "x", "reply_markup": keys("Yes", data="")}, "button_data_invalid"),
        ({"text": "x", "reply_markup": keys(" ")}, "button text must be non-empty"),
        ({"text": "x", "reply_markup": keys(*"x" * 101)}, "reply_markup_too_long"),
        ({"text": "x", "reply_markup": InlineKeyboardMarkup([[InlineKeyboardButton("x")]])}, "text buttons"),
        ({"text": "x", "reply_markup": InlineKeyboardMarkup([[InlineKeyboardButton("x", url="t.me/a b")]])}, "invalid"),
        ({"text": "x", "reply_markup": ForceReply(input_field_placeholder="x" * 65)}, "placeholder is too long"),
        ({"text": "x", "message_thread_id": 7}, "message thread not found"),
        ({"text": "x", "reply_parameters": ReplyParameters(999)}, "message to be replied not found"),
        ({"text": "x", "api_kwargs": {"colour": "red"}}, "unknown parameter colour"),
        ({"text": "x", "api_kwargs": {"protect_content": "maybe"}}, "expected boolean"),
        ({"text": "x", "api_kwargs": {"link_preview_options": [1]}}, "expected linkpreviewoptions"),
        ({"text": "x", "api_kwargs": {"reply_parameters": "{"}}, "can't parse reply_parameters"),
    ],
)
async def test_texts_and_keyboards_refused(bot: Bot, group: Chat, given: dict[str, Any], refusal: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await bot.send_message(group.id, **given)
    assert refusal.lower() in str(caught.value).lower()


async def test_what_is_just_right_is_taken(api: BotApi, bot: Bot, group: Chat) -> None:
    await bot.send_message(group.id, "🥖" * 2048, reply_markup=keys("Yes", data="é" * 32))
    await bot.send_message(group.id, f"<b>{'x' * 4096}</b>", parse_mode="HTML")
    await bot.send_message(group.id, "x", reply_parameters=ReplyParameters(999, allow_sending_without_reply=True))
    assert api.sent(group)[-1].reply_to is None
    assert api.refusals == []


async def test_lone_surrogates_are_no_text(api: BotApi, group: Chat) -> None:
    async with ClientSession() as session:
        given = {"chat_id": group.id, "text": "x\ud800"}
        async with session.post(f"{api.url}/bot{api.token}/sendMessage", json=given) as response:
            assert (response.status, await response.json()) == (
                400,
                {"ok": False, "error_code": 400, "description": "Bad Request: strings must be encoded in UTF-8"},
            )


# Refusals of chats


async def test_who_may_be_written_to(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    stranger = api.user("Stranger")
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(stranger.id, "x")
    with pytest.raises(Forbidden, match="can't initiate conversation"):
        await bot.send_message(ana.id, "x")
    await api.write(ana, ana, "/start")
    await bot.send_message(ana.id, "x")
    await api.block(ana)
    with pytest.raises(Forbidden, match="blocked by the user"):
        await bot.send_message(ana.id, "x")
    await api.unblock(ana)
    await bot.send_message(ana.id, "x")
    await api.kick_bot(group, ana)
    with pytest.raises(Forbidden, match="kicked from the supergroup chat"):
        await bot.send_message(group.id, "x")
    await api.add_bot(group, ana)
    assert await bot.leave_chat(group.id)
    with pytest.raises(Forbidden, match="not a member of the supergroup chat"):
        await bot.send_message(group.id, "x")


async def test_a_group_without_the_right_to_write(bot: Bot, group: Chat) -> None:
    group.can_write = False
    with pytest.raises(BadRequest, match="Not enough rights to send text messages"):
        await bot.send_message(group.id, "x")


async def test_a_group_that_became_a_supergroup(api: BotApi, bot: Bot, ana: User) -> None:
    old = api.group("Bakery", [ana])
    await api.add_bot(old, ana)
    new = await api.migrate(old)
    with pytest.raises(ChatMigrated) as caught:
        await bot.send_message(old.id, "x")
    assert caught.value.new_chat_id == new.id
    assert (await bot.send_message(new.id, "x")).chat_id == new.id
    told = [one.message for one in await bot.get_updates() if one.message is not None]
    assert [(one.chat_id, one.migrate_to_chat_id, one.migrate_from_chat_id) for one in told[-2:]] == [
        (old.id, new.id, None),
        (new.id, None, old.id),
    ]


async def test_topics(api: BotApi, bot: Bot, ana: User) -> None:
    forum = api.group("Valley", [ana], is_forum=True)
    await api.add_bot(forum, ana)
    topic = await api.topic(forum, "Bread", ana)
    await bot.send_message(forum.id, "in it", message_thread_id=topic)
    await bot.send_message(forum.id, "outside")
    assert [one.text for one in api.sent(forum, topic=topic)] == ["in it"]
    assert [one.text for one in api.sent(forum, topic=0)] == ["outside"]
    with pytest.raises(BadRequest, match="Message thread not found"):
        await bot.send_message(forum.id, "x", message_thread_id=1)
    written = await api.write(ana, forum, "/tasks", topic=topic)
    update = (await bot.get_updates())[-1].message
    assert update is not None
    assert update.reply_to_message is not None
    assert (update.message_thread_id, update.is_topic_message, update.reply_to_message.message_id) == (
        topic,
        True,
        topic,
    )
    assert (await bot.send_message(forum.id, "x", reply_parameters=ReplyParameters(written.id))).is_topic_message
    forum.closed_topics.add(topic)
    with pytest.raises(BadRequest, match="Topic_closed"):
        await bot.send_message(forum.id, "x", message_thread_id=topic)


async def test_only_own_messages_can_be_changed(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    others = await api.write(ana, group, "/tasks")
    own = await bot.send_message(group.id, "x")
    with pytest.raises(BadRequest, match="can't be edited"):
        await bot.edit_message_text("y", group.id, others.id)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("y", group.id, 999)
    with pytest.raises(BadRequest, match="can't be deleted"):
        await bot.delete_message(group.id, others.id)
    assert await bot.delete_message(group.id, own.message_id)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("y", group.id, own.message_id)
    assert await bot.set_message_reaction(group.id, others.id, "👍")
    assert others.reactions == ["👍"]
    with pytest.raises(BadRequest, match="Reaction_invalid"):
        await bot.set_message_reaction(group.id, others.id, "🥖")


async def test_a_press_is_answered_once_and_in_time(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    await bot.send_message(group.id, "x", reply_markup=keys("Claim #1", data="7:0"))
    press = await api.press(ana, api.sent(group)[-1], "claim")
    query = (await bot.get_updates())[-1].callback_query
    assert query is not None
    assert (query.data, query.from_user.id) == ("7:0", ana.id)
    await bot.answer_callback_query(query.id, "Yours.")
    assert (press.text, press.is_answered, api.answers) == ("Yours.", True, [press])
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query(query.id)
    late = await api.press_data(ana, api.sent(group)[-1], "anything")
    with pytest.raises(BadRequest, match="Message_too_long"):
        await bot.answer_callback_query(late.id, "x" * 201)
    api.answer_seconds = 0.0
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query(late.id)
    with pytest.raises(AssertionError, match="no button"):
        await api.press(ana, api.sent(group)[-1], "Drop")


# Tokens, limits, menus


@pytest.mark.parametrize("token", ["1:short", "1234567:another-token-of-the-right-shape"])
async def test_a_wrong_token(api: BotApi, token: str) -> None:
    with pytest.raises(InvalidToken):
        async with bot_on(api, token):
            pass
    assert {call.code for call in api.calls} == {404 if token.endswith("short") else 401}


async def test_limits_hold_back_what_is_too_much(api: BotApi, bot: Bot, group: Chat) -> None:
    api.limits.is_on = True
    for _ in range(3):
        await bot.send_message(group.id, "x")
    with pytest.raises(RetryAfter):
        await bot.send_message(group.id, "x")
    other = api.group("Garden", [api.user("Cy")])
    await api.add_bot(other, next(iter(api.users.values())))
    await bot.send_message(other.id, "x")
    api.limits.scale = 0.0
    for _ in range(40):
        await bot.send_message(group.id, "x")


async def test_menus_by_scope_and_language(api: BotApi, bot: Bot, group: Chat, ana: User) -> None:
    guest = api.user("Gast", language_code="de")
    await bot.set_my_commands([BotCommand("help", "Help")])
    await bot.set_my_commands([BotCommand("hilfe", "Hilfe")], BotCommandScopeAllGroupChats(), "de")
    await bot.set_my_commands([BotCommand("accept", "Accept")], BotCommandScopeAllChatAdministrators())
    assert [api.menu(user, group) for user in (ana, guest)] == [["accept"], ["hilfe"]]
    assert api.menu(guest, guest) == ["help"]
    await bot.set_my_commands([BotCommand("tasks", "Tasks")], BotCommandScopeChat(group.id))
    assert api.menu(ana, group) == ["tasks"]
    assert await bot.get_my_commands(BotCommandScopeAllGroupChats(), "de") == (BotCommand("hilfe", "Hilfe"),)
    await bot.delete_my_commands(BotCommandScopeAllGroupChats(), "de")
    assert await bot.get_my_commands(BotCommandScopeAllGroupChats(), "de") == ()


@pytest.mark.parametrize(
    ("commands", "options", "refusal"),
    [
        ([BotCommand("Help", "x")], {}, "Bot_command_invalid"),
        ([BotCommand("help-me", "x")], {}, "Bot_command_invalid"),
        ([BotCommand("x" * 33, "x")], {}, "Bot_command_invalid"),
        ([BotCommand("a", "x"), BotCommand("a", "y")], {}, "Bot_command_invalid"),
        ([BotCommand("help", "")], {}, "Bot_command_description_invalid"),
        ([BotCommand("help", "x" * 257)], {}, "Bot_command_description_invalid"),
        ([BotCommand(f"a{number}", "x") for number in range(101)], {}, "Bot_commands_too_much"),
        ([BotCommand("help", "x")], {"language_code": "deutsch"}, "Invalid language code"),
        ([BotCommand("help", "x")], {"scope": BotCommandScopeChat(5)}, "Chat not found"),
    ],
)
async def test_menus_refused(bot: Bot, commands: list[BotCommand], options: dict[str, Any], refusal: str) -> None:
    with pytest.raises(TelegramError, match=refusal):
        await bot.set_my_commands(commands, **options)
