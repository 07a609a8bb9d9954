"""What a homeserver refuses, and what that means for a message on its way."""

from __future__ import annotations

from http import HTTPStatus

from core.chat.message import Failure
from core.chat.port import AdapterError

RETRY_SECONDS = 2.0
LIMITED = "M_LIMIT_EXCEEDED"
LOGGED_OUT = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED", "M_USER_SUSPENDED"})


class UnreachableError(Exception):
    """The homeserver did not answer, or not with sense: another try may help. Says why, without secrets."""


class RefusedError(Exception):
    """The homeserver said no. `retry_seconds`: when it is to be asked again, if it said that."""

    def __init__(self, status: int, code: str, message: str, retry_seconds: float = 0.0) -> None:
        super().__init__(f"{code or status} {message}".strip())
        self.status = status
        self.code = code
        self.retry_seconds = retry_seconds

    @property
    def is_limit(self) -> bool:
        """Tell whether we ask too often."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS or self.code == LIMITED

    @property
    def is_logged_out(self) -> bool:
        """Tell whether we are nobody to it any more."""
        return self.code in LOGGED_OUT


def logged_out(error: RefusedError) -> AdapterError:
    """Return what people have to be told when the login has ended."""
    return AdapterError(
        f"matrix: the homeserver ended the bot's login ({error.code}): start again to log in with the password, "
        "or put a new access_token into the configuration"
    )


def failure_of(error: Exception) -> Failure:
    """Return what a failed send means. Whatever is sent again under its own key comes once. Raises AdapterError."""
    if not isinstance(error, RefusedError):
        return Failure(str(error), retry_seconds=RETRY_SECONDS)
    if error.is_logged_out:
        raise logged_out(error)
    if error.is_limit:
        return Failure(str(error), retry_seconds=max(error.retry_seconds, RETRY_SECONDS))
    # Not in the room, or not allowed to speak there: until somebody writes there again or lets us in.
    return Failure(str(error), gone=error.status == HTTPStatus.FORBIDDEN)
