"""All commands, by topic."""

from __future__ import annotations

from core.chat.command import Table
from core.chat.commands import goods, help, me, people, pool, project, tasks  # noqa: A004 a topic's name


def table() -> Table:
    """Return the table of all commands."""
    topics = (tasks.command, goods.command, me.command, pool.command, project.command, people.command, help.command)
    return Table(topics)
