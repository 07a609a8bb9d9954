"""What happens in a room, as events of the pool. Pure; whatever an event looks like, it is one of the pool's or none.

In a room everything is heard. What is not for the bot goes no further: only commands, what is said to it by name or in
reply to something, and everything in private.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from adapters.matrix.numbers import index_of
from adapters.matrix.raw import PLATFORM, is_id, part, text, texts
from core.chat.addressing import addressed
from core.chat.handling import SIGN
from core.chat.message import Event, Incoming
from core.identity import Place, Sender

if TYPE_CHECKING:
    from adapters.matrix.rooms import Room

QUOTE = re.compile(r"(?:>.*\n?)+\n?")


@dataclass(frozen=True, slots=True)
class Us:
    """Who the bot is, as others see it: `names` are what people call it."""

    user_id: str
    names: frozenset[str]

    @classmethod
    def of(cls, user_id: str, shown: str = "") -> Us:
        """Return a bot of that address, shown by a name."""
        whole = user_id[1:]
        names = {whole, whole.partition(":")[0], " ".join(shown.split())}
        return cls(user_id, frozenset(name.casefold() for name in names if name))


@dataclass(frozen=True, slots=True)
class Pressed:
    """A number under a message: whether it is one of ours, and in which thread, is yet to be seen."""

    ref: str
    index: int


def place_of(room: Room, topic: str = "", *, is_private: bool = False) -> Place:
    """Return a room, or a thread in it, as the pool knows it."""
    return Place(PLATFORM, room.room_id, topic, "" if is_private else room.title, private=is_private)


def sender_of(room: Room, user_id: str) -> Sender:
    """Return somebody in a room as the pool knows them."""
    return Sender(PLATFORM, user_id, room.name_of(user_id), user_id[1:].partition(":")[0])


def read(event: dict[str, Any], room: Room, us: Us, *, is_private: bool) -> Event | None:
    """Return the event of the pool that a message or a redaction is; None if it is nothing to us."""
    event_id, sender = text(event, "event_id"), text(event, "sender")
    if not is_id(event_id) or not is_id(sender) or sender == us.user_id or "state_key" in event:
        return None
    kind = text(event, "type")
    if kind == "m.room.message":
        return _message(event, room, us, is_private=is_private)
    if kind == "m.room.redaction":
        ref = text(event, "redacts") or text(part(event, "content"), "redacts")
        place = place_of(room, is_private=is_private)
        return Event(event_id, Incoming.DELETE, place, sender_of(room, sender), ref=ref) if is_id(ref) else None
    return None


def _message(event: dict[str, Any], room: Room, us: Us, *, is_private: bool) -> Event | None:
    content, kind, ref = part(event, "content"), Incoming.TEXT, text(event, "event_id")
    relation = part(content, "m.relates_to")
    if text(relation, "rel_type") == "m.replace":
        content, kind, ref = part(content, "m.new_content"), Incoming.EDIT, text(relation, "event_id")
    reply_to = _answered(relation)
    body = text(content, "body")
    if text(content, "msgtype") != "m.text" or not is_id(ref):
        return None  # notices come from bots, and are never answered
    is_mentioned = us.user_id in texts(part(content, "m.mentions"), "user_ids")
    heard = spoken_to(_without_quote(body) if reply_to else body, us, is_mentioned=is_mentioned)
    if heard is None or not heard[0] or not (is_private or heard[1] or reply_to or SIGN.match(heard[0])):
        return None
    place = place_of(room, _thread(relation), is_private=is_private)
    sender = sender_of(room, text(event, "sender"))
    return Event(text(event, "event_id"), kind, place, sender, heard[0], ref, reply_to, addressed=heard[1])


def _answered(relation: dict[str, Any]) -> str:
    """Return which message is answered. In a thread, some clients name the last one for those that show no threads."""
    is_fallback = text(relation, "rel_type") == "m.thread" and relation.get("is_falling_back") is True
    found = text(part(relation, "m.in_reply_to"), "event_id")
    return "" if is_fallback or not is_id(found) else found


def _thread(relation: dict[str, Any]) -> str:
    found = text(relation, "event_id") if text(relation, "rel_type") == "m.thread" else ""
    return found if is_id(found) else ""


def _without_quote(body: str) -> str:
    """Return an answer without the quote of what it answers, which older clients put in front."""
    return QUOTE.sub("", body, count=1) if body.startswith("> ") else body


def spoken_to(body: str, us: Us, *, is_mentioned: bool) -> tuple[str, bool] | None:
    """Return a text without our name in front, and whether it was there; None if it is for another bot.

    A bare name counts only if the client says it means us, or else with a mark: "pool: …", "@pool …".
    """
    whole = body.strip()
    for name in sorted(us.names, key=len, reverse=True):
        match = re.match(rf"(@?){re.escape(name)}(?![\w.-]|:\w)([:,]?)\s*", whole, re.IGNORECASE)
        if match and (match[1] or match[2] or is_mentioned):
            return whole[match.end() :].strip() or "start", True
    return addressed(whole, us.names)


def pressed(event: dict[str, Any], us: Us) -> Pressed | None:
    """Return which number under which message somebody pressed; None if it is nothing of the kind."""
    relation = part(event, "content", "m.relates_to")
    is_reaction = text(event, "type") == "m.reaction" and text(relation, "rel_type") == "m.annotation"
    ref, index = text(relation, "event_id"), index_of(text(relation, "key"))
    if not is_reaction or not is_id(ref) or index is None or text(event, "sender") == us.user_id:
        return None
    return Pressed(ref, index) if is_id(text(event, "event_id")) else None


def press(
    event: dict[str, Any], found: Pressed, target: dict[str, Any], room: Room, us: Us, *, is_private: bool
) -> Event | None:
    """Return a press; None if what was reacted to (`target`) is none of our messages."""
    if text(target, "sender") != us.user_id:
        return None
    topic = _thread(part(target, "content", "m.relates_to"))
    user_id = text(event, "sender")
    place = place_of(room, topic, is_private=is_private)
    empty = Event(text(event, "event_id"), Incoming.PRESS, place, sender_of(room, user_id))
    return replace(empty, reply_to=found.ref, choice=str(found.index), press_ref=f"{user_id} {found.ref}")


def press_parts(press_ref: str) -> tuple[str, str]:
    """Return who pressed and the message it was under."""
    user_id, _, ref = press_ref.partition(" ")
    return user_id, ref
