"""Notices about tasks: who has to know of what happened to work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import events as ev
from core.chat import views
from core.chat.cards import task_subject
from core.chat.message import Choice, Message
from core.chat.text import Text, joined
from core.members import maintainers
from core.reports import backers_needed
from core.tables import Pool, Product, Project
from core.tasks import claims_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlmodel import Session

    from core.chat.desk import Desk
    from core.chat.say import Say
    from core.tables import Task


def _task_card(
    desk: Desk, task: Task, heading: Callable[[Say], Text] | None = None, *, alone: bool = True
) -> Callable[[Say], Message]:
    """Return how a task's card is written; one that asks for something may share its message with others."""

    def write(say: Say) -> Message:
        text, choices = views.task_card(desk.session, say, task, alone=alone)
        text = joined([heading(say), text]) if heading else text
        return Message(text, choices, subject=task_subject(task))

    return write


def _posted(desk: Desk, event: ev.TaskPosted) -> None:
    desk.to_channels(event.task.pool_id, event.task.project_id, _task_card(desk, event.task))


def _cancelled(desk: Desk, event: ev.TaskCancelled) -> None:
    for holder in event.holders:
        desk.to_member(
            holder, lambda say: Message(say("{task} was cancelled.", task=views.task_title(say, event.task)))
        )


def _offered(desk: Desk, event: ev.SlotOffered) -> None:
    number = event.task.number

    def write(say: Say) -> Message:
        title = views.task_title(say, event.task)
        take = Choice(str(say("Take #{number}", number=number)), f"task take {number}", event.task.pool_id)
        return Message(say("{giver} would like to hand you {task}.", giver=event.giver.name, task=title), (take,))

    desk.to_member(event.member, write)


def _handed_on(desk: Desk, event: ev.HandedOn) -> None:
    desk.to_member(
        event.giver,
        lambda say: Message(
            say("{name} takes over {task}.", name=event.member.name, task=views.task_title(say, event.task))
        ),
    )


def _reported(desk: Desk, event: ev.Reported) -> None:
    desk.ask_channels(event.task.pool_id, event.task.project_id, _task_card(desk, event.task, alone=False))


def _disputed(desk: Desk, event: ev.Disputed) -> None:
    card = _task_card(
        desk,
        event.task,
        lambda say: say("{name} disputes #{number}.", name=event.by.name, number=event.task.number),
        alone=False,
    )
    desk.ask_channels(event.task.pool_id, event.task.project_id, card)
    project = desk.session.get_one(Project, (event.task.pool_id, event.task.project_id))
    for member in maintainers(desk.session, project):
        if member.id != event.by.id:
            desk.to_member(member, card)


def _rejected(desk: Desk, event: ev.Rejected) -> None:
    desk.to_member(
        event.member,
        lambda say: Message(
            joined(
                [say("{name} rejected #{number}.", name=event.by.name, number=event.task.number), Text.of(event.why)],
                " ",
            )
        ),
    )


def confirmed_text(session: Session, say: Say, event: ev.Confirmed) -> Text:
    """Return what is said after a confirmation: how much, when it counts, what is waiting."""
    task, pool = event.task, session.get_one(Pool, event.task.pool_id)
    parts = [say("{hours} confirmed.", hours=say.hours(event.contribution.effort))]
    when = views.next_round(say, pool)
    if task.product_id is not None:
        good = views.good_of(session, session.get_one(Product, (task.pool_id, task.product_id)))
        if good.free:
            parts.append(say("Counts when others get {good}.", good=good.name))
        else:
            parts.append(say("Counts when the {good} is given out, next {when}.", good=good.name, when=when))
    elif backers_needed(session, task) > 0:
        parts.append(say("Counts once another project backs it."))
    else:
        parts.append(say("Counts at the next round, {when}.", when=when))
    parts.append(say("Waiting: {hours}.", hours=say.hours(views.waiting_effort(session, event.member))))
    return joined(parts, " ")


def _confirmed(desk: Desk, event: ev.Confirmed) -> None:
    task = event.task
    if event.by is None:
        desk.to_member(
            event.member,
            lambda say: Message(joined([views.task_title(say, task), confirmed_text(desk.session, say, event)], ": ")),
        )
    if task.product_id is not None or backers_needed(desk.session, task) == 0:
        return

    def ask(say: Say) -> Message:
        project = desk.session.get_one(Project, (task.pool_id, task.project_id))
        text = say(
            "{project}: {name} did {task}, {hours}. Is it worth it to all? Or type `/back {number}`",
            project=project.name,
            name=event.member.name,
            task=views.task_title(say, task),
            hours=say.hours(event.contribution.effort),
            number=task.number,
        )
        choices = views.task_choices(desk.session, say, task, claims_of(desk.session, task), alone=False)
        return Message(text, choices, subject=task_subject(task))

    desk.ask_other_channels(task.pool_id, task.project_id, ask)


def _corrected(desk: Desk, event: ev.Corrected) -> None:
    def write(say: Say) -> Message:
        text = say(
            "#{number}: {name}'s work is corrected from {before} to {after}. {why}",
            number=event.task.number,
            name=event.member.name,
            before=say.hours(event.before),
            after=say.hours(event.after),
            why=event.why,
        )
        return Message(text)

    desk.to_channels(event.task.pool_id, event.task.project_id, write)
    desk.to_member(event.member, write)


def _reminder(desk: Desk, event: ev.ReminderDue) -> None:
    def write(say: Say) -> Message:
        due = say.when(event.task.due_at) if event.task.due_at else Text()
        text = (
            say("{task} is due now.", task=views.task_title(say, event.task))
            if event.overdue
            else say("{task} is due {when}.", task=views.task_title(say, event.task), when=due)
        )
        return Message(text, views.task_choices(desk.session, say, event.task, claims_of(desk.session, event.task)))

    desk.to_member(event.member, write)


def _released(desk: Desk, event: ev.Released) -> None:
    card = _task_card(
        desk,
        event.task,
        lambda say: say(
            "#{number} is open again: {name} did not report it.", number=event.task.number, name=event.member.name
        ),
    )
    desk.to_channels(event.task.pool_id, event.task.project_id, card)


WRITERS: dict[type, Callable[[Desk, Any], None]] = {
    ev.TaskPosted: _posted,
    ev.TaskCancelled: _cancelled,
    ev.SlotOffered: _offered,
    ev.HandedOn: _handed_on,
    ev.Reported: _reported,
    ev.Disputed: _disputed,
    ev.Rejected: _rejected,
    ev.Confirmed: _confirmed,
    ev.Corrected: _corrected,
    ev.ReminderDue: _reminder,
    ev.Released: _released,
}
