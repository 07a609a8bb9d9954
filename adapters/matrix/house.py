"""What the parts of the adapter share: who we are, the rooms we are in, and the ways to the homeserver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.matrix.direct import Direct
    from adapters.matrix.incoming import Us
    from adapters.matrix.invites import Invites
    from adapters.matrix.locked import Locked
    from adapters.matrix.rooms import Room
    from adapters.matrix.vault import Vault
    from adapters.matrix.web import Web


@dataclass(frozen=True, slots=True)
class House:
    """One account, logged in on one device."""

    us: Us
    device_id: str
    web: Web
    vault: Vault
    rooms: dict[str, Room]
    direct: Direct
    invites: Invites
    locked: Locked
