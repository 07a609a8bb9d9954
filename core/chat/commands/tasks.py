"""Tasks: what a project needs done, and who does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col

from core import corrections, goods, handing, recurring, reports, tasks, undo
from core import events as ev
from core.chat import notices, views
from core.chat.cards import task_subject
from core.chat.command import Commands, Press, Who
from core.chat.commands.lists import open_tasks, read_filter
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, Parameter
from core.chat.text import Text, joined
from core.errors import NotMaintainerError
from core.members import is_maintainer, maintainers
from core.names import find
from core.settings import N_, ProjectSettings
from core.tables import Bid, Member, Product, Project, Task
from core.units import show_weight

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.chat.context import Context
    from core.events import Event
    from core.periods import Period

command = Commands("tasks")
PAGE = 5
TASK = Parameter("number", Kind.TASK, example="12")
DETAILS = (
    Parameter("hours", Kind.HOURS, example="2h"),
    Parameter("slots", Kind.TIMES, optional=True),
    Parameter("good", Kind.TEXT, "for", optional=True, example="bread"),
    Parameter("due", Kind.MOMENT, "due", optional=True),
    Parameter("every", Kind.PERIOD, "every", optional=True, example="week"),
    Parameter("place", Kind.TEXT, "at", optional=True, example="PLACE"),
    Parameter("urgent", Kind.FLAG, optional=True),
)


def card(context: Context, task: Task, heading: Text | None = None) -> Reply:
    """Answer with a task's live card, under a heading that says what happened."""
    context.session.flush()
    text = views.task_details(context.session, context.say, task)
    text = joined([heading, text]) if heading else text
    return context.reply(text, *views.task_choices(context.session, context.say, task), subject=task_subject(task))


def _product(context: Context, project: Project, good: str) -> Product | None:
    return (
        goods.product_of(context.session, goods.find_good(context.session, project.pool_id, good), project)
        if good
        else None
    )


def _may_post(context: Context) -> None:
    project = context.project
    only = ProjectSettings(project.settings).tasks == "maintainers"
    if only and not is_maintainer(context.session, project, context.member):
        raise NotMaintainerError(project.name, tuple(one.name for one in maintainers(context.session, project)))


@command("task new", Parameter("title", Kind.TITLE), *DETAILS, who=Who.PROJECT, does=N_("a new task"))
def new(
    context: Context,
    title: str,
    hours: int,
    slots: int = 1,
    good: str = "",
    due: datetime | None = None,
    every: Period | None = None,
    place: str = "",
    *,
    urgent: bool = False,
) -> Reply:
    """Post a task of the project."""
    _may_post(context)
    product = _product(context, context.project, good)
    period = str(every) if every else ""
    draft = tasks.Draft(title, hours, slots, product, due, period, place, urgent)
    posted = tasks.post(context.session, context.project, context.member, draft, context.now)
    recurring.set_next(context.session, posted.task, context.now)
    context.emit(posted)
    return card(context, posted.task)


@command("task", TASK, who=Who.ANY, does=N_("one task, with its buttons"), press=Press.AGAIN)
def show(context: Context, number: int) -> Reply:
    """Show a task."""
    return card(context, _task(context, number))


@command(
    "task edit",
    TASK,
    Parameter("title", Kind.TITLE, optional=True),
    *(Parameter(one.name, one.kind, one.key, optional=True, example=one.example) for one in DETAILS),
    who=Who.ANY,
    does=N_("change a task"),
)
def edit(
    context: Context,
    number: int,
    title: str = "",
    hours: int = 0,
    slots: int = 0,
    good: str = "",
    due: datetime | None = None,
    every: Period | None = None,
    place: str = "",
    *,
    urgent: bool = False,
) -> Reply:
    """Change what is given of a task."""
    task = _task(context, number)
    session = context.session
    project = session.get_one(Project, (task.pool_id, task.project_id))
    product = _product(context, project, good)
    if product is None and task.product_id is not None:
        product = session.get_one(Product, (task.pool_id, task.product_id))
    draft = tasks.Draft(
        title or task.title,
        hours or task.hours,
        slots or task.slots,
        product,
        due or task.due_at,
        str(every) if every else task.every,
        place or task.place,
        urgent or bool(task.urgent),
    )
    context.emit(tasks.edit(session, task, context.member, draft, context.now))
    recurring.set_next(session, task, context.now)
    return card(context, task, context.say("Changed."))


@command("task cancel", TASK, Parameter("sure", Kind.FLAG, optional=True), who=Who.ANY, does=N_("call a task off"))
def cancel(context: Context, number: int, *, sure: bool = False) -> Reply:
    """Cancel a task, after asking."""
    task, say = _task(context, number), context.say
    tasks.may_change(context.session, task, context.member)
    tasks.check_alive(task)
    if not sure:
        yes = Choice(str(say("Yes, cancel #{number}", number=number)), f"task cancel {number} sure", context.pool_id)
        return context.reply(say("Cancel {task}? Or do nothing.", task=views.task_title(say, task)), yes)
    context.emit(tasks.cancel(context.session, task, context.member, context.now))
    return context.in_place(say("{task} is cancelled.", task=views.task_title(say, task)))


@command("task give", TASK, Parameter("name", Kind.NAME), who=Who.ANY, does=N_("hand your claim to somebody"))
def give(context: Context, number: int, name: str) -> Reply:
    """Offer one's slot to somebody, who has to accept."""
    task, say = _task(context, number), context.say
    receiver = find_member(context, name)
    handing.offer_slot(context.session, task, context.member, receiver)
    take = Choice(str(say("Take #{number}", number=number)), f"task take {number}", context.pool_id)
    text = say(
        "{name}: take over {task} from {giver}?",
        name=receiver.name,
        task=views.task_title(say, task),
        giver=context.member.name,
    )
    return context.reply(text, take)


@command("task take", TASK, who=Who.ANY, does=N_("accept a task handed to you"), hidden=True)
def take(context: Context, number: int) -> Reply:
    """Accept a slot that was offered."""
    task = _task(context, number)
    context.emit(handing.take_over(context.session, task, context.member, context.now))
    return card(context, task)


@command(
    "tasks",
    Parameter("words", Kind.NOTE, optional=True),
    who=Who.ANY,
    does=N_("open tasks of the whole pool: /tasks [words] [30m] [mine]"),
    press=Press.AGAIN,
)
def overview(context: Context, words: str = "") -> Reply:
    """List open tasks, the highest weight first, five to a page."""
    wanted = read_filter(words)
    found, total = open_tasks(context.session, context.member, wanted, PAGE)
    say = context.say
    if not found:
        return context.in_place(say("No open tasks. To post one: `/task new TITLE 2h`"))
    lines = [views.task_line(context.session, say, task) for task in found]
    choices = [one for task in found for one in views.task_choices(context.session, say, task)[:1]]
    if total > (wanted.page + 1) * PAGE:
        choices.append(Choice(str(say("More")), f"tasks {wanted.with_page(wanted.page + 1)}", context.pool_id))
    if wanted.page:
        choices.append(Choice(str(say("Back")), f"tasks {wanted.with_page(wanted.page - 1)}", context.pool_id))
    return context.in_place(joined(lines), choices)


@command("claim", TASK, who=Who.ANY, does=N_("take an open task"))
def claim(context: Context, number: int) -> Reply:
    """Take a slot."""
    task = _task(context, number)
    claimed = tasks.claim(context.session, task, context.member, context.now)
    context.emit(claimed)
    undo.remember(context.session, context.member, "claim", claimed.claim.id, {}, context.now)
    say = context.say
    return card(context, task, say("#{number} is yours, {name}.", number=number, name=context.member.name))


@command("drop", TASK, who=Who.ANY, does=N_("give a task up"))
def drop(context: Context, number: int) -> Reply:
    """Give up a slot."""
    task = _task(context, number)
    dropped = tasks.drop(context.session, task, context.member, context.now)
    context.emit(dropped)
    undo.remember(context.session, context.member, "drop", dropped.claim.id, {}, context.now)
    return card(context, task, context.say("{name} dropped #{number}.", number=number, name=context.member.name))


@command(
    "done",
    TASK,
    Parameter("hours", Kind.HOURS, optional=True),
    Parameter("note", Kind.NOTE, optional=True),
    who=Who.ANY,
    does=N_("report a task as done"),
)
def done(context: Context, number: int, hours: int | None = None, note: str = "") -> Reply:
    """Report work."""
    task = _task(context, number)
    reported = tasks.report(context.session, task, context.member, hours, note, context.now)
    context.emit(reported)
    undo.remember(context.session, context.member, "done", reported.claim.id, {}, context.now)
    return card(context, task)


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
    product = _product(context, context.project, good)
    reported = goods.did(context.session, context.project, context.member, title, hours, product, context.now)
    context.emit(reported)
    undo.remember(context.session, context.member, "done", reported.claim.id, {}, context.now)
    return card(context, reported.task)


@command(
    "confirm", TASK, Parameter("name", Kind.NAME, optional=True), who=Who.ANY, does=N_("confirm somebody's report")
)
def confirm(context: Context, number: int, name: str = "") -> Reply:
    """Confirm a report."""
    task = _task(context, number)
    row = reports.waiting(context.session, task, name, but=context.member)
    happened = reports.confirm(context.session, task, row, context.member, context.now)
    context.emit(*happened)
    return _confirmed(context, task, happened)


def _confirmed(context: Context, task: Task, happened: Sequence[Event]) -> Reply:
    context.session.flush()
    say, first = context.say, happened[0]
    if isinstance(first, ev.ConfirmedPartly):
        heading = say.count(
            "{name} confirms; {count} more has to.",
            "{name} confirms; {count} more have to.",
            first.missing,
            name=first.by.name,
        )
        return card(context, task, heading)
    texts = [
        say("{name}: ", name=one.member.name) + notices.confirmed_text(context.session, say, one)
        for one in happened
        if isinstance(one, ev.Confirmed)
    ]
    return card(context, task, joined(texts))


@command(
    "dispute", TASK, Parameter("words", Kind.NOTE, optional=True), who=Who.ANY, does=N_("say that a report is wrong")
)
def dispute(context: Context, number: int, words: str = "") -> Reply:
    """Dispute a report; the first word may be whose."""
    task = _task(context, number)
    name, why = _name_first(context, task, words)
    row = reports.waiting(context.session, task, name, "dispute", but=context.member)
    context.emit(reports.dispute(context.session, task, row, context.member, why, context.now))
    project = context.session.get_one(Project, (task.pool_id, task.project_id))
    names = context.say.names([one.name for one in maintainers(context.session, project)])
    return card(context, task, context.say("#{number} is disputed. {names} decides.", number=number, names=names))


def _name_first(context: Context, task: Task, words: str) -> tuple[str, str]:
    first, _, rest = words.partition(" ")
    names = tasks.holder_names(context.session, tasks.claims_of(context.session, task))
    bare = first.strip("\"'“”:,")
    if bare and any(name.casefold().startswith(bare.casefold()) for name in names):
        return bare, rest.strip()
    return "", words


@command(
    "accept", TASK, Parameter("hours", Kind.HOURS, optional=True), who=Who.ANY, does=N_("decide a dispute: it counts")
)
def accept(context: Context, number: int, hours: int | None = None) -> Reply:
    """Accept a disputed report."""
    task = _task(context, number)
    happened = reports.accept(context.session, task, context.member, hours, context.now)
    context.emit(*happened)
    return _confirmed(context, task, happened)


@command("reject", TASK, Parameter("why", Kind.NOTE), who=Who.ANY, does=N_("decide a dispute: it does not count"))
def reject(context: Context, number: int, why: str) -> Reply:
    """Reject a disputed report."""
    task = _task(context, number)
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
    task = _task(context, number)
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
    task = _task(context, number)
    backed = reports.back(context.session, task, context.member, context.now)
    context.emit(backed)
    say = context.say
    if backed.missing:
        return card(context, task, say.count("Backed; {count} more.", "Backed; {count} more.", backed.missing))
    return card(
        context,
        task,
        say("{name} backs #{number}: it counts at the next round.", name=context.member.name, number=number),
    )


@command(
    "bid",
    TASK,
    Parameter("weight", Kind.WEIGHT, example="0.8"),
    who=Who.ANY,
    does=N_("would do it at this weight or more"),
)
def bid(context: Context, number: int, weight: int) -> Reply:
    """Bid on a task."""
    task, say = _task(context, number), context.say
    known = context.session.get(Bid, (task.pool_id, task.id, context.member.id))
    before = {} if known is None else {"weight": known.weight}
    context.emit(tasks.bid(context.session, task, context.member, weight, context.now))
    deed = undo.remember(context.session, context.member, "bid", task.id, before, context.now)
    when = say.when(context.pool.round_due_at) if context.pool.round_due_at else ""
    text = say(
        "{name}, you're in for {task} at {weight}. Decided {when}.",
        name=context.member.name,
        task=views.task_title(say, task),
        weight=say.weight(weight),
        when=when,
    )
    if weight > task.weight:
        text = text + say(
            " That's above {weight}, so it waits until the weight has risen.", weight=say.weight(task.weight)
        )
    lower = Choice(str(say("Lower")), f"bid {number} {show_weight(max(1, weight * 9 // 10))}", context.pool_id)
    return context.reply(text, lower, Choice(str(say("Undo")), f"undo {deed.id}", context.pool_id))


def _task(context: Context, number: int) -> Task:
    return tasks.find_task(context.session, context.pool_id, number)


def find_member(context: Context, name: str) -> Member:
    """Return the member of the pool that a word names."""
    return find(context.session, Member, name, [col(Member.pool_id) == context.pool_id, col(Member.left_at).is_(None)])
