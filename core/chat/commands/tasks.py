"""Tasks: what a project needs done, and who does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col

from core import events as ev
from core import goods, handing, recurring, tasks, undo
from core.chat import choices as chosen
from core.chat import views
from core.chat.cards import task_subject
from core.chat.command import Commands, Press, Who
from core.chat.commands.lists import Filter, open_tasks, read_filter
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, MissingError, Parameter
from core.chat.text import Text, joined
from core.errors import NotMaintainerError
from core.identity import member_by_handle
from core.members import is_maintainer, maintainers
from core.names import find
from core.settings import N_, ProjectSettings
from core.tables import Bid, Claim, Member, Product, Project, Task
from core.units import show_weight

if TYPE_CHECKING:
    from datetime import datetime

    from core.chat.context import Context
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


def card(context: Context, task: Task, heading: Text | None = None, *more: Choice) -> Reply:
    """Answer with a task's live card, under a heading that says what happened."""
    context.session.flush()
    text, choices = views.task_card(context.session, context.say, task)
    text = joined([heading, text]) if heading else text
    return context.reply(text, *choices, *more, subject=task_subject(task))


def nothing_to_change(example: str) -> MissingError:
    """Return the question for what is to be changed."""
    missing = "change"
    return MissingError(missing, Kind.REST, example)


def product_for(context: Context, project: Project, good: str) -> Product | None:
    """Return the project's version of the good that a task is for, if it is for any."""
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
    product = product_for(context, context.project, good)
    period = str(every) if every else ""
    draft = tasks.Draft(title, hours, slots, product, due, period, place, urgent)
    posted = tasks.post(context.session, context.project, context.member, draft, context.now)
    recurring.set_next(context.session, posted.task, context.now)
    context.emit(posted)
    return card(context, posted.task)


@command("task", TASK, who=Who.ANY, does=N_("one task, with its buttons"), press=Press.AGAIN)
def show(context: Context, number: int) -> Reply:
    """Show a task."""
    return card(context, find_task(context, number))


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
    if not (title or hours or slots or good or due or every or place or urgent):
        raise nothing_to_change("3h due:fri")
    task = find_task(context, number)
    session = context.session
    project = session.get_one(Project, (task.pool_id, task.project_id))
    product = product_for(context, project, good)
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
    if due or every:
        task.anchor_at = None
    recurring.set_next(session, task, context.now)
    return card(context, task, context.say("Changed."))


@command("task cancel", TASK, Parameter("sure", Kind.FLAG, optional=True), who=Who.ANY, does=N_("call a task off"))
def cancel(context: Context, number: int, *, sure: bool = False) -> Reply:
    """Cancel a task, after asking."""
    task, say = find_task(context, number), context.say
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
    task, say = find_task(context, number), context.say
    receiver = find_member(context, name)
    claim = handing.offer_slot(context.session, task, context.member, receiver)
    context.emit(ev.SlotOffered(task, claim, receiver, context.member))
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
    task = find_task(context, number)
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
    found, has_more = open_tasks(context.session, context.member, wanted, PAGE)
    say = context.say
    if not found:
        return context.in_place(_none_found(context, wanted))
    claims = tasks.claims_of_all(context.session, found)
    lines = [views.task_line(context.session, say, task, claims[task.id]) for task in found]
    choices = [choice for task in found for choice in _first_choice(context, task, claims[task.id], mine=wanted.mine)]
    if has_more:
        choices.append(Choice(str(say("More")), f"tasks {wanted.with_page(wanted.page + 1)}", context.pool_id))
    if wanted.page:
        choices.append(Choice(str(say("Back")), f"tasks {wanted.with_page(wanted.page - 1)}", context.pool_id))
    return context.in_place(joined(lines), choices)


def _none_found(context: Context, wanted: Filter) -> Text:
    """Say that no task is as asked for, and what to type instead."""
    say = context.say
    if wanted.mine:
        return say("You have no such task. Open ones: `/tasks`")
    if wanted.words or wanted.hours_max:
        return say("No open task is like that. All of them: `/tasks`")
    return say("No open tasks. To post one: `/task new TITLE 2h`")


def _first_choice(context: Context, task: Task, claims: list[Claim], *, mine: bool) -> list[Choice]:
    """Return what a list offers for a task: to take it, or to report one's own."""
    found = views.task_choices(context.session, context.say, task, claims, alone=False)
    done = [choice for choice in found if choice.command.startswith("done")]
    return (done if mine and done else list(found))[:1]


@command("claim", TASK, who=Who.ANY, does=N_("take an open task"))
def claim(context: Context, number: int) -> Reply:
    """Take a slot."""
    task = find_task(context, number)
    claimed = tasks.claim(context.session, task, context.member, context.now)
    context.emit(claimed)
    before = undo.claim_before(claimed)
    undo.remember(context.session, context.member, "claim", claimed.claim.id, before, context.now)
    say = context.say
    return card(context, task, say("#{number} is yours, {name}.", number=number, name=context.member.name))


@command("drop", TASK, who=Who.ANY, does=N_("give a task up"))
def drop(context: Context, number: int) -> Reply:
    """Give up a slot."""
    task = find_task(context, number)
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
    task = find_task(context, number)
    row = tasks.claim_of(context.session, task, context.member)
    before = undo.report_before(row)
    reported = tasks.report(context.session, task, row, context.member, hours, note, context.now)
    context.emit(reported)
    undo.remember(context.session, context.member, "done", reported.claim.id, before, context.now)
    return card(context, task)


@command(
    "bid",
    TASK,
    Parameter("weight", Kind.WEIGHT, example="0.8"),
    who=Who.ANY,
    does=N_("would do it at this weight or more"),
)
def bid(context: Context, number: int, weight: int) -> Reply:
    """Bid on a task."""
    task, say = find_task(context, number), context.say
    known = context.session.get(Bid, (task.pool_id, task.id, context.member.id))
    before = {} if known is None else {"weight": known.weight}
    context.emit(tasks.bid(context.session, task, context.member, weight, context.now))
    deed = undo.remember(context.session, context.member, "bid", task.id, before, context.now)
    text = say(
        "{name}, you're in for #{number} at {weight}. Decided {when}.",
        name=context.member.name,
        number=number,
        weight=say.weight(weight),
        when=views.next_round(say, context.pool),
    )
    if weight > task.weight:
        higher = say("That's above {weight}: it waits until the weight has risen.", weight=say.weight(task.weight))
        text = joined([text, higher], " ")
    lower = max(1, weight * 9 // 10)
    lower_too = [chosen.own(context, say("Lower"), f"bid {number} {show_weight(lower)}")] if lower < weight else []
    return context.reply(text, *lower_too, chosen.undo(say, deed))


def find_task(context: Context, number: int) -> Task:
    """Return the task of a number."""
    return tasks.find_task(context.session, context.pool_id, number)


def find_member(context: Context, name: str) -> Member:
    """Return the member of the pool that a word names: `@bo` by the handle of their account, else by their name."""
    known = member_by_handle(context.session, context.pool_id, name[1:]) if name.startswith("@") else None
    if known is not None:
        return known
    return find(context.session, Member, name, [col(Member.pool_id) == context.pool_id, col(Member.left_at).is_(None)])
