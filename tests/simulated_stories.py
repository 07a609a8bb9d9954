"""What people mostly do in a pool: short stories that lead a simulation to where figures move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulated_steps import Clock, How, Press, Step, Work, Write

if TYPE_CHECKING:
    import random

# a, b and c are people who write in one group, a its maintainer (or who stands in for them), d somebody of another;
# p, q and r are b, c and d in private.
# Numbers of tasks are those of open ones, mostly.
STORIES = """
c: /claim {task} / c: /done {task} {hours} / b: [Confirm]
b: /claim {task} / b: [Done] / a: /confirm {task}
b: /made {good} {count} {hours} / c: [Confirm] / d: /confirm {good}
a: /made {good} {count} {hours} / b: [Confirm] / a: /want {good} {count}
b: /want {good} {count} / c: /bid {good} {bid} {count} / d: /want {good} max:{bid}
d: /bid {good} {bid} / c: /want {good} {count} every:round / b: /unwant {good}
a: /want {good} 2 / d: /want {good} 9 / b: /bid {good} 0 3 / week
b: /want {good} / week / b: /collected {good}
b: /want {good} / week / b: /missing {good} / a: /return {good} {b}
d: /want {good} 3 / week / d: /missing {good} / week / a: /return {good} {d}
c: /did Sweep {hours} / b: /dispute {new} {c} wrong / a: /accept {new} {hours}
c: /did Sweep {hours} / b: [Dispute] / a: /reject {new} no
b: /did Sweep {hours} / a: /dispute {new} / a: /accept {new}
c: /did Mend {hours} for:{good} / b: [Confirm] / a: /made {good} {count}
b: /did Clean {hours} / a: /confirm {new} / d: /back {new} / week / a: /correct {new} {b} {hours} wrong / week
b: /made {good} {count} {hours} / a: /confirm {new} / week / a: /correct {new} {b} {hours} less / b: /collected {good}
a: /task new Water {hours} every:week due:tomorrow / b: /claim {new} / b: /done {new} / a: /confirm {new} / week
a: /task new Water 1h every:day / week / b: /claim {new} / week
a: /task new Paint 2h x2 / b: /bid {new} 0.7 / a: /bid {new} 0.8 / d: /bid {new} 0.9 / week / b: /done {new}
a: /task new Paint {hours} x2 / b: /bid {new} 0.7 / week / b: /drop {new} / week
a: /task new Dig 1h urgent / b: /claim {new} / b: /task give {new} {a} / a: [Take]
a: /task new Dig 1h x2 urgent / a: /task edit {new} 3h / b: /claim {new} / b: /done {new} 1h / a: /confirm {new}
a: /task new Dig 1h x2 urgent / b: /claim {new} / b: /done {new} / a: /task cancel {new} / a: [Yes] / a: /confirm {new}
a: /task new Dig 1h urgent / a: /task cancel {new} / a: [Yes]
a: /pledge {good} {count} / b: /made {good} {count} {hours} / c: [Confirm] / b: /want {good}
b: /made {good} {count} {hours} until:3d / c: [Confirm] / week
b: /want {good} / b: [Undo] / c: /claim {task} / c: [Undo]
c: /break 2w / week / c: /me
a: /exempt {c} / a: /pool set levy 1h / a: /pool set limit 2h / week
a: /pool set newcomer 1h / b: /want {good} {count} / week
a: /good set {good} rule:flat-rate / b: /want {good} / a: /pool set rounds daily 18:00
a: /pool set timezone Europe/Berlin / a: /pool set rounds sun 02:30 / week
a: /member new Zoe / a: /as Zoe want {good} / a: /as Zoe claim {task} / week
b: /leave / b: [Yes] / week / b: /me
c: /forget / c: [Yes] / week / c: /join {code0}
a: /remove {c} / a: [Yes] / c: /want {good}
p: /link / work / r: /link {secret} / r: [Link] / b: /me / d: /me
p: /link / work / q: /link {secret} / b: /want {good} 2 / c: /bid {good} {bid} / q: [Link] / week
b: /claim {task} / d: /claim {task} / d: /bid {good} {bid} 3 / r: /link / work / p: /link {secret} / p: [Link]
d: /leave / d: [Yes] / p: /link / work / r: /link {secret} / r: [Link] / week / d: /me
a: /pool steward {b} / a: /project maintainer {b} / b: /project maintainer {a} off
""".strip().splitlines()
VALUES = {
    "hours": ("1h", "2h", "0.5h", "2.5h", "4h"),
    "count": ("1", "2", "3", "5"),
    "bid": ("0.4", "0.5", "0.7", "1", "1.5"),
}


def tell(
    chance: random.Random, people: tuple[tuple[str, str, str], ...], goods: list[str], tasks: list[int]
) -> list[Step]:
    """Return the steps of a story, told of people (platform, who, group)."""
    platform_a, _who, group = chance.choice([one for one in people if one[2] not in {"stray", "hut"}])
    own = [one for one in people if one[0] == platform_a and one[2] == group]
    others = [one for one in people if one[2] not in {group, "hut", "stray"}]
    roles = {"a": own[0], "b": own[-1], "c": chance.choice(own), "d": chance.choice(others)}
    words = {role: who.title() for role, (_platform, who, _group) in roles.items()}
    roles |= {private: (*roles[role][:2], "dm") for private, role in zip("pqr", "bcd", strict=True)}
    words |= {name: chance.choice(values) for name, values in VALUES.items()}
    words |= {"good": chance.choice(goods or ["bread"]), "task": str(chance.choice(tasks[-8:] or [1]))}
    # The number that a task posted now will have; codes are filled in when they are sent.
    words |= {"new": str(max(tasks, default=0) + 1), "code0": "{code0}", "secret": "{secret}"}
    steps: list[Step] = []
    for line in chance.choice(STORIES).split(" / "):
        if line in {"week", "work"}:
            steps += [Work(), Clock(10080)] if line == "week" else [Work()]
            continue
        role, text = line.split(": ", 1)
        platform, who, chat = roles[role]
        if text.startswith("["):
            how = {"console": How.NUMBER, "matrix": How.REACTION, "telegram": How.BUTTON}[platform]
            steps += [Work(), Press(platform, who, chat, text.strip("[]"), 0, how)]
        else:
            steps.append(Write(platform, who, chat, text.format(**words)))
    return [*steps, Work()]
