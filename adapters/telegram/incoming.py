"""What Telegram reports, as events of the pool. Pure; whatever shape an update has, it is an event or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from adapters.telegram.raw import flag, number, part, text
from core.chat.addressing import addressed
from core.chat.handling import SIGN
from core.chat.message import Event, Incoming
from core.identity import Place, Sender

if TYPE_CHECKING:
    from collections.abc import Callable

PLATFORM = "telegram"
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
GROUPS = frozenset({"group", "supergroup"})
FROM_ELSEWHERE = ("forward_origin", "via_bot", "sender_business_bot", "guest_query_id", "guest_bot_caller_user")


@dataclass(frozen=True, slots=True)
class Us:
    """Who the bot is, as others see it."""

    user_id: int
    username: str


def read(update: object, us: Us) -> Event | None:
    """Return the event an update stands for; None if it is nothing to us."""
    update_id = number(update, "update_id")
    for key, reader in READERS.items():
        content = part(update, key)
        if content and update_id:
            return reader(str(update_id), content, us)
    return None


def press_of(update: object) -> str:
    """Return what has to be answered if the update is a press, whatever else it is."""
    return text(part(update, "callback_query"), "id")


def reference(chat_id: int | str, message_id: int) -> str:
    """Return how a message is known to the pool. A group that moves begins to count anew, so its address is part."""
    return f"{chat_id}/{message_id}"


# Messages


def _message(event_id: str, message: dict[str, object], us: Us) -> Event | None:
    place = _place(message)
    if place is None:
        return None
    moved_to = number(message, "migrate_to_chat_id")
    if moved_to:
        return Event(event_id, Incoming.MOVED, replace(place, topic=""), moved_to=str(moved_to))
    if "forum_topic_reopened" in message:
        return Event(event_id, Incoming.BACK, place)
    return _text(event_id, Incoming.TEXT, place, message, us)


def _edit(event_id: str, message: dict[str, object], us: Us) -> Event | None:
    place = _place(message)
    return _text(event_id, Incoming.EDIT, place, message, us) if place is not None else None


def _text(event_id: str, kind: Incoming, place: Place, message: dict[str, object], us: Us) -> Event | None:
    """Read what somebody wrote, if it is for us: other talk in a group is not kept."""
    heard = addressed(text(message, "text") or text(message, "caption"), {us.username.casefold()})
    if heard is None or not heard[0] or any(key in message for key in FROM_ELSEWHERE):
        return None
    words, is_addressed = heard
    reply_to = _answered(message, us)
    if not (place.private or is_addressed or reply_to or SIGN.match(words)):
        return None
    ref = reference(place.address, number(message, "message_id"))
    sender = None
    if part(message, "sender_chat"):
        if str(number(part(message, "sender_chat"), "id")) != place.address:
            return None  # a channel; who writes as the group itself is one of its admins
        kind = Incoming.NAMELESS
    else:
        sender = _sender(part(message, "from"))
        if sender is None:
            return None
    return Event(event_id, kind, place, sender, words, ref, reply_to, addressed=is_addressed)


def _answered(message: dict[str, object], us: Us) -> str:
    """Return which of our messages is answered, if one is."""
    answered = part(message, "reply_to_message")
    if number(part(answered, "from"), "id") != us.user_id:
        return ""
    return reference(number(part(message, "chat"), "id"), number(answered, "message_id"))


# Presses


def _press(event_id: str, query: dict[str, object], us: Us) -> Event | None:
    message, press_ref = part(query, "message"), text(query, "id")
    place, sender = _place(message), _sender(part(query, "from"))
    if place is None or sender is None or not press_ref:
        return None
    del us
    return Event(event_id, Incoming.PRESS, place, sender, choice=text(query, "data"), press_ref=press_ref)


# Being in a chat or not


def _membership(event_id: str, change: dict[str, object], us: Us) -> Event | None:
    place = _place(change)
    if place is None:
        return None
    del us
    old, new = part(change, "old_chat_member"), part(change, "new_chat_member")
    if not _is_in(new) or not _may_write(new):
        return Event(event_id, Incoming.GONE, place)
    is_new = not _is_in(old) and not place.private
    kind = Incoming.ADDED if is_new else Incoming.BACK
    return Event(event_id, kind, place, _sender(part(change, "from")))


def _is_in(member: dict[str, object]) -> bool:
    status = text(member, "status")
    return status in {"member", "administrator", "creator"} or (status == "restricted" and flag(member, "is_member"))


def _may_write(member: dict[str, object]) -> bool:
    return text(member, "status") != "restricted" or flag(member, "can_send_messages")


# Who and where


def _place(message: dict[str, object]) -> Place | None:
    """Return where a message is, if that is a chat of people."""
    chat = part(message, "chat")
    chat_id, kind = number(chat, "id"), text(chat, "type")
    if not chat_id:
        return None
    if kind == "private":
        return Place(PLATFORM, str(chat_id), private=True)
    if kind not in GROUPS:
        return None
    topic = number(message, "message_thread_id") if flag(message, "is_topic_message") else 0
    return Place(PLATFORM, str(chat_id), str(topic or ""), text(chat, "title"))


def _sender(user: dict[str, object]) -> Sender | None:
    """Return who it was; other bots are nobody."""
    user_id, handle = number(user, "id"), text(user, "username")
    if not user_id or flag(user, "is_bot"):
        return None
    name = f"{text(user, 'first_name')} {text(user, 'last_name')}".strip()
    return Sender(PLATFORM, str(user_id), name or handle or str(user_id), handle)


READERS: dict[str, Callable[[str, dict[str, object], Us], Event | None]] = {
    "message": _message,
    "edited_message": _edit,
    "callback_query": _press,
    "my_chat_member": _membership,
}
