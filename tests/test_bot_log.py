"""Logs: for people or programs, without secrets, and without anything personal even where everything is logged."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from adapters.post import Carrier, Door
from bot.log import fault, redactor, set_up
from core.chat.commands import table
from core.chat.dispatch import dispatch_all
from core.chat.due import run_due
from core.chat.handling import House
from core.chat.message import Event, Failure, Incoming, Message
from core.identity import Place, Sender
from core.tables_chat import Outbox
from tests.conftest import NOW
from tests.fake_adapter import FakeAdapter

if TYPE_CHECKING:
    from core.store import Store

LEAK = "123456:very-secret"
MISFIT = "%d does not fit %s"
# What people write and are called; none of these words may be in any line.
CANARY = "canary"
HELLO = "Canary says hello"
SAID = (
    "/pool new Canaryvalley",
    "/project new Canary Bakery",
    "/good new canarybread",
    "/task new Canarytask 1h urgent",
)


def test_no_record_carries_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    set_up([LEAK, "a b&c", "x"])
    log = logging.getLogger("any.library")
    log.warning("GET https://api.telegram.org/bot%s/getMe", LEAK)
    log.warning("quoted %s and %s", "123456%3Avery-secret", "a%20b%26c")
    log.error(MISFIT, LEAK)
    try:
        throw(OSError(1, f"no leave for {LEAK}"))
    except OSError:
        log.exception("it failed")
    written = capsys.readouterr().err
    assert "very-secret" not in written
    assert "a%20b" not in written
    assert "bot***/getMe" in written
    assert "PermissionError: no leave for ***" in written
    assert MISFIT in written
    assert "any.library" not in written.split("\n", maxsplit=1)[0]
    assert "xyz" in redactor(["x"])("xyz")


def test_libraries_are_quiet_and_we_are_as_loud_as_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(level="DEBUG")
    for name in ("httpx", "aiohttp.access", "sqlalchemy.engine", "apscheduler.scheduler"):
        logging.getLogger(name).info("noise")
        logging.getLogger(name).warning("news")
    logging.getLogger("nio.responses").warning("noise")
    logging.getLogger("adapters.post").debug("fine")
    written = capsys.readouterr().err
    assert "noise" not in written
    assert written.count("news") == 4
    assert "fine" in written
    set_up(level="ERROR")
    logging.getLogger("adapters.post").warning("never")
    assert capsys.readouterr().err == ""


def test_programs_get_one_json_line_for_each_record(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(form="json")
    log = logging.getLogger("bot.main")
    log.info("two\nlines: %s", "ä")
    try:
        throw(ValueError(CANARY))
    except ValueError:
        log.exception("it failed")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert set(first) == {"time", "level", "logger", "message"}
    assert (first["level"], first["logger"], first["message"]) == ("info", "bot.main", "two\nlines: ä")
    assert first["time"].endswith("+00:00")
    assert second["fault"].splitlines()[-1] == "ValueError"
    assert "test_bot_log.py" in second["fault"]


def throw(error: Exception) -> None:
    raise error


def raised() -> BaseException:
    """An exception with others behind and in it, all with words of people."""
    try:
        try:
            throw(KeyError(CANARY))
        except KeyError as error:
            raise ExceptionGroup(CANARY, [ValueError(CANARY), TypeError(CANARY)]) from error
    except ExceptionGroup as group:
        try:
            throw(RuntimeError(CANARY))
        except RuntimeError as error:
            group.__context__ = error  # a circle, as real programs make them
            return error
    return AssertionError()


def test_of_an_exception_everything_is_told_but_its_words() -> None:
    told = fault(raised())
    assert CANARY not in told.replace("CANARY", "")
    kinds = [line for line in told.splitlines() if line[0].isalpha() and " " not in line]
    assert kinds == ["KeyError", "ValueError", "TypeError", "ExceptionGroup", "RuntimeError"]


def test_of_a_database_error_its_code_is_told(store: Store) -> None:
    with pytest.raises(DBAPIError) as caught, store.read() as session:
        session.connection().execute(text("SELECT :word FROM nowhere"), {"word": CANARY})
    told = fault(caught.value).splitlines()[-1]
    assert CANARY not in str(caught.value)
    assert told in {
        "sqlalchemy.exc.OperationalError (OperationalError, SQLITE_ERROR)",
        "sqlalchemy.exc.ProgrammingError (UndefinedTable, 42P01)",
    }


def test_of_what_the_event_loop_says_the_first_line_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    set_up()

    async def forgetful() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "Task exception was never retrieved", "exception": ValueError(CANARY)}
        )

    asyncio.run(forgetful())
    written = capsys.readouterr().err
    assert "Task exception was never retrieved" in written
    assert CANARY not in written


def event(number: int, words: str) -> Event:
    place = Place("fake", "room", title="Canary room")
    return Event(str(number), Incoming.TEXT, place, Sender("fake", "7", "Canary Ana", "canary_ana"), words, str(number))


async def test_nothing_personal_is_in_any_line(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool is founded, commands fail, the program fails, messages fail, and a row does not fit: all at DEBUG."""
    set_up(level="DEBUG")
    logging.getLogger("sqlalchemy.engine").info("statements are quiet")
    house = House(store, table(), secrets.token_bytes)
    door = Door(store, lambda: NOW, lambda: None)
    await door.receive([event(number, words) for number, words in enumerate((*SAID, "/claim canary", "/canary"))])
    adapter = FakeAdapter()
    carrier = Carrier(store, adapter, lambda: NOW)
    await asyncio.to_thread(dispatch_all, house, NOW)
    with monkeypatch.context() as broken:
        broken.setattr("core.chat.handling.Handling.text", fails)
        await door.receive([event(100, HELLO)])
        await asyncio.to_thread(dispatch_all, house, NOW)
    for answer in ([ValueError(CANARY)], [Failure("Bad Request: chat not found")]):
        adapter.answers = {text: list(answer) for text in texts(store)}
        await carrier.flush()
    await asyncio.to_thread(run_due, house, NOW)
    written = capsys.readouterr().err
    assert "could not be handled" in written
    assert "a message could not be sent" in written
    assert CANARY not in written.lower()


def fails(_handling: object) -> None:
    """Fail as programs do: with what somebody wrote in the exception."""
    raise ValueError(HELLO)


def texts(store: Store) -> list[str]:
    with store.read() as session:
        return [str(Message.from_json(row.payload).text) for row in session.exec(select(Outbox))]
