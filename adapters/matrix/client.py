"""The adapter: one Matrix account, wired together."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from aiohttp import ClientError

from adapters.matrix.buttons import Buttons
from adapters.matrix.direct import Direct
from adapters.matrix.failures import RefusedError, UnreachableError, failure_of, logged_out
from adapters.matrix.house import House
from adapters.matrix.incoming import Us
from adapters.matrix.invites import Invites
from adapters.matrix.locked import Locked
from adapters.matrix.pace import Pace, backoff_seconds
from adapters.matrix.raw import PLATFORM, text
from adapters.matrix.sending import Sending
from adapters.matrix.session import Session
from adapters.matrix.signing import sign_device
from adapters.matrix.sync import SINCE, Sync
from adapters.matrix.vault import Vault
from adapters.matrix.web import segment
from core.chat.message import Failure
from core.chat.port import AdapterError

if TYPE_CHECKING:
    from collections.abc import Collection

    from adapters.matrix.rooms import Room
    from adapters.post import Door
    from adapters.settings import MatrixSettings
    from core.chat.port import Parcel

log = logging.getLogger(__name__)
SALT = "matrix:salt"
SIGNING_FILE = "cross-signing.json"
BEGIN_SECONDS_MAX = 30.0
SEND_SECONDS_MAX = 45.0  # below the time after which a parcel is thought to be forgotten


class Matrix:
    """Matrix, as the pool sees it."""

    platform = PLATFORM
    card_seconds = 3
    repeats_safely = True
    sends_apart = False  # what a room is and who gets its key is only known by listening

    def __init__(self, settings: MatrixSettings, door: Door) -> None:
        self._settings = settings
        self._door = door
        self._session = Session(settings)
        self._sync: Sync | None = None
        self._sending: Sending | None = None
        self._buttons: Buttons | None = None

    # The port

    async def start(self) -> None:
        """Log in and put the device's keys in order. While the homeserver is away, that is waited for."""
        tries = 0
        while True:
            try:
                await self._open()
            except (UnreachableError, ClientError, TimeoutError) as error:
                tries += 1
                log.warning("matrix: %s: waiting for it (%s)", self._settings.homeserver, error)
                await asyncio.sleep(backoff_seconds(tries))
            except RefusedError as error:
                if not error.is_limit:
                    raise AdapterError(f"matrix: {self._settings.homeserver} refuses: {error}") from None
                await asyncio.sleep(max(error.retry_seconds, backoff_seconds(1)))
            else:
                return

    async def run(self) -> None:
        """Listen until cancelled. Raises AdapterError when the login has ended."""
        sync, buttons = self._sync, self._buttons
        if sync is None or buttons is None:
            raise AdapterError("matrix: not started")
        helpers = [asyncio.create_task(buttons.run()), asyncio.create_task(sync.house.invites.run())]
        try:
            await _listen(sync)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def stop(self) -> None:
        """Let go of the connection and the keys."""
        await self._session.close()

    def is_caught_up(self) -> bool:
        """Tell whether we listen, with everything kept that was said before."""
        return self._sync is not None and self._sync.is_caught_up

    def busy_chats(self) -> Collection[int]:
        """Limits are the account's, not the rooms': they are waited for in `send`."""
        return ()

    async def send(self, parcel: Parcel) -> str | Failure:
        """Send a parcel, once we know our rooms."""
        if self._sync is None or self._sending is None:
            return Failure("not connected yet", retry_seconds=1.0)
        try:
            async with asyncio.timeout(BEGIN_SECONDS_MAX):
                await self._sync.has_begun.wait()
            async with asyncio.timeout(SEND_SECONDS_MAX):
                return await self._sending.send(parcel)
        except TimeoutError:
            return failure_of(UnreachableError("the homeserver takes its time"))

    # Starting

    async def _open(self) -> None:
        session, settings = self._session, self._settings
        await session.open()
        client, web, pace = session.client, session.web, Pace()
        user_id = str(client.user_id)
        vault = Vault(client)
        await vault.upload()
        password = settings.password.get_secret_value() if settings.password is not None else ""
        await sign_device(client, settings.store / SIGNING_FILE, password)
        rooms: dict[str, Room] = {}
        self._sync = Sync(
            House(
                await self._us(user_id),
                str(client.device_id),
                web,
                vault,
                rooms,
                Direct(web, user_id, rooms),
                Invites(web, pace, user_id, settings.allow_invites_from, rooms),
                Locked(vault),
            ),
            self._door,
        )
        await self._sync.load(is_new_device=session.is_new)
        if session.is_new and await self._door.fact(SINCE):
            log.warning("matrix: a new device; what was encrypted for the earlier one can't be read")
        self._buttons = Buttons(web, pace, user_id)
        self._sending = Sending(self._sync.house, pace, self._buttons, self._door, await self._salt())

    async def _us(self, user_id: str) -> Us:
        try:
            profile = await self._session.web.ask("GET", f"/profile/{segment(user_id)}")
        except RefusedError as error:
            if error.is_limit:
                raise
            profile = {}
        return Us.of(user_id, text(profile, "displayname"))

    async def _salt(self) -> str:
        """Return what is this database's own."""
        kept = await self._door.fact(SALT)
        if not kept:
            kept = secrets.token_hex(8)
            await self._door.receive([], {SALT: kept})
        return kept


async def _listen(sync: Sync) -> None:
    """Listen, whatever passes by itself. Raises AdapterError for the rest."""
    tries = 0
    while True:
        try:
            await sync.turn()
        except RefusedError as error:
            if error.is_logged_out:
                raise logged_out(error) from None
            tries += 1
            log.warning("matrix: the homeserver refuses: %s", error)
            await asyncio.sleep(max(error.retry_seconds, backoff_seconds(tries)))
        except UnreachableError as error:
            tries += 1
            log.warning("matrix: %s; trying again", error)
            await asyncio.sleep(backoff_seconds(tries))
        except Exception:
            tries += 1
            log.exception("matrix: listening failed; trying again")
            await asyncio.sleep(backoff_seconds(tries))
        else:
            tries = 0
