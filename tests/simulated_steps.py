"""What can happen in a simulation, as values: they can be played again, left out one by one, and shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

OPENING = """
ana@bakery: /pool new Valley
ana@bakery: /project new Hill Bakery
telegram:dee@garden: /project new Garden {code0}
matrix:fay@works: /project new Works {code0}
ana@dm: /start
bo@dm: /join {code0}
telegram:dee@dm: /start
telegram:eli@garden: /me
matrix:fay@dm: /join {code0}
matrix:gus@works: /tasks
cy@bakery: /me
ana@bakery: /good new bread unit:loaf
telegram:dee@garden: /good new bread unit:loaf
telegram:dee@garden: /good new salad
matrix:fay@works: /good new manual free:example.org
bo@bakery: /task new Bake 2h x2 for:bread urgent
telegram:eli@garden: /task new Weed 1.5h for:salad
matrix:gus@works: /task new Sweep 1h urgent
cy@bakery: /made bread 4 2h
telegram:eli@garden: /made salad 3 1h
bo@bakery: /bid bread 0.6 2
ana@bakery: /confirm 4
telegram:dee@garden: /confirm 5
bo@bakery: /claim 1
bo@bakery: /done 1
cy@bakery: /confirm 1
matrix:gus@works: /claim 3
matrix:gus@works: /done 3
matrix:fay@works: /confirm 3
telegram:dee@garden: /back 3
telegram:eli@garden: /want bread
matrix:gus@works: /want salad 2
hal@hut: /pool new Hut
hal@hut: /project new Hut
ida@hut: /good new jam
hal@hut: /good new jam
ida@hut: /want jam
"""


class Trouble(StrEnum):
    """What can become of a message on its way to a platform."""

    BUSY = "busy"  # the platform says: later
    GONE = "gone"  # blocked, kicked or deleted
    UNKNOWN = "unknown"  # it may have arrived
    CRASH = "crash"  # it arrived, and nobody can tell any more


@dataclass(frozen=True, slots=True)
class Write:
    """Somebody writes, replies to the newest message with such a line, or edits their last one."""

    platform: str
    who: str
    chat: str
    text: str
    reply: str = ""
    edits: bool = False
    addressed: bool = False

    def __str__(self) -> str:
        prefix = "" if self.platform == "console" else f"{self.platform}:"
        how = f" re /{self.reply}/" if self.reply else " edit" if self.edits else ""
        text = self.text.replace("\n", "\\n")
        return f"{prefix}{self.who}@{self.chat}{how}: {text}"


class How(StrEnum):
    """How platforms say which choice was pressed."""

    BUTTON = "button"
    REACTION = "reaction"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody presses the button with this label, on the newest message that has one or on an older one."""

    platform: str
    who: str
    chat: str
    label: str
    age: int = 0
    how: How = How.BUTTON

    def __str__(self) -> str:
        prefix = "" if self.platform == "console" else f"{self.platform}:"
        older = f"# on the message {self.age} before the newest that has it:\n" if self.age else ""
        return f"{older}{prefix}{self.who}@{self.chat}: [{self.label}]"


@dataclass(frozen=True, slots=True)
class Again:
    """A platform delivers an event once more, so many events later."""

    back: int

    def __str__(self) -> str:
        return f"# the event before the last {self.back} is delivered again"


@dataclass(frozen=True, slots=True)
class Work:
    """What was written arrives, as written or (not 0) chats interleaved by chance, and all is handled and sent."""

    order: int = 0

    def __str__(self) -> str:
        return "# work"


@dataclass(frozen=True, slots=True)
class Clock:
    """Time goes on; everything due is done at its moment, or (an outage) all of it at the end."""

    minutes: int
    outage: bool = False

    def __str__(self) -> str:
        return f"# {'an outage of ' if self.outage else ''}{self.minutes} minutes"


@dataclass(frozen=True, slots=True)
class Crash:
    """The process dies after so many statements of what comes next, and is started again."""

    statements: int

    def __str__(self) -> str:
        return f"# crash after {self.statements} statements"


@dataclass(frozen=True, slots=True)
class Fault:
    """The store fails once, after so many statements."""

    statements: int

    def __str__(self) -> str:
        return f"# the store fails once, after {self.statements} statements"


@dataclass(frozen=True, slots=True)
class Post:
    """The message after the next so many does not get through."""

    trouble: Trouble
    after: int

    def __str__(self) -> str:
        return f"# {self.trouble}: the message after the next {self.after}"


@dataclass(frozen=True, slots=True)
class Race:
    """A second process decides the rounds that are due by then, is slow, and writes them down at the end."""

    minutes: int

    def __str__(self) -> str:
        return f"# {self.minutes} minutes; two processes hold the round"


Step = Write | Press | Again | Work | Clock | Crash | Fault | Post | Race


def opening() -> list[Step]:
    """Return how every simulated world begins: two pools, four projects, nine people on three platforms."""
    steps: list[Step] = []
    for line in OPENING.strip().splitlines():
        speaker, text = line.split(": ", 1)
        platform, _, at = speaker.rpartition(":")
        who, chat = at.split("@")
        steps += [Write(platform or "console", who, chat, text), Work()]
    return steps
