"""The page for administrators: every command on it is run, in order, and says what the page says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.cli import parser
from tests.postgres import running
from tests.test_bot_cli import environment
from tests.test_bot_monitor import free_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Server

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONFIG = re.compile(r"^```yaml\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
UNIT = re.compile(r"^```ini\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
MARK = "--- this was command"
SECONDS_MAX = 600


@dataclass(frozen=True)
class Step:
    """A command, and what it has to say, line by line, with anything around it."""

    command: str
    says: tuple[str, ...]


def steps() -> list[Step]:
    found = []
    for block in CONSOLE.findall(PAGE):
        assert block.startswith("$ ")
        for part in f"\n{block}".split("\n$ ")[1:]:
            command, *says = part.strip().split("\n")
            found.append(Step(command, tuple(says)))
    return found


def programs(folder: Path, server_programs: Path) -> Path:
    """A folder of the programs that the page calls, and nothing the machine happens to have."""
    found = folder / "bin"
    found.mkdir()
    (found / "dpool").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m bot "$@"\n')
    (found / "curl").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tests.fetch "$@"\n')
    for name in ("createuser", "createdb", "dropdb"):
        (found / name).symlink_to(server_programs / name)
    for name in ("dpool", "curl"):
        (found / name).chmod(0o755)
    return found


def script(substitutes: dict[str, str]) -> str:
    """All commands, each with a mark after what it says. At the end nothing is left running."""
    lines = ["set -m", "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
    for number, step in enumerate(steps()):
        lines += [step.command, f"code=$?; echo; echo {MARK} {number} $code"]
    text = "\n".join(lines)
    for written, used in substitutes.items():
        text = text.replace(written, used)
    return text


@pytest.fixture
def server() -> Iterator[Server]:
    """A server without a database of ours."""
    with running() as found:
        yield found


def test_every_command_on_the_page_works(tmp_path: Path, server: Server) -> None:
    folder = str(server.folder)
    ports = {f"127.0.0.1:{port}": free_address() for port in (9464, 9465, 9466)}
    for name, content in CONFIG.findall(PAGE):
        (tmp_path / name).write_text(content)
    path = f"{programs(tmp_path, server.programs)}:/usr/bin:/bin"
    result = subprocess.run(
        ["bash", "-c", script({"/var/run/postgresql": folder, **ports})],
        cwd=tmp_path,
        env=environment(PATH=path, PGHOST=folder, PGUSER="postgres"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    said = re.split(rf"^{MARK} \d+ (\d+)\n", result.stdout, flags=re.MULTILINE)
    outputs, codes = said[0::2], said[1::2]
    assert len(codes) == len(steps()), result.stdout
    for step, output, code in zip(steps(), outputs, codes, strict=False):
        place = 0
        for line in step.says:
            at = output.find(line, place)
            assert at >= 0, f"$ {step.command}\n{output}"
            place = at + len(line)
        is_refused = any("nothing was changed" in line or line.startswith("Another dpool") for line in step.says)
        assert code == ("2" if is_refused else "0"), f"$ {step.command}\n{output}"
    logs = [one.read_text() for one in tmp_path.glob("*.log")]
    assert len(logs) == 4
    assert not [log for log in logs if "Traceback" in log or '"fault"' in log]


def test_units_start_what_there_is() -> None:
    commands = re.findall(r"^ExecStart=(.*)$", "".join(UNIT.findall(PAGE)), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "/srv/dpool/venv/bin/dpool"
        assert parser().parse_args(arguments).module == "bot.main"


def test_installing_takes_what_is_there() -> None:
    """Only this is not run: it needs a package index."""
    lines = "".join(SHELL.findall(PAGE)).splitlines()
    assert [line for line in lines if "pip install" not in line and "-m venv" not in line] == []
    files = re.findall(r"-r (\S+)", " ".join(lines))
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", re.findall(r"`(dpool_\w+)`", PAGE))
def test_metrics_on_the_page_exist(name: str) -> None:
    source = (ROOT / "bot" / "monitor.py").read_text("utf-8")
    assert f'"{name.removesuffix("_total")}"' in source
