"""The Bot API as we use it: one bot, what its failures mean to the pool, and waiting out those that pass."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from core.chat.message import Failure
from core.chat.port import AdapterError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from core.identity import Place

log = logging.getLogger(__name__)
Result = TypeVar("Result")
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
CONNECTIONS_MAX = 16
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 1.0, 30.0
AGAIN_SECONDS = 2.0
SHOWN_MAX = 200
UNREADABLE = "the answer is not readable"
REFUSED = "telegram: the token is not accepted: ask @BotFather for it, and check telegram.token and telegram.api_url"
# What the connection says when a request never left.
BROKEN = ("httpx.", "Unknown error", "Timed out", "Pool timeout")  # otherwise an answer came, with an error status
REFUSALS = (BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, RetryAfter)
UNSENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
# The chat is closed to us until Telegram or somebody in it says otherwise.
CLOSED = (
    "chat not found",
    "not enough rights to send",
    "have no rights to send",
    "need administrator rights",
    "chat_write_forbidden",
    "chat_send_plain_forbidden",
    "chat_restricted",
    "chat was deactivated",
    "group is deactivated",
    "user is deactivated",
    "bot was kicked",
    "peer_id_invalid",
)
TOPIC_CLOSED = ("thread not found", "topic_closed", "topic_deleted")
UNCHANGED = "message is not modified"
UNEDITABLE = ("message to edit not found", "message can't be edited", "message_id_invalid")


class Api(Bot):
    """The bot; its token stays inside."""

    def __init__(self, token: str, api_url: str) -> None:
        super().__init__(
            token,
            f"{api_url}/bot",
            f"{api_url}/file/bot",
            request=_connections(CONNECTIONS_MAX),
            get_updates_request=_connections(2),
        )

    def __repr__(self) -> str:
        """Show no token."""
        return "Api()"

    async def updates(self, offset: int | None, limit: int, seconds: int, allowed: Sequence[str]) -> list[Any]:
        """Wait so many seconds at most for updates, as they come: the library gives up a whole batch for a bad one."""
        data = {"offset": offset, "limit": limit, "timeout": seconds, "allowed_updates": list(allowed)}
        found = await self._post("getUpdates", data, read_timeout=seconds + ANSWER_SECONDS)
        return found if isinstance(found, list) else []


class Connections(HTTPXRequest):
    """Connections to the server. What is no JSON is a failure like others; the library would log a page of it."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Read an answer. Raises TelegramError."""
        try:
            return {"result": None, **json.loads(payload)}
        except (TypeError, ValueError, RecursionError) as error:
            raise TelegramError(UNREADABLE) from error


def _connections(count: int) -> HTTPXRequest:
    return Connections(
        count,
        read_timeout=ANSWER_SECONDS,
        write_timeout=ANSWER_SECONDS,
        connect_timeout=CONNECT_SECONDS,
        pool_timeout=CONNECT_SECONDS,
        media_write_timeout=ANSWER_SECONDS,
    )


def may_have_arrived(error: TelegramError) -> bool:
    """Tell whether a request may have been done although nobody said so."""
    if isinstance(error, REFUSALS):
        return False
    is_answered = isinstance(error, NetworkError) and not error.message.startswith(BROKEN)
    return error.__cause__ is not None and type(error.__cause__).__name__ not in UNSENT and not is_answered


def failure_of(error: TelegramError, place: Place) -> Failure:
    """Return what a failed request means for the message it was to send. Raises AdapterError for a token refused."""
    reason = shown(error)
    if isinstance(error, InvalidToken):
        raise AdapterError(REFUSED) from None
    if isinstance(error, RetryAfter):
        return Failure(reason, seconds_of(error))
    if isinstance(error, Forbidden):
        return Failure(reason, gone=True)
    if isinstance(error, BadRequest):
        words = error.message.casefold()
        is_closed = any(one in words for one in CLOSED)
        return Failure(reason, gone=is_closed or (bool(place.topic) and any(one in words for one in TOPIC_CLOSED)))
    return Failure(reason, AGAIN_SECONDS, ambiguous=may_have_arrived(error))


def seconds_of(error: TelegramError) -> float:
    """Return how long we are told to wait; 0 if nothing is said."""
    wait = error.retry_after if isinstance(error, RetryAfter) else 0
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def shown(error: TelegramError) -> str:
    """Return what to log of an error; the library puts the token into one of its texts, whole pages into another."""
    if isinstance(error, InvalidToken):
        return "the token is not accepted"
    return error.message.partition(". Parsing the server response")[0][:SHOWN_MAX]


class Patience:
    """Waits longer from failure to failure; an outage is logged when it begins and when it is over."""

    def __init__(self) -> None:
        self._pause_seconds = 0.0

    async def wait(self, reason: str, seconds: float = 0.0) -> None:
        """Wait after a failure, at least so many seconds."""
        if not self._pause_seconds:
            log.warning("telegram: does not answer, trying again: %s", reason)
        self._pause_seconds = min(max(2 * self._pause_seconds, PAUSE_SECONDS_MIN), PAUSE_SECONDS_MAX)
        await asyncio.sleep(max(self._pause_seconds, seconds))

    def end(self) -> None:
        """Say that something worked."""
        if self._pause_seconds:
            log.info("telegram: answers again")
        self._pause_seconds = 0.0


async def insist(call: Callable[[], Awaitable[Result]]) -> Result:
    """Make a call until it works. Raises AdapterError for a token refused, TelegramError for what no waiting helps."""
    patience = Patience()
    while True:
        try:
            result = await call()
        except InvalidToken:
            raise AdapterError(REFUSED) from None
        except (BadRequest, Conflict, Forbidden):
            raise
        except TelegramError as error:
            await patience.wait(shown(error), seconds_of(error))
        else:
            patience.end()
            return result
