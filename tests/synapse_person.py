"""Somebody with a Matrix client: writes, reacts, reads and waits, in plain and in encrypted rooms."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

from nio import (
    AsyncClient,
    AsyncClientConfig,
    ErrorResponse,
    Event,
    MegolmEvent,
    RoomPreset,
    RoomVisibility,
)
from nio.store import SqliteMemoryStore

from tests.synapse import SynapseError, password_of, user_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tests.synapse import Synapse

WAIT_SECONDS = 120
SYNC_SECONDS = 5
PAGE_EVENTS = 500
MESSAGE = "m.room.message"
FILTER = {"room": {"timeline": {"limit": 100}}, "presence": {"not_types": ["*"]}}
ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
Answer = TypeVar("Answer")


def good(answer: Answer | ErrorResponse) -> Answer:
    """Return an answer of the homeserver. Raises SynapseError if it is a refusal, which nio hands on as a value."""
    if isinstance(answer, ErrorResponse):
        raise SynapseError(f"{answer.status_code}: {answer.message}")
    return answer


@dataclass(frozen=True)
class Heard:
    """An event in a room as a client sees it, decrypted if it was encrypted and the key is known."""

    room: str
    event_id: str
    sender: str
    type: str
    content: Mapping[str, Any]
    was_encrypted: bool = False

    @property
    def relation(self) -> Mapping[str, Any]:
        """How it belongs to another event."""
        found: Mapping[str, Any] = self.content.get("m.relates_to", {})
        return found

    @property
    def text(self) -> str:
        """What is to be read; of an edit the new text."""
        return str(self.content.get("m.new_content", self.content).get("body", ""))


@dataclass
class Person:
    """Somebody who is logged in. `heard` is all that they were told, in order."""

    synapse: Synapse
    name: str
    client: AsyncClient
    heard: list[Heard] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def arrive(cls, synapse: Synapse, name: str) -> Self:
        """Log in on a new device whose keys are known to the homeserver."""
        config = AsyncClientConfig(store=SqliteMemoryStore, encryption_enabled=True, max_limit_exceeded=0)
        client = AsyncClient(synapse.url, user_id(name), config=config)
        found = cls(synapse, name, client)
        try:
            good(await client.login(password_of(name)))
            await found.turn(0)
        except BaseException:
            await found.depart()
            raise
        return found

    async def depart(self) -> None:
        """Let go of the connection and of the keys."""
        await self.client.close()
        if self.client.store is not None:
            self.client.store.database.close()

    @property
    def user(self) -> str:
        """The full name."""
        return user_id(self.name)

    @property
    def token(self) -> str:
        """What requests are sent with."""
        return str(self.client.access_token)

    # Rooms

    async def open(
        self,
        name: str = "",
        *,
        invite: Collection[str] = (),
        encrypted: bool = False,
        version: str | None = None,
        direct: bool = False,
        public: bool = False,
    ) -> str:
        """Make a room; return its id. Who is invited is named by user id."""
        answer = await self.client.room_create(
            visibility=RoomVisibility.private,
            name=name or None,
            room_version=version,
            is_direct=direct,
            preset=RoomPreset.public_chat if public else RoomPreset.private_chat,
            invite=list(invite),
            initial_state=[ENCRYPTION] if encrypted else [],
        )
        room = str(good(answer).room_id)
        await self.until(lambda: room in self.client.rooms)
        return room

    async def join(self, room: str) -> None:
        """Enter a room that is open or to which there is an invitation."""
        good(await self.client.join(room))
        await self.until(lambda: room in self.client.rooms)

    async def members(self, room: str) -> set[str]:
        """Return the user ids of who is in a room."""
        answer = await self.ask("GET", f"/rooms/{quote(room)}/joined_members")
        return set(answer["joined"])

    # Writing

    async def say(
        self, room: str, text: str, *, reply_to: str = "", thread: str = "", mentions: Collection[str] = ()
    ) -> str:
        """Write a text; return its event id."""
        content: dict[str, Any] = {"msgtype": "m.text", "body": text, "m.mentions": {}}
        if mentions:
            content["m.mentions"] = {"user_ids": list(mentions)}
        relation: dict[str, Any] = {"m.in_reply_to": {"event_id": reply_to}} if reply_to else {}
        if thread:
            relation |= {"rel_type": "m.thread", "event_id": thread, "is_falling_back": not reply_to}
        if relation:
            content["m.relates_to"] = relation
        return await self.send(room, MESSAGE, content)

    async def edit(self, room: str, event_id: str, text: str) -> str:
        """Replace a message of one's own; return the edit's event id."""
        new = {"msgtype": "m.text", "body": text, "m.mentions": {}}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        content = {**new, "body": f"* {text}", "m.new_content": new, "m.relates_to": relation}
        return await self.send(room, MESSAGE, content)

    async def react(self, room: str, event_id: str, key: str) -> str:
        """React to a message; return the reaction's event id."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self.send(room, "m.reaction", {"m.relates_to": relation})

    async def redact(self, room: str, event_id: str) -> None:
        """Take an event back."""
        good(await self.client.room_redact(room, event_id))

    async def send(self, room: str, kind: str, content: Mapping[str, Any], transaction: str | None = None) -> str:
        """Send an event, encrypted where the room is; return its id."""
        answer = await self.client.room_send(
            room, kind, dict(content), tx_id=transaction, ignore_unverified_devices=True
        )
        return str(good(answer).event_id)

    async def state(self, room: str, kind: str, content: Mapping[str, Any], key: str = "") -> None:
        """Set a room's state."""
        await self.ask("PUT", f"/rooms/{quote(room)}/state/{quote(kind)}/{quote(key)}", content)

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send any request to the homeserver as this person. Raises SynapseError unless it succeeds."""
        return await asyncio.to_thread(self.synapse.request, method, f"/_matrix/client/v3{path}", body, self.token)

    # Reading

    async def turn(self, seconds: float = SYNC_SECONDS) -> None:
        """Take in what is new, waiting up to so many seconds for it, and do what the keys need."""
        client = self.client
        answer = good(await client.sync(timeout=round(seconds * 1000), sync_filter=FILTER))
        await client.send_to_device_messages()
        if client.should_upload_keys:
            good(await client.keys_upload())
        if client.should_query_keys:
            good(await client.keys_query())
        if client.should_claim_keys:
            good(await client.keys_claim(client.get_users_for_key_claiming()))
        for room, joined in answer.rooms.join.items():
            self.heard += [_heard(room, event) for event in joined.timeline.events if isinstance(event, Event)]

    async def until(self, condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        """Take in what is new until a condition holds. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self.turn()

    async def hear(self, room: str, pattern: str, *, sender: str = "", seconds: float = WAIT_SECONDS) -> Heard:
        """Return the next message of others (of `sender`) there whose text matches, waiting for it.

        What came before it counts as read.
        """
        return (await self.hear_all(room, pattern, sender=sender, seconds=seconds))[0]

    async def hear_all(self, room: str, *patterns: str, sender: str = "", seconds: float = WAIT_SECONDS) -> list[Heard]:
        """Return the next message for each of some patterns, in whatever order they come."""
        start, found = self.read.get(room, 0), dict.fromkeys(patterns, -1)

        def have_come() -> bool:
            for index, event in enumerate(self.heard[start:], start):
                is_meant = event.sender == sender if sender else event.sender != self.user
                if is_meant and (event.room, event.type) == (room, MESSAGE):
                    for pattern in patterns:
                        if found[pattern] < 0 and re.search(pattern, event.text, re.IGNORECASE):
                            found[pattern] = index
            return min(found.values()) >= 0

        try:
            await self.until(have_come, seconds)
        except TimeoutError:
            missing = " or ".join(f"/{pattern}/" for pattern, index in found.items() if index < 0)
            said = "\n".join(f"{one.sender} {one.type}: {one.text}" for one in self.heard if one.room == room)
            raise AssertionError(f"nobody said {missing}; {self.name} heard there:\n{said}") from None
        self.read[room] = max(found.values()) + 1
        return [self.heard[found[pattern]] for pattern in patterns]

    def said_by(self, sender: str, room: str) -> list[Heard]:
        """Return the messages of somebody that were heard in a room."""
        return [one for one in self.heard if (one.room, one.sender, one.type) == (room, sender, MESSAGE)]

    async def history(self, room: str) -> list[dict[str, Any]]:
        """Return all events of a room, raw, the oldest first."""
        path = f"/rooms/{quote(room)}/messages?dir=b&limit={PAGE_EVENTS}"
        events: list[dict[str, Any]] = []
        page = ""
        while True:
            answer = await self.ask("GET", path + page)
            events += answer["chunk"]
            if "end" not in answer:
                return events[::-1]
            page = f"&from={quote(answer['end'])}"

    async def related(self, room: str, event_id: str, kind: str = "") -> list[dict[str, Any]]:
        """Return the events that relate to one, raw, the newest first: `kind` as "m.annotation"."""
        path = f"/_matrix/client/v1/rooms/{quote(room)}/relations/{quote(event_id)}" + (f"/{kind}" if kind else "")
        answer = await asyncio.to_thread(self.synapse.request, "GET", f"{path}?limit=100", None, self.token)
        return list(answer["chunk"])


def _heard(room: str, event: Event) -> Heard:
    source = event.source
    is_opaque = isinstance(event, MegolmEvent)
    return Heard(
        room,
        event.event_id,
        event.sender,
        source["type"],
        source.get("content", {}),
        was_encrypted=is_opaque or bool(event.decrypted),
    )
