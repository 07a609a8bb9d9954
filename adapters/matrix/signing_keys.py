"""The keys an account signs with: Ed25519, in Matrix's forms, and the file that keeps their seeds."""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa
from nio import Api

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SEED_BYTES = 32
USAGES = ("master", "self_signing", "user_signing")
RESET = "reset"  # what people write into the file to have new keys made
Json = dict[str, Any]


class SigningRefusedError(Exception):
    """The device cannot be signed now: one line that says why and what to do."""


class SigningKey:
    """An Ed25519 key; `public` is as Matrix writes it."""

    def __init__(self, seed: bytes) -> None:
        """Make the key of a seed. Raises ValueError unless it has 32 bytes."""
        self.seed = seed
        key = ECC.construct(curve="Ed25519", seed=seed)
        self._signer = eddsa.new(key, "rfc8032")
        self.public = _text(key.public_key().export_key(format="raw"))

    def sign(self, value: Mapping[str, Any]) -> str:
        """Return the signature of a JSON object."""
        return _text(self._signer.sign(_signed_part(value)))


@dataclass(frozen=True, slots=True)
class Identity:
    """An account's keys by usage. `replaces`: they are to take the place of others the homeserver may have."""

    keys: Mapping[str, SigningKey]
    replaces: bool = False

    @classmethod
    def new(cls, *, replaces: bool = False) -> Self:
        """Draw new keys."""
        return cls({usage: SigningKey(secrets.token_bytes(SEED_BYTES)) for usage in USAGES}, replaces)

    def public(self, user: str, usage: str) -> Json:
        """Return what the homeserver is told about a key; the master key signs the others."""
        name = self.keys[usage].public
        found: Json = {"user_id": user, "usage": [usage], "keys": {f"ed25519:{name}": name}}
        if usage != "master":
            master = self.keys["master"]
            found["signatures"] = {user: {f"ed25519:{master.public}": master.sign(found)}}
        return found


def load(path: Path, user: str) -> Identity | None:
    """Read an account's keys, or make new ones if the file says so; None without a file."""
    try:
        text = path.read_text("utf-8")
        if text.strip() == RESET:
            fresh = Identity.new(replaces=True)
            save(path, user, fresh)
            return fresh
        kept = json.loads(text)
        keys = {usage: SigningKey(bytes.fromhex(kept[usage])) for usage in USAGES}
        owner, replaces = kept["user"], "replaces" in kept
    except FileNotFoundError:
        return None
    except (OSError, LookupError, TypeError, ValueError):
        raise SigningRefusedError(
            f"{path} can't be read: put back its backup, or write `{RESET}` into it to have new keys made"
        ) from None
    if owner != user:
        raise SigningRefusedError(f"{path} holds the keys of {owner}: put back those of {user}, or move it away")
    return Identity(keys, replaces)


def save(path: Path, user: str, identity: Identity) -> None:
    """Keep an account's keys for our eyes only; they are on the disk when this returns."""
    kept: Json = {"user": user, **{usage: key.seed.hex() for usage, key in identity.keys.items()}}
    if identity.replaces:
        kept["replaces"] = True
    try:
        _write(path, json.dumps(kept))
    except OSError as error:
        raise SigningRefusedError(f"{path} can't be written: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def verifies(public: str, value: Mapping[str, Any], signature: str) -> bool:
    """Tell whether a key signed a JSON object."""
    try:
        eddsa.new(eddsa.import_public_key(_raw(public)), "rfc8032").verify(_signed_part(value), _raw(signature))
    except ValueError:
        return False
    return True


def unsigned(value: Mapping[str, Any]) -> Json:
    """Return the part of a JSON object that signatures are about."""
    return {name: one for name, one in value.items() if name not in {"signatures", "unsigned"}}


def _signed_part(value: Mapping[str, Any]) -> bytes:
    return Api.to_canonical_json(unsigned(value)).encode()


def _text(raw: bytes) -> str:
    return b64encode(raw).decode().rstrip("=")


def _raw(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4))
