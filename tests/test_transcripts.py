"""Every transcript holds, also when the program is stopped and started again before every step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.chat.transcript import STEP, play
from tests.stage import hurried

if TYPE_CHECKING:
    from core.store import Store

FILES = sorted((Path(__file__).parent / "transcripts").glob("*.chat"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def transcript(request: pytest.FixtureRequest) -> Path:
    """A transcript's file."""
    path: Path = request.param
    return path


def test_there_are_transcripts() -> None:
    assert FILES


def test_transcript_on_a_server(transcript: Path, server_store: Store) -> None:
    """On a file they are played below, and with Matrix's looks in test_core_commands.py."""
    play(transcript, server_store, lambda _line: None)


RESTARTED_EVERY = 3  # steps: a restart costs more than most of them


def is_step(line: str) -> bool:
    """Whether a line does something, so that what it does can follow a restart."""
    return STEP.fullmatch(line) is not None or line.startswith("now ")


def test_nothing_lives_in_memory(transcript: Path, file_store: Store, tmp_path: Path) -> None:
    lines = transcript.read_text(encoding="utf-8").split("\n")
    steps = [number for number, line in enumerate(lines) if is_step(line)][::RESTARTED_EVERY]
    interrupted = [part for number, line in enumerate(lines) for part in (["restart"] * (number in steps) + [line])]
    assert interrupted.count("restart") > 1
    path = tmp_path / transcript.name
    path.write_text("\n".join(interrupted), encoding="utf-8")
    play(path, hurried(file_store), lambda _line: None)
