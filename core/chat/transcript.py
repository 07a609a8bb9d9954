"""Transcripts: a chat played against an empty store and a clock of its own, through the same way as the real thing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.chat.player import Player, Shown, StepError, as_plain, chat_key, open_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from core.chat.message import Message
    from core.store import Store

__all__ = ["STEP", "MismatchError", "Player", "StepError", "open_private", "play", "play_line"]

STEP = re.compile(
    r"(?:(?P<platform>\w+):)?(?P<who>[\w-]+)@(?P<chat>[\w-]+)"
    r"(?: re /(?P<reply>(?:\\/|[^/])+)/| (?P<edit>edit))?:(?: (?P<text>.*))?",
    re.IGNORECASE | re.DOTALL,
)
CHECK = re.compile(r"(?P<chat>[\w:-]*?)(?P<sign>!?>|=) ?(?P<pattern>.*)")
NOW = re.compile(r"now +(?P<moment>\d{4}-\d\d-\d\d \d\d:\d\d)", re.IGNORECASE)
KEPT = re.compile(r"\{(?P<name>[^\W\d]\w*)\}")
COUNT = re.compile(r"[0-9]{1,6}")


class MismatchError(Exception):
    """A transcript says something else than what happened."""

    def __init__(self, path: str, number: int, reason: str) -> None:
        """Say where and why."""
        super().__init__(f"{path}:{number}: {reason}")


def play(
    path: Path, store: Store, write: Callable[[str], None], render: Callable[[str, Message], str] = as_plain
) -> None:
    """Play a transcript file against an empty store. Raises MismatchError at the first line that does not hold."""

    def show(shown: Shown) -> None:
        write("\n".join(f"    {shown.chat}| {line}" for line in shown.text.split("\n")))

    player, chat = Player(store, show, render), ""
    for number, line in _lines(path):
        write(line)
        try:
            chat = play_line(player, line, chat)
        except StepError as error:
            raise MismatchError(str(path), number, str(error)) from None
        except Exception as error:
            raise MismatchError(str(path), number, _crash(error)) from error
        if player.faults:
            fault = player.faults[0]
            raise MismatchError(str(path), number, _crash(fault)) from fault


def _crash(error: Exception) -> str:
    return f"the program failed: {type(error).__name__}: {error}"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what is no comment. Only line feeds end a line: people may type every other control character."""
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.lstrip()


def play_line(player: Player, line: str, chat: str) -> str:
    """Play a step or check a line; return the chat it was about. Raises StepError if it does not hold."""
    text = line.rstrip()
    moment = NOW.fullmatch(text)
    step = STEP.fullmatch(line)
    if text.casefold() == "restart":
        player.restart()
    elif moment is not None:
        player.go_to(_instant(moment["moment"]))
    elif text.casefold() == "now" or text.casefold().startswith("now "):
        raise StepError(f"not a day and time like 2026-05-04 09:00: {text[4:]}")
    elif step is not None:
        platform = (step["platform"] or "console").casefold()
        open_private(player, platform, step["who"])
        said, reply = _filled(player, step["text"] or ""), _pattern(player, step["reply"] or "")
        player.say(platform, step["who"], step["chat"], said, reply=reply, edit=bool(step["edit"]))
        return chat_key(platform, step["who"], step["chat"])
    else:
        return check(player, text, chat)
    return chat


def _instant(moment: str) -> datetime:
    try:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)
    except ValueError:
        raise StepError(f"there is no such moment: {moment}") from None


def _filled(player: Player, text: str) -> str:
    """Put what was kept into what somebody types; other braces are theirs."""
    return KEPT.sub(lambda match: player.kept.get(match["name"], match[0]), text)


def _pattern(player: Player, text: str) -> str:
    """Put what was kept into a pattern, escaped."""

    def value(match: re.Match[str]) -> str:
        kept = player.kept.get(match["name"])
        if kept is None:
            raise StepError(f"nothing was kept as {match[0]}")
        return re.escape(kept)

    pattern = KEPT.sub(value, text)
    try:
        re.compile(pattern)
    except re.error as error:
        raise StepError(f"/{pattern}/ is no pattern: {error}") from None
    return pattern


def check(player: Player, text: str, chat: str) -> str:
    """Check one line of a transcript against what the last step showed; return the chat it was about."""
    match = CHECK.fullmatch(text)
    if match is None:
        raise StepError(f"not a step or a check: {text}")
    chat = match["chat"].casefold() or chat
    if not chat:
        raise StepError("no chat was named yet")
    shown = [one for one in player.shown if one.chat == chat]
    if match["sign"] == "=":
        _check_count(shown, match["pattern"], chat)
        return chat
    lines = [line for one in shown for line in one.text.split("\n")]
    pattern = _pattern(player, match["pattern"])
    found = next((one for line in lines if (one := re.search(pattern, line, re.IGNORECASE))), None)
    if (found is None) == (match["sign"] == ">"):
        said = "\n      ".join(lines) or "nothing"
        raise StepError(
            f"{'no' if found is None else 'a'} line in {chat} matches /{pattern}/, said there:\n      {said}"
        )
    if found is not None:
        player.kept.update({name: value for name, value in found.groupdict().items() if value is not None})
    return chat


def _check_count(shown: list[Shown], wanted: str, chat: str) -> None:
    if COUNT.fullmatch(wanted) is None:
        raise StepError(f"not a number of messages: {wanted}")
    new = [one.text for one in shown if one.is_new]
    if len(new) != int(wanted):
        said = "\n      ".join("\n".join(new).split("\n")) or "nothing"
        raise StepError(f"{len(new)} new messages in {chat}, not {wanted}, said there:\n      {said}")
