"""The updates that wait for a bot: kept until its offset has passed them, or posted to its webhook one at a time."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from tests.bot_api_values import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
LIMIT_MAX = 100
FUTURE_MAX = 10  # an offset further ahead is from another life of the queue
TERMINATED = RefusedError(
    409,
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
)
IS_WEBHOOK = RefusedError(
    409,
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
)


@dataclass
class Webhook:
    """Where updates are posted to, and how that went. `codes`: what was answered, None where nobody was."""

    url: str = ""
    secret: str = ""
    error: str = ""
    error_date: int = 0
    codes: list[int | None] = field(default_factory=list)


class Updates:
    """The queue. `changed` is called whenever something in it has."""

    def __init__(self, changed: Callable[[], None], seed: int) -> None:
        self.webhook = Webhook()
        self.retry_seconds = 0.05
        self.confirmed = 0
        self._changed = changed
        self._random = random.Random(seed)
        self._waiting: deque[tuple[int, str]] = deque()
        self._allowed: frozenset[str] | None = None
        self._next_id = self._random.randrange(10**8, 9 * 10**8)
        self._is_more = asyncio.Event()
        self._poll: asyncio.Future[None] | None = None
        self._posting: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_polled(self) -> bool:
        return self._poll is not None and not self._poll.done()

    def begin_anew(self) -> None:
        """Go on with a random number, as after a quiet week."""
        self._next_id = self._random.randrange(10**8, 9 * 10**8)

    def allow(self, kinds: list[str] | None) -> None:
        """Remember which updates are wanted; an empty list means all but a few."""
        if kinds is not None:
            self._allowed = frozenset(kinds) or None

    def add(self, kind: str, value: dict[str, Any]) -> int:
        """Keep an update if its kind is wanted; return its number, 0 if it is not."""
        is_wanted = kind in self._allowed if self._allowed is not None else kind not in NOT_BY_DEFAULT
        return self.push({kind: value}) if is_wanted else 0

    def push(self, update: dict[str, Any] | str) -> int:
        """Keep an update as it is, JSON text without its number too; return the number."""
        number, self._next_id = self._next_id, self._next_id + 1
        text = update if isinstance(update, str) else json.dumps(update)
        rest = text.strip()[1:].lstrip()
        self._waiting.append((number, f'{{"update_id":{number}{"" if rest == "}" else ","}{rest}'))
        self._is_more.set()
        return number

    async def poll(self, offset: int, limit: int, seconds: int) -> str:
        """Answer getUpdates: JSON text. Raises RefusedError when another poll comes, or while there is a webhook."""
        if self.webhook.url:
            raise IS_WEBHOOK
        mine = self._take_over()
        self._forget(offset)
        if not self._waiting and seconds:
            self._is_more.clear()
            more = asyncio.create_task(self._is_more.wait())
            mine.add_done_callback(lambda _done: more.cancel())
            await asyncio.wait([more], timeout=seconds)
            more.cancel()
        if mine.done():
            raise TERMINATED
        self._poll = None
        count = min(max(limit, 1), LIMIT_MAX)
        return "[" + ",".join([text for _number, text in list(self._waiting)[:count]]) + "]"

    def _take_over(self) -> asyncio.Future[None]:
        self.interrupt()
        self._poll = asyncio.get_running_loop().create_future()
        return self._poll

    def interrupt(self) -> None:
        """End the poll that waits, as a second one does."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def _forget(self, offset: int) -> None:
        if offset < 0:
            while len(self._waiting) > -offset:
                self._pop()
        elif offset <= self._next_id + FUTURE_MAX:
            while self._waiting and self._waiting[0][0] < offset:
                self._pop()

    def _pop(self) -> None:
        self._waiting.popleft()
        self.confirmed += 1
        self._changed()

    # Webhooks

    async def set_webhook(self, url: str, secret: str, *, drops: bool) -> None:
        """Post updates to an address from now on; to none if it is empty."""
        await self.stop()
        self.interrupt()
        if drops:
            self._waiting.clear()
        self.webhook = Webhook(url, secret)
        if url:
            self._posting = asyncio.create_task(self._post_all())

    async def stop(self) -> None:
        if self._posting is not None:
            self._posting.cancel()
            await asyncio.gather(self._posting, return_exceptions=True)
            self._posting = None

    async def _post_all(self) -> None:
        async with ClientSession(timeout=ClientTimeout(total=10)) as session:
            while True:
                self._is_more.clear()
                while self._waiting:
                    if await self._post(session, self._waiting[0][1]):
                        self._pop()
                    else:
                        await asyncio.sleep(self.retry_seconds)
                await self._is_more.wait()

    async def _post(self, session: ClientSession, text: str) -> bool:
        headers = {"Content-Type": "application/json"}
        if self.webhook.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self.webhook.secret
        code, self.webhook.error = None, "Connection refused"
        try:
            async with session.post(self.webhook.url, data=text.encode(), headers=headers) as response:
                code, is_taken = response.status, response.ok
                self.webhook.error = "" if is_taken else f"Wrong response from the webhook: {code} {response.reason}"
        except (ClientError, TimeoutError):
            is_taken = False
        self.webhook.codes.append(code)
        self._changed()
        return is_taken
