"""`dpool status`: everything an administrator wants to see, as lines and as JSON, whatever else runs."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot import server_wire
from bot.cli import main
from bot.clock import Clock
from bot.main import TICK
from bot.platforms import receiving
from core.chat import binding, inbox, outbox
from core.chat.message import Failure, Message, Priority
from core.chat.text import Text
from core.identity import Place, chat_of
from core.schema import claim_exclusively
from core.store import Store
from core.tables_chat import Inbox
from tests.operations import empty_on, file_with_life, url_of, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import Database

Told = pytest.CaptureFixture[str]


@pytest.fixture
def life(empty_database: Path, tmp_path: Path) -> Path:
    """A file with a pool in it, and with things that wait and are stuck."""
    path = file_with_life(empty_database, tmp_path / "life.db")
    now = Clock()()
    with closing(Store(url_of(path))) as store, store.write() as session:
        room = chat_of(session, Place("console", "bakery"))
        outbox.post(session, room, Message(Text.of("Ana's secret")), Priority.REPLY, "a", now)
        delivery = binding.bind_next(session, "console", now)
        assert delivery is not None
        outbox.failed(session, delivery.id, Failure("kicked out", gone=True), now)
        other = chat_of(session, Place("console", "garden"))
        outbox.post(session, other, Message(Text.of("x")), Priority.REPLY, "b", now - timedelta(seconds=90))
        inbox.receive(
            session, "console", "waits", "garden", {"text": "Ana's secret"}, now - timedelta(hours=2, minutes=5)
        )
        aside = Inbox(platform="console", event_id="bad", chat="x", received_at=now - timedelta(days=3), done_at=now)
        aside.fault = "KeyError KeyError KeyError"
        session.add(aside)
    return path


def test_lines_tell_how_everything_stands(life: Path, capsys: Told) -> None:
    with closing(Store(url_of(life))) as store, claim_exclusively(store):  # as a bot that runs
        assert main(("status", "--database", str(life))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "events waiting: 1, the oldest for 2 h"
    assert lines[1] == "messages to be sent: 1, the oldest for 1 min"
    assert lines[2] == ("console: the last event came 3 d ago; to be sent 1, held back 0, parked 1, chats off 1")
    assert lines[3] == "  1 × gone: kicked out"
    assert lines[4] == "Valley (1): next round 2026-05-17 18:00 UTC, the last was 2026-05-10 18:00 UTC"
    assert lines[5] == "events set aside: 1"
    assert lines[6].endswith(": KeyError KeyError KeyError")
    assert len(lines) == 7
    assert "secret" not in "".join(lines)


def test_programs_get_json(life: Path, capsys: Told) -> None:
    assert main(("status", "--json", "--database", str(life))) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"now", "queues", "platforms", "pools", "set_aside", "processes"}
    assert found["queues"]["events"] == 1
    assert found["queues"]["messages"] == {"console": 1}
    assert found["pools"][0]["held_at"] == "2026-05-10T18:00:00+00:00"
    assert found["processes"] is None


def test_an_empty_database_has_little_to_tell(empty_database: Path, capsys: Told) -> None:
    assert main(("status", "--database", str(empty_database))) == 0
    assert capsys.readouterr().out.splitlines() == [
        "events waiting: 0",
        "messages to be sent: 0",
        "events set aside: 0",
    ]


def test_on_a_server_it_tells_who_is_there(server_database: Database, capsys: Told) -> None:
    url = empty_on(server_database.server)
    with closing(Store(url)) as store, store.write() as session:
        chat_of(session, Place("telegram", "room"))
        chat_of(session, Place("console", "room"))
    assert main(("status", "--database", url)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == "telegram: no event came yet; to be sent 0, held back 0, parked 0, chats off 0"
    assert lines[-1] == f"processes: 0; none is there to {TICK} or to {receiving('telegram')}"
    with closing(Store(url)) as store:
        wire = server_wire.ServerWire(store, lambda _word: None)
        wire.take(TICK)
        wire.start()
        try:
            wait_for(lambda: wire.has(TICK))
            assert main(("status", "--database", url, "--json")) == 0
        finally:
            wire.stop()
    assert json.loads(capsys.readouterr().out)["processes"] == {"count": 1, "missing": [receiving("telegram")]}


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json")])
def test_what_is_not_there_is_one_line(arguments: tuple[str, ...], tmp_path: Path, capsys: Told) -> None:
    assert main((*arguments, "--database", str(tmp_path / "missing.db"))) == 2
    written = capsys.readouterr()
    assert written.err.startswith("There is no database")
    assert len(written.err.splitlines()) == 1
    assert written.out == ""
