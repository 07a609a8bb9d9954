"""What happened in a room, one event at a time: people write and press, come and go, and rooms go on elsewhere."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from adapters.matrix import incoming
from adapters.matrix.direct import inviter_to_private
from adapters.matrix.failures import RefusedError, UnreachableError
from adapters.matrix.incoming import place_of, sender_of
from adapters.matrix.locked import TYPE as ENCRYPTED
from adapters.matrix.locked import is_locked
from adapters.matrix.presence import is_about, is_arrival
from adapters.matrix.raw import part, text
from adapters.matrix.rooms import PRESENT, membership_before, membership_of
from adapters.matrix.web import in_room, segment
from core.chat.message import Event, Incoming

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.matrix.house import House
    from adapters.matrix.rooms import Room

log = logging.getLogger(__name__)
TARGETS_MAX = 2000


class Happenings:
    """Reads events in the order in which they happened."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._targets: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        self._left_behind: set[str] = set()

    async def read(self, room: Room, event: dict[str, Any]) -> list[Event]:
        """Return the events of the pool that an event is. Raises RefusedError or UnreachableError."""
        try:
            return await self._read(room, event)
        except (RefusedError, UnreachableError):
            raise
        except Exception:
            log.exception("matrix: an event in %s could not be read", room.room_id)
            return []

    async def _read(self, room: Room, event: dict[str, Any]) -> list[Event]:
        us, kind = self._house.us, text(event, "type")
        if kind == "m.room.member":
            return await (self._own(room, event) if is_about(event, us.user_id) else self._other(room, event))
        if kind == "m.room.tombstone":
            await self._follow(room, text(event, "sender"))
            return []
        if text(event, "sender") == us.user_id:
            return []
        if kind == ENCRYPTED:
            found = self._house.vault.decrypt(room.room_id, event)
            if found is None:
                await self._lock(room, event)
                return []
            event = found
        is_private = bool(self._house.direct.person(room.room_id))
        pressed = incoming.pressed(event, us)
        if pressed is not None:
            target = await self._target(room.room_id, pressed.ref)
            one = incoming.press(event, pressed, target, room, us, is_private=is_private)
        else:
            one = incoming.read(event, room, us, is_private=is_private)
        return [one] if one is not None else []

    async def _lock(self, room: Room, event: dict[str, Any]) -> None:
        """Let what cannot be read wait for its key."""
        if is_locked(event):
            self._house.locked.add(room.room_id, event)
            await self._house.vault.ask_for_key(room.room_id, event)

    def unreadable(self, room_ids: Iterable[str]) -> list[Event]:
        """Return the word to rooms whose messages can't be read, which is theirs once for each device of ours."""
        return [
            Event(
                f"unreadable {self._house.device_id} {room_id}",
                Incoming.UNREADABLE,
                place_of(self._house.rooms[room_id], is_private=bool(self._house.direct.person(room_id))),
            )
            for room_id in room_ids
            if room_id in self._house.rooms
        ]

    async def _target(self, room_id: str, ref: str) -> dict[str, Any]:
        """Return the message that somebody reacted to, as the homeserver has it; empty if there is none."""
        spot = (room_id, ref)
        if spot not in self._targets:
            path = in_room(room_id, f"/event/{segment(ref)}")
            try:
                self._targets[spot] = await self._house.web.ask("GET", path)
            except RefusedError as error:
                if error.is_limit or error.is_logged_out:
                    raise
                return {}
            if len(self._targets) > TARGETS_MAX:
                self._targets.popitem(last=False)
        return self._targets[spot]

    # People come and go

    async def _own(self, room: Room, event: dict[str, Any]) -> list[Event]:
        """Read what became of us in a room."""
        event_id, us = text(event, "event_id"), self._house.us.user_id
        direct = self._house.direct
        if membership_of(event) not in PRESENT:
            place = place_of(room, is_private=direct.is_known(room.room_id))
            return [] if text(event, "sender") == us else [Event(event_id, Incoming.GONE, place)]
        if not is_arrival(event, us) or room.creator == us:
            return []
        person = inviter_to_private(event) or direct.person(room.predecessor)
        if person and room.others(us) <= {person}:
            await direct.add(person, room.room_id)
        place = place_of(room, is_private=bool(direct.person(room.room_id)))
        moved = self._moved(room)
        inviter = text(part(event, "unsigned"), "prev_sender") if membership_before(event) == "invite" else ""
        if moved or not inviter:
            return [*moved, Event(event_id, Incoming.BACK, place)]
        return [Event(event_id, Incoming.ADDED, place, sender_of(room, inviter))]

    async def _other(self, room: Room, event: dict[str, Any]) -> list[Event]:
        """Read what became of somebody else: it matters where we are alone with them."""
        direct, event_id = self._house.direct, text(event, "event_id")
        if not direct.is_known(room.room_id):
            return []
        person = direct.person(room.room_id)
        if not person:
            await direct.remove(room.room_id)
            return [Event(event_id, Incoming.BACK, place_of(room))]
        place = place_of(room, is_private=True)
        if is_arrival(event, person):
            return [Event(event_id, Incoming.BACK, place, sender_of(room, person))]
        if is_about(event, person) and membership_of(event) not in PRESENT:
            return [Event(event_id, Incoming.GONE, place)]
        return []

    # Rooms go on elsewhere

    def _moved(self, room: Room) -> list[Event]:
        """Return that a room of ours goes on in this one, if both say so."""
        before = self._house.rooms.get(room.predecessor)
        if before is None or before.replacement != room.room_id:
            return []
        self._left_behind.add(before.room_id)
        place = place_of(before, is_private=bool(self._house.direct.person(before.room_id)))
        return [Event(f"moved {room.room_id}", Incoming.MOVED, place, moved_to=room.room_id)]

    async def _follow(self, room: Room, sender: str) -> None:
        """Go where a room goes on, if whoever says so may invite people. An impostor is left again."""
        wanted, rooms = room.replacement, self._house.rooms
        if not wanted or wanted in rooms:
            return
        try:
            query = {"server_name": sender.partition(":")[2]}
            await self._house.web.ask("POST", f"/join/{segment(wanted)}", {}, query=query)
            create = await self._house.web.ask("GET", in_room(wanted, "/state/m.room.create/"))
            if text(part(create, "predecessor"), "room_id") != room.room_id:
                await self._house.web.ask("POST", in_room(wanted, "/leave"), {})
        except RefusedError as error:
            if error.is_limit or error.is_logged_out:
                raise
            log.warning(
                "matrix: %s goes on where we can't follow; somebody there may invite us: %s", room.room_id, error
            )

    async def committed(self) -> None:
        """Leave the rooms that go on elsewhere, now that this is kept."""
        for room_id in self._left_behind:
            try:
                await self._house.web.ask("POST", in_room(room_id, "/leave"), {})
            except (RefusedError, UnreachableError) as error:
                log.info("matrix: %s could not be left: %s", room_id, error)
        self._left_behind.clear()
