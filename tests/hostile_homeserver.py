"""A homeserver that says whatever a test wants it to: its syncs bring prepared events, and it agrees to everything."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

USER, DEVICE = "@pool:valley.test", "HOSTILE"
PREFIX = "/_matrix/client/v3"
LISTEN_SECONDS, WAIT_SECONDS = 0.2, 120.0
LOGIN = {"user_id": USER, "device_id": DEVICE, "access_token": "an open door"}
Json = Any


class Homeserver:
    """`syncs` are its answers, one after another; `related` says what event somebody asked for."""

    def __init__(self, syncs: Sequence[Json], related: Callable[[], Json]) -> None:
        self.url = ""
        self.sent: list[Json] = []
        self.is_drained = False
        self._changed = asyncio.Event()
        self._syncs = list(syncs)
        self._related = related
        self._device: Json = {}

    def add(self, sync: Json) -> None:
        """Have something more to say."""
        self.is_drained = False
        self._syncs.append(sync)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition about it holds."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def has_heard(self, text: str) -> bool:
        """Tell whether somebody said something."""
        return any(text in str(one.get("body")) for one in self.sent)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer any request."""
        path, text = request.path.removeprefix(PREFIX), await request.text()
        found = await self._answer(request, path, json.loads(text) if text.startswith("{") else {})
        self._changed.set()
        return web.Response(text=json.dumps(found), content_type="application/json")

    async def _answer(self, request: web.Request, path: str, body: Json) -> Json:
        if path == "/sync":
            return await self._sync(request.query.get("since", ""))
        if "/messages" in path:
            return {"chunk": [self._related() for _ in range(3)], "start": "x"}
        if "/event/" in path:
            return self._related()
        if "/send/" in path:
            self.sent.append(body)
        if path == "/keys/upload":
            self._device = body.get("device_keys", self._device)
        return {
            "/keys/upload": {"one_time_key_counts": {"signed_curve25519": 50}},
            "/keys/query": {"device_keys": {USER: {DEVICE: self._device} if self._device else {}}, "failures": {}},
        }.get(path, {**LOGIN, "room_id": "!made", "event_id": f"$sent{len(self.sent)}"})

    async def _sync(self, since: str) -> Json:
        number = int(since) if since else 0
        if number >= len(self._syncs):
            self.is_drained = True
            self._changed.set()
            await asyncio.sleep(LISTEN_SECONDS)  # nothing is new
            return {"next_batch": since}
        return {**self._syncs[number], "next_batch": str(number + 1)}


@asynccontextmanager
async def serving(syncs: Sequence[Json], related: Callable[[], Json]) -> AsyncIterator[Homeserver]:
    """A homeserver on loopback."""
    found = Homeserver(syncs, related)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.answer)
    async with TestServer(application) as server:
        found.url = str(server.make_url("")).rstrip("/")
        yield found
