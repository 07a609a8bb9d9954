"""What stands under a message: buttons laid out for a phone, or the wish for an answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from telegram import ForceReply, InlineKeyboardButton, InlineKeyboardMarkup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.chat.port import Parcel
    from core.identity import Sender

LABEL_MAX = {1: 40, 2: 16, 3: 9}  # characters of a label that show, by the number of buttons beside each other
PARAMETER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def under(parcel: Parcel, username: str) -> InlineKeyboardMarkup | ForceReply | None:
    """Return what stands under a parcel's message."""
    buttons = keyboard(parcel, username)
    if buttons is not None or parcel.edits or not parcel.message.answers:
        return buttons
    return ForceReply(selective=True) if parcel.place.private or parcel.message.reply_to or asked(parcel) else None


def asked(parcel: Parcel) -> Sender | None:
    """Return whom a question names, so that it is selective where it answers no message of theirs."""
    message = parcel.message
    is_plain = bool(message.answers and message.mentions) and not message.choices
    is_open = is_plain and not (message.reply_to or parcel.edits or parcel.place.private)
    return parcel.accounts.get(message.mentions[0]) if is_open else None


def keyboard(parcel: Parcel, username: str) -> InlineKeyboardMarkup | None:
    """Return the buttons of a parcel's message: its choices, and the ways to the private chat or into a group."""
    message = parcel.message
    buttons = [
        InlineKeyboardButton(choice.label, callback_data=parcel.choice(index))
        for index, choice in enumerate(message.choices)
    ]
    for link, kind in ((message.link, "start"), (message.group_link, "startgroup")):
        if link is not None:
            buttons.append(InlineKeyboardButton(link[0], url=_address(username, kind, link[1])))
    return InlineKeyboardMarkup(list(rows(buttons))) if buttons else None


def rows(buttons: Iterable[InlineKeyboardButton]) -> Iterable[list[InlineKeyboardButton]]:
    """Lay buttons out in rows, in order: several beside each other as long as all their labels show."""
    row: list[InlineKeyboardButton] = []
    for button in buttons:
        if row and any(len(one.text) > LABEL_MAX.get(len(row) + 1, 0) for one in (*row, button)):
            yield row
            row = []
        row = [*row, button]
    if row:
        yield row


def _address(username: str, kind: str, parameter: str) -> str:
    return f"https://t.me/{username}" + (f"?{kind}={parameter}" if PARAMETER.fullmatch(parameter) else "")
