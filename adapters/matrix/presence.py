"""When the bot was in a room: what is written while it is not, is not for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.matrix.raw import text
from adapters.matrix.rooms import membership_before, membership_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def is_about(event: dict[str, Any], user_id: str) -> bool:
    """Tell whether an event says who somebody is in the room."""
    return text(event, "type") == "m.room.member" and event.get("state_key") == user_id


def is_arrival(event: dict[str, Any], user_id: str) -> bool:
    """Tell whether somebody comes into the room by an event; a new name or picture is none."""
    return is_about(event, user_id) and membership_of(event) == "join" and membership_before(event) != "join"


def heard(events: Sequence[dict[str, Any]], user_id: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a room, in order, that happened while somebody was there, and their own coming and going."""
    own = [event for event in events if is_about(event, user_id)]
    is_there = not own or membership_before(own[0]) == "join"
    for event in events:
        if is_about(event, user_id):
            is_there = membership_of(event) == "join"
            yield event
        elif is_there:
            yield event


def since_arrival(events: Iterable[dict[str, Any]], user_id: str) -> bool:
    """Tell whether somebody came into the room within these events: what was before is of no interest."""
    return any(is_arrival(event, user_id) for event in events)
