"""Being called by Telegram: a route of our own that answers only when an update is in the inbox."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web
from telegram.error import BadRequest, TelegramError

from adapters.telegram.api import insist, shown
from adapters.telegram.incoming import ALLOWED_UPDATES
from core.chat.port import AdapterError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.settings import WebhookSettings
    from adapters.telegram.api import Api

log = logging.getLogger(__name__)
PROOF_HEADER = "X-Telegram-Bot-Api-Secret-Token"
BODY_BYTES_MAX = 1 << 20
LOOK_SECONDS = 10.0
STOP_SECONDS = 5.0


class Webhook:
    """The route, and its announcement. `receive` takes updates and returns when they are kept."""

    def __init__(self, api: Api, settings: WebhookSettings, receive: Callable[[list[object]], Awaitable[None]]) -> None:
        self._api = api
        self._settings = settings
        self._receive = receive
        self._runner: web.AppRunner | None = None
        self._last_fault = ""
        self.is_caught_up = False

    async def start(self) -> None:
        """Listen, then say where. Raises AdapterError where either is not possible."""
        await self._listen()
        secret = self._settings.secret.get_secret_value()

        async def announce() -> bool:
            # One connection, so that updates keep their order.
            return await self._api.set_webhook(
                self._settings.url, secret_token=secret, allowed_updates=ALLOWED_UPDATES, max_connections=1
            )

        try:
            await insist(announce)
        except BadRequest as error:
            raise AdapterError(f"telegram: telegram.webhook.url is not accepted: {error.message}") from None

    async def run(self) -> None:
        """Look now and then whether Telegram still holds something back."""
        while True:
            try:
                await self._look()
            except TelegramError as error:
                log.warning("telegram: %s", shown(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def stop(self) -> None:
        """Stop listening; Telegram keeps what comes meanwhile."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _listen(self) -> None:
        application = web.Application(client_max_size=BODY_BYTES_MAX)
        application.router.add_post(urlsplit(self._settings.url).path or "/", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        host, _, port = self._settings.listen.rpartition(":")
        try:
            await web.TCPSite(self._runner, host.strip("[]"), int(port)).start()
        except OSError as error:
            reason = error.strerror or "not possible"
            raise AdapterError(f"telegram: can't listen at {self._settings.listen}: {reason}") from None

    async def _take(self, request: web.Request) -> web.Response:
        """Keep an update; only 2xx tells Telegram that it arrived."""
        given = request.headers.get(PROOF_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._settings.secret.get_secret_value().encode()):
            return web.Response(status=403)
        try:
            update = json.loads(await request.read())
        except (ValueError, RecursionError):
            return web.Response(status=400)
        await self._receive([update])
        return web.Response()

    async def _look(self) -> None:
        info = await self._api.get_webhook_info()
        self.is_caught_up = info.pending_update_count == 0
        fault = info.last_error_message or ""
        if fault and fault != self._last_fault:
            log.warning("telegram: could not reach the webhook: %s", fault)
        self._last_fault = fault
