"""A strict Bot API server for tests: long polling, webhooks, and Telegram's own refusals, over real HTTP.

    async with BotApi() as api:  # api.url and api.token go into the bot's settings
        ana, bo = api.user("Ana"), api.user("Bo")
        group = api.group("Bakery", [ana, bo])
        await api.add_bot(group, ana)
        await api.write(ana, group, "/pool new Valley")
        message = await api.said(group, "Valley")
        await api.press(bo, message, "Yes")

It lives in the test's event loop; the bot may be a process of its own. What people do is in `tests.bot_api_people`,
what is shown to them in `tests.bot_api_world`, what the bot may ask for in `tests.bot_api_serving`.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.bot_api_limits import Limits, too_many
from tests.bot_api_people import People
from tests.bot_api_serving import SERVED
from tests.bot_api_values import RefusedError, bad, read
from tests.bot_api_world import ADMINS, Chat, Press, User

BOT_ID = 1234567
TOKEN = f"{BOT_ID}:AA-canary-of-the-tests_0123456789"
TOKEN_SHAPE = re.compile(r"[0-9]+:[A-Za-z0-9_-]{20,}")
SECRET_SHAPE = re.compile(r"[A-Za-z0-9_-]{1,256}")
BODY_BYTES_MAX = 50_000_000
ANSWER_SECONDS = 15.0  # after this long, a press cannot be answered any more


@dataclass
class Fault:
    """What goes wrong with a request: it is refused, or the line is cut after `seconds`, with or without effect."""

    refusal: RefusedError | None = None
    takes_effect: bool = False
    seconds: float = 0.0


CUT_BEFORE, CUT_AFTER = Fault(), Fault(takes_effect=True)
BLOCKED = Fault(RefusedError(403, "Forbidden: bot was blocked by the user"))
SERVER_ERROR = Fault(RefusedError(500, "Internal Server Error"))
CONFLICT = Fault(RefusedError(409, "Conflict: terminated by other getUpdates request"))


def slow_down(seconds: int) -> Fault:
    return Fault(too_many(seconds))


def hang(seconds: float, *, takes_effect: bool = True) -> Fault:
    return Fault(takes_effect=takes_effect, seconds=seconds)


@dataclass(frozen=True)
class Call:
    """A request as it was answered; `code` 0: nobody heard the answer."""

    method: str
    given: dict[str, Any]
    code: int
    description: str = ""
    at: float = field(default_factory=time.monotonic)


@dataclass
class _Planned:
    fault: Fault
    method: str
    chat: Chat | None
    times: int


class BotApi(People):
    """The server. `calls`: what was asked of it; `menus` and `profile`: what the bot has set."""

    def __init__(self, token: str = TOKEN, *, username: str = "dpool_bot", privacy: bool = True, seed: int = 1) -> None:
        super().__init__(int(token.partition(":")[0]), username=username, privacy=privacy, seed=seed)
        self.token = token
        self.port = 0
        self.answer_seconds = ANSWER_SECONDS
        self.limits = Limits()
        self.calls: list[Call] = []
        self.menus: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.profile: dict[tuple[str, str], str] = {}
        self._planned: list[_Planned] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.go_up()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.updates.stop()
        await self.go_down()

    @property
    def url(self) -> str:
        """What belongs into the bot's settings as `api_url`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def answers(self) -> list[Press]:
        """The presses that were answered, in the order of their answers."""
        return sorted((one for one in self.presses.values() if one.is_answered), key=lambda one: one.answered_at)

    @property
    def counts(self) -> Counter[str]:
        """How often each method was called."""
        return Counter(call.method for call in self.calls)

    @property
    def refusals(self) -> list[Call]:
        """The requests that were refused; a bot without faults makes none that were not planned."""
        return [call for call in self.calls if call.code not in {0, 200}]

    def menu(self, user: User, chat: Chat | User) -> list[str]:
        """Return the commands that a user's client offers in a chat: those of the narrowest scope that has some."""
        where = self.private(chat) if isinstance(chat, User) else chat
        member, admins = f"chat_member:{where.id}:{user.id}", f"chat_administrators:{where.id}"
        scopes = [f"chat:{where.id}", "all_group_chats" if where.is_group else "all_private_chats", "default"]
        if where.members.get(user.id) in ADMINS:
            scopes[1:1] = ["all_chat_administrators"]
            scopes[0:0] = [admins]
        keys = [(scope, language) for scope in [member, *scopes] for language in (user.language_code, "")]
        found = next((self.menus[key] for key in keys if key in self.menus), [])
        return [one["command"] for one in found]

    # Coming and going

    async def go_up(self) -> None:
        """Listen; at the same port as before."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def go_down(self) -> None:
        """Be out of reach: whoever comes is refused a connection."""
        self.updates.interrupt()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # Faults

    def fail(self, method: str, fault: Fault, times: int = 1, *, chat: Chat | None = None) -> None:
        """Let the next calls of a method go wrong, those for one chat only if it is given."""
        self._planned.append(_Planned(fault, method, chat, times))

    def mend(self) -> None:
        """Let nothing go wrong any more that was planned."""
        self._planned.clear()

    def _fault(self, method: str, given: dict[str, Any]) -> Fault | None:
        for planned in self._planned:
            is_chat = planned.chat is None or given.get("chat_id") == planned.chat.id
            if planned.times > 0 and planned.method == method and is_chat:
                planned.times -= 1
                return planned.fault
        return None

    # Requests

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method, given = request.match_info["method"], dict[str, Any]()
        try:
            self._check_token(request.match_info["token"])
            given = await read(request, method)
            result = await self._served(method, given)
        except RefusedError as refusal:
            is_heard = request.transport is not None and not request.transport.is_closing()
            self._note(Call(method, given, refusal.code if is_heard else 0, refusal.description))
            return web.json_response(refusal.to_json(), status=refusal.code)
        except ConnectionResetError:  # whoever asked has died before all was said
            return web.Response()
        if result is None:
            self._note(Call(method, given, 0))
            return _cut(request)
        self._note(Call(method, given, 200))
        return web.Response(text=f'{{"ok":true,"result":{result}}}', content_type="application/json")

    def _note(self, call: Call) -> None:
        self.calls.append(call)
        self.changed()

    def _check_token(self, token: str) -> None:
        if not TOKEN_SHAPE.fullmatch(token):
            raise RefusedError(404, "Not Found")
        if token != self.token:
            raise RefusedError(401, "Unauthorized")

    async def _served(self, method: str, given: dict[str, Any]) -> str | None:
        """Return the result as JSON, None if the line is to be cut."""
        fault = self._fault(method, given)
        if fault is None:
            return await self._serve(method, given)
        if fault.refusal is not None:
            raise fault.refusal
        if fault.takes_effect:
            await self._serve(method, given)
            self.changed()
        await asyncio.sleep(fault.seconds)
        return None

    async def _serve(self, method: str, given: dict[str, Any]) -> str:
        if method == "getUpdates":
            self.updates.allow(given.get("allowed_updates"))
            return await self.updates.poll(given.get("offset", 0), given.get("limit", 100), given.get("timeout", 0))
        if method in SERVED:
            return json.dumps(SERVED[method](self, given))
        if method == "setWebhook":
            await self._set_webhook(given)
        elif method == "deleteWebhook":
            await self.updates.set_webhook("", "", drops=given.get("drop_pending_updates", False))
        elif method == "getWebhookInfo":
            return json.dumps(self._webhook_info())
        elif method not in {"logOut", "close"}:
            raise RefusedError(404, "Not Found")
        return "true"

    async def _set_webhook(self, given: dict[str, Any]) -> None:
        secret = given.get("secret_token", "")
        if secret and not SECRET_SHAPE.fullmatch(secret):
            raise bad("secret token contains unallowed characters")
        if given["url"] and not re.fullmatch(r"https?://[^\s/]+\S*", given["url"]):
            raise bad("bad webhook: invalid webhook URL specified")
        self.updates.allow(given.get("allowed_updates"))
        await self.updates.set_webhook(given["url"], secret, drops=given.get("drop_pending_updates", False))

    def _webhook_info(self) -> dict[str, Any]:
        webhook = self.updates.webhook
        info = {"url": webhook.url, "has_custom_certificate": False, "pending_update_count": len(self.updates)}
        return info | ({"last_error_message": webhook.error, "last_error_date": 1} if webhook.error else {})


def _cut(request: web.Request) -> web.Response:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
