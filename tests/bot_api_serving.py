"""The methods that `tests.bot_api` serves, each refusing what Telegram would refuse."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.bot_api_markup import check_commands, check_language, check_markup
from tests.bot_api_text import parse, units, with_found
from tests.bot_api_values import File, RefusedError, bad
from tests.bot_api_world import ADMINS, GENERAL, Chat, Message, User, member

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bot_api import BotApi
    from tests.bot_api_text import Entity

Given = dict[str, Any]
TEXT_MAX, CAPTION_MAX, TOAST_MAX = 4096, 1024, 200
ACTIONS = frozenset({"typing", "upload_document"})
REACTIONS = frozenset(
    "👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾😡"
)


def chat_of(api: BotApi, given: Given) -> Chat:
    """Return the chat that is meant, if the bot may look at it. Raises RefusedError."""
    chat = api.chats.get(given["chat_id"])
    if chat is None and given["chat_id"] in api.users:
        chat = _private(api, api.users[given["chat_id"]])
    if chat is None:
        raise bad("chat not found")
    if chat.migrated_to is not None:
        description = "Bad Request: group chat was upgraded to a supergroup chat"
        raise RefusedError(400, description, {"migrate_to_chat_id": chat.migrated_to.id})
    if chat.peer is not None:
        _check_private(chat.peer)
    elif not chat.has(api.bot):
        was_kicked = chat.members.get(api.bot.id) == "kicked"
        reason = (
            f"bot was kicked from the {chat.kind} chat"
            if was_kicked
            else f"bot is not a member of the {chat.kind} chat"
        )
        raise RefusedError(403, f"Forbidden: {reason}")
    return chat


def _private(api: BotApi, user: User) -> Chat | None:
    """Return a private chat as far as the bot knows of its user: from a group they share, at least."""
    is_known = user.has_started or any(chat.has(user) and chat.has(api.bot) for chat in api.chats.values())
    return api.private(user) if is_known else None


def _check_private(user: User) -> None:
    if user.is_blocking:
        raise RefusedError(403, "Forbidden: bot was blocked by the user")
    if user.is_bot:
        raise RefusedError(403, "Forbidden: bot can't send messages to bots")
    if not user.has_started:
        raise RefusedError(403, "Forbidden: bot can't initiate conversation with a user")


def _text(api: BotApi, given: Given, key: str, length_max: int) -> tuple[str, list[Entity]]:
    entities = given.get("entities", given.get("caption_entities"))
    text, marked = parse(given.get(key, ""), given.get("parse_mode", ""), entities)
    if units(text) > length_max:
        raise bad("message is too long" if key == "text" else "message caption is too long")
    return text, [one for one in map(partial(_known, api), with_found(text, marked)) if one]


def _known(api: BotApi, entity: Entity) -> Entity | None:
    """Fill in whom an entity mentions; who is unknown is not mentioned."""
    if entity["type"] != "text_mention":
        return entity
    user = api.users.get(entity["user"]["id"])
    return {**entity, "user": user.to_json()} if user is not None else None


def _answered(chat: Chat, given: Given) -> Message | None:
    """Return the message that is answered."""
    parameters = given.get("reply_parameters")
    if parameters is None:
        return None
    found = chat.messages.get(parameters["message_id"])
    if parameters.get("chat_id", chat.id) != chat.id:
        raise bad("replies into other chats are not served")
    if found is not None and not found.is_deleted and given.get("message_thread_id", found.topic) == found.topic:
        return found
    if parameters.get("allow_sending_without_reply"):
        return None
    raise bad("message to be replied not found")


def _topic(chat: Chat, given: Given, answered: Message | None) -> int:
    """Return the topic it goes to; General, which has no number, is 0."""
    topic = int(given.get("message_thread_id", answered.topic if answered is not None else 0))
    if topic and (topic == GENERAL or topic not in chat.topics):
        raise bad("message thread not found")
    if topic in chat.closed_topics:
        raise bad("TOPIC_CLOSED")
    return topic


def _send(api: BotApi, given: Given, text: str, marked: list[Entity], document: File | None = None) -> Given:
    chat = chat_of(api, given)
    answered = _answered(chat, given)
    topic, markup = _topic(chat, given, answered), check_markup(given.get("reply_markup", {}))
    if not chat.can_write:
        raise bad("not enough rights to send text messages to the chat")
    api.limits.check(chat)
    rest: Given = {"entities": marked, "reply_to": answered, "topic": topic, "markup": markup, "document": document}
    return api.add_message(chat, api.bot, text, **rest).to_json()


def send_message(api: BotApi, given: Given) -> object:
    text, marked = _text(api, given, "text", TEXT_MAX)
    if not text:
        raise bad("message text is empty")
    return _send(api, given, text, marked)


def send_document(api: BotApi, given: Given) -> object:
    document = given["document"]
    if not isinstance(document, File):
        raise bad("wrong file identifier/HTTP URL specified")
    if not document.content:
        raise bad("file must be non-empty")
    caption, marked = _text(api, given, "caption", CAPTION_MAX)
    return _send(api, given, caption, marked, document)


def _own(api: BotApi, given: Given) -> Message:
    """Return the bot's own message that is to be changed."""
    if "chat_id" not in given or "message_id" not in given:
        raise bad("message identifier is not specified")
    found = chat_of(api, given).messages.get(given["message_id"])
    if found is None or found.is_deleted:
        raise bad("message to edit not found")
    if found.sender is not api.bot or (found.markup and not found.buttons):
        raise bad("message can't be edited")
    return found


def _change(api: BotApi, message: Message, text: str, marked: list[Entity], markup: Given) -> Given:
    if (message.text, message.entities, message.markup) == (text, marked, markup):
        raise bad(
            "message is not modified: specified new message content and reply markup are exactly the same as a current "
            "content and reply markup of the message"
        )
    api.limits.check(message.chat)
    message.before.append(message.text)
    message.text, message.entities, message.markup = text, marked, markup
    message.edit_date, message.edited_at = int(time.time()), time.monotonic()
    return message.to_json()


def edit_message_text(api: BotApi, given: Given) -> object:
    message = _own(api, given)
    text, marked = _text(api, given, "text", TEXT_MAX)
    if message.document is not None:
        raise bad("there is no text in the message to edit")
    if not text:
        raise bad("message text is empty")
    return _change(api, message, text, marked, _inline(given))


def edit_message_reply_markup(api: BotApi, given: Given) -> object:
    message = _own(api, given)
    return _change(api, message, message.text, message.entities, _inline(given))


def _inline(given: Given) -> Given:
    markup = check_markup(given.get("reply_markup", {}))
    return markup if markup.get("inline_keyboard") else {}


def delete_message(api: BotApi, given: Given) -> object:
    found = chat_of(api, given).messages.get(given["message_id"])
    if found is None or found.is_deleted:
        raise bad("message to delete not found")
    if found.sender is not api.bot and found.chat.members.get(api.bot.id) not in ADMINS:
        raise bad("message can't be deleted")
    found.is_deleted = True
    return True


def set_message_reaction(api: BotApi, given: Given) -> object:
    found = chat_of(api, given).messages.get(given["message_id"])
    if found is None or found.is_deleted:
        raise bad("message to react not found")
    reactions = [one.get("emoji", "").removesuffix("\ufe0f") for one in given.get("reaction", [])]
    if len(reactions) > 1 or not REACTIONS.issuperset(reactions):
        raise bad("REACTION_INVALID")
    found.reactions = reactions
    return True


def send_chat_action(api: BotApi, given: Given) -> object:
    _topic(chat_of(api, given), given, None)
    if given["action"] not in ACTIONS:
        raise bad("wrong parameter action in request")
    return True


def answer_callback_query(api: BotApi, given: Given) -> object:
    press = api.presses.get(given["callback_query_id"])
    if press is None or press.is_answered or time.monotonic() - press.at > api.answer_seconds:
        raise bad("query is too old and response timeout expired or query ID is invalid")
    if units(given.get("text", "")) > TOAST_MAX:
        raise bad("MESSAGE_TOO_LONG")
    if given.get("url") and not given["url"].startswith(f"https://t.me/{api.bot.username}?start="):
        raise bad("URL_INVALID")
    press.answered_at, press.text = time.monotonic(), given.get("text", "").strip()
    press.is_alert, press.url = given.get("show_alert", False), given.get("url", "")
    return True


# Chats


def get_chat(api: BotApi, given: Given) -> object:
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    full = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(gifts, False)}
    return chat_of(api, given).to_json() | full


def get_chat_member(api: BotApi, given: Given) -> object:
    chat = chat_of(api, given)
    user = api.users.get(given["user_id"])
    if user is None:
        raise bad("user not found")
    return member(user, chat.members.get(user.id, "left"))


def get_chat_administrators(api: BotApi, given: Given) -> object:
    chat = chat_of(api, given)
    if not chat.is_group:
        raise bad("there are no administrators in the private chat")
    admins = [(api.users[user_id], status) for user_id, status in chat.members.items() if status in ADMINS]
    return [member(user, status) for user, status in admins if not user.is_bot or user is api.bot]


def get_chat_member_count(api: BotApi, given: Given) -> object:
    chat = chat_of(api, given)
    return sum(chat.has(api.users[user_id]) for user_id in chat.members)


def leave_chat(api: BotApi, given: Given) -> object:
    chat = chat_of(api, given)
    if not chat.is_group:
        raise bad("chat member status can't be changed in private chats")
    chat.members[api.bot.id] = "left"
    return True


# The bot itself


def get_me(api: BotApi, _given: Given) -> object:
    flags = ("can_connect_to_business", "has_main_web_app", "supports_inline_queries", "has_topics_enabled")
    extra = {"can_join_groups": True, "can_read_all_group_messages": not api.privacy}
    return api.bot.to_json() | dict.fromkeys(flags, False) | extra


def _scope(api: BotApi, given: Given) -> tuple[str, str]:
    """Return what a menu is kept under: its scope and its language."""
    scope = given.get("scope", {"type": "default"})
    if "chat_id" in scope:
        chat = chat_of(api, scope)
        if scope["type"] != "chat" and not chat.is_group:
            raise bad("can't change commands of members of private chats")
    key = ":".join(str(one) for _name, one in sorted(scope.items(), key=lambda item: item[0] != "type"))
    return key, check_language(given.get("language_code", ""))


def set_my_commands(api: BotApi, given: Given) -> object:
    api.menus[_scope(api, given)] = check_commands(given["commands"])
    return True


def get_my_commands(api: BotApi, given: Given) -> object:
    return api.menus.get(_scope(api, given), [])


def delete_my_commands(api: BotApi, given: Given) -> object:
    api.menus.pop(_scope(api, given), None)
    return True


def _setter(name: str, length_max: int) -> Callable[[BotApi, Given], object]:
    def set_text(api: BotApi, given: Given) -> object:
        if units(given.get(name, "")) > length_max:
            raise bad(f"{name} is too long")
        api.profile[name, check_language(given.get("language_code", ""))] = given.get(name, "")
        return True

    return set_text


def _getter(name: str) -> Callable[[BotApi, Given], object]:
    def get_text(api: BotApi, given: Given) -> object:
        return {name: api.profile.get((name, check_language(given.get("language_code", ""))), "")}

    return get_text


SERVED: dict[str, Callable[[BotApi, Given], object]] = {
    "answerCallbackQuery": answer_callback_query,
    "deleteMessage": delete_message,
    "deleteMyCommands": delete_my_commands,
    "editMessageReplyMarkup": edit_message_reply_markup,
    "editMessageText": edit_message_text,
    "getChat": get_chat,
    "getChatAdministrators": get_chat_administrators,
    "getChatMember": get_chat_member,
    "getChatMemberCount": get_chat_member_count,
    "getMe": get_me,
    "getMyCommands": get_my_commands,
    "getMyDescription": _getter("description"),
    "getMyShortDescription": _getter("short_description"),
    "leaveChat": leave_chat,
    "sendChatAction": send_chat_action,
    "sendDocument": send_document,
    "sendMessage": send_message,
    "setMessageReaction": set_message_reaction,
    "setMyCommands": set_my_commands,
    "setMyDescription": _setter("description", 512),
    "setMyShortDescription": _setter("short_description", 120),
}
