"""What a client sees of somebody's devices when it leaves out unsigned ones; told without the code under test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vodozemac import Ed25519PublicKey, Ed25519Signature, SignatureException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.synapse_person import Person


def is_signed(value: Mapping[str, Any], user: str, public: str, name: str = "") -> bool:
    """Check a signature as the specification says, without the code under test."""
    signature = value.get("signatures", {}).get(user, {}).get(f"ed25519:{name or public}")
    part = {key: one for key, one in value.items() if key not in {"signatures", "unsigned"}}
    text = json.dumps(part, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    if signature is None:
        return False
    try:
        Ed25519PublicKey.from_base64(public).verify_signature(text.encode(), Ed25519Signature.from_base64(signature))
    except SignatureException:
        return False
    return True


def public_key(answer: Mapping[str, Any], usage: str, user: str) -> str:
    """The one key of an account for a usage."""
    [found] = answer[f"{usage}_keys"][user]["keys"].values()
    return str(found)


async def trusted(viewer: Person, user: str) -> set[str]:
    """The devices that get keys from a client which leaves out unsigned ones."""
    answer = await viewer.ask("POST", "/keys/query", {"device_keys": {user: []}})
    if user not in answer["master_keys"]:
        return set()
    master, own = public_key(answer, "master", user), public_key(answer, "self_signing", user)
    assert is_signed(answer["self_signing_keys"][user], user, master)
    return {name for name, device in answer["device_keys"][user].items() if is_signed(device, user, own)}


async def master_of(viewer: Person, user: str) -> str:
    """The key by which people know an account whom they have verified."""
    answer = await viewer.ask("POST", "/keys/query", {"device_keys": {user: []}})
    return public_key(answer, "master", user)
