"""The command table as a whole: every command and every refusal is shown in some transcript, and every text holds."""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints
from zoneinfo import ZoneInfo

import pytest

from core.chat import commands, refusals, remedies, wizard
from core.chat.context import Context
from core.chat.parameters import Kind
from core.chat.say import Say
from core.chat.transcript import play
from core.errors import Refusal
from core.store import Store
from tests.conftest import NOW
from tests.matrix_transcripts import on_matrix, shown_on_matrix
from tests.stage import hurried, posted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.chat.command import Command
    from core.chat.message import Message, Reply

FILES = sorted((Path(__file__).parent / "transcripts").glob("*.chat"))
ENGLISH = Say("en", ZoneInfo("UTC"), NOW)
TABLE = commands.table()
# Answered in tests of their own: what takes more than a chat to come about, or is part of another refusal.
ELSEWHERE = {
    "FarMomentError",
    "NumberBoundsError",
    "NotProjectMemberError",
    "TooMuchToTakeBackError",
    "UnknownZoneError",  # a setting's value that does not fit
    "UnreadableTimetableError",
}
LINE_MAX = 160  # of what we say ourselves, at four lines of a telephone


@dataclass
class Played:
    """What happened while all transcripts were played."""

    commands: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    changing: set[str] = field(default_factory=set)
    messages: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))


def revision_of(context: Context) -> int:
    """How often the pool of a command has changed so far."""
    context.session.flush()
    return context.pool.revision if context.has_pool else 0


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Played]:
    """Play every transcript once, as on Matrix, and note which commands ran and what was refused.

    As they are, tests/test_transcripts.py plays them.
    """
    found, patch = Played(), pytest.MonkeyPatch()
    run, answer = Context.run, wizard.answer

    def noted_run(context: Context, command: Command, values: dict[str, Any]) -> list[Reply]:
        found.commands.add(command.name)
        before = revision_of(context)
        replies = run(context, command, values)
        if command.only_reads and revision_of(context) != before:
            found.changing.add(command.name)
        return replies

    def noted_answer(context: Context, refusal: Refusal) -> Reply:
        found.refused.add(type(refusal).__name__)
        return answer(context, refusal)

    patch.setattr(Context, "run", noted_run)
    patch.setattr(wizard, "answer", noted_answer)
    for file in FILES:
        folder = tmp_path_factory.mktemp("play")
        path = folder / "dpool.db"
        shutil.copyfile(empty_database, path)
        store = hurried(Store(f"sqlite:///{path}"))
        play(on_matrix(file, folder), store, lambda _line: None, shown_on_matrix)
        found.messages[file.stem] = posted(store)
        store.close()
    yield found
    patch.undo()


def every_refusal(base: type[Refusal] = Refusal) -> set[type[Refusal]]:
    """Every class of refusal there is."""
    found = set(base.__subclasses__())
    return found.union(*(every_refusal(one) for one in found))


def test_every_command_is_used_in_a_transcript(played: Played) -> None:
    assert {command.name for command in TABLE.commands} - played.commands == set()


def test_what_only_reads_changes_nothing(played: Played) -> None:
    """But for a link that joins: what it runs takes the lock of the pool by itself."""
    assert played.changing <= {"start"}


def test_every_refusal_is_answered_in_a_transcript(played: Played) -> None:
    unseen = {one.__name__ for one in every_refusal()} - played.refused - ELSEWHERE
    assert sorted(unseen) == []


def test_no_message_has_two_choices_of_one_label(played: Played) -> None:
    for file, messages in played.messages.items():
        for message in messages:
            labels = [choice.label for choice in message.choices]
            assert len(labels) == len(set(labels)), (file, labels)


def test_every_choice_is_a_command(played: Played) -> None:
    for file, messages in played.messages.items():
        for message in messages:
            for choice in message.choices:
                assert TABLE.find(choice.command) is not None, (file, choice)


def test_lines_fit_a_telephone(played: Played) -> None:
    long = {
        (file, line)
        for file, messages in played.messages.items()
        for message in messages
        for line in str(message.text).split("\n")
        if len(line) > LINE_MAX
    }
    assert long == set()


def test_no_message_says_braces_or_none(played: Played) -> None:
    said = [str(message.text) for messages in played.messages.values() for message in messages]
    assert not [text for text in said if "{" in text or "None" in text or "}" in text]


def sample(kind: object) -> Any:
    """A value of a type, as a refusal may carry it."""
    if kind == tuple[tuple[int, str], ...]:
        return ((1, "Valley"), (2, "Hill"))
    if kind == tuple[int, ...]:
        return (3, 4)
    if kind == tuple[str, ...]:
        return ("Ana", "Bo")
    values: dict[object, Any] = {int: 2, str: "word", bool: True, Kind: Kind.NAME, Exception: ValueError("x")}
    return values.get(kind, NOW)


EVERY = sorted(every_refusal(), key=lambda one: one.__name__)


def refusal(one: type[Any], **changes: Any) -> Refusal:
    """A refusal of a class, filled with samples."""
    types = get_type_hints(one, localns={"datetime": datetime})
    values = {each.name: sample(types[each.name]) for each in fields(one)} if is_dataclass(one) else {}
    made: Refusal = one(**{**values, **changes})
    return made


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.__name__)
def test_every_refusal_has_one_line_that_is_filled(one: type[Refusal]) -> None:
    line = str(refusals.line(ENGLISH, refusal(one)))
    assert line
    assert "\n" not in line
    assert "{" not in line


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.__name__)
def test_what_helps_against_a_refusal_is_a_command(one: type[Refusal]) -> None:
    for choice in remedies.choices(ENGLISH, refusal(one), "want word 2"):
        assert TABLE.find(choice.command) is not None


def test_lines_are_for_refusals_that_exist() -> None:
    assert set(refusals.LINES) == every_refusal()
    assert set(remedies.CHOICES) <= every_refusal()


@pytest.mark.parametrize("command", TABLE.commands, ids=lambda command: command.name)
def test_every_command_says_what_it_is_for(command: Command) -> None:
    assert command.does
    assert command.does == command.does.strip()
    assert len(command.does) <= 70
    assert command.usage().startswith(f"/{command.name}")
    assert TABLE.find(command.name) is not None
