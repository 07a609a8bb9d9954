"""How accounts are shown, so that nobody takes one for another: by name, by what is unique there, and by platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.chat.say import Say
    from core.chat.text import Text
    from core.tables_chat import Account


def account_shown(say: Say, account: Account) -> Text:
    """Show an account: `Bo (@bo) on Telegram`. Handles are only unique on their own server: there the id is shown."""
    unique = account.user_id if account.user_id.startswith("@") else account.handle or account.user_id
    unique = f"@{unique.removeprefix('@')}"
    platform = account.platform.capitalize()
    return say("**{name}** ({unique}) on {platform}", name=account.name or unique, unique=unique, platform=platform)
