"""The bot signs its own device: what other people's clients see, checked by another library than signed it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from nio import AsyncClient

from adapters.matrix.failures import UnreachableError
from adapters.matrix.signing_keys import RESET, USAGES, load
from tests.signing_bot import QUERY, SIGN, UPLOAD, Bot, bot
from tests.signing_view import is_signed, master_of, trusted
from tests.synapse import password_of
from tests.synapse_person import good

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.synapse import Synapse
    from tests.synapse_person import Person

    Arrive = Callable[[str], Awaitable[Person]]
    Connect = Callable[..., Awaitable[Bot]]

pytest_plugins = ("tests.synapse_fixtures",)


@pytest.fixture
async def connect(synapse: Synapse) -> AsyncIterator[Connect]:
    """Logs a client in; its device is known to the homeserver."""
    here: list[Bot] = []

    async def log_in(name: str, folder: Path | None = None) -> Bot:
        found = bot(synapse.url, name, folder)
        here.append(found)
        good(await found.login(password_of(name)))
        good(await found.keys_upload())
        return found

    yield log_in
    for one in here:
        await one.depart()


@pytest.fixture
def name(newcomer: Callable[[str], str]) -> str:
    """The bot's account."""
    return newcomer("Pool")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where its keys are kept."""
    return tmp_path / "signing.json"


def kept(path: Path) -> bytes:
    """What is in the file; empty without one."""
    return path.read_bytes() if path.exists() else b""


async def test_a_strict_client_trusts_the_bot(
    person: Arrive, connect: Connect, name: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ana, pool = await person("Ana"), await connect(name)
    assert await trusted(ana, pool.user_id) == set()
    assert await pool.sign(path)
    assert await trusted(ana, pool.user_id) == {pool.device_id}
    assert caplog.records == []
    answer = await pool_view(pool)
    own = answer["device_keys"][pool.user_id][pool.device_id]["keys"][f"ed25519:{pool.device_id}"]
    assert is_signed(answer["master_keys"][pool.user_id], pool.user_id, own, str(pool.device_id))


async def pool_view(pool: Bot) -> dict[str, Any]:
    """What the bot itself sees of its keys."""
    headers = {"Authorization": f"Bearer {pool.access_token}"}
    async with await pool.send("POST", QUERY, json.dumps({"device_keys": {pool.user_id: []}}), headers) as response:
        found: dict[str, Any] = await response.json()
        return found


async def test_it_is_done_once(connect: Connect, name: str, path: Path) -> None:
    pool = await connect(name)
    assert await pool.sign(path)
    assert pool.asked == [QUERY, UPLOAD, QUERY, SIGN, QUERY]
    before = kept(path)
    assert await pool.sign(path)
    assert pool.asked == [QUERY]
    assert kept(path) == before != b""


async def test_after_a_restart_there_is_nothing_to_do(
    synapse: Synapse, connect: Connect, name: str, tmp_path: Path, path: Path
) -> None:
    first = await connect(name, tmp_path)
    assert await first.sign(path)
    await first.depart()
    second = bot(synapse.url, name, tmp_path)
    second.restore_login(first.user_id, str(first.device_id), first.access_token)
    assert await second.sign(path)
    assert second.asked == [QUERY]
    await second.depart()


async def test_a_new_device_is_signed_with_the_same_keys(
    person: Arrive, connect: Connect, name: str, path: Path
) -> None:
    ana, first = await person("Ana"), await connect(name)
    await first.sign(path)
    master = await master_of(ana, first.user_id)
    second = await connect(name)
    assert await second.sign(path)
    assert await trusted(ana, first.user_id) == {first.device_id, second.device_id}
    assert await master_of(ana, first.user_id) == master


# What was lost


@pytest.mark.parametrize("usages", [(), USAGES, ("self_signing",), ("user_signing",)])
async def test_what_the_server_lost_is_put_back(
    synapse: Synapse, person: Arrive, connect: Connect, name: str, path: Path, usages: tuple[str, ...]
) -> None:
    ana, pool = await person("Ana"), await connect(name)
    await pool.sign(path)
    master, before = await master_of(ana, pool.user_id), kept(path)
    await AsyncClient.close(pool)  # it connects again by itself; an old connection ends with the server
    synapse.stop()
    synapse.forget(name, *usages)
    synapse.start()
    assert "self_signing" in usages or await trusted(ana, pool.user_id) == set()
    assert await pool.sign(path, password_of(name))
    assert await trusted(ana, pool.user_id) == {pool.device_id}
    assert (await master_of(ana, pool.user_id), kept(path)) == (master, before)


async def test_keys_of_another_client_are_left_alone(
    person: Arrive, connect: Connect, name: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ana, other = await person("Ana"), await connect(name)
    elsewhere = path.with_name("elsewhere.json")
    await other.sign(elsewhere)
    master = await master_of(ana, other.user_id)
    pool = await connect(name)
    assert not await pool.sign(path, password_of(name))
    assert f"verify the session {pool.device_id} in the client that made them" in caplog.text
    assert (pool.asked, kept(path)) == ([QUERY], b"")
    await pool.sign(elsewhere)  # as if that client had verified us
    assert await pool.sign(path)
    assert (pool.asked, kept(path)) == ([QUERY], b"")
    assert await master_of(ana, other.user_id) == master


def tell_to_reset(path: Path) -> None:
    """What people do by hand."""
    path.write_text(f"{RESET}\n", "utf-8")


async def test_new_keys_only_when_told_to_and_with_the_password(
    person: Arrive, connect: Connect, name: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ana, pool = await person("Ana"), await connect(name)
    await pool.sign(path)
    master = await master_of(ana, pool.user_id)
    tell_to_reset(path)
    assert not await pool.sign(path)
    assert "set matrix.password" in caplog.text
    fresh = load(path, pool.user_id)
    assert not await pool.sign(path, "a guess")
    assert "matrix.password is not it" in caplog.text
    assert "a guess" not in caplog.text
    assert await master_of(ana, pool.user_id) == master
    assert await pool.sign(path, password_of(name))
    assert fresh is not None
    assert await master_of(ana, pool.user_id) == fresh.keys["master"].public
    assert await trusted(ana, pool.user_id) == {pool.device_id}
    assert await pool.sign(path)
    assert pool.asked == [QUERY]


async def test_a_device_that_is_not_ours_is_not_signed(
    synapse: Synapse, connect: Connect, name: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = await connect(name)
    second = bot(synapse.url, name)
    second.restore_login(first.user_id, str(first.device_id), first.access_token)
    assert not await second.sign(path)
    assert f"other keys for the device {first.device_id} than its store" in caplog.text
    assert second.asked == [QUERY]
    await second.depart()


async def test_a_server_that_is_away_is_no_refusal(
    synapse: Synapse, connect: Connect, name: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pool = await connect(name)
    synapse.stop()
    try:
        with pytest.raises(UnreachableError):
            await pool.sign(path)
    finally:
        synapse.start()
    assert await pool.sign(path)
    assert caplog.records == []
