"""What `tests.bot_api` asks of keyboards and of bot commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.bot_api_text import units
from tests.bot_api_values import bad

if TYPE_CHECKING:
    from tests.bot_api_methods import Fields

Value = dict[str, Any]
DATA_BYTES_MAX, BUTTONS_MAX, ROW_MAX, COPIED_MAX, PLACEHOLDER_MAX = 64, 100, 8, 256, 64
COMMANDS_MAX, DESCRIPTION_MAX = 100, 256
ACTIONS: Fields = dict.fromkeys(("url", "callback_data", "copy_text", "switch_inline_query"), ("", False))
STYLES = {"danger", "success", "primary"}
URL = re.compile(r"(https?|tg)://[^\s/?#]+\S*")
COMMAND = re.compile(r"[a-z0-9_]{1,32}")
LANGUAGE = re.compile(r"([a-z]{2})?")


def check_markup(markup: Value) -> Value:
    """Return a message's reply_markup. Raises RefusedError."""
    rows = markup.get("inline_keyboard", [])
    buttons = [one for row in rows for one in row]
    if len(buttons) > BUTTONS_MAX or any(len(row) > ROW_MAX for row in rows):
        raise bad("REPLY_MARKUP_TOO_LONG")
    for button in buttons:
        _check_button(button)
    if not 0 <= units(markup.get("input_field_placeholder", "")) <= PLACEHOLDER_MAX:
        raise bad("input field placeholder is too long")
    if "force_reply" in markup and markup["force_reply"] is not True:
        raise bad("can't parse reply markup JSON object")
    return markup


def _check_button(button: Value) -> None:
    if not button["text"].strip():
        raise bad("can't parse inline keyboard button: button text must be non-empty")
    actions = [name for name in ACTIONS if name in button]
    if len(actions) != 1:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= DATA_BYTES_MAX:
        raise bad("BUTTON_DATA_INVALID")
    if "url" in button and not URL.fullmatch(button["url"]):
        raise bad(f"inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL")
    if "copy_text" in button and not 1 <= units(button["copy_text"]["text"]) <= COPIED_MAX:
        raise bad("BUTTON_COPY_TEXT_INVALID")
    if button.get("style", "primary") not in STYLES:
        raise bad("can't parse inline keyboard button: unknown style")


def check_commands(commands: list[Value]) -> list[Value]:
    """Return a bot's commands. Raises RefusedError."""
    if len(commands) > COMMANDS_MAX:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for one in commands:
        if not COMMAND.fullmatch(one["command"]):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= units(one["description"].strip()) <= DESCRIPTION_MAX:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    if len({one["command"] for one in commands}) < len(commands):
        raise bad("BOT_COMMAND_INVALID")
    return commands


def check_language(code: str) -> str:
    """Return a language's two letters, or none. Raises RefusedError."""
    if not LANGUAGE.fullmatch(code):
        raise bad("invalid language code specified")
    return code
