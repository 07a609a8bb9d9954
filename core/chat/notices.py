"""Turn what happened into messages for those whom it concerns, in the transaction in which it happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import events as ev
from core.chat import report, views
from core.chat.cards import good_subject, task_subject
from core.chat.message import Choice, Message
from core.chat.text import Text, joined
from core.members import maintainers, stewards
from core.reports import backers_needed
from core.rounds.hold import RoundHeld
from core.tables import Good, Member, Pool, Product, Project, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlmodel import Session

    from core.chat.desk import Desk
    from core.chat.say import Say


def tell(desk: Desk, happened: Iterable[ev.Event]) -> None:
    """Write the notices for everything that happened, and mark the cards that show it."""
    for event in happened:
        if isinstance(event, ev.TaskEvent):
            desk.mark(event.task.pool_id, task_subject(event.task))
            _mark_product(desk, event.task)
        if isinstance(event, ev.GoodEvent):
            desk.mark(event.good.pool_id, good_subject(event.good))
        write = WRITERS.get(type(event))
        if write is not None:
            write(desk, event)


def _mark_product(desk: Desk, task: Task) -> None:
    if task.product_id is not None:
        good = views.good_of(desk.session, desk.session.get_one(Product, (task.pool_id, task.product_id)))
        desk.mark(task.pool_id, good_subject(good))


def _task_card(desk: Desk, task: Task, heading: Callable[[Say], Text] | None = None) -> Callable[[Say], Message]:
    def write(say: Say) -> Message:
        text = views.task_details(desk.session, say, task)
        text = joined([heading(say), text]) if heading else text
        return Message(text, views.task_choices(desk.session, say, task), subject=task_subject(task))

    return write


def _join_requested(desk: Desk, event: ev.JoinRequested) -> None:
    name = event.member.name

    def write(say: Say) -> Message:
        place = event.project.name if event.project else event.pool.name
        project_id = event.project.id if event.project else 0
        admit = Choice(str(say("Admit {name}", name=name)), f'admit "{name}"', event.member.pool_id, project_id)
        return Message(say("{name} would like to join {place}.", name=name, place=place), (admit,))

    for member in maintainers(desk.session, event.project) if event.project else stewards(desk.session, event.pool):
        desk.to_member(member, write)
    if event.project is not None:
        desk.ask_channels(event.pool.id, event.project.id, write)


def _project_founded(desk: Desk, event: ev.ProjectFounded) -> None:
    pool = desk.session.get_one(Pool, event.project.pool_id)

    def write(say: Say) -> Message:
        remove = Choice(
            str(say("Remove {project}", project=event.project.name)), "project archive", pool.id, event.project.id
        )
        return Message(
            say("{name} founded the project **{project}**.", name=event.member.name, project=event.project.name),
            (remove,),
        )

    for steward in stewards(desk.session, pool):
        if steward.id != event.member.id:
            desk.to_member(steward, write)


def _posted(desk: Desk, event: ev.TaskPosted) -> None:
    if event.task.origin == "task":
        desk.to_channels(event.task.pool_id, event.task.project_id, _task_card(desk, event.task))


def _cancelled(desk: Desk, event: ev.TaskCancelled) -> None:
    for holder in event.holders:
        desk.to_member(
            holder, lambda say: Message(say("{task} was cancelled.", task=views.task_title(say, event.task)))
        )


def _handed_on(desk: Desk, event: ev.HandedOn) -> None:
    desk.to_member(
        event.giver,
        lambda say: Message(
            say("{name} takes over {task}.", name=event.member.name, task=views.task_title(say, event.task))
        ),
    )


def _reported(desk: Desk, event: ev.Reported) -> None:
    desk.ask_channels(event.task.pool_id, event.task.project_id, _task_card(desk, event.task))


def _disputed(desk: Desk, event: ev.Disputed) -> None:
    card = _task_card(
        desk, event.task, lambda say: say("{name} disputes #{number}.", name=event.by.name, number=event.task.number)
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
    when = say.when(pool.round_due_at) if pool.round_due_at else Text()
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
        return Message(text, views.task_choices(desk.session, say, task), subject=task_subject(task))

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


def _batch_made(desk: Desk, event: ev.BatchMade) -> None:
    if event.batch.needs != "project":
        return
    project = desk.session.get_one(Project, (event.good.pool_id, event.product.project_id))

    def ask(say: Say) -> Message:
        text = say(
            "{project} made {count} with {effort} each, far more than last time ({last}). Right? `/confirm {good}`",
            project=project.name,
            count=views.amount(say, event.good, event.batch.units),
            effort=say.hours(views.batch_average(event.batch)),
            last=say.hours(event.product.last_average or 0),
            good=event.good.name,
        )
        return Message(
            text,
            (
                Choice(
                    str(say("Confirm {good}", good=event.good.name)), f'confirm "{event.good.name}"', event.good.pool_id
                ),
            ),
        )

    desk.ask_other_channels(event.good.pool_id, event.product.project_id, ask)


def _batch_offered(desk: Desk, event: ev.BatchOffered) -> None:
    for want in event.asked:
        member = desk.session.get_one(Member, (want.pool_id, want.member_id))

        def write(say: Say, maximum: int = want.maximum or 0) -> Message:
            name = event.good.name
            text = say("There's {good} now: you'd pay at most {cost} each.", good=name, cost=say.hours(maximum))
            return Message(
                text, (Choice(str(say("Don't want {good}", good=name)), f'unwant "{name}"', event.good.pool_id),)
            )

        desk.to_member(member, write)


def _expired(desk: Desk, event: ev.BatchExpired) -> None:
    if event.units:
        desk.to_channels(
            event.good.pool_id,
            event.product.project_id,
            lambda say: Message(
                say("Past its date, no longer offered: {count}.", count=views.amount(say, event.good, event.units))
            ),
        )


def _missing(desk: Desk, event: ev.UnitsMissing) -> None:
    name, good = event.member.name, event.good

    def ask(say: Say) -> Message:
        text = say(
            "{name} did not get {count}. Right? Then: `/return {good} {name}`",
            name=name,
            count=views.amount(say, good, event.units),
            good=good.name,
        )
        choice = Choice(
            str(say("Return {name}'s {good}", name=name, good=good.name)),
            f'return "{good.name}" "{name}"',
            good.pool_id,
            event.product.project_id,
        )
        return Message(text, (choice,))

    desk.ask_channels(good.pool_id, event.product.project_id, ask)


def _returned(desk: Desk, event: ev.UnitsReturned) -> None:
    desk.to_member(
        event.member,
        lambda say: Message(
            say(
                "{count} went back; you have {hours} again.",
                count=views.amount(say, event.good, event.units),
                hours=say.hours(event.cost),
            )
        ),
    )


def _reminder(desk: Desk, event: ev.ReminderDue) -> None:
    def write(say: Say) -> Message:
        due = say.when(event.task.due_at) if event.task.due_at else Text()
        text = (
            say("{task} is due now.", task=views.task_title(say, event.task))
            if event.overdue
            else say("{task} is due {when}.", task=views.task_title(say, event.task), when=due)
        )
        return Message(text, views.task_choices(desk.session, say, event.task))

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


def _ran_out(desk: Desk, event: ev.Unwanted) -> None:
    if not event.ran_out:
        return
    member = desk.session.get_one(Member, (event.want.pool_id, event.want.member_id))
    name = event.good.name
    desk.to_member(
        member,
        lambda say: Message(
            say("Your want for {good} ran out after eight rounds.", good=name),
            (
                Choice(
                    str(say("Want {good} again", good=name)), f'want "{name}" {event.want.units}', event.good.pool_id
                ),
            ),
        ),
    )


def _pledge_ended(desk: Desk, event: ev.PledgeEnded) -> None:
    pledge = event.pledge
    desk.to_channels(
        event.good.pool_id,
        event.product.project_id,
        lambda say: Message(
            say("Pledged {units}, made {made}: {good}.", units=pledge.units, made=pledge.made, good=event.good.name)
        ),
    )


def _round_held(desk: Desk, event: RoundHeld) -> None:
    for claimed in event.applied.claimed:
        desk.mark(claimed.task.pool_id, task_subject(claimed.task))
    for result in event.outcome.tasks:
        desk.mark(event.pool.id, f"task {result.number}")
    for good in event.outcome.goods:
        desk.mark(event.pool.id, f"good {good.good_id}")
    for want in event.applied.ran_out:
        _ran_out(desk, ev.Unwanted(desk.session.get_one(Good, (want.pool_id, want.good_id)), want, ran_out=True))
    report.send(desk, event)


WRITERS: dict[type, Callable[[Desk, Any], None]] = {
    ev.JoinRequested: _join_requested,
    ev.ProjectFounded: _project_founded,
    ev.TaskPosted: _posted,
    ev.TaskCancelled: _cancelled,
    ev.HandedOn: _handed_on,
    ev.Reported: _reported,
    ev.Disputed: _disputed,
    ev.Rejected: _rejected,
    ev.Confirmed: _confirmed,
    ev.Corrected: _corrected,
    ev.BatchMade: _batch_made,
    ev.BatchOffered: _batch_offered,
    ev.BatchExpired: _expired,
    ev.UnitsMissing: _missing,
    ev.UnitsReturned: _returned,
    ev.ReminderDue: _reminder,
    ev.Released: _released,
    ev.Unwanted: _ran_out,
    ev.PledgeEnded: _pledge_ended,
    RoundHeld: _round_held,
}
