"""The least a bot on Matrix can be: `python -m tests.matrix_echo URL USER TOKEN DEVICE` says again what it hears."""

from __future__ import annotations

import asyncio
import sys

from nio import AsyncClient, AsyncClientConfig, Event, MatrixRoom, RoomMessageText


async def echo(url: str, user: str, token: str, device: str) -> None:
    """Answer every message until the process ends."""
    client = AsyncClient(url, user, config=AsyncClientConfig(encryption_enabled=False))
    client.restore_login(user, device, token)

    async def answer(room: MatrixRoom, event: Event) -> None:
        if isinstance(event, RoomMessageText) and event.sender != user:
            relation = {"m.in_reply_to": {"event_id": event.event_id}}
            content = {"msgtype": "m.notice", "body": event.body, "m.relates_to": relation}
            await client.room_send(room.room_id, "m.room.message", content)

    await client.sync(timeout=0)  # what was before is nothing to answer
    client.add_event_callback(answer, RoomMessageText)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await client.sync_forever(timeout=30_000)


if __name__ == "__main__":
    asyncio.run(echo(*sys.argv[1:]))
