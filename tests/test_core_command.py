"""Commands are found by their longest name; a number first makes it about a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.chat.command import Commands, Press, Table, Who
from core.chat.commands import table
from core.chat.message import Reply
from core.chat.parameters import Kind, Parameter
from core.chat.text import Text
from tests import cases

if TYPE_CHECKING:
    from core.chat.context import Context

TABLE = table()


@pytest.mark.parametrize(
    ("text", "name", "rest", "first"),
    cases.table(
        """
        one word           | tasks                 | tasks     |            | note
        case               | TASKS mine            | tasks     | mine       | note
        two words          | task new Dishes 2h    | task new  | Dishes 2h  | title
        two words, spaces  | Task   NEW   Dishes   | task new  | Dishes     | title
        about a task       | bid 12 0.8            | bid       | 12 0.8     | task
        about a task too   | bid #12 0.8           | bid       | #12 0.8    | task
        about a good       | bid bread 1.5         | bid       | bread 1.5  | name
        a quoted number    | bid "12" 1            | bid       | "12" 1     | name
        """
    ),
)
def test_the_longest_name_wins(text: str, name: str, rest: str, first: str) -> None:
    found = TABLE.find(text)
    assert found is not None
    assert (found[0].name, found[1].strip()) == (name, rest)
    assert found[0].parameters[0].kind == first


@pytest.mark.parametrize("text", ["", "   ", "dance", "newtask", "\uff54asks", "task-new"])
def test_what_is_no_command_is_not_found(text: str) -> None:
    assert TABLE.find(text) is None


def test_aliases_hidden_ones_and_usage() -> None:
    topic = Commands("dancing")

    @topic("dance", Parameter("who", Kind.NAME), who=Who.ALL, does="dance", aliases=("tanz",), press=Press.ONCE)
    def dance(context: Context, who: str) -> Reply:
        del context
        return Reply(Text.of(who))

    @topic("sit", who=Who.ANY, does="sit", hidden=True)
    def sit(context: Context) -> list[Reply]:
        del context
        return [Reply(Text.of("sat"))]

    dances = Table([topic])
    found = dances.find("Tanz ana")
    assert found is not None
    assert (found[0].name, found[1], found[0].topic, found[0].press) == ("dance", "ana", "dancing", Press.ONCE)
    assert found[0].usage("!") == "!dance WHO"
    assert dances.names() == ["dance"]
    assert found[0].handler is dance  # declaring leaves the handler as it is
    assert [one.handler for one in topic.commands] == [dance, sit]


def test_every_command_says_what_it_does() -> None:
    assert all(one.does and one.topic for one in TABLE.commands)
    assert len(set(TABLE.names())) == len(TABLE.names())
