"""The page of all commands, made from the command table: `python -m bot.reference > docs/commands.md`."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING

from core.chat.command import Who
from core.chat.commands import table

if TYPE_CHECKING:
    from core.chat.command import Command

WHO = {
    Who.ALL: "everybody",
    Who.PROJECT: "members of the project",
    Who.MAINTAINER: "its maintainers",
    Who.STEWARD: "stewards",
}
HEAD = """# All commands

Made from the command table itself (`make reference`). With `/` or `!` in front, on every platform; what stands in
square brackets may be left out, what is in capitals is for you to fill in. Names may be shortened to any unique
beginning, and hours are written `1.5h`, `90m` or `1h30`. Where nothing else is said, every member of the pool may.
"""


def page() -> str:
    """Return the page as Markdown: a list for each topic, in the order of the help."""
    parts = [HEAD]
    shown = [one for one in table().commands if not one.hidden]
    for topic, commands in groupby(shown, key=lambda one: one.topic):
        lines = [f"- `{one.usage()}` – {one.does}{_who(one)}" for one in commands]
        parts.append("\n".join([f"## {topic.capitalize()}", "", *lines, ""]))
    return "\n".join(parts)


def _who(command: Command) -> str:
    return f" ({WHO[command.who]})" if command.who in WHO else ""


if __name__ == "__main__":
    sys.stdout.write(page())
