"""Each kind of message looks on every platform as it did, and every transcript holds with every renderer.

What looks otherwise on purpose: `python -m tests.rendering`, then read the difference.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.matrix.html import look
from adapters.telegram.entities import pieces
from core.chat.player import as_plain
from core.chat.transcript import STEP, play
from tests.rendering import ACCOUNTS, GOLDEN, HOSTILE, RENDERERS, golden, samples
from tests.stage import hurried

if TYPE_CHECKING:
    from core.chat.message import Message
    from core.store import Store

FILES = sorted((Path(__file__).parent / "transcripts").glob("*.chat"))
CHECK = re.compile(r"(?P<chat>[\w:-]*?)(?P<sign>!?>|=) ?(?P<pattern>.*)")
PLATFORM = re.compile(r"(?:matrix|telegram):")
SIGN = re.compile(r"^/")
COMMAND = re.compile(r"(?<![\w/:.\[?*])/(?=[a-z])")
BUTTON = re.compile(r"\\\[(.*?)\\\]")
BUTTONS = re.compile(r"(?:\\\[.*?\\\] ?){2,}")


@pytest.fixture(scope="module")
def messages() -> dict[str, Message]:
    """One of each kind."""
    return samples()


@pytest.mark.parametrize("platform", RENDERERS)
def test_golden(platform: str, messages: dict[str, Message]) -> None:
    assert golden(platform, messages) == (GOLDEN / f"{platform}.txt").read_text(encoding="utf-8")


def test_there_is_one_of_each_kind(messages: dict[str, Message]) -> None:
    assert all(message.text for message in messages.values())
    for name in ("choices", "answers", "subject", "file", "link", "mentions", "toast_for"):
        assert any(getattr(message, name) for message in messages.values()), name


def test_hostile_names_are_no_markup_anywhere(messages: dict[str, Message]) -> None:
    message = messages["names that play tricks"]
    html = look(message, ACCOUNTS).formatted
    assert "<script" not in html
    assert "<3" not in html
    assert [one.type for one in pieces(message.text, ACCOUNTS)[0].entities] == ["bold"]
    assert pieces(message.text, ACCOUNTS)[0].text.startswith(HOSTILE)


# Transcripts on Matrix: commands begin with `!`, buttons are numbered lines


def on_matrix(platform: str, message: Message) -> str:
    """A message as people read it who see plain text alone."""
    if platform != "matrix":
        return as_plain(platform, message)
    return "\n".join(filter(None, [look(message, {}).body, *(message.file or ())]))


def moved(line: str) -> list[str]:
    """A line of a transcript as it is among people on Matrix."""
    step, check = STEP.fullmatch(line), CHECK.fullmatch(line)
    if step is not None:
        text = step["text"] or ""
        return [f"matrix:{line.removesuffix(text)}{SIGN.sub('!', text, count=1)}"]
    if line.startswith("#") or check is None:
        return [line]
    chat, sign, pattern = check["chat"] and f"matrix:{check['chat']}", check["sign"], check["pattern"]
    if sign == "=":
        return [f"{chat}= {pattern}"]
    # Several buttons stand on one line elsewhere.
    wanted = [pattern]
    if sign == ">" and BUTTONS.fullmatch(pattern):
        wanted = [match[0] for match in BUTTON.finditer(pattern)]
    numbered = (BUTTON.sub(lambda match: f"\\d+ {match[1]}", one) for one in wanted)
    return [f"{chat}{sign} {COMMAND.sub('!', one)}" for one in numbered]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcripts_play_the_same_on_matrix(path: Path, file_store: Store, tmp_path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    if not any(PLATFORM.match(line) for line in lines):  # who is on several platforms stays there
        lines = [one for line in lines for one in moved(line)]
    played = tmp_path / path.name
    played.write_text("\n".join(lines), encoding="utf-8")
    play(played, hurried(file_store), lambda _line: None, on_matrix)
