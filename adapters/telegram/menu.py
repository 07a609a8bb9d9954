"""The menus of commands: for private chats, for groups and for their admins, in every language."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from telegram import (
    BotCommand,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
)
from telegram.error import TelegramError

from adapters.telegram.api import shown
from core.chat.commands import table
from core.chat.say import LANGUAGES, Say
from core.timetable import read_zone

if TYPE_CHECKING:
    from collections.abc import Collection

    from telegram import BotCommandScope

    from adapters.post import Door
    from adapters.telegram.api import Api

log = logging.getLogger(__name__)
FACT = "telegram:menus"
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
DOES_MAX = 256
# A menu is for the thumb: what is wanted often, that first. All else is in /help.
PRIVATE = ("start", "tasks", "goods", "me", "wants", "why", "history", "undo", "round", "help", "language", "privacy")
DOING = ("tasks", "goods", "claim", "done", "confirm", "want", "bid", "made", "did", "round", "shortfalls", "me")
GROUP = (*DOING, "help")
MAINTAINER = (*DOING, "handover", "pledge", "accept", "reject", "project", "pool", "members", "help")
SCOPES: tuple[tuple[BotCommandScope, Collection[str]], ...] = (
    (BotCommandScopeAllPrivateChats(), PRIVATE),
    (BotCommandScopeAllGroupChats(), GROUP),
    (BotCommandScopeAllChatAdministrators(), MAINTAINER),
)


def menu(names: Collection[str], language: str) -> list[BotCommand]:
    """Return a menu in a language, from the table of commands."""
    say = Say(language, read_zone("UTC"), datetime(1970, 1, 1, tzinfo=UTC))
    does = {one.name: one.does for one in reversed(table().commands) if not one.hidden}
    return [BotCommand(name, say.translate(does[name])[:DOES_MAX]) for name in names if name in does]


async def announce(api: Api, door: Door) -> None:
    """Set the menus, unless these are what is set already. What fails is tried again at the next start."""
    menus = [
        (scope, menu(names, language), "" if language == LANGUAGES[0] else language)
        for scope, names in SCOPES
        for language in LANGUAGES
    ]
    written = json.dumps([(scope.type, [one.to_dict() for one in found], code) for scope, found, code in menus])
    mark = f"{api.id}:{hashlib.sha256(written.encode()).hexdigest()}"
    if await door.fact(FACT) == mark:
        return
    try:
        for scope, found, code in menus:
            await api.set_my_commands(found, scope=scope, language_code=code or None)
    except TelegramError as error:
        log.warning("telegram: the menus could not be set: %s", shown(error))
        return
    await door.receive([], {FACT: mark})
