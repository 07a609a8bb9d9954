"""How fast the homeserver lets us go: who is told to wait, waits for all."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from adapters.matrix.failures import RefusedError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)
HOLD_SECONDS_MIN = 0.5
BACKOFF_SECONDS_MAX = 30.0
Result = TypeVar("Result")


class Pace:
    """Limits are the account's, so they hold back everything it does."""

    def __init__(self) -> None:
        self._until = 0.0

    def _wait_seconds(self) -> float:
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def hold(self, seconds: float) -> None:
        """Let everybody wait so long."""
        self._until = max(self._until, asyncio.get_running_loop().time() + max(seconds, HOLD_SECONDS_MIN))

    async def do(self, work: Callable[[], Awaitable[Result]], *, after_seconds: float = 0.0) -> Result:
        """Do something as soon as that is allowed, again where the homeserver says "later".

        `after_seconds` lets others go first then. Raises RefusedError (but not for that) or UnreachableError.
        """
        while True:
            if wait := self._wait_seconds():
                await asyncio.sleep(wait + after_seconds)
                continue
            try:
                return await work()
            except RefusedError as error:
                if not error.is_limit:
                    raise
                self.hold(error.retry_seconds)

    async def insist(self, work: Callable[[], Awaitable[Result]], what: str, *, after_seconds: float = 0.0) -> bool:
        """Do something however long the homeserver is away; return whether it let us."""
        tries = 0
        while True:
            try:
                await self.do(work, after_seconds=after_seconds)
            except UnreachableError:
                tries += 1
                await asyncio.sleep(backoff_seconds(tries))
            except RefusedError as error:
                log.info("matrix: %s: %s", what, error)
                return False
            else:
                return True


def backoff_seconds(tries: int) -> float:
    """Return how long to wait after so many tries in a row."""
    return float(min(2 ** min(tries, 10) / 4, BACKOFF_SECONDS_MAX))
