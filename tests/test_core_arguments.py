"""The grammar: every command of the table, declared and read; what is refused, and how fast."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chat.arguments import read
from core.chat.parameters import (
    Kind,
    MissingError,
    Parameter,
    SurplusError,
    TooLongError,
    UnquotedError,
    UnreadableError,
    usage,
)
from core.chat.values import LENGTH_MAX
from core.errors import PastMomentError, Refusal
from core.moments import UnreadableMomentError
from core.numbers import NotWholeError, NumberBoundsError, NumberError
from core.periods import Period, Unit, UnreadablePeriodError

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)  # a Monday
ZONE = ZoneInfo("UTC")
FRIDAY = datetime(2026, 5, 8, 23, 59, tzinfo=UTC)
SATURDAY_18 = datetime(2026, 5, 9, 18, 0, tzinfo=UTC)


def needs(name: str, kind: Kind, key: str = "") -> Parameter:
    return Parameter(name, kind, key)


def may(name: str, kind: Kind, key: str = "", example: str = "") -> Parameter:
    return Parameter(name, kind, key, optional=True, example=example)


TASK = needs("task", Kind.TASK)
TASK_OPTIONS = (
    may("slots", Kind.TIMES), may("good", Kind.NAME, "for"), may("due", Kind.MOMENT, "due"),
    may("every", Kind.PERIOD, "every", "week"),
    may("place", Kind.TEXT, "at"), may("urgent", Kind.FLAG),
)  # fmt: skip
KEY_VALUE = (needs("key", Kind.WORD), needs("value", Kind.REST))
COMMANDS: dict[str, Sequence[Parameter]] = {
    "help": [may("topic", Kind.WORD)],
    "pool new": [needs("name", Kind.NAME)],
    "pool set": KEY_VALUE,
    "pool code": [may("new", Kind.FLAG)],
    "project new": [needs("name", Kind.NAME), may("code", Kind.CODE)],
    "join": [needs("code", Kind.CODE)],
    "link": [may("code", Kind.CODE)],
    "leave": [],
    "members": [may("words", Kind.TITLE)],
    "as": [needs("name", Kind.NAME), needs("command", Kind.REST)],
    "exempt": [needs("name", Kind.NAME), may("until", Kind.MOMENT)],
    "remove": [needs("name", Kind.NAME), may("why", Kind.NOTE)],
    "task new": [needs("title", Kind.TITLE), needs("hours", Kind.HOURS), *TASK_OPTIONS],
    "did": [needs("title", Kind.TITLE), needs("hours", Kind.HOURS), may("good", Kind.NAME, "for")],
    "task": [TASK],
    "task edit": [TASK, may("title", Kind.TITLE), may("hours", Kind.HOURS), *TASK_OPTIONS],
    "task give": [TASK, needs("name", Kind.NAME)],
    "tasks": [may("words", Kind.TITLE), may("hours", Kind.HOURS), may("mine", Kind.FLAG)],
    "done": [TASK, may("hours", Kind.HOURS), may("note", Kind.NOTE)],
    "confirm": [TASK, may("name", Kind.NAME)],
    "dispute": [TASK, may("why", Kind.NOTE)],
    "accept": [TASK, may("name", Kind.NAME), may("hours", Kind.HOURS)],
    "correct": [TASK, may("name", Kind.NAME), needs("hours", Kind.HOURS), may("why", Kind.NOTE)],
    "bid task": [TASK, needs("weight", Kind.WEIGHT)],
    "bid good": [needs("good", Kind.NAME), needs("hours", Kind.HOURS), may("count", Kind.COUNT)],
    "good new": [
        needs("good", Kind.NAME), may("unit", Kind.TEXT, "unit"), may("free", Kind.TEXT, "free"),
        may("rule", Kind.WORD, "rule"),
        may("pickup", Kind.TEXT, "pickup"),
    ],
    "good set": [needs("good", Kind.NAME), *KEY_VALUE],
    "made": [needs("good", Kind.NAME), needs("count", Kind.COUNT), may("hours", Kind.HOURS),
    may("until", Kind.MOMENT, "until")],
    "want": [
        needs("good", Kind.NAME), may("count", Kind.COUNT), may("most", Kind.HOURS, "max"),
        may("source", Kind.NAME, "from"),
        may("every", Kind.WORD, "every"),
    ],
    "pledge": [needs("good", Kind.NAME), needs("count", Kind.COUNT), may("by", Kind.MOMENT, "by")],
    "return": [needs("good", Kind.NAME), needs("name", Kind.NAME)],
    "why": [may("task", Kind.TASK), may("good", Kind.NAME)],
    "break": [needs("period", Kind.PERIOD)],
    "language": [needs("language", Kind.WORD)],
}  # fmt: skip


def read_command(command: str, text: str) -> dict[str, object]:
    return read(text, COMMANDS[command], NOW, ZONE)


def values(**expected: object) -> dict[str, object]:
    return expected


@pytest.mark.parametrize(
    ("command", "text", "expected"),
    [
        ("help", "", values()),
        ("help", "Tasks", values(topic="tasks")),
        ("pool new", "Oak Street", values(name="Oak Street")),
        ("pool set", "rounds sun 18:00", values(key="rounds", value="sun 18:00")),
        ("pool set", 'Name  "Mill Lane"', values(key="name", value="Mill Lane")),
        ("pool code", "new", values(new=True)),
        ("project new", "Oak Street 12", values(name="Oak Street 12")),
        ("project new", "Sunny Garden WRNG-CODE", values(name="Sunny Garden", code="WRNG-CODE")),
        ("project new", "Sunny Garden k7q2-m4pd", values(name="Sunny Garden k7q2-m4pd")),
        ("project new", '"Hall B-12"', values(name="Hall B-12")),
        ("project new", '"Sunny Garden" K7Q2-M4PD', values(name="Sunny Garden", code="K7Q2-M4PD")),
        ("join", "k7q2-m4pd", values(code="K7Q2-M4PD")),
        ("link", "", values()),
        ("leave", " ", values()),
        ("members", "ana ma", values(words="ana ma")),
        ("as", "Bo want apple juice 2", values(name="Bo", command="want apple juice 2")),
        ("as", "Ana Maria /done 12  2h", values(name="Ana Maria", command="/done 12  2h")),
        ("as", '"Ana Maria" done 12', values(name="Ana Maria", command="done 12")),
        ("exempt", "Bo", values(name="Bo")),
        ("exempt", "Mo", values(name="Mo")),
        ("exempt", "Bo fri", values(name="Bo", until=FRIDAY)),
        ("exempt", "Bo until sat 18:00", values(name="Bo", until=SATURDAY_18)),
        ("exempt", "Bo until:fri", values(name="Bo", until=FRIDAY)),
        ("remove", "Bo moved away", values(name="Bo", why="moved away")),
        ("task new", "Dishes 1h", values(title="Dishes", hours=1000)),
        ("task new",
        "Bake bread 1.5h for:bread urgent", values(title="Bake bread", hours=1500, good="bread", urgent=True)),
        ("task new",
        "Bake bread 1,5 h FOR: bread URGENT", values(title="Bake bread", hours=1500, good="bread", urgent=True)),
        ("task new", "Paint room 12 1h30 x3", values(title="Paint room 12", hours=1500, slots=3)),
        ("task new", "Run 10m 2h", values(title="Run 10m", hours=2000)),
        ("task new", "Cut plank 2 m 1h", values(title="Cut plank 2 m", hours=1000)),
        ("task new", '"Bake 2h" x2 1h', values(title="Bake 2h", slots=2, hours=1000)),
        ("task new", "“Bake 2h” 1h at:„Mill St 5“", values(title="Bake 2h", hours=1000, place="Mill St 5")),
        ("task new", '5" pipe 1h at: "Mill St"', values(title='5" pipe', hours=1000, place="Mill St")),
        ("task new", "Mow due:sat 18:00 2h", values(title="Mow", hours=2000, due=SATURDAY_18)),
        ("task new", "Mow due: sat 18:00 2h", values(title="Mow", hours=2000, due=SATURDAY_18)),
        ("task new",
        "Mow 2h due: fri every:2 weeks", values(title="Mow", hours=2000, due=FRIDAY, every=Period(2, Unit.WEEK))),
        ("task new",
        "Mow 2h due:4 days every: week", values(title="Mow", hours=2000, due=FRIDAY, every=Period(1, Unit.WEEK))),
        ("task new", "Note: see https://x.org/a 2h", values(title="Note: see https://x.org/a", hours=2000)),
        ("task new", 'Sing who:"Ana Bo" 2h', values(title="Sing who:Ana Bo", hours=2000)),
        ("task new", "Say due:fri twice 1h", values(title="Say due:fri twice", hours=1000)),
        ("task new", "Say due:fri week 1h", values(title="Say due:fri week", hours=1000)),
        ("task new", "Say for: you 1h for:bread", values(title="Say for: you", hours=1000, good="bread")),
        ("task new", "\u202eBake\u200b\n bread 1h", values(title="Bake bread", hours=1000)),
        ("did", "Fix the door 90m for:shelf", values(title="Fix the door", hours=1500, good="shelf")),
        ("task", "#12", values(task=12)),
        ("task edit", "12 2h", values(task=12, hours=2000)),
        ("task edit", "12 Bake more due:fri", values(task=12, title="Bake more", due=FRIDAY)),
        ("task give", "12 Ana Maria", values(task=12, name="Ana Maria")),
        ("tasks", "", values()),
        ("tasks", "30m mine", values(hours=500, mine=True)),
        ("tasks", "garden 30 min", values(words="garden", hours=500)),
        ("done", "12", values(task=12)),
        ("done", "12 2", values(task=12, hours=2000)),
        ("done", "12 2h", values(task=12, hours=2000)),
        ("done", "12 2h all clean", values(task=12, hours=2000, note="all clean")),
        ("done", "12 1.5 h all clean", values(task=12, hours=1500, note="all clean")),
        ("done", "12 all clean 2h", values(task=12, hours=2000, note="all clean")),
        ("done", "12 all clean 1.5 h", values(task=12, hours=1500, note="all clean")),
        ("done", "12 2h waited 1h", values(task=12, hours=2000, note="waited 1h")),
        ("done", '12 he said "2 h"', values(task=12, note='he said "2 h"')),
        ("done", '12 "2h"', values(task=12, note="2h")),
        ("confirm", "12", values(task=12)),
        ("confirm", "12 Bo", values(task=12, name="Bo")),
        ("dispute", "12 Bo was not there for 2h", values(task=12, why="Bo was not there for 2h")),
        ("accept", "12", values(task=12)),
        ("accept", "12 1.5", values(task=12, hours=1500)),
        ("accept", "12 Bo 1.5h", values(task=12, name="Bo", hours=1500)),
        ("correct", "12 1.5h typo", values(task=12, hours=1500, why="typo")),
        ("correct",
        "12 Ana Maria 1.5 counted 2 twice", values(task=12, name="Ana Maria", hours=1500, why="counted 2 twice")),
        ("bid task", "12 0.8", values(task=12, weight=80)),
        ("bid task", "#12 ×0,8", values(task=12, weight=80)),
        ("bid task", "12 x0.8", values(task=12, weight=80)),
        ("bid good", "bread 1.5", values(good="bread", hours=1500)),
        ("bid good", "bread 1.5 2", values(good="bread", hours=1500, count=2)),
        ("bid good", "apple juice 1.5h 2", values(good="apple juice", hours=1500, count=2)),
        ("bid good", "bread 2 1.5 h", values(good="bread", hours=1500, count=2)),
        ("good new", "bread unit:loaf", values(good="bread", unit="loaf")),
        ("good new", "juice free: https://x.org/a?b=c rule:Effort",
         values(good="juice", free="https://x.org/a?b=c", rule="effort")),
        ("good new", 'bread pickup:"Fri 17–19, Mill St"', values(good="bread", pickup="Fri 17–19, Mill St")),
        ("good set", "bread pickup Fri 17", values(good="bread", key="pickup", value="Fri 17")),
        ("made", "bread 10", values(good="bread", count=10)),
        ("made", "bread 10 2.5h until:fri", values(good="bread", count=10, hours=2500, until=FRIDAY)),
        ("made", "bread 10 2.5", values(good="bread", count=10, hours=2500)),
        ("made", "apple juice 2.5h 10", values(good="apple juice", count=10, hours=2500)),
        ("want", "bread", values(good="bread")),
        ("want", "Apple juice 2", values(good="Apple juice", count=2)),
        ("want", "bread 2 max:0.9", values(good="bread", count=2, most=900)),
        ("want", "bread max: 1.5 h 2 every:round", values(good="bread", count=2, most=1500, every="round")),
        ("want", 'bread from:"Hill Bakery"', values(good="bread", source="Hill Bakery")),
        ("want", '"Vitamin B 12" 2', values(good="Vitamin B 12", count=2)),
        ("want", '"Vitamin B 12"', values(good="Vitamin B 12")),
        ("pledge", "bread 10 by:fri", values(good="bread", count=10, by=FRIDAY)),
        ("return", "apple juice Bo", values(good="apple juice", name="Bo")),
        ("return", 'apple juice "Ana Maria"', values(good="apple juice", name="Ana Maria")),
        ("why", "", values()),
        ("why", "12", values(task=12)),
        ("why", "apple juice", values(good="apple juice")),
        ("break", "2w", values(period=Period(2, Unit.WEEK))),
        ("break", "2 weeks", values(period=Period(2, Unit.WEEK))),
        ("language", "DE", values(language="de")),
    ],
)  # fmt: skip
def test_commands_are_read(command: str, text: str, expected: dict[str, object]) -> None:
    assert read_command(command, text) == expected


@pytest.mark.parametrize(
    ("command", "text", "error", "fields"),
    [
        ("leave", "now please", SurplusError, {"word": "now"}),
        ("task", "12 13", SurplusError, {"word": "13"}),
        ("bid good", "bread 1.5h 2 3", SurplusError, {"word": "3"}),
        ("want", "bread from:a from:b", SurplusError, {"word": "from:a"}),
        ("pool new", "", MissingError, {"name": "name", "kind": Kind.NAME, "example": "NAME"}),
        ("pool set", "rounds", MissingError, {"name": "value", "kind": Kind.REST, "example": "VALUE"}),
        ("project new", "K7Q2-M4PD", MissingError, {"name": "name", "kind": Kind.NAME, "example": "NAME"}),
        ("task new", "Bake", MissingError, {"name": "hours", "kind": Kind.HOURS, "example": "1.5h"}),
        ("task new", "Bake 2", MissingError, {"name": "hours", "kind": Kind.HOURS, "example": "1.5h"}),
        ("task new", "2h urgent", MissingError, {"name": "title", "kind": Kind.TITLE, "example": "TITLE"}),
        ("done", "", MissingError, {"name": "task", "kind": Kind.TASK, "example": "12"}),
        ("bid task", "12", MissingError, {"name": "weight", "kind": Kind.WEIGHT, "example": "0.8"}),
        ("correct", "12 Bo", MissingError, {"name": "hours", "kind": Kind.HOURS, "example": "1.5h"}),
        ("want", "max:1.5", MissingError, {"name": "good", "kind": Kind.NAME, "example": "GOOD"}),
        ("break", "", MissingError, {"name": "period", "kind": Kind.PERIOD, "example": "2w"}),
        ("task new", "Bake 2h for:apple juice", UnquotedError, {"key": "for", "example": 'for:"apple juice"'}),
        ("want", "bread from: Hill Bakery", UnquotedError, {"key": "from", "example": 'from:"Hill Bakery"'}),
        ("want", "bread 2.5", NotWholeError, {"word": "2.5", "thousandths": 2500}),
        ("want", "bread 1.5h", NotWholeError, {"word": "1.5h", "thousandths": 1500}),
        ("made", "bread 2.5", NotWholeError, {"word": "2.5", "thousandths": 2500}),
        ("want", "2 bread", UnreadableError, {"kind": Kind.NAME, "word": "2 bread"}),
        ("want", "2", UnreadableError, {"kind": Kind.NAME, "word": "2"}),
        ("task new", "Bake 2h for: 2h", UnreadableError, {"kind": Kind.NAME, "word": "2h"}),
        ("task new", "Bake 2h due:", UnreadableError, {"kind": Kind.MOMENT, "word": "due:", "example": "due:fri"}),
        ("task new", 'Bake 2h at:""', UnreadableError, {"kind": Kind.TEXT, "example": "TEXT"}),
        ("task new", '"\u200b" 2h', UnreadableError, {"kind": Kind.TITLE, "word": ""}),
        ("task new", "Bake 1..5h", NumberError, {"kind": "hours", "word": "1..5h", "example": "1.5h"}),
        ("task new", "Bake -3h", NumberError, {"kind": "hours", "word": "-3h"}),
        ("task new", "Bake 2h x\u0663", NumberError, {"kind": "times", "word": "x\u0663"}),
        ("project new", "Hall HILL-12", NumberError, {"kind": "code", "word": "HILL-12"}),
        ("want", "bread -3", NumberError, {"kind": "count", "word": "-3"}),
        ("want", "bread \u22123", NumberError, {"kind": "count", "word": "\u22123"}),
        ("want", "bread +5", NumberError, {"kind": "count", "word": "+5"}),
        ("want", "bread \u0661\u0662", NumberError, {"kind": "count", "word": "\u0661\u0662"}),
        ("want", "bread 1_000", NumberError, {"kind": "count", "word": "1_000"}),
        ("want", "bread NaN", NumberError, {"kind": "count", "word": "NaN"}),
        ("want", "bread 0", NumberBoundsError, {"kind": "count", "word": "0", "least": 1, "most": 10_000}),
        ("want", f"bread {2**63}", NumberBoundsError, {"kind": "count"}),
        ("want", "bread max:0", NumberBoundsError, {"kind": "hours"}),
        ("bid good", "bread 1e400", NumberError, {"kind": "hours", "word": "1e400"}),
        ("bid task", "12 x-1", NumberError, {"kind": "weight", "word": "x-1"}),
        ("bid task", "12 cheap", NumberError, {"kind": "weight", "word": "cheap"}),
        ("task", "bread", NumberError, {"kind": "task", "word": "bread"}),
        ("why", "1.5", NumberError, {"kind": "task", "word": "1.5"}),
        ("join", "friends", NumberError, {"kind": "code", "word": "friends"}),
        ("break", "a while", UnreadablePeriodError, {"word": "a while"}),
        ("task new", "Bake 2h every:other", UnreadablePeriodError, {"word": "other", "example": "week"}),
        ("task new", "Bake 2h due:soon", UnreadableMomentError, {"word": "soon"}),
        ("task new", "Bake 2h due:2026-05-01", PastMomentError, {}),
        ("task new", "x" * 201 + " 2h", TooLongError, {"kind": Kind.TITLE, "length": 201, "limit": 200}),
        ("want", "x" * 61, TooLongError, {"kind": Kind.NAME, "length": 61, "limit": 60}),
        ("done", "12 " + "x" * 501, TooLongError, {"kind": Kind.NOTE, "length": 501, "limit": 500}),
        ("language", "x" * 61, TooLongError, {"kind": Kind.WORD, "length": 61, "limit": 60}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(command: str, text: str, error: type[Refusal], fields: dict[str, object]) -> None:
    with pytest.raises(error) as refused:
        read_command(command, text)
    assert type(refused.value) is error
    assert {name: getattr(refused.value, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("task new", "/task new TITLE 1.5h [x3] [for:GOOD] [due:fri] [every:week] [at:PLACE] [urgent]"),
        ("bid good", "/bid good GOOD 1.5h [2]"),
        ("done", "/done 12 [1.5h] [NOTE]"),
        ("project new", "/project new NAME [K7Q2-M4PD]"),
        ("leave", "/leave"),
    ],
)
def test_usage_comes_from_the_parameters(command: str, shown: str) -> None:
    assert usage(command, COMMANDS[command]) == shown
    assert usage(command, COMMANDS[command], "!") == "!" + shown[1:]


@pytest.mark.parametrize("command", ["task new", "want", "bid good", "done", "correct", "exempt", "as", "leave"])
@pytest.mark.parametrize(
    "piece",
    ["x", "x ", "9", "9 ", '"a ', "„a ", '" ', "for: ", "for:a ", "2h ", "a:", "\u0301\u0327", "\u200b", "due:fri ",
     "12 2h ", "-", "1 h ", "#", "."],
)  # fmt: skip
def test_twenty_thousand_characters_are_read_or_refused(command: str, piece: str) -> None:
    text = "12 " + piece * (20_000 // len(piece))
    said = str(outcome(command, text))
    assert len(said) < 21_000


def outcome(command: str, text: str) -> object:
    try:
        return read_command(command, text)
    except Refusal as refusal:
        return vars(refusal)


PIECES = st.sampled_from(
    ["bread", "#12", "12", "2h", "1.5", "x3", "urgent", "for:bread", "for:", "due:", "due:sat", "18:00", "every:2",
    "weeks", '"a', 'b"', "K7Q2-M4PD",
     "until", "fri", "max:1.5", "h", "-3", "NaN", "from:Hill", "Bakery", '""', "/", "mine"],
)  # fmt: skip


@given(st.sampled_from(sorted(COMMANDS)), st.lists(PIECES, max_size=8).map(" ".join) | st.text(max_size=60))
def test_anything_is_read_or_refused(command: str, text: str) -> None:
    try:
        found = read_command(command, text)
    except Refusal:
        return
    assert set(found) <= {parameter.name for parameter in COMMANDS[command]}
    assert {parameter.name for parameter in COMMANDS[command] if not parameter.optional} <= set(found)


TITLES = st.text(min_size=1, max_size=50).map(lambda text: " ".join(text.replace('"', "").split()))


@given(TITLES, st.permutations(["2h", "x3", "urgent", "for:bread", "due:sat 18:00", "every: week", 'at:"Mill St"']))
def test_a_quoted_title_and_options_in_any_order(title: str, options: list[str]) -> None:
    try:
        found = read_command("task new", f'"{title}" {" ".join(options)}')
    except Refusal:
        return
    assert found == values(
        title=found["title"], hours=2000, slots=3, urgent=True, good="bread", due=SATURDAY_18,
        every=Period(1, Unit.WEEK), place="Mill St",
    )  # fmt: skip
    assert len(str(found["title"])) <= LENGTH_MAX[Kind.TITLE]
