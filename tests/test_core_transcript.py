"""The player of transcripts: every kind of line, and files that must fail with a line that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core.chat import player as player_module
from core.chat.player import Player
from core.chat.transcript import MismatchError, play
from tests.stage import VALLEY

if TYPE_CHECKING:
    from pathlib import Path

    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


OPENING = VALLEY + "ana@bakery: /task new Dishes 1h urgent\n"


def played(store: Store, path: Path, script: str) -> list[str]:
    """Play a script; return what was printed."""
    file = path / "x.chat"
    file.write_text(script, encoding="utf-8")
    lines: list[str] = []
    play(file, store, lines.append)
    return lines


def mismatch(store: Store, path: Path, script: str) -> str:
    """Play a script that must fail; return why, without the path."""
    with pytest.raises(MismatchError) as caught:
        played(store, path, script)
    return str(caught.value).removeprefix(f"{path / 'x.chat'}:")


def test_every_kind_of_line(store: Store, tmp_path: Path) -> None:
    script = (
        "\ufeff# a comment\n\n"
        + OPENING
        + """
> #1 Dishes
!> #2
= 1
  # an indented comment
  BO@Garden: /Claim 1
> #1 IS YOURS, bo
garden= 1
BAKERY> bo has it
bakery= 0
bo@bakery: [Done]
> to be confirmed
cy@bakery re /to be \\w+/: /confirm 1
dm:bo!> error
bo@dm: /me
> Waiting: 1 h
dm:bo> Bo
dm:bo= 1
matrix:eli@room: hello there
= 0
matrix:eli@dm: help
> !join
matrix:dm:eli> !join
> (?P<who>join) CODE
bo@bakery edit: /task new Late 1h
= 0
restart
bakery= 0
zed@attic: /project new Attic {code}
> Attic
cy@garden: @pool goods
> bread
cy@garden: @other goods
= 0
cy@garden: /goods@pool
> bread
cy@garden: /goods@other
= 0
bo@bakery: /task new One\\nTwo 1h
> One Two
bo@bakery:
= 0
now 2026-05-10 18:00
bakery> Round 1
NOW 2026-05-10 18:00
RESTART
"""
    )
    lines = played(store, tmp_path, script)
    assert lines[0] == "now 2026-05-04 09:00"
    assert any(line.startswith("    garden| #1 is yours, Bo.") for line in lines)


def test_what_is_kept_is_escaped_in_patterns_and_not_in_steps(store: Store, tmp_path: Path) -> None:
    script = OPENING.replace("Dishes 1h", "What. (2+2) [a] 1h") + (
        "> #1 (?P<title>.*) · 1 h\nbo@bakery: /tasks {title}\n> {title} ·\nbo@bakery re /{title}/: 1\n> #1 is yours"
        "\nbo@bakery: /task new {unknown} {0} 1h\n> \\{unknown\\} \\{0\\}"
    )
    played(store, tmp_path, script)


def test_only_line_feeds_end_a_line(store: Store, tmp_path: Path) -> None:
    played(store, tmp_path, OPENING + "bo@bakery: /task new Sun\u2028and\x0bmoon\x1c 1h\n> Sun and ?moon\r\n= 1\n")


def test_trailing_spaces_matter_to_nobody(store: Store, tmp_path: Path) -> None:
    played(store, tmp_path, OPENING + "bo@bakery: [Claim #1]  \n> #1 is yours   \nbo@bakery: /me  \nbakery= 0 \n")


def test_the_newest_message_with_the_button_is_meant_and_the_whole_label_first(store: Store, tmp_path: Path) -> None:
    script = OPENING + "".join(f"ana@bakery: /task new Job{n} 1h urgent\n" for n in range(2, 12))
    played(store, tmp_path, script + "bo@bakery: /tasks\nbo@bakery: [Claim #1]\n> #1 is yours\n")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("now 2026-05-04", "1: not a day and time like 2026-05-04 09:00: 2026-05-04"),
        ("now", "1: not a day and time like 2026-05-04 09:00: "),
        ("now 2026-13-04 09:00", "1: there is no such moment: 2026-13-04 09:00"),
        ("now 2026-05-04 09:00\nana@a: /help\nnow 2026-05-04 08:59", "3: the clock does not go back"),
        ("> x", "1: no chat was named yet"),
        ("hello", "1: not a step or a check: hello"),
        ("ana@bakery /help", "1: not a step or a check: ana@bakery /help"),
        ("ana@a: /help\n> (", "2: /(/ is no pattern: "),
        ("ana@a: /help\n> {code}", "2: nothing was kept as {code}"),
        ("ana@a re /{code}/: 1", "1: nothing was kept as {code}"),
        ("ana@a: /help\n= many", "2: not a number of messages: many"),
        ("ana@a: /help\n= 2", "2: 1 new messages in a, not 2, said there:\n      "),
        ("ana@a: /help\nb= 1", "2: 0 new messages in b, not 1, said there:\n      nothing"),
        ("ana@a: /help\n> nonsense", "2: no line in a matches /nonsense/, said there:\n      "),
        ("ana@a: /help\n!> more ABOUT", "2: a line in a matches /more ABOUT/, said there:"),
        ("ana@a: /help\nb> x", "2: no line in b matches /x/, said there:\n      nothing"),
        ("ana@a: [Claim]", "1: no button [Claim] in a"),
        ("ana@a: /help\nana@a: [Claim]", "2: no button [Claim] in a"),
        ("ana@a re /x/: 1", "1: no message in a matches /x/"),
        ("ana@a: /help\nbo@a edit: /help", "2: Bo has written nothing in a to edit"),
        ("# only\n\n  \nana@a: /help\n> x", "5: no line in a"),
    ],
)
def test_a_file_that_does_not_hold_says_where_and_why(store: Store, tmp_path: Path, script: str, why: str) -> None:
    assert mismatch(store, tmp_path, script).startswith(why)


def test_a_fault_of_the_program_is_a_mismatch(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("core.chat.handling.Handling._send", broken)
    assert mismatch(store, tmp_path, "ana@a: /help") == "1: the program failed: ZeroDivisionError: of all things"


def test_a_fault_in_due_work_is_a_mismatch(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.chat.due.hold", lambda *_: 1 / 0)
    why = mismatch(store, tmp_path, OPENING + "now 2026-06-10 18:00")
    assert "the program failed: ZeroDivisionError" in why


def test_a_fault_of_the_player_itself_is_a_mismatch(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "dispatch_all", lambda *_: 1 / 0)
    assert "1: the program failed: ZeroDivisionError" in mismatch(store, tmp_path, "ana@a: /help")


def test_a_restart_keeps_nothing_in_memory(store: Store) -> None:
    player = Player(store)
    before = (player.house, player.house.table)
    player.restart()
    after = (player.house, player.house.table)
    assert all(new is not old for new, old in zip(after, before, strict=True))
    player.store.close()
