"""Who the bot is to the homeserver: its login, kept in the store's folder, so that it stays the same device.

A device's keys are the bot's memory of encrypted rooms. Where they were lost, a password makes a new device; an access
token belongs to the old one, and only people can get another.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nio import AsyncClient, AsyncClientConfig
from nio.store import SqliteStore

from adapters.matrix.failures import RefusedError, UnreachableError
from adapters.matrix.raw import part, text
from adapters.matrix.web import Web
from core.chat.port import AdapterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.settings import MatrixSettings

log = logging.getLogger(__name__)
FILE = "session.json"
DEVICE_NAME = "dpool"
LOCKED_FOLDER, LOCKED_UMASK = 0o700, 0o077
# nio is never to wait or to try again by itself: that is our business.
CONFIG = AsyncClientConfig(max_limit_exceeded=0, max_timeouts=0, encryption_enabled=True, store=SqliteStore)


@contextmanager
def for_us_alone() -> Iterator[None]:
    """Let nobody else read the files that are made meanwhile."""
    before = os.umask(LOCKED_UMASK)
    try:
        yield
    finally:
        os.umask(before)


class Session:
    """A login at the homeserver."""

    def __init__(self, settings: MatrixSettings) -> None:
        self.settings = settings
        self.folder: Path = settings.store
        self.client = AsyncClient(settings.homeserver, settings.user, store_path=str(self.folder), config=CONFIG)
        self.web = Web(self.client)
        self.is_new = False  # a device that has never read anything

    async def open(self) -> None:
        """Log in, or take up an earlier login. Raises AdapterError, RefusedError or UnreachableError."""
        self._make_folder()
        kept, token = self._kept(), self.settings.access_token
        if token is not None:
            await self._by_token(token.get_secret_value())
        elif not kept or not await self._is_good(kept):
            await self._by_password(text(kept, "device_id"))
        with for_us_alone():
            self.client.load_store()
        await self._check_keys()

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(LOCKED_FOLDER, parents=True, exist_ok=True)
            self.folder.chmod(LOCKED_FOLDER)
        except OSError as error:
            raise AdapterError(f"matrix.store: {self.folder}: can't be used: {error.strerror}") from None

    # Ways in

    async def _is_good(self, kept: dict[str, Any]) -> bool:
        """Take up an earlier login, if the homeserver still knows it."""
        self.client.access_token = text(kept, "access_token")
        try:
            answer = await self.web.ask("GET", "/account/whoami")
        except RefusedError as error:
            if not error.is_logged_out:
                raise
            log.warning("matrix: the earlier login has ended; logging in anew with the password")
            self.client.access_token = ""
            return False
        self._be(text(answer, "user_id"), text(answer, "device_id"))
        return True

    async def _by_token(self, token: str) -> None:
        self.client.access_token = token
        try:
            answer = await self.web.ask("GET", "/account/whoami")
        except RefusedError as error:
            if error.is_logged_out:
                raise AdapterError("matrix.access_token: the homeserver does not know it (any more)") from None
            raise
        if text(answer, "user_id") != self.settings.user:
            raise AdapterError(f"matrix.access_token: belongs to {text(answer, 'user_id')}, not to matrix.user")
        if not text(answer, "device_id"):
            raise AdapterError("matrix.access_token: belongs to no device; make one by logging in")
        self._be(text(answer, "user_id"), text(answer, "device_id"))

    async def _by_password(self, device_id: str) -> None:
        """Log in. Where the device's keys are at hand it stays the same device, else it is a new one."""
        password = self.settings.password
        if password is None:
            raise AdapterError("matrix: needs a password or an access_token")
        known = device_id if device_id and self._has_keys(device_id) else ""
        self.is_new = not known
        body: dict[str, Any] = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.settings.user},
            "password": password.get_secret_value(),
            "initial_device_display_name": DEVICE_NAME,
            **({"device_id": known} if known else {}),
        }
        try:
            answer = await self.web.ask("POST", "/login", body)
        except RefusedError as error:
            if error.is_limit:
                raise UnreachableError(str(error)) from None
            raise AdapterError(f"matrix: {self.settings.user} can't log in with matrix.password: {error}") from None
        self.client.access_token = text(answer, "access_token")
        self._be(text(answer, "user_id"), text(answer, "device_id"))
        self._keep()

    def _be(self, user_id: str, device_id: str) -> None:
        self.client.user_id, self.client.device_id = user_id, device_id

    def _has_keys(self, device_id: str) -> bool:
        return (self.folder / f"{self.settings.user}_{device_id}.db").exists()

    # What is kept

    def _kept(self) -> dict[str, Any]:
        try:
            kept = json.loads((self.folder / FILE).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        is_ours = text(kept, "user_id") == self.settings.user and self._has_keys(text(kept, "device_id"))
        return kept if is_ours else {}

    def _keep(self) -> None:
        """Keep the login, all of it or nothing, on the disk before anything depends on it."""
        client, path = self.client, self.folder / FILE
        kept = {"user_id": client.user_id, "device_id": client.device_id, "access_token": client.access_token}
        new = path.with_suffix(".new")
        with for_us_alone(), new.open("w", encoding="utf-8") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    # Keys

    async def _check_keys(self) -> None:
        """See that the homeserver has the keys that we have. Raises AdapterError where they can't be put right."""
        client = self.client
        if client.olm is None:
            raise AdapterError(f"matrix.store: {self.folder}: the keys in it can't be used")
        user_id, device_id = str(client.user_id), str(client.device_id)
        answer = await self.web.ask("POST", "/keys/query", {"device_keys": {user_id: [device_id]}})
        there = text(part(answer, "device_keys", user_id, device_id, "keys"), f"ed25519:{device_id}")
        if there == client.olm.account.identity_keys["ed25519"]:
            return
        if there:
            raise AdapterError(
                f"matrix.store: {self.folder} has not the keys of the device {device_id}: put back its backup, or "
                "delete the folder and log in anew (with an access_token: a new one)"
            )
        client.olm.account.shared = False  # so that they are uploaded, again if they were before

    async def close(self) -> None:
        """Let go of the connection and the keys."""
        await self.client.close()
        if self.client.store is not None:
            self.client.store.database.close()
