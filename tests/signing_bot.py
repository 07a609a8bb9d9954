"""A client of the bot's account whose device is to be signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nio import AsyncClient, AsyncClientConfig
from nio.store import SqliteMemoryStore

from adapters.matrix.signing import sign_device
from tests.synapse import user_id

if TYPE_CHECKING:
    from pathlib import Path

QUERY = "/_matrix/client/v3/keys/query"
UPLOAD = "/_matrix/client/v3/keys/device_signing/upload"
SIGN = "/_matrix/client/v3/keys/signatures/upload"


class Bot(AsyncClient):
    """A client that notes what it asks for."""

    asked: list[str]

    async def send(self, method: str, path: str, *rest: Any, **named: Any) -> Any:
        """Note it, and send it."""
        self.asked.append(path)
        return await super().send(method, path, *rest, **named)

    async def sign(self, path: Path, password: str = "") -> bool:
        """Sign the device, with a fresh list of what was asked."""
        self.asked = []
        return await sign_device(self, path, password)

    async def depart(self) -> None:
        """Let go of everything."""
        await AsyncClient.close(self)
        if self.store is not None:
            self.store.database.close()


def bot(url: str, name: str, folder: Path | None = None) -> Bot:
    """A client that is not logged in; its store lies in a folder or in memory."""
    config = AsyncClientConfig() if folder else AsyncClientConfig(store=SqliteMemoryStore)
    found = Bot(url, user_id(name), store_path=str(folder or ""), config=config)
    found.asked = []
    return found
