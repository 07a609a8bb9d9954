"""Transcripts on Matrix: commands begin with `!`, buttons are numbered lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from adapters.matrix.html import look
from core.chat.player import as_plain
from core.chat.transcript import STEP

if TYPE_CHECKING:
    from pathlib import Path

    from core.chat.message import Message

CHECK = re.compile(r"(?P<chat>[\w:-]*?)(?P<sign>!?>|=) ?(?P<pattern>.*)")
PLATFORM = re.compile(r"(?:matrix|telegram):")
SIGN = re.compile(r"^/")
COMMAND = re.compile(r"(?<![\w/:.\[?*])/(?=[a-z])")
BUTTON = re.compile(r"\\\[(.*?)\\\]")
BUTTONS = re.compile(r"(?:\\\[.*?\\\] ?){2,}")


def shown_on_matrix(platform: str, message: Message) -> str:
    """A message as people read it who see plain text alone."""
    if platform != "matrix":
        return as_plain(platform, message)
    return "\n".join(filter(None, [look(message, {}).body, *(message.file or ())]))


def _moved(line: str) -> list[str]:
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


def on_matrix(path: Path, folder: Path) -> Path:
    """Write a transcript anew as it is among people on Matrix; who is on several platforms stays there."""
    lines = path.read_text(encoding="utf-8").split("\n")
    if not any(PLATFORM.match(line) for line in lines):
        lines = [one for line in lines for one in _moved(line)]
    found = folder / path.name
    found.write_text("\n".join(lines), encoding="utf-8")
    return found
