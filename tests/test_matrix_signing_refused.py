"""When the bot's device cannot be signed: it says why, in one line, and goes on."""

from __future__ import annotations

import logging
import stat
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from nio import AsyncClientConfig

from adapters.matrix.failures import UnreachableError
from adapters.matrix.signing_keys import Identity, SigningRefusedError, load, save, verifies
from tests.signing_bot import QUERY, SIGN, UPLOAD, Bot, bot
from tests.synapse import password_of, user_id
from tests.synapse_person import good

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.synapse import Synapse

pytest_plugins = ("tests.synapse_fixtures",)


@pytest.fixture
def name(newcomer: Callable[[str], str]) -> str:
    """The bot's account."""
    return newcomer("Pool")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where its keys are kept."""
    return tmp_path / "signing.json"


# The file


@pytest.mark.parametrize("text", ["", "{}", "[]", "no", '{"user": "@pool:valley.test", "master": "0011"}', "\x00"])
def test_a_damaged_file_is_said(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    with pytest.raises(SigningRefusedError, match="put back its backup, or write `reset` into it"):
        load(path, "@pool:valley.test")
    assert path.read_text("utf-8") == text


def test_a_file_of_another_account_is_said(path: Path) -> None:
    save(path, "@pool:hill.test", Identity.new())
    with pytest.raises(SigningRefusedError, match=r"holds the keys of @pool:hill\.test"):
        load(path, "@pool:valley.test")


def test_a_file_that_cannot_be_written_is_said(path: Path) -> None:
    path.with_name(f"{path.name}.new").mkdir()
    with pytest.raises(SigningRefusedError, match="can't be written"):
        save(path, "@pool:valley.test", Identity.new())
    assert not path.exists()


def test_the_file_is_for_our_eyes_only(path: Path) -> None:
    save(path, "@pool:valley.test", Identity.new())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_a_crash_left_is_written_over(path: Path) -> None:
    path.with_name(f"{path.name}.new").write_text("half", "utf-8")
    save(path, "@pool:valley.test", Identity.new())
    assert load(path, "@pool:valley.test") is not None
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("public", "signature"), [("", ""), ("AAAA", "AAAA"), ("?", "?"), ("A", "A"), ("ä", "ä")])
def test_odd_keys_verify_nothing(public: str, signature: str) -> None:
    assert not verifies(public, {}, signature)


# A homeserver of another kind


class Canned:
    """Answers what it is told to, by path; a query for keys by default shows the device as it is."""

    def __init__(self) -> None:
        self.pool: Bot
        self.device: dict[str, Any]
        self.answers: dict[str, tuple[int, Any]] = {UPLOAD: (200, {}), SIGN: (200, {})}

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request."""
        if request.path not in self.answers:
            return web.json_response({"device_keys": {self.pool.user_id: {self.pool.device_id: self.device}}})
        status, body = self.answers[request.path]
        if isinstance(body, str):
            return web.Response(text=body, status=status)
        return web.json_response(body, status=status)


@pytest.fixture
async def canned() -> AsyncIterator[Canned]:
    """A homeserver with the bot's device, and nothing else of its own."""
    found = Canned()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.answer)
    async with TestServer(application) as server:
        found.pool = bot(str(server.make_url("")).rstrip("/"), "pool")
        found.pool.restore_login(user_id("pool"), "DEVICE", "a word")
        assert found.pool.olm is not None
        found.device = found.pool.olm.share_keys()["device_keys"]
        yield found
        await found.pool.depart()


APPROVAL = {"flows": [{"stages": ["m.oauth"]}], "msg": "approve it at https://valley.test/account", "session": "1"}
FAILED = {"failures": {user_id("pool"): {"DEVICE": {"status": 400, "errcode": "M_INVALID_SIGNATURE"}}}}


@pytest.mark.parametrize(
    ("asked", "status", "answer", "reason"),
    [
        (QUERY, 404, {"errcode": "M_UNRECOGNIZED", "error": "Unrecognized request"}, "answered 404 M_UNRECOGNIZED"),
        (QUERY, 200, [], "other keys for the device DEVICE"),
        (QUERY, 200, {"device_keys": [], "master_keys": 1}, "other keys for the device DEVICE"),
        (QUERY, 200, {"device_keys": {user_id("pool"): {"DEVICE": {"signatures": 1}}}}, "other keys"),
        (UPLOAD, 401, APPROVAL, "a person has to approve of it: approve it at https://valley.test/account"),
        (UPLOAD, 401, {"flows": 1}, "a person has to approve of it: 1"),
        (UPLOAD, 401, {"errcode": "M_UNKNOWN_TOKEN"}, "answered 401 M_UNKNOWN_TOKEN"),
        (UPLOAD, 403, {"errcode": "M_FORBIDDEN"}, "answered 403 M_FORBIDDEN"),
        (UPLOAD, 500, "<p>Sorry</p>", "answered 500"),
        (SIGN, 400, {"errcode": "M_UNKNOWN"}, "answered 400 M_UNKNOWN"),
        (SIGN, 200, FAILED, "did not take a signature: M_INVALID_SIGNATURE"),
        (SIGN, 200, {"failures": {user_id("pool"): {"DEVICE": 1}}}, "did not take a signature"),
        (SIGN, 200, {}, "took the signatures and does not show them"),
    ],
)
async def test_a_refusal_is_said_once_and_the_bot_goes_on(
    canned: Canned, path: Path, caplog: pytest.LogCaptureFixture, asked: str, status: int, answer: Any, reason: str
) -> None:
    canned.answers[asked] = (status, answer)
    assert not await canned.pool.sign(path, "a password")
    [record] = caplog.records
    assert (record.levelno, reason in record.getMessage()) == (logging.WARNING, True)
    assert "\n" not in record.getMessage()
    assert "a word" not in caplog.text


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_server_is_asked_again_by_the_caller(canned: Canned, path: Path, status: int) -> None:
    canned.answers[UPLOAD] = (status, {"errcode": "M_LIMIT_EXCEEDED"})
    with pytest.raises(UnreachableError):
        await canned.pool.sign(path)


async def test_a_client_without_a_store_is_not_signed(
    synapse: Synapse, path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    plain = Bot(synapse.url, user_id(name), config=AsyncClientConfig(encryption_enabled=False))
    plain.asked = []
    good(await plain.login(password_of(name)))
    assert not await plain.sign(path)
    assert "there is no store" in caplog.text
    await plain.depart()
