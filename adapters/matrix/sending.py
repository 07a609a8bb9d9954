"""Sending: a parcel becomes one message, however often it is tried, for its transaction has a name of its own."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from nio.crypto import encrypt_attachment

from adapters.matrix import html
from adapters.matrix.failures import RefusedError, UnreachableError, failure_of
from adapters.matrix.incoming import press_parts
from adapters.matrix.raw import PLATFORM, text, texts
from adapters.matrix.web import in_room
from core.chat.message import Event, Failure, Incoming
from core.identity import Place

if TYPE_CHECKING:
    from adapters.matrix.buttons import Buttons
    from adapters.matrix.house import House
    from adapters.matrix.pace import Pace
    from adapters.matrix.rooms import Room
    from adapters.post import Door
    from core.chat.port import Parcel

UPLOAD = "/_matrix/media/v3/upload"
FILE_SECONDS_MAX = 120.0
NOT_YET_SECONDS = 1.0
MESSAGE = "m.room.message"


class Sending:
    """Sends for one account. `salt` keeps its transactions apart from those of any other database."""

    def __init__(self, house: House, pace: Pace, buttons: Buttons, door: Door, salt: str) -> None:
        self._house = house
        self._pace = pace
        self._buttons = buttons
        self._door = door
        self._salt = salt

    async def send(self, parcel: Parcel) -> str | Failure:
        """Send a parcel; return its message's event id, or why it did not go. Raises AdapterError."""
        try:
            room = self._house.rooms.get(parcel.place.address)
            if room is None:
                return await self._missing(parcel.place.address)
            if parcel.place.private and not self._house.direct.person(room.room_id):
                return Failure("others are in the room", gone=True)
            return await self._deliver(parcel, room)
        except (RefusedError, UnreachableError) as error:
            return failure_of(error)

    async def _missing(self, room_id: str) -> Failure:
        """Say what it means that we know nothing of a room: we have just come, or are not in it."""
        answer = await self._house.web.ask("GET", "/joined_rooms")
        if room_id in texts(answer, "joined_rooms"):
            return Failure("the room is not known yet", retry_seconds=NOT_YET_SECONDS)
        return Failure("not in the room", gone=True)

    async def _deliver(self, parcel: Parcel, room: Room) -> str:
        message = parcel.message
        if message.toast_for:
            return await self._toast(parcel, room)
        private_room = await self._private_room(parcel, room)
        ref = await self._event(room, html.content(parcel, private_room), self._name(parcel))
        if message.file is not None:
            await self._file(parcel, room, message.file)
        ref = parcel.edits or ref
        self._buttons.want(room.room_id, ref, len(message.choices), is_new=not parcel.edits)
        return ref

    async def _toast(self, parcel: Parcel, room: Room) -> str:
        """Answer a press, if there is anything to say. Here that takes a message."""
        said = str(parcel.message.text.with_prefix(html.PREFIX))
        user_id, ref = press_parts(parcel.message.toast_for)
        if not said:
            return ref
        content = html.toast(user_id, room.name_of(user_id), said, parcel.place.topic, ref)
        return await self._event(room, content, self._name(parcel))

    async def _event(self, room: Room, content: dict[str, Any], name: str) -> str:
        """Send a message, encrypted where the room is. Under one name it comes once, and keeps its event id."""

        async def put() -> str:
            kind, shown = MESSAGE, content
            if room.is_encrypted:
                kind, shown = await self._house.vault.encrypt(room.room_id, MESSAGE, content)
            answer = await self._house.web.ask("PUT", in_room(room.room_id, f"/send/{kind}/{name}"), shown)
            return text(answer, "event_id")

        return await self._pace.do(put)

    def _name(self, parcel: Parcel, part: str = "") -> str:
        """Return the transaction's name: another message never has it, were the database put back from a backup."""
        said = json.dumps(parcel.message.to_json(), sort_keys=True)
        whole = "\0".join((self._salt, parcel.key, str(parcel.delivery_id), parcel.place.address, said, part))
        return hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:32]

    # The way to the private room

    async def _private_room(self, parcel: Parcel, room: Room) -> str:
        """Open the private room that a message links to, and let its person's command be run there."""
        link = parcel.message.link
        persons = [parcel.accounts[one] for one in parcel.message.mentions if one in parcel.accounts]
        if link is None or len(persons) != 1 or persons[0].platform != PLATFORM:
            return ""
        opening = partial(self._house.direct.open, persons[0].user_id, is_encrypted=room.is_encrypted)
        room_id = await self._pace.do(opening)
        place = Place(PLATFORM, room_id, private=True)
        event = Event(f"opened for {parcel.key}", Incoming.TEXT, place, persons[0], f"/start {link[1]}")
        await self._door.receive([event])
        return room_id

    # Files

    async def _file(self, parcel: Parcel, room: Room, file: tuple[str, str]) -> None:
        name, inside = file
        data = inside.encode("utf-8", "replace")
        content: dict[str, Any] = {
            "msgtype": "m.file",
            "body": name,
            "filename": name,
            "info": {"size": len(data), "mimetype": "text/csv"},
            "m.mentions": {},
        }
        if room.is_encrypted:
            data, keys = encrypt_attachment(data)
            content["file"] = {**keys, "url": await self._uploaded(data, {})}
        else:
            content["url"] = await self._uploaded(data, {"filename": name})
        content = html.with_relation(content, parcel.place.topic, "")
        await self._event(room, content, self._name(parcel, "file"))

    async def _uploaded(self, data: bytes, query: dict[str, str]) -> str:
        web = self._house.web
        answer = await self._pace.do(partial(web.ask, "POST", UPLOAD, data, query=query, seconds=FILE_SECONDS_MAX))
        return text(answer, "content_uri")
