"""People for the simulation: what they might write, from the command table itself, and everything that goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.chat.command import Press as PressRule
from core.chat.parameters import Kind, Parameter
from core.chat.say import LANGUAGES
from core.settings import MemberSettings, PoolSettings, ProjectSettings
from core.tables import Good, Member, Pool, Project, Task
from tests.simulated_chats import chat_key
from tests.simulated_steps import Again, Clock, Crash, Fault, How, Post, Press, Race, Step, Trouble, Work, Write
from tests.simulated_stories import tell
from tests.simulated_world import TABLE

if TYPE_CHECKING:
    import random

    from core.chat.command import Command
    from tests.simulated_world import World

# Who writes where: (platform, who, group). Everybody has a private chat, too.
PEOPLE = (
    *(("console", who, "bakery") for who in ("ana", "bo", "cy")),
    *(("telegram", who, "garden") for who in ("dee", "eli")),
    *(("matrix", who, "works") for who in ("fay", "gus")),
    *(("console", who, "hut") for who in ("hal", "ida")),
    ("telegram", "eli", "stray"),
    ("console", "bo", "garden"),
)
GOOD_VALUES: dict[Kind, tuple[str, ...]] = {
    Kind.TITLE: ("Bake", "Water the plants", "Fix it", '"Mow the lawn"'),
    Kind.NOTE: ("thanks", "it was late", "bo too long", "page:2", "mine", "30m"),
    Kind.COUNT: ("1", "2", "3", "5", "10", "100"),
    Kind.HOURS: ("1h", "0.5h", "90m", "2.5h", "1h30", "4h", "0,3h"),
    Kind.WEIGHT: ("0.8", "1", "x0.9", "×1.2", "0.25"),
    Kind.TIMES: ("x2", "x3"),
    Kind.MOMENT: ("fri", "tomorrow", "3d", "sun 12:00", "today 23:00"),
    Kind.PERIOD: ("week", "2w", "3d", "day"),
    Kind.TEXT: ("round", "loaf", "effort", "flat-rate", "flat-allocation", "example.org", '"Mill St 4"'),
    Kind.REST: (
        "2",
        "off",
        "on",
        "3 h",
        "0",
        "daily 18:00",
        "mon,thu 07:30",
        "Europe/Berlin",
        "ask",
        "de",
        "flat-rate",
    ),
    Kind.CODE: ("{code0}", "{code0}", "{code1}", "{secret}"),
    Kind.NAME: ("jam", "honey", "Zoe"),
    Kind.WORD: (*PoolSettings.table, *ProjectSettings.table, *MemberSettings.table, *LANGUAGES, "name", "tasks"),
}
BAD_VALUES = (
    *("0", "-1", "1..5h", "99", "#0", "1e9", "NaN", "1001h", "99999999999999999999", "x0", "×100", "2000-01-01"),
    *(
        "AAAA-BBBB",
        "'",
        '"',
        "“half",
        "for:",
        "max:",
        "{name}",
        "%s",
        "<b>",
        "\u202e",
        "🍞",
        "ß",
        "٣",
        "bred",
        "x" * 300,
    ),
)
GARBAGE = (
    *("", " ", "/", "//", "!", "/ want", "/x" * 200, "x" * 5000, "/task new " + "y" * 5000 + " 2h", "/help", "\n\n/me"),
    *(
        "hello",
        "1",
        "99",
        "yes",
        "/want\n/bread",
        "@pool want bread",
        "\u200b/me",
        "/WANT BREAD",
        "/want@pool bread",
        "\x00",
    ),
)
TOPICS_NAMING_GOODS = ("goods",)


@dataclass(slots=True)
class Names:
    """What there is to name."""

    goods: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, world: World) -> Names:
        """Read them from the store."""
        with world.store.read() as session:
            pools = session.exec(select(Pool.id).limit(1)).all()
            where = pools[0] if pools else 0
            return cls(
                list(session.exec(select(Good.name).where(Good.pool_id == where))),
                list(session.exec(select(Member.name).where(Member.pool_id == where))),
                list(session.exec(select(Project.name).where(Project.pool_id == where))),
                list(session.exec(select(Task.number).where(Task.pool_id == where).order_by(col(Task.number)))),
            )


class People:
    """Thinks up steps for a world, by chance."""

    def __init__(self, world: World, chance: random.Random) -> None:
        """Look at the world."""
        self.world = world
        self.chance = chance
        self.names = Names.of(world)

    def next_steps(self) -> list[Step]:
        """Return what happens next: something is written or pressed, time goes on, or an accident."""
        pick = self.chance.random()
        if pick < 0.14:
            return [self._time()]
        if pick < 0.22:
            return [*self._accident(), *self._said(), Work(self.chance.randrange(99))]
        self.names = Names.of(self.world)
        if pick < 0.6:
            return tell(self.chance, PEOPLE, self.names.goods, self.names.tasks)
        said = [step for _ in range(self.chance.choice((1, 1, 2, 3))) for step in self._said()]
        return [*said, Work(self.chance.randrange(99))]

    def _time(self) -> Step:
        chance = self.chance
        minutes = chance.choice((1, 30, 600, 1441, 2880, 10080, 10080))
        if chance.random() < 0.1:
            return Race(10080)
        return Clock(minutes, outage=chance.random() < 0.2) if chance.random() < 0.95 else Clock(-120, outage=True)

    def _accident(self) -> list[Step]:
        chance = self.chance
        match chance.randrange(5):
            case 0 | 1:
                return [Crash(chance.randrange(90))]
            case 2:
                return [Fault(chance.randrange(60))]
            case _:
                return [Post(chance.choice(list(Trouble)), chance.randrange(4))]

    def _said(self) -> list[Step]:
        """Return one thing that somebody says, maybe twice."""
        chance = self.chance
        platform, who, group = chance.choice(PEOPLE)
        chat = "dm" if chance.random() < 0.25 else group
        pick = chance.random()
        if pick < 0.33:
            step = self._press(platform, who, chat)
            others = [Press(one, other, at, step.label) for one, other, at in PEOPLE if at == chat] if step else []
            more = [chance.choice([step, *others])] if step and chance.random() < 0.25 else []
            return [*([step] if step else []), *more]
        if pick < 0.36:
            return [Again(chance.randrange(6))]
        text = chance.choice(GARBAGE) if pick < 0.41 else self._command()
        reply = self._reply(platform, who, chat) if chance.random() < 0.1 else ""
        text = chance.choice(("1.5", "2", "0", "x", text)) if reply else text
        edits, addressed = chance.random() < 0.03, chance.random() < 0.1
        return [Write(platform, who, chat, text, reply, edits, addressed)]

    def _press(self, platform: str, who: str, chat: str) -> Press | None:
        """Press something shown there, mostly what was shown last."""
        shown = [one for one in self.world.state.shown[chat_key(platform, who, chat)] if one.message.choices]
        if not shown:
            return None
        one = self.chance.choice(shown[-4:]) if self.chance.random() < 0.85 else self.chance.choice(shown)
        label = self.chance.choice(one.message.choices).label
        age = self.chance.choice((0, 0, 0, 0, 1, 3))
        usual = {"console": How.NUMBER, "matrix": How.REACTION, "telegram": How.BUTTON}[platform]
        return Press(platform, who, chat, label, age, usual if self.chance.random() < 0.9 else How.BUTTON)

    def _reply(self, platform: str, who: str, chat: str) -> str:
        shown = self.world.state.shown[chat_key(platform, who, chat)]
        lines = str(self.chance.choice(shown).message.text).splitlines() if shown else []
        return next((word for word in (lines[0].split() if lines else []) if word.isalnum()), "")

    # Commands, from the table

    def _command(self) -> str:
        chance = self.chance
        command = chance.choice(TABLE.commands)
        if command.press is PressRule.AGAIN and chance.random() < 0.7:
            command = chance.choice(TABLE.commands)
        words = [word for parameter in command.parameters if (word := self._argument(command, parameter))]
        text = " ".join([("/" if chance.random() < 0.9 else "!") + command.name, *words])
        if chance.random() < 0.05:
            place = chance.randrange(len(text))
            text = text[:place] + chance.choice(("", " ", '"', "x", "#")) + text[place + 1 :]
        return text

    def _argument(self, command: Command, parameter: Parameter) -> str:
        chance = self.chance
        if chance.random() < (0.6 if parameter.optional else 0.04):
            return ""
        value = chance.choice(BAD_VALUES) if chance.random() < 0.08 else self._value(command, parameter)
        if " " in value and '"' not in value and chance.random() < 0.9 and parameter.kind in {Kind.NAME, Kind.TEXT}:
            value = f'"{value}"'
        return f"{parameter.key}:{value}" if parameter.key else value

    def _value(self, command: Command, parameter: Parameter) -> str:
        """Return a value that would fit, mostly something that is there."""
        names, chance = self.names, self.chance
        if parameter.kind is Kind.TASK:
            return f"{chance.choice(names.tasks[-8:] or [1])}"
        if parameter.kind is Kind.FLAG:
            return parameter.name
        known: list[str] = []
        if parameter.kind is Kind.NAME:
            is_good = command.topic in TOPICS_NAMING_GOODS and parameter is command.parameters[0]
            known = names.goods if is_good else [*names.members, *names.members, *names.projects]
        elif parameter.kind is Kind.TEXT and parameter.key in {"for", "from"}:
            known = names.goods if parameter.key == "for" else names.projects
        if known and chance.random() < 0.9:
            return chance.choice(known)
        return chance.choice(GOOD_VALUES[parameter.kind])
