"""What the Bot API (10.1) takes, as far as `tests.bot_api` serves it: parameters of methods and fields of types.

A line gives a name and what belongs to it, as `name:Type`; `name?` may be left out, `[]Type` is an array, `A|B` either.
"""

from __future__ import annotations

import re

Fields = dict[str, tuple[str, bool]]  # name: type, whether it has to be given


def _table(text: str) -> dict[str, Fields]:
    """Read a table: each entry begins at the left margin."""
    entries = (re.split(r"\s+", entry.strip()) for entry in re.split(r"\n(?=\w)", text.strip()))
    return {name: dict(_field(one) for one in rest) for name, *rest in entries}


def _field(text: str) -> tuple[str, tuple[str, bool]]:
    name, _, kind = text.partition(":")
    return name.removesuffix("?"), (kind, not name.endswith("?"))


METHODS = _table("""
getUpdates offset?:Integer limit?:Integer timeout?:Integer allowed_updates?:[]String
setWebhook url:String certificate?:InputFile ip_address?:String max_connections?:Integer allowed_updates?:[]String
    drop_pending_updates?:Boolean secret_token?:String
deleteWebhook drop_pending_updates?:Boolean
getWebhookInfo
getMe
logOut
close
sendMessage business_connection_id?:String chat_id:Integer|String message_thread_id?:Integer
    direct_messages_topic_id?:Integer text:String parse_mode?:String entities?:[]MessageEntity
    link_preview_options?:LinkPreviewOptions disable_notification?:Boolean protect_content?:Boolean
    allow_paid_broadcast?:Boolean message_effect_id?:String suggested_post_parameters?:SuggestedPostParameters
    reply_parameters?:ReplyParameters
    reply_markup?:InlineKeyboardMarkup|ReplyKeyboardMarkup|ReplyKeyboardRemove|ForceReply
sendDocument business_connection_id?:String chat_id:Integer|String message_thread_id?:Integer
    direct_messages_topic_id?:Integer document:InputFile|String thumbnail?:InputFile|String caption?:String
    parse_mode?:String caption_entities?:[]MessageEntity disable_content_type_detection?:Boolean
    disable_notification?:Boolean protect_content?:Boolean allow_paid_broadcast?:Boolean message_effect_id?:String
    suggested_post_parameters?:SuggestedPostParameters reply_parameters?:ReplyParameters
    reply_markup?:InlineKeyboardMarkup|ReplyKeyboardMarkup|ReplyKeyboardRemove|ForceReply
sendChatAction business_connection_id?:String chat_id:Integer|String message_thread_id?:Integer action:String
setMessageReaction chat_id:Integer|String message_id:Integer reaction?:[]ReactionType is_big?:Boolean
leaveChat chat_id:Integer|String
getChat chat_id:Integer|String
getChatAdministrators chat_id:Integer|String return_bots?:Boolean
getChatMemberCount chat_id:Integer|String
getChatMember chat_id:Integer|String user_id:Integer
answerCallbackQuery callback_query_id:String text?:String show_alert?:Boolean url?:String cache_time?:Integer
setMyCommands commands:[]BotCommand scope?:BotCommandScope language_code?:String
deleteMyCommands scope?:BotCommandScope language_code?:String
getMyCommands scope?:BotCommandScope language_code?:String
setMyDescription description?:String language_code?:String
getMyDescription language_code?:String
setMyShortDescription short_description?:String language_code?:String
getMyShortDescription language_code?:String
editMessageText business_connection_id?:String chat_id?:Integer|String message_id?:Integer inline_message_id?:String
    text?:String parse_mode?:String entities?:[]MessageEntity link_preview_options?:LinkPreviewOptions
    rich_message?:InputRichMessage reply_markup?:InlineKeyboardMarkup
editMessageReplyMarkup business_connection_id?:String chat_id?:Integer|String message_id?:Integer
    inline_message_id?:String reply_markup?:InlineKeyboardMarkup
deleteMessage chat_id:Integer|String message_id:Integer
""")
TYPES = _table("""
BotCommand command:String description:String
BotCommandScopeAllChatAdministrators type:String
BotCommandScopeAllGroupChats type:String
BotCommandScopeAllPrivateChats type:String
BotCommandScopeChat type:String chat_id:Integer|String
BotCommandScopeChatAdministrators type:String chat_id:Integer|String
BotCommandScopeChatMember type:String chat_id:Integer|String user_id:Integer
BotCommandScopeDefault type:String
CopyTextButton text:String
ForceReply force_reply:Boolean input_field_placeholder?:String selective?:Boolean
InlineKeyboardButton text:String icon_custom_emoji_id?:String style?:String url?:String callback_data?:String
    web_app?:WebAppInfo login_url?:LoginUrl switch_inline_query?:String switch_inline_query_current_chat?:String
    switch_inline_query_chosen_chat?:SwitchInlineQueryChosenChat copy_text?:CopyTextButton
    callback_game?:CallbackGame pay?:Boolean
InlineKeyboardMarkup inline_keyboard:[][]InlineKeyboardButton
LinkPreviewOptions is_disabled?:Boolean url?:String prefer_small_media?:Boolean prefer_large_media?:Boolean
    show_above_text?:Boolean
MessageEntity type:String offset:Integer length:Integer url?:String user?:User language?:String
    custom_emoji_id?:String unix_time?:Integer date_time_format?:String
ReactionTypeCustomEmoji type:String custom_emoji_id:String
ReactionTypeEmoji type:String emoji:String
ReplyParameters message_id:Integer chat_id?:Integer|String allow_sending_without_reply?:Boolean quote?:String
    quote_parse_mode?:String quote_entities?:[]MessageEntity quote_position?:Integer checklist_task_id?:Integer
    poll_option_id?:String
""")
UNIONS = {  # what `type` says, and which type that is
    "BotCommandScope": {
        "default": "BotCommandScopeDefault",
        "all_private_chats": "BotCommandScopeAllPrivateChats",
        "all_group_chats": "BotCommandScopeAllGroupChats",
        "all_chat_administrators": "BotCommandScopeAllChatAdministrators",
        "chat": "BotCommandScopeChat",
        "chat_administrators": "BotCommandScopeChatAdministrators",
        "chat_member": "BotCommandScopeChatMember",
    },
    "ReactionType": {"emoji": "ReactionTypeEmoji", "custom_emoji": "ReactionTypeCustomEmoji"},
}
