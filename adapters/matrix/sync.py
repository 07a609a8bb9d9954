"""Listening: one answer of the homeserver after another becomes events, kept together with the token for the next.

Whatever fails in between, the same answer comes again, and what was kept already is known by its event id.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from typing import TYPE_CHECKING, Any

from adapters.matrix.failures import RefusedError, UnreachableError
from adapters.matrix.happenings import Happenings
from adapters.matrix.presence import heard, is_about, since_arrival
from adapters.matrix.raw import is_id, part, parts, text
from adapters.matrix.rooms import Room, membership_before
from adapters.matrix.web import in_room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.matrix.house import House
    from adapters.post import Door
    from core.chat.message import Event

log = logging.getLogger(__name__)
SINCE, INVITES, LOCKED = "matrix:since", "matrix:invites", "matrix:locked"
TIMELINE_MAX = 100  # the most a homeserver gives at once
GAP_PAGES_MAX = 200
LISTEN_SECONDS = 30.0
ANSWER_SECONDS_MAX = 60.0
FIRST_SECONDS_MAX = 600.0  # everything about every room
MILLISECONDS = 1000
NOTHING = {"not_types": ["*"]}
FILTER = {
    "room": {"timeline": {"limit": TIMELINE_MAX}, "ephemeral": NOTHING, "account_data": NOTHING},
    "account_data": {"types": ["m.direct"]},
    "presence": NOTHING,
}


class Sync:
    """Listens for one account."""

    def __init__(self, house: House, door: Door) -> None:
        self.house = house
        self.is_caught_up = False
        self.has_begun = asyncio.Event()
        self._door = door
        self._happenings = Happenings(house)
        self._since = ""
        self._kept: dict[str, str] = {}

    async def load(self, *, is_new_device: bool) -> None:
        """Take up what was kept: where we were, and what waited. For a new device no key will come any more."""
        self._kept = {key: await self._door.fact(key) for key in (SINCE, INVITES, LOCKED)}
        self._since = self._kept[SINCE]
        self.house.invites.from_json(self._kept[INVITES])
        self.house.locked.from_json("" if is_new_device else self._kept[LOCKED])

    async def turn(self) -> None:
        """Listen once. Raises RefusedError or UnreachableError; then the next turn brings the same."""
        try:
            answer = await self._ask()
            self.is_caught_up = False
            self.house.vault.take(answer)
            if not self.has_begun.is_set():
                self.house.direct.load(parts(part(answer, "account_data"), "events"))
            events = await self._read(answer)
            await self._keep(events, text(answer, "next_batch"))
        except BaseException:
            self.is_caught_up = False
            raise
        self.has_begun.set()
        self.is_caught_up = True
        await self.house.vault.keep_up()

    async def _ask(self) -> dict[str, Any]:
        """Return what is new: at first all that is known of our rooms, later what comes while we listen."""
        query, seconds = {"filter": json.dumps(FILTER), "timeout": "0"}, FIRST_SECONDS_MAX
        if self._since:
            query["since"] = self._since
        if self.has_begun.is_set():
            left = self.house.locked.seconds_left
            listen_seconds = LISTEN_SECONDS if left is None else min(left, LISTEN_SECONDS)
            query["timeout"] = str(round(listen_seconds * MILLISECONDS))
            seconds = listen_seconds + ANSWER_SECONDS_MAX
        else:
            self.house.rooms.clear()
            query["full_state"] = "true"
            # It comes at once, whatever the timeout; but to the very same question Synapse repeats an old answer.
            query["timeout"] = str(secrets.randbelow(MILLISECONDS))
        answer = await self.house.web.ask("GET", "/sync", query=query, seconds=seconds)
        if not text(answer, "next_batch"):
            raise UnreachableError("the homeserver answers without sense")
        return answer

    async def _keep(self, events: list[Event], since: str) -> None:
        """Keep what came in, and from where to go on, in one transaction."""
        facts = {SINCE: since, INVITES: self.house.invites.to_json(), LOCKED: self.house.locked.to_json()}
        changed = {key: value for key, value in facts.items() if self._kept.get(key, "") != value}
        if events or changed:
            await self._door.receive(events, changed)
        self._since, self._kept = since, facts
        self.house.vault.committed()
        await self._happenings.committed()

    async def _read(self, answer: dict[str, Any]) -> list[Event]:
        events: list[Event] = []
        for room_id, info in _rooms(answer, "join"):
            events += await self._joined(room_id, info)
        for room_id, info in _rooms(answer, "leave"):
            events += await self._left(room_id, info)
        self.house.invites.note(dict(_rooms(answer, "invite")))
        for room_id, event in self.house.locked.opened():
            room = self.house.rooms.get(room_id)
            events += await self._happenings.read(room, event) if room is not None else []
        return events + self._happenings.unreadable(self.house.locked.to_tell())

    async def _joined(self, room_id: str, info: dict[str, Any]) -> list[Event]:
        room = self.house.rooms.setdefault(room_id, Room(room_id))
        timeline = parts(part(info, "timeline"), "events")
        for event in (*parts(part(info, "state"), "events"), *timeline):
            room.apply(event)
        self.house.vault.follow(room)
        return await self._happened(room, timeline, info)

    async def _left(self, room_id: str, info: dict[str, Any]) -> list[Event]:
        """Read what happened until we left, or were made to."""
        self.house.invites.withdraw(room_id)
        timeline = parts(part(info, "timeline"), "events")
        own = [event for event in timeline if is_about(event, self.house.us.user_id)]
        room = self.house.rooms.setdefault(room_id, Room(room_id))
        for event in parts(part(info, "state"), "events"):
            room.apply(event)
        was_in = bool(own) and membership_before(own[0]) == "join"
        events = await self._happened(room, timeline, info) if was_in else []
        self.house.vault.leave(room_id)
        del self.house.rooms[room_id]
        return events

    async def _happened(self, room: Room, timeline: list[dict[str, Any]], info: dict[str, Any]) -> list[Event]:
        """Return the events of a room since the last answer. Of what was before the first one, none is for us."""
        if not self._since:
            return []
        user_id = self.house.us.user_id
        before: list[dict[str, Any]] = []
        if part(info, "timeline").get("limited") is True and not since_arrival(timeline, user_id):
            before = await self._gap(room.room_id, text(part(info, "timeline"), "prev_batch"))
        events: list[Event] = []
        for event in heard([*before, *timeline], user_id):
            events += await self._happenings.read(room, event)
        return events

    async def _gap(self, room_id: str, end: str) -> list[dict[str, Any]]:
        """Return what happened in a room between the last answer and `end`, or since we came, the oldest first."""
        found: list[dict[str, Any]] = []
        for _page in range(GAP_PAGES_MAX):
            query = {"dir": "b", "from": end, "to": self._since, "limit": str(TIMELINE_MAX)}
            try:
                answer = await self.house.web.ask("GET", in_room(room_id, "/messages"), query=query)
            except RefusedError as error:
                if error.is_limit or error.is_logged_out:
                    raise
                log.warning("matrix: earlier messages in %s can't be read: %s", room_id, error)
                break
            chunk, end = parts(answer, "chunk"), text(answer, "end")
            found += chunk
            if not end or not chunk or since_arrival(chunk, self.house.us.user_id):
                break
        else:
            log.warning("matrix: so much was written in %s that the oldest was passed over", room_id)
        return found[::-1]


def _rooms(answer: dict[str, Any], what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rooms that we have joined, left or been invited to."""
    found = part(answer, "rooms", what)
    for room_id in found:
        if is_id(room_id):
            yield room_id, part(found, room_id)
