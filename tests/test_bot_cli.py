"""The command line, from outside: exit codes, errors of one line, the console in pipes and in a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import pytest

from bot.chat import local_zone
from bot.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
DPOOL = [sys.executable, "-m", "bot"]
WAIT_SECONDS = 60
SMALL_POOL = "/pool new Valley\n/project new Hill Bakery\n/good new bread unit:loaf\n"


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    return {**kept, "PYTHONPATH": str(ROOT), "TZ": "UTC", "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm", **more}


def run(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DPOOL, *arguments],
        cwd=folder,
        env=environment(),
        input=typed,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )


@pytest.fixture
def folder(empty_database: Path, tmp_path: Path) -> Path:
    """A folder with an empty database of ours, so that no pool is made for it."""
    shutil.copyfile(empty_database, tmp_path / "dpool.db")
    return tmp_path


# Errors


def test_a_broken_configuration_is_told_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("language: fr\ntelegram: {token: ${NOT_THERE_AT_ALL}}\n")
    assert main(("run", "--config", str(path))) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{path}: telegram.token: the environment variable NOT_THERE_AT_ALL is not set",
        f"{path}: language: has to be 'en' or 'de'",
    ]


Arguments = tuple[str, ...]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("run", "--config", "missing.yaml"), "missing.yaml: can't be read: No such file"),
        (("chat", "--database", "mysql://a/b"), "mysql://a/b: 'mysql' is no kind of database"),
        (("chat", "--database", "text.db"), "text.db is no database"),
        (("chat", "--database", "nowhere/a.db"), "no folder for the database nowhere/a.db"),
        (("chat", "--database", "."), ".: needs a file, like sqlite:///dpool.db"),
        (("demo", "--database", "text.db"), "text.db is no database"),
        (("demo", "--database", "nowhere/a.db"), "no folder for the database nowhere/a.db"),
        (("demo", "--database", "postgresql://host/name"), "is made in a file"),
        (("demo", "--database", "real.db"), "real.db holds a real pool"),
        (("play", "missing.chat"), "missing.chat: can't be read: No such file"),
        (("play", "."), ".: can't be read: Is a directory"),
        (("play", "binary.chat"), "binary.chat: can't be read: it is not UTF-8 text"),
        (("check", "--database", "missing.db"), "There is no database missing.db."),
        (("replay", "--database", "real.db", "--pool", "7"), "There is no pool 7; there are: none."),
    ],
)
def test_what_a_person_can_cause_is_one_line(
    folder: Path, arguments: Arguments, part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("bot.chat.set_up", lambda **_values: None)
    (folder / "dpool.db").rename("real.db")
    (folder / "text.db").write_text("This is no database, but it is long enough to be taken for one.\n" * 100)
    (folder / "binary.chat").write_bytes(b"\xff\xff")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(arguments) == 2
    written = capsys.readouterr()
    assert part in written.err
    assert len(written.err.splitlines()) == 1
    assert "Traceback" not in written.out + written.err
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}
    assert after == before


@pytest.mark.parametrize("arguments", [(), ("sing",), ("run",), ("play",), ("demo", "--seed", "x")])
def test_what_is_no_command_line_shows_the_usage(arguments: Arguments, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: dpool")


def test_one_process_at_a_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("bot.chat.set_up", lambda **_values: None)
    with subprocess.Popen(
        [*DPOOL, "chat"], cwd=folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        first.stdout.readline()
        assert main(("chat",)) == 2
        expected = "Another dpool is running on the database dpool.db. Stop that one first.\n"
        assert capsys.readouterr() == ("", expected)
        assert main(("check",)) == 0  # which only reads
        first.communicate("quit\n", timeout=WAIT_SECONDS)
        assert first.returncode == 0


# Transcripts


def test_transcripts_are_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.chat", tmp_path / "bad.chat"
    good.write_text("ana@bakery: /pool new Valley\n> founded\n")
    bad.write_text("ana@bakery: /pool new Valley\n> a pear\n> a plum\n")
    monkeypatch.chdir(tmp_path)
    assert main(("play", "good.chat")) == 0
    assert "bakery| Valley is founded" in capsys.readouterr().out
    assert main(("play", "bad.chat", "good.chat", "bad.chat")) == 1
    written = capsys.readouterr()
    assert written.err.count("bad.chat:2: ") == 2
    assert "plum" not in written.err
    assert written.out.count("Valley is founded") == 3


# The console in pipes


@pytest.fixture
def chat_here(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """Chat in this process, which is there already."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("bot.chat.set_up", lambda **_values: None)
    monkeypatch.setattr("bot.chat.is_terminal", lambda: False)

    def chat(typed: str) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert main(("chat",)) == 0
        return capsys.readouterr().out

    return chat


def test_plain_lines_in_plain_lines_out_and_it_goes_on_from_there(folder: Path) -> None:
    first = run(folder, "chat", typed=SMALL_POOL + "/task new Bake 1h urgent\nnow +3d\n@bo")
    assert (first.returncode, first.stderr) == (0, "")
    assert "Ana #bakery> /task new Bake 1h urgent\n#bakery · " in first.stdout
    assert "\033" not in first.stdout
    number = re.search(r"\[(\d+) Claim #1\]", first.stdout)
    assert number is not None
    second = run(folder, "chat", "--database", "sqlite:///dpool.db", typed=f"{number[1]}\nquit\n/tasks\n")
    assert "You are Bo, in #bakery" in second.stdout
    assert "#1 is yours, Bo." in second.stdout
    assert second.stdout.endswith("Bo #bakery> quit\n")


def test_whoever_reads_may_have_seen_enough(folder: Path) -> None:
    shell = f"printf '{'help?' * 3}\\n/pool new A\\n/help\\n' | {' '.join(DPOOL)} chat | head -n 1"
    result = subprocess.run(
        ["sh", "-c", shell],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert result.stdout.startswith("No pool here yet.")
    assert result.stderr == ""


def test_a_kill_in_the_middle_loses_nothing_and_does_nothing_twice(
    folder: Path, chat_here: Callable[[str], str]
) -> None:
    killed_after = 4
    run_typed = SMALL_POOL + "".join(f"/task new Job{number:02} 1h urgent\n" for number in range(30))
    with subprocess.Popen(
        [*DPOOL, "chat"], cwd=folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(run_typed)
        process.stdin.flush()
        answered, too_long = 0, Timer(WAIT_SECONDS, process.kill)
        too_long.start()
        for line in process.stdout:
            answered += bool(re.search(r"#\d+ Job", line))
            if answered == killed_after:
                break
        too_long.cancel()
        process.kill()
    assert "Ana in Valley" in chat_here("/me\n")
    database = sqlite3.connect(folder / "dpool.db")
    titles = [row[0] for row in database.execute("SELECT title FROM task ORDER BY number")]
    received = database.execute("SELECT count(*) FROM inbox WHERE payload LIKE '%/task new%'").fetchone()[0]
    waiting = database.execute("SELECT count(*) FROM inbox WHERE done_at IS NULL").fetchone()[0]
    unsent = database.execute("SELECT count(*) FROM outbox WHERE delivery_id IS NULL").fetchone()[0]
    unsure = database.execute("SELECT count(*) FROM delivery WHERE state <> 'sent'").fetchone()[0]
    database.close()
    assert titles == [f"Job{number:02}" for number in range(len(titles))]
    assert received == len(titles) >= killed_after
    assert (waiting, unsent, unsure) == (0, 0, 0)


# The console in a terminal


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*DPOOL, *arguments], cwd=folder, env=environment(), stdin=slave, stdout=slave, stderr=slave, close_fds=True
        )
        os.close(slave)
        self.master, self.seen = master, ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def read_until(self, pattern: str) -> str:
        """Read until something matches; return what was read."""
        end = time.monotonic() + WAIT_SECONDS
        while not re.search(pattern, self.seen):
            assert time.monotonic() < end, self.seen
            ready, _, _ = select.select([self.master], [], [], 0.1)
            if ready:
                self.seen += os.read(self.master, 4096).decode(errors="replace")
        found, self.seen = self.seen, ""
        return found

    def close(self) -> int:
        code = self.process.wait(WAIT_SECONDS)
        os.close(self.master)
        return code


@pytest.fixture
def terminal(folder: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(*arguments: str) -> Terminal:
        opened.append(Terminal(folder, *arguments))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.process.kill()


def test_a_terminal_has_completion_history_and_colours(
    chat_here: Callable[[str], str], terminal: Callable[..., Terminal]
) -> None:
    chat_here(SMALL_POOL)
    one = terminal("chat")
    assert "You are Ana, in #bakery" in one.read_until("Ana #bakery>")
    one.type("/want br\t\r")
    assert "\033[36m" in one.read_until(r"1 loaf, at cost(.|\n)*Ana #bakery>")
    one.type("\033[A\033[A\r")  # two lines up: what was typed before this start
    one.read_until("Hill Bakery makes|makes bread already|bread")
    one.type("half a line\003")  # Ctrl-C gives a line up
    one.type("now +1w\r")
    one.read_until("Round 1(.|\n)*Ana #bakery>")
    one.type("\004")
    assert one.close() == 0


def test_a_terminal_ends_with_quit(terminal: Callable[..., Terminal]) -> None:
    one = terminal("chat")
    one.read_until("Ana #bakery>")
    one.type("quit\r")
    assert one.close() == 0


# Serving


def test_a_bot_without_platforms_runs_until_it_is_told_to_stop(folder: Path) -> None:
    (folder / "c.yaml").write_text("database: sqlite:///dpool.db\n")
    with subprocess.Popen(
        [*DPOOL, "run", "--config", "c.yaml"], cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "dpool is running" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert rest.endswith("dpool has stopped\n")
    assert "Traceback" not in rest


def test_the_start_is_quick() -> None:
    """What only some commands need is imported only then."""
    heavy = "import sys, bot.cli; print(*{'sqlmodel', 'prompt_toolkit', 'apscheduler', 'pydantic'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", heavy],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=True,
    )
    assert result.stdout.strip() == ""


@pytest.mark.parametrize(("zone", "name"), [("Europe/Berlin", "Europe/Berlin"), (":Asia/Tokyo", "Asia/Tokyo")])
def test_the_zone_of_the_machine(zone: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    assert local_zone() == name
    monkeypatch.delenv("TZ")
    assert local_zone()
