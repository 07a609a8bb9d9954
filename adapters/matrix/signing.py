"""Cross-signing: the bot signs its own device, so that clients which ask for that share their keys with it.

The account's master key signs its self-signing key, which signs the device. The seeds lie in a file beside the store,
to be backed up with it. Who has verified the bot knows its master key: it is never replaced unless people say so.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from aiohttp import ClientError

from adapters.matrix.failures import UnreachableError
from adapters.matrix.raw import part
from adapters.matrix.signing_keys import (
    RESET,
    USAGES,
    Identity,
    Json,
    SigningRefusedError,
    load,
    save,
    unsigned,
    verifies,
)
from adapters.matrix.web import CLIENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nio import AsyncClient
    from nio.crypto import Olm

log = logging.getLogger(__name__)
# The homeserver is busy or away, and may do it a little later.
LATER = frozenset({429, 502, 503, 504})


async def sign_device(client: AsyncClient, path: Path, password: str = "") -> bool:
    """Have our device signed with the keys in `path`; return whether it is. The log says why if it is not.

    To be called after `keys_upload` and before the first sync. Only to change keys takes a password. Raises
    UnreachableError where another try may help.
    """
    try:
        await _Signing(client, path, password).run()
    except SigningRefusedError as refusal:
        log.warning("matrix: this device is not signed, so some clients will not trust it: %s", refusal)
        return False
    return True


@dataclass(frozen=True, slots=True)
class Known:
    """What the homeserver knows about us: our device, and the account's keys by usage."""

    user: str
    device: Json
    keys: Mapping[str, Json]

    @classmethod
    def of(cls, answer: Json, user: str, device_id: str) -> Self:
        """Read the answer to a query for ourselves."""
        keys = {usage: part(answer, f"{usage}_keys", user) for usage in USAGES}
        return cls(user, part(answer, "device_keys", user, device_id), keys)

    def public(self, usage: str) -> str:
        """Return a key of the account; empty if there is none."""
        found = next(iter(part(self.keys[usage], "keys").values()), "")
        return found if isinstance(found, str) else ""

    def is_signed(self, value: Json, name: str, public: str) -> bool:
        """Tell whether an object is signed by our key of that name."""
        signature = part(value, "signatures", self.user).get(f"ed25519:{name}")
        return isinstance(signature, str) and verifies(public, value, signature)

    def leads_to_device(self) -> bool:
        """Tell whether the account's keys sign our device, whoever holds them."""
        master, own = self.public("master"), self.public("self_signing")
        return self.is_signed(self.keys["self_signing"], master, master) and self.is_signed(self.device, own, own)


class _Signing:
    """One go at it."""

    def __init__(self, client: AsyncClient, path: Path, password: str) -> None:
        self.client = client
        self.path = path
        self.password = password
        self.user = str(client.user_id)
        self.device_id = str(client.device_id)

    async def run(self) -> None:
        """Do what is missing. Raises SigningRefusedError."""
        known = await self._known()
        identity = await asyncio.to_thread(load, self.path, self.user)
        if identity is None and not known.public("master"):
            identity = Identity.new()
            await asyncio.to_thread(save, self.path, self.user, identity)
        if identity is not None and (identity.replaces or _is_ours(identity, known)):
            known = await self._with_signatures(identity, await self._with_keys(identity, known))
            if not known.leads_to_device():
                raise SigningRefusedError("the homeserver took the signatures and does not show them")
        elif not known.leads_to_device():
            raise SigningRefusedError(
                f"{self.user} has signing keys that are not in {self.path}: put back its backup, verify the session "
                f"{self.device_id} in the client that made them, or write `{RESET}` into the file to have new ones made"
            )

    async def _with_keys(self, identity: Identity, known: Known) -> Known:
        """Upload the account's keys that the homeserver never had, or has lost."""
        missing = [usage for usage in USAGES if known.public(usage) != identity.keys[usage].public]
        if missing:
            await self._upload({f"{usage}_key": identity.public(self.user, usage) for usage in missing})
            known = await self._known()
        if identity.replaces:
            await asyncio.to_thread(save, self.path, self.user, Identity(identity.keys))
        return known

    async def _upload(self, body: Json) -> None:
        """Upload keys, with the password if the homeserver asks for it."""
        path = "/keys/device_signing/upload"
        status, answer = await self._post(path, body)
        if status == HTTPStatus.UNAUTHORIZED and "flows" in answer:
            status, answer = await self._post(path, {**body, "auth": self._password_for(answer)})
            if status == HTTPStatus.UNAUTHORIZED:
                raise SigningRefusedError("the homeserver wants the account's password, and matrix.password is not it")
        _expect_success(status, answer)

    def _password_for(self, answer: Json) -> Json:
        flows = answer["flows"]
        if not isinstance(flows, list) or {"stages": ["m.login.password"]} not in flows:
            raise SigningRefusedError(f"a person has to approve of it: {answer.get('msg') or flows}")
        if not self.password:
            raise SigningRefusedError("the homeserver wants the account's password: set matrix.password")
        return {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.user},
            "password": self.password,
            "session": answer.get("session"),
        }

    async def _with_signatures(self, identity: Identity, known: Known) -> Known:
        """Sign the device with the self-signing key, and the master key with the device, where that is missing."""
        own, master = identity.keys["self_signing"], identity.keys["master"]
        wanted: Json = {}
        if not known.is_signed(known.device, own.public, own.public):
            wanted[self.device_id] = self._signed(known.device, own.public, own.sign(known.device))
        if not known.is_signed(known.keys["master"], self.device_id, self._olm.account.identity_keys["ed25519"]):
            shown = identity.public(self.user, "master")
            wanted[master.public] = self._signed(shown, self.device_id, self._olm.sign_json(shown))
        if not wanted:
            return known
        status, answer = await self._post("/keys/signatures/upload", {self.user: wanted})
        _expect_success(status, answer)
        for failure in part(answer, "failures", self.user).values():
            raise SigningRefusedError(f"the homeserver did not take a signature: {_reason(failure)}")
        return await self._known()

    def _signed(self, value: Json, name: str, signature: str) -> Json:
        return {**unsigned(value), "signatures": {self.user: {f"ed25519:{name}": signature}}}

    @property
    def _olm(self) -> Olm:
        if self.client.olm is None:
            raise SigningRefusedError("there is no store for its keys")
        return self.client.olm

    async def _known(self) -> Known:
        """Ask what the homeserver knows. The device it shows has to be as we made it: that is what we sign."""
        status, answer = await self._post("/keys/query", {"device_keys": {self.user: []}})
        _expect_success(status, answer)
        known = Known.of(answer, self.user, self.device_id)
        ours = self._olm.account.identity_keys
        keys = {f"{kind}:{self.device_id}": ours[kind] for kind in ("curve25519", "ed25519")}
        if known.device.get("keys") != keys or not known.is_signed(known.device, self.device_id, ours["ed25519"]):
            raise SigningRefusedError(f"the homeserver has other keys for the device {self.device_id} than its store")
        return known

    async def _post(self, path: str, body: Json) -> tuple[int, Json]:
        """Return the status and what was answered, not looking at whether it is a refusal."""
        headers = {"Authorization": f"Bearer {self.client.access_token}", "Content-Type": "application/json"}
        try:
            response = await self.client.send("POST", f"{CLIENT}{path}", json.dumps(body), headers)
            async with response:
                content = await response.read()
        except (ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"the homeserver does not answer ({type(error).__name__})") from None
        if response.status in LATER:
            raise UnreachableError(f"the homeserver answers {response.status}")
        try:
            return response.status, part(json.loads(content))
        except (ValueError, RecursionError):
            return response.status, {}


def _is_ours(identity: Identity, known: Known) -> bool:
    return known.public("master") in {"", identity.keys["master"].public}


def _expect_success(status: int, answer: Json) -> None:
    if status >= HTTPStatus.BAD_REQUEST:
        raise SigningRefusedError(f"the homeserver answered {status} {_reason(answer)}".strip())


def _reason(answer: object) -> str:
    found = part(answer)
    return f"{found.get('errcode', '')} {found.get('error', '')}".strip()
