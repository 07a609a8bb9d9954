"""All commands, by topic."""

from __future__ import annotations

from core.chat.command import Table
from core.chat.commands import (
    goods,
    guide,
    handover,
    linking,
    me,
    people,
    pool,
    project,
    reports,
    speaking,
    tasks,
    wants,
)


def table() -> Table:
    """Return the table of all commands."""
    work, things = (tasks.command, reports.command), (goods.command, wants.command, handover.command)
    rest = (me.command, pool.command, project.command, people.command, linking.command)
    return Table((*work, *things, *rest, speaking.command, guide.command))
