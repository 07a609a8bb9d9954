"""Encryption: the keys of devices and rooms, by nio's Olm machine. One bad event from a stranger stops nothing.

nio keeps the keys on disk. It hands out a room's key without looking whether that worked, so we look.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import ClientError
from nio import ErrorResponse, MatrixRoom, MegolmEvent
from nio.events import ToDeviceEvent
from nio.exceptions import EncryptionError, LocalProtocolError

from adapters.matrix.failures import LIMITED, RefusedError, UnreachableError
from adapters.matrix.raw import number, part, parts, text, texts

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from nio import AsyncClient
    from nio.crypto import Olm

    from adapters.matrix.rooms import Room

log = logging.getLogger(__name__)
ALGORITHM = "m.megolm.v1.aes-sha2"
MILLISECONDS = 1000
AWAY_SECONDS = 60.0
# What nio meets with in the events of strangers, inside which anything may be.
UNREADABLE = (EncryptionError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
Answer = TypeVar("Answer")


class Vault:
    """The keys of one device."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._taken: set[str] = set()
        self._asked: set[str] = set()
        self._away: dict[str, float] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def _olm(self) -> Olm:
        if self._client.olm is None:
            raise LookupError("the store is not loaded")
        return self._client.olm

    # What a sync brings

    def take(self, answer: dict[str, Any]) -> None:
        """Take in what a sync says about keys, before anything is decrypted; what was taken in already, not again."""
        olm = self._olm
        for event in parts(part(answer, "to_device"), "events"):
            mark = json.dumps(event, sort_keys=True)
            if mark not in self._taken:
                self._taken.add(mark)
                self._take_event(event)
        olm.collect_key_requests()
        olm.clear_verifications()
        olm.uploaded_key_count = number(part(answer, "device_one_time_keys_count"), "signed_curve25519")
        lists = part(answer, "device_lists")
        known = {user_id for room in self._client.rooms.values() if room.encrypted for user_id in room.users}
        olm.add_changed_users(known.intersection((*texts(lists, "changed"), *texts(lists, "left"))))

    def committed(self) -> None:
        """Forget what was taken in: the homeserver will not send it again."""
        self._taken.clear()

    def _take_event(self, event: dict[str, Any]) -> None:
        try:
            found = ToDeviceEvent.parse_event(event)
            if found is not None:
                self._olm.handle_to_device_event(found)
        except UNREADABLE as error:
            log.info("matrix: what a device sent can't be read: %s", type(error).__name__)
        except Exception:
            log.exception("matrix: what a device sent could not be read")

    def follow(self, room: Room) -> None:
        """Let an encrypted room's keys go to those who are in it, and to nobody who has left."""
        if not room.is_encrypted:
            return
        client, room_id = self._client, room.room_id
        known = client.rooms.setdefault(room_id, MatrixRoom(room_id, str(client.user_id), encrypted=True))
        come, gone = room.people - known.users.keys(), known.users.keys() - room.people
        for user_id in come:
            known.add_member(user_id, None, None)
        for user_id in gone:
            known.remove_member(user_id)
        known.members_synced = True
        if come or gone:
            client.invalidate_outbound_session(room_id)
            self._olm.update_tracked_users(known)

    def leave(self, room_id: str) -> None:
        """Let go of a room."""
        if self._client.rooms.pop(room_id, None) is not None:
            self._client.invalidate_outbound_session(room_id)

    async def upload(self) -> None:
        """Upload our keys, as far as the homeserver has not got them. Raises RefusedError or UnreachableError."""
        if self._client.should_upload_keys:
            await _good(self._client.keys_upload())

    async def keep_up(self) -> None:
        """Do what the keys need: upload ours, ask for others', send what waits. What fails now is done next time."""
        client = self._client
        try:
            await self.upload()
            await self._query()
            if client.should_claim_keys:
                await _good(client.keys_claim(client.get_users_for_key_claiming()))
            for message in list(client.outgoing_to_device_messages):
                await _good(client.to_device(message))
        except (RefusedError, UnreachableError) as error:
            log.warning("matrix: keys wait to be exchanged: %s", error)
        except Exception:
            log.exception("matrix: keys could not be exchanged")

    async def _query(self) -> None:
        """Ask for the devices of people who are new or have others now; those whose server is away, later again."""
        pending, now = self._olm.users_for_key_query, asyncio.get_running_loop().time()
        away = {user_id for user_id in pending if self._away.get(user_id, 0.0) > now}
        pending -= away
        try:
            asked = set(pending)
            if asked:
                await _good(self._client.keys_query())
            self._away.update(dict.fromkeys(asked & pending, now + AWAY_SECONDS))
        finally:
            pending |= away

    # Reading

    def decrypt(self, room_id: str, event: dict[str, Any]) -> dict[str, Any] | None:
        """Return an encrypted event as it was meant; None if its key is not there (yet)."""
        locked = _locked(room_id, event)
        if locked is None:
            return None
        try:
            source = self._olm.decrypt_megolm_event(locked).source
        except UNREADABLE as error:
            log.info("matrix: an encrypted event can't be read: %s", type(error).__name__)
            return None
        return {**event, "type": text(source, "type"), "content": part(source, "content")}

    def has_key(self, room_id: str, event: dict[str, Any]) -> bool:
        """Tell whether the key of an encrypted event is there."""
        content = part(event, "content")
        sender_key, session_id = text(content, "sender_key"), text(content, "session_id")
        sessions = self._olm.inbound_group_store[room_id]
        return sender_key in sessions and session_id in sessions[sender_key]

    async def ask_for_key(self, room_id: str, event: dict[str, Any]) -> None:
        """Ask our other devices for the key of an event, once."""
        session_id = text(part(event, "content"), "session_id")
        locked = _locked(room_id, event)
        if session_id in self._asked or locked is None:
            return
        self._asked.add(session_id)
        try:
            await _good(self._client.request_room_key(locked))
        except (RefusedError, UnreachableError, LocalProtocolError) as error:
            log.info("matrix: a key was not asked for: %s", error)

    # Writing

    async def encrypt(self, room_id: str, kind: str, content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return an event for an encrypted room, after everybody there got its key.

        Raises UnreachableError or RefusedError.
        """
        async with self._locks[room_id]:
            await self._query()
            if self._olm.should_share_group_session(room_id):
                await self._share(room_id)
            shown: tuple[str, dict[str, Any]] = self._client.encrypt(room_id, kind, content)
            return shown

    async def _share(self, room_id: str) -> None:
        client = self._client
        missing = client.get_missing_sessions(room_id)
        if missing:
            await _good(client.keys_claim(missing))
        try:
            await _good(client.share_group_session(room_id, ignore_unverified_devices=True))
        finally:
            client.sharing_session.pop(room_id, None)
        session = self._olm.outbound_group_sessions[room_id]
        for user_id in client.rooms[room_id].users:
            for device in client.device_store.active_user_devices(user_id):
                has_it = (user_id, device.id) in session.users_shared_with | session.users_ignored
                if not has_it and self._olm.session_store.get(device.curve25519):
                    session.shared = False
                    raise UnreachableError("a room's key could not be handed to everybody")


def _locked(room_id: str, event: dict[str, Any]) -> MegolmEvent | None:
    """Return an encrypted event as nio knows it; None for what is none. Nio sees no more of it than it needs."""
    names = ("type", "event_id", "sender")
    shown = {"room_id": room_id, **{name: text(event, name) for name in names}, "content": part(event, "content")}
    found = MegolmEvent.from_dict({**shown, "origin_server_ts": number(event, "origin_server_ts")})
    return found if isinstance(found, MegolmEvent) else None


async def _good(waiting: Awaitable[Answer | ErrorResponse]) -> Answer:
    """Return an answer of nio's. Raises RefusedError or UnreachableError."""
    try:
        answer = await waiting
    except (ClientError, TimeoutError, OSError) as error:
        raise UnreachableError(f"the homeserver does not answer ({type(error).__name__})") from None
    if not isinstance(answer, ErrorResponse):
        return answer
    code = answer.status_code or ""
    if not code:
        raise UnreachableError("the homeserver answers without sense")
    status = 429 if code == LIMITED else 400
    raise RefusedError(status, code, answer.message, (answer.retry_after_ms or 0) / MILLISECONDS)
