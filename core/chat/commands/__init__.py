"""All commands, by topic."""

from __future__ import annotations

from core.chat.command import Table
from core.chat.commands import goods, guide, me, people, pool, project, tasks


def table() -> Table:
    """Return the table of all commands."""
    topics = (tasks.command, goods.command, me.command, pool.command, project.command, people.command, guide.command)
    return Table(topics)
