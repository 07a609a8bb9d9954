"""Reported work: done unasked, confirmed, disputed, decided, corrected, and backed by others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core import corrections, goods, reports, tasks, undo
from core import events as ev
from core.chat import notices_tasks
from core.chat.command import Commands, Who
from core.chat.commands.tasks import TASK, card, find_task, product_for
from core.chat.parameters import Kind, Parameter
from core.chat.text import joined
from core.errors import DisputedError
from core.members import maintainers
from core.settings import N_
from core.tables import Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.chat.context import Context
    from core.chat.message import Reply
    from core.events import Event
    from core.tables import Task

command = Commands("tasks")


@command(
    "did",
    Parameter("title", Kind.TITLE),
    Parameter("hours", Kind.HOURS, example="1h"),
    Parameter("good", Kind.TEXT, "for", optional=True, example="bread"),
    who=Who.PROJECT,
    does=N_("report work done unasked"),
)
def did(context: Context, title: str, hours: int, good: str = "") -> Reply:
    """Report work that nobody had asked for."""
    product = product_for(context, context.project, good)
    reported = goods.did(context.session, context.project, context.member, title, hours, product, context.now)
    context.emit(reported)
    undo.remember(context.session, context.member, "done", reported.claim.id, {}, context.now)
    return card(context, reported.task)


@command(
    "confirm", TASK, Parameter("name", Kind.NAME, optional=True), who=Who.ANY, does=N_("confirm somebody's report")
)
def confirm(context: Context, number: int, name: str = "") -> Reply:
    """Confirm a report."""
    task = find_task(context, number)
    row = reports.waiting(context.session, task, name, but=context.member)
    happened = reports.confirm(context.session, task, row, context.member, context.now)
    context.emit(*happened)
    return _confirmed(context, task, happened)


def _confirmed(context: Context, task: Task, happened: Sequence[Event]) -> Reply:
    context.session.flush()
    say, first = context.say, happened[0]
    if isinstance(first, ev.ConfirmedPartly):
        heading = say.count(
            "{name} confirms #{number}; {count} more has to.",
            "{name} confirms #{number}; {count} more have to.",
            first.missing,
            name=first.by.name,
            number=task.number,
        )
        return card(context, task, heading)
    texts = [
        say("{name}: ", name=one.member.name) + notices_tasks.confirmed_text(context.session, say, one)
        for one in happened
        if isinstance(one, ev.Confirmed)
    ]
    return card(context, task, joined(texts))


@command(
    "dispute", TASK, Parameter("words", Kind.NOTE, optional=True), who=Who.ANY, does=N_("say that a report is wrong")
)
def dispute(context: Context, number: int, words: str = "") -> Reply:
    """Dispute a report; the first word may be whose."""
    task = find_task(context, number)
    name, why = _name_first(context, task, words)
    row = reports.waiting(context.session, task, name, "dispute", but=context.member)
    if row.disputed_at is not None:
        project = context.session.get_one(Project, (task.pool_id, task.project_id))
        raise DisputedError(number, tuple(one.name for one in maintainers(context.session, project)))
    context.emit(reports.dispute(context.session, task, row, context.member, why, context.now))
    project = context.session.get_one(Project, (task.pool_id, task.project_id))
    names = context.say.names([one.name for one in maintainers(context.session, project)])
    return card(context, task, context.say("#{number} is disputed; it waits for {names}.", number=number, names=names))


def _name_first(context: Context, task: Task, words: str) -> tuple[str, str]:
    """Split off whose report is meant: a holder's name, or with several the beginning of one."""
    names = tasks.holder_names(context.session, tasks.claims_of(context.session, task))
    for name in sorted(names, key=len, reverse=True):
        match = re.match(rf"[\"“”']?{re.escape(name)}[\"“”':,]*(?:\s+|$)", words, re.IGNORECASE)
        if match:
            return name, words[match.end() :]
    first, _, rest = words.partition(" ")
    bare = first.strip("\"'“”:,")
    if len(names) > 1 and bare and any(name.casefold().startswith(bare.casefold()) for name in names):
        return bare, rest.strip()
    return "", words


@command(
    "accept", TASK, Parameter("hours", Kind.HOURS, optional=True), who=Who.ANY, does=N_("decide a dispute: it counts")
)
def accept(context: Context, number: int, hours: int | None = None) -> Reply:
    """Accept a disputed report."""
    task = find_task(context, number)
    happened = reports.accept(context.session, task, context.member, hours, context.now)
    context.emit(*happened)
    return _confirmed(context, task, happened)


@command("reject", TASK, Parameter("why", Kind.NOTE), who=Who.ANY, does=N_("decide a dispute: it does not count"))
def reject(context: Context, number: int, why: str) -> Reply:
    """Reject a disputed report."""
    task = find_task(context, number)
    rejected = reports.reject(context.session, task, context.member, why, context.now)
    context.emit(rejected)
    return card(context, task, context.say("{name}'s report is rejected.", name=rejected.member.name))


@command(
    "correct",
    TASK,
    Parameter("name", Kind.NAME, optional=True),
    Parameter("hours", Kind.HOURS, example="1.5h"),
    Parameter("why", Kind.NOTE),
    who=Who.ANY,
    does=N_("correct the hours of confirmed work"),
)
def correct(context: Context, number: int, hours: int, why: str, name: str = "") -> Reply:
    """Correct confirmed work later; announced, with the reason."""
    task = find_task(context, number)
    corrected = corrections.correct(context.session, task, name, context.member, hours, why, context.now)
    context.emit(corrected)
    say = context.say
    text = say(
        "{name}: {before} corrected to {after}. {why}",
        name=corrected.member.name,
        before=say.hours(corrected.before),
        after=say.hours(corrected.after),
        why=why,
    )
    return card(context, task, text)


@command("back", TASK, who=Who.ANY, does=N_("common work is worth it"))
def back(context: Context, number: int) -> Reply:
    """Back common work for another project."""
    task = find_task(context, number)
    backed = reports.back(context.session, task, context.member, context.now)
    context.emit(backed)
    say = context.say
    if backed.missing:
        heading = say.count(
            "{name} backs #{number}; {count} more has to.",
            "{name} backs #{number}; {count} more have to.",
            backed.missing,
            name=context.member.name,
            number=number,
        )
        return card(context, task, heading)
    heading = say("{name} backs #{number}: it counts at the next round.", name=context.member.name, number=number)
    return card(context, task, heading)
