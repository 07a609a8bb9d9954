"""Requests to the homeserver: the token travels in a header only, refusals are raised."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from aiohttp import ClientError

from adapters.matrix.failures import RefusedError, UnreachableError
from adapters.matrix.raw import number, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientResponse
    from nio import AsyncClient

CLIENT = "/_matrix/client/v3"
REQUEST_SECONDS_MAX = 60.0
MILLISECONDS = 1000


class Web:
    """Asks the homeserver of a nio client."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        seconds: float = REQUEST_SECONDS_MAX,
    ) -> dict[str, Any]:
        """Send a request, `path` behind the client API's own unless it is whole; return what was answered.

        Raises RefusedError, or UnreachableError where another try may help.
        """
        whole = path if path.startswith("/_matrix") else CLIENT + path
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        headers = {"Content-Type": kind}
        if self._client.access_token:
            headers["Authorization"] = f"Bearer {self._client.access_token}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        address = f"{whole}?{urlencode(query)}" if query else whole
        try:
            response = await self._client.send(method, address, data, headers, timeout=seconds)
            async with response:
                content = await response.read()
        except (ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"the homeserver does not answer ({type(error).__name__})") from None
        return _answer(response, content)


def _answer(response: ClientResponse, content: bytes) -> dict[str, Any]:
    """Return the object that was answered. Raises RefusedError or UnreachableError."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or not isinstance(answer, dict):
        raise UnreachableError(f"the homeserver answers {response.status}")
    if response.status >= HTTPStatus.BAD_REQUEST:
        wait = number(answer, "retry_after_ms") or number(dict(response.headers), "Retry-After") * MILLISECONDS
        raise RefusedError(response.status, text(answer, "errcode"), text(answer, "error"), wait / MILLISECONDS)
    return answer


def segment(value: str) -> str:
    """Return an id as a part of a path."""
    return quote(value, safe="")


def in_room(room_id: str, rest: str = "") -> str:
    """Return the path of something in a room."""
    return f"/rooms/{segment(room_id)}{rest}"
