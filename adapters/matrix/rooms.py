"""What is known of a room from its state: who is there, what it is called, who may do what, where it went. Pure."""

from __future__ import annotations

from typing import Any

from adapters.matrix.raw import number, part, text, texts
from core.clean import clean

TITLE_LENGTH_MAX = 100
NAME_LENGTH_MAX = 100
CREATOR_POWER = 2**60  # from room version 12 on, those who made a room stand above every level
CREATORS_ABOVE_FROM = 12
CREATOR_POWER_BEFORE = 100
KEPT = frozenset(
    f"m.room.{kind}" for kind in ("create", "power_levels", "name", "canonical_alias", "encryption", "tombstone")
)
PRESENT = frozenset({"join", "invite"})


class Room:
    """One room. `apply` takes its events in order; what is no state of interest passes by."""

    def __init__(self, room_id: str) -> None:
        self.room_id = room_id
        self._state: dict[str, dict[str, Any]] = {}
        self._members: dict[str, dict[str, Any]] = {}

    def apply(self, event: dict[str, Any]) -> None:
        """Take in an event."""
        kind, key = text(event, "type"), event.get("state_key")
        if kind == "m.room.member" and isinstance(key, str):
            if membership_of(event) in PRESENT:
                self._members[key] = event
            else:
                self._members.pop(key, None)
        elif kind in KEPT and key == "":
            self._state[kind] = event

    def _content(self, kind: str) -> dict[str, Any]:
        return part(self._state.get(f"m.room.{kind}"), "content")

    # Who is there

    @property
    def people(self) -> frozenset[str]:
        """Who is there or invited."""
        return frozenset(self._members)

    def others(self, user_id: str) -> frozenset[str]:
        """Return everybody but one, the invited ones too."""
        return self.people - {user_id}

    def name_of(self, user_id: str) -> str:
        """Return what somebody is called here; without a name that shows, the first part of their address."""
        shown = text(part(self._members.get(user_id), "content"), "displayname")
        return clean(shown[:NAME_LENGTH_MAX], NAME_LENGTH_MAX) or user_id[1:].partition(":")[0]

    # What it is

    @property
    def title(self) -> str:
        """What the room is called; empty if it has no name."""
        shown = text(self._content("name"), "name") or text(self._content("canonical_alias"), "alias")
        return clean(shown[:TITLE_LENGTH_MAX], TITLE_LENGTH_MAX)

    @property
    def is_encrypted(self) -> bool:
        """Tell whether messages are encrypted. Once they are, they stay so."""
        return "m.room.encryption" in self._state

    @property
    def creator(self) -> str:
        """Who made it."""
        return text(self._state.get("m.room.create"), "sender")

    @property
    def predecessor(self) -> str:
        """The room that this one replaces, as this one says."""
        return text(part(self._content("create"), "predecessor"), "room_id")

    @property
    def replacement(self) -> str:
        """The room that replaces this one, if who said so may invite people."""
        is_allowed = self.power_of(text(self._state.get("m.room.tombstone"), "sender")) >= self._power_to_invite
        return text(self._content("tombstone"), "replacement_room") if is_allowed else ""

    # Who may do what

    @property
    def _power_to_invite(self) -> int:
        return number(self._content("power_levels"), "invite")

    def power_of(self, user_id: str) -> int:
        """Return somebody's power level. In new rooms their makers stand above all levels, which do not name them."""
        create = self._content("create")
        if number(create, "room_version", 1) >= CREATORS_ABOVE_FROM:
            if user_id in {self.creator, *texts(create, "additional_creators")}:
                return CREATOR_POWER
        elif "m.room.power_levels" not in self._state:
            return CREATOR_POWER_BEFORE if user_id == self.creator else 0
        levels = self._content("power_levels")
        return number(part(levels, "users"), user_id, number(levels, "users_default"))


def membership_of(event: object) -> str:
    """Return what a member event makes of somebody: join, invite, leave, ban or knock."""
    return text(part(event, "content"), "membership")


def membership_before(event: object) -> str:
    """Return what somebody was before a member event."""
    return text(part(event, "unsigned", "prev_content"), "membership")
