"""What the pool says as Matrix shows it: a plain body that is complete by itself, and the same as HTML. Pure.

Nothing anybody typed is markup, and whom a message is to reach is said outright: a name or @room in it rings nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from adapters.matrix.raw import PLATFORM
from core.chat.text import Span, Style

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from core.chat.message import Choice, Message
    from core.chat.port import Parcel
    from core.identity import Sender

PREFIX = "!"  # Element keeps commands with / to itself
CHARACTERS_MAX = 8000  # an event may have 64 KiB, and an edit carries its text four times
WEB = ("https://", "http://")
MATRIX_TO = "https://matrix.to/#/"
FORMAT = "org.matrix.custom.html"
OWNED = re.compile(r"only [0-9]+ ")  # who types it is whose it is
PAGED = re.compile(r".* page:")  # nobody types that
NUMBERED = re.compile(r"undo [0-9]+")  # typed, it is about one's last deed anyway
QUOTED_WORD = re.compile(r'"([^\W\d_][^\W_]*)"')


@dataclass(frozen=True, slots=True)
class Look:
    """A message as it looks, in both forms."""

    body: str
    formatted: str


def look(message: Message, accounts: Mapping[int, Sender], private_room: str = "") -> Look:
    """Return how a message looks: its text, its choices numbered, and the way to the private room it links to."""
    text = message.text.with_prefix(PREFIX)
    bodies = ["".join(map(_plain, text.spans))]
    formatted = ["".join(_html(span, accounts) for span in text.spans).replace("\n", "<br>")]
    for number, choice in enumerate(message.choices, 1):
        typed = _typed(choice)
        bodies.append(f"{number} {choice.label}" + (f" · {typed}" if typed else ""))
        shown = f" · <code>{escape(typed)}</code>" if typed else ""
        formatted.append(f"<strong>{number}</strong> {escape(choice.label)}{shown}")
    if message.link is not None:
        label, parameter = message.link[0], message.link[1]
        address, typed = room_address(private_room), f"{PREFIX}{parameter.partition('-')[2]}"
        bodies.append(f"{label}: {address if private_room else typed}")
        linked = f'<a href="{escape(address)}">{escape(label)}</a>'
        formatted.append(linked if private_room else f"{escape(label)}: <code>{escape(typed)}</code>")
    return _shortened(Look("\n".join(filter(None, bodies)), "<br>".join(filter(None, formatted))))


def _shortened(whole: Look) -> Look:
    """Return what fits into an event. HTML cannot be cut, so what is too long comes as plain text."""
    if len(whole.body) <= CHARACTERS_MAX and len(whole.formatted) <= 2 * CHARACTERS_MAX:
        return whole
    body = whole.body if len(whole.body) <= CHARACTERS_MAX else f"{whole.body[: CHARACTERS_MAX - 1]}…"
    return Look(body, escape(body).replace("\n", "<br>"))


def _typed(choice: Choice) -> str:
    """Return what to type instead of choosing."""
    command = QUOTED_WORD.sub(r"\1", OWNED.sub("", choice.command, count=1))
    if NUMBERED.fullmatch(command):
        return f"{PREFIX}undo"
    return "" if PAGED.match(command) else f"{PREFIX}{command}"


def _plain(span: Span) -> str:
    is_hidden = span.style is Style.LINK and span.target.startswith(WEB) and span.target != span.text
    return f"{span.text} ({span.target})" if is_hidden else span.text


def _html(span: Span, accounts: Mapping[int, Sender]) -> str:
    shown = escape(span.text)
    if span.style is Style.BOLD:
        return f"<strong>{shown}</strong>"
    if span.style in {Style.CODE, Style.COMMAND}:
        return f"<code>{shown}</code>"
    if span.style is Style.LINK and span.target.startswith(WEB):
        return f'<a href="{escape(span.target)}">{shown}</a>'
    if span.style is Style.MENTION:
        account = accounts.get(int(span.target)) if span.target.isdecimal() else None
        if account is not None and account.platform == PLATFORM:
            return pill(account.user_id, span.text)
    return shown


def pill(user_id: str, name: str) -> str:
    """Return a person's name as HTML that leads to them."""
    return f'<a href="{escape(MATRIX_TO + quote(user_id, safe="@:"))}">{escape(name)}</a>'


def room_address(room_id: str) -> str:
    """Return the address by which a client opens a room one is in or invited to."""
    return f"{MATRIX_TO}{quote(room_id, safe='!:')}"


# Contents of events


def content(parcel: Parcel, private_room: str = "") -> dict[str, Any]:
    """Return the content of a parcel's message: new, in a thread, in reply, or in place of an earlier one."""
    message, place = parcel.message, parcel.place
    user_ids = sorted(_concerned(parcel))
    kind = "m.text" if user_ids or place.private else "m.notice"
    found = said(kind, look(message, parcel.accounts, private_room), user_ids)
    if parcel.edits:
        return edited(found, parcel.edits)
    return with_relation(found, place.topic, message.reply_to)


def _concerned(parcel: Parcel) -> Iterator[str]:
    """Yield whom a message is to reach."""
    for account_id in parcel.message.mentions:
        account = parcel.accounts.get(account_id)
        if account is not None and account.platform == PLATFORM:
            yield account.user_id


def said(kind: str, shown: Look, user_ids: list[str]) -> dict[str, Any]:
    """Return the content of a message that rings for those people and nobody else."""
    mentions = {"user_ids": user_ids} if user_ids else {}
    body = {"msgtype": kind, "body": shown.body, "format": FORMAT, "formatted_body": shown.formatted}
    return {**body, "m.mentions": mentions}


def edited(new: dict[str, Any], ref: str) -> dict[str, Any]:
    """Return what replaces an earlier message, for whoever shows edits and for whoever does not. It rings nobody."""
    shown = {**new, "body": f"* {new['body']}", "formatted_body": f"* {new['formatted_body']}", "m.mentions": {}}
    return {**shown, "m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": ref}}


def with_relation(found: dict[str, Any], thread: str, reply_to: str) -> dict[str, Any]:
    """Return a content in its thread and in reply to a message, if there are such."""
    relation: dict[str, Any] = {}
    if thread:
        relation = {"rel_type": "m.thread", "event_id": thread, "is_falling_back": not reply_to}
    if thread or reply_to:
        relation["m.in_reply_to"] = {"event_id": reply_to or thread}
        return {**found, "m.relates_to": relation}
    return found


def toast(user_id: str, name: str, text: str, thread: str, reply_to: str) -> dict[str, Any]:
    """Return what answers somebody's press: a short word that does not ring."""
    line = escape(text).replace("\n", "<br>")
    shown = Look(f"{name}: {text}", f"{pill(user_id, name)}: {line}")
    return with_relation(said("m.notice", shown, [user_id]), thread, reply_to)
