"""Goods: what the projects make, what people want, and who gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import inflect
from sqlmodel import Session, col, func, select

from core import batches, demand, goods, pledges, undo, wants
from core.chat import report, views
from core.chat.cards import good_subject
from core.chat.command import Commands, Press, Who
from core.chat.commands.lists import PAGE as PAGES
from core.chat.commands.lists import read_page
from core.chat.commands.tasks import card, find_member
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, Parameter
from core.chat.text import Text, joined
from core.errors import NotEnoughFreeError
from core.members import is_maintainer, projects_of
from core.names import find
from core.rounds.hold import preview
from core.settings import N_, UnfitSettingError
from core.sharing import Rule
from core.tables import Good, Product, Project, Task
from core.units import HOUR

if TYPE_CHECKING:
    from datetime import datetime

    from core.chat.context import Context

command = Commands("goods")
PAGE = 5
HINTS_MAX = 2
MEANT_MAX = 20  # a bid of more whole hours is no count that somebody forgot
GOOD = Parameter("name", Kind.NAME, example="bread")


def good_card(context: Context, good: Good, heading: Text | None = None) -> Reply:
    """Answer with a good's live card, under a heading that says what happened."""
    context.session.flush()
    text = views.good_details(context.session, context.say, good)
    text = joined([heading, text]) if heading else text
    answers = "" if good.free else f'bid "{good.name}"'
    return context.reply(text, *views.good_choices(context.say, good), answers=answers, subject=good_subject(good))


def _good(context: Context, name: str) -> Good:
    return goods.find_good(context.session, context.pool_id, name)


def _units(unit: str) -> tuple[str, str]:
    """Return a unit's singular and plural; `loaf/loaves` gives both."""
    one, _, many = unit.partition("/")
    if one and not many:
        many = inflect.engine().plural_noun(one) or one
    return one.strip(), many.strip()


def _rule(rule: str) -> str:
    try:
        return Rule(rule.casefold()).value if rule else ""
    except ValueError:
        key = "rule"
        raise UnfitSettingError(key, rule, Rule.EFFORT.value) from None


@command(
    "good new",
    GOOD,
    Parameter("unit", Kind.TEXT, "unit", optional=True, example="loaf"),
    Parameter("free", Kind.TEXT, "free", optional=True, example="URL"),
    Parameter("rule", Kind.TEXT, "rule", optional=True, example="effort"),
    Parameter("pickup", Kind.TEXT, "pickup", optional=True, example='"Fri 17–19, Mill St"'),
    who=Who.MAINTAINER,
    does=N_("your project makes this good"),
)
def new(context: Context, name: str, unit: str = "", free: str = "", rule: str = "", pickup: str = "") -> Reply:
    """Add a product of the project."""
    one, many = _units(unit)
    draft = goods.GoodDraft(name, one, many, free, _rule(rule), pickup)
    created = goods.new_good(context.session, context.project, draft, context.now)
    context.emit(created)
    say = context.say
    heading = say("{project} makes **{good}** now.", project=context.project.name, good=created.good.name)
    return good_card(context, created.good, heading)


@command(
    "good set",
    GOOD,
    Parameter("unit", Kind.TEXT, "unit", optional=True, example="loaf"),
    Parameter("free", Kind.TEXT, "free", optional=True, example="URL"),
    Parameter("rule", Kind.TEXT, "rule", optional=True, example="effort"),
    Parameter("pickup", Kind.TEXT, "pickup", optional=True, example='"Fri 17–19, Mill St"'),
    who=Who.MAINTAINER,
    does=N_("change what is said about a good"),
)
def change(context: Context, name: str, unit: str = "", free: str = "", rule: str = "", pickup: str = "") -> Reply:
    """Change a good that the project makes."""
    good = _good(context, name)
    product = goods.product_of(context.session, good, context.project)
    if unit:
        good.unit, good.units = _units(unit)
    good.free = free if free and good.free else good.free
    good.rule = _rule(rule) or good.rule
    product.pickup = pickup or product.pickup
    return good_card(context, good, context.say("Changed."))


@command("good", GOOD, who=Who.ANY, does=N_("one good, with its makers"), press=Press.AGAIN)
def show(context: Context, name: str) -> Reply:
    """Show a good."""
    return good_card(context, _good(context, name))


@command(
    "goods",
    Parameter("words", Kind.NOTE, optional=True),
    who=Who.ANY,
    does=N_("what there is: /goods [bread]"),
    press=Press.AGAIN,
)
def overview(context: Context, words: str = "") -> Reply:
    """List the goods, or show the one named."""
    is_page = PAGES.fullmatch(words) is not None
    if words and not is_page:
        return good_card(context, _good(context, words))
    page = read_page(words) if is_page else 0
    where = Good.pool_id == context.pool_id
    total = context.session.exec(select(func.count()).select_from(Good).where(where)).one()
    query = select(Good).where(where).order_by(col(Good.name_key)).offset(page * PAGE).limit(PAGE)
    found, say = context.session.exec(query).all(), context.say
    if not found:
        return context.in_place(say("No goods yet. Your project makes one? `/good new bread unit:loaf`"))
    choices = [choice for good in found for choice in views.good_choices(say, good)]
    if total > (page + 1) * PAGE:
        choices.append(Choice(str(say("More")), f"goods page:{page + 2}", context.pool_id))
    if page:
        choices.append(Choice(str(say("Back")), f"goods page:{page}", context.pool_id))
    return context.in_place(joined(views.good_line(context.session, say, good) for good in found), choices)


@command(
    "made",
    GOOD,
    Parameter("units", Kind.COUNT, example="10"),
    Parameter("hours", Kind.HOURS, optional=True, example="2.5h"),
    Parameter("until", Kind.MOMENT, "until", optional=True),
    who=Who.PROJECT,
    does=N_("your project made units of a good"),
)
def made(context: Context, name: str, units: int, hours: int | None = None, until: datetime | None = None) -> Reply:
    """Turn what has gathered into a batch, with the sender's own work if they say so."""
    good, say = _good(context, name), context.say
    before = undo.made_before(context.session, goods.product_of(context.session, good, context.project))
    result = goods.made(context.session, good, context.project, context.member, units, hours, until, context.now)
    context.emit(*result.events)
    undo.remember(context.session, context.member, "made", result.batch.id, before, context.now)
    count, batch = views.amount(say, good, units), result.batch
    if result.report is not None:
        task = result.report.task
        heading = say(
            "{count} of {good}, offered once #{number} is confirmed.", count=count, good=good.name, number=task.number
        )
        return card(context, task, heading)
    average = say.hours(views.batch_average(batch))
    if batch.needs == "project":
        text = say(
            "{count} at {effort} each: far more than last time, so another project has to confirm it.",
            count=count,
            effort=average,
        )
        return good_card(context, good, text)
    return good_card(context, good, say("{count} made, {effort} each.", count=count, effort=average))


@command("confirm", GOOD, who=Who.ANY, does=N_("confirm a large batch of another project"))
def confirm(context: Context, name: str) -> Reply:
    """Confirm a large batch for another project."""
    good = _good(context, name)
    batch = batches.waiting_for_project(context.session, good, context.member)
    context.emit(*batches.confirm_batch(context.session, batch, context.member, context.now))
    say = context.say
    return good_card(context, good, say("Confirmed: {count} on offer.", count=views.amount(say, good, batch.left)))


WANT_OPTIONS = (
    Parameter("most", Kind.HOURS, "max", optional=True, example="1.5"),
    Parameter("maker", Kind.TEXT, "from", optional=True, example="Hill"),
    Parameter("every", Kind.TEXT, "every", optional=True, example="round"),
)


@command(
    "want",
    GOOD,
    Parameter("count", Kind.COUNT, optional=True),
    *WANT_OPTIONS,
    who=Who.ANY,
    does=N_("you'd like units of a good"),
)
def want(
    context: Context, name: str, count: int = 1, most: int | None = None, maker: str = "", every: str = ""
) -> Reply:
    """Place a want, or get a free good at once."""
    good = _good(context, name)
    if good.free:
        link = wants.take_free(context.session, good, context.member, context.now)
        return context.reply(context.say("**{good}**: {link}", good=good.name, link=link))
    if every and every.casefold() not in {"round", "runde"}:
        key = "every"
        raise UnfitSettingError(key, every, "round")
    draft = wants.WantDraft(count, most, _product(context, good, maker), bool(every))
    return _place(context, good, draft)


def _product(context: Context, good: Good, maker: str) -> Product | None:
    if not maker:
        return None
    project = find(context.session, Project, maker, [col(Project.pool_id) == context.pool_id])
    return goods.product_of(context.session, good, project)


def _place(context: Context, good: Good, draft: wants.WantDraft, also: Choice | None = None) -> Reply:
    before = undo.want_before(wants.standing_want(context.session, good, context.member))
    try:
        event = wants.want(context.session, good, context.member, draft, context.now)
    except NotEnoughFreeError as refusal:
        refusal.hints = helpful_tasks(context.session, context.pool_id)
        raise
    context.emit(event)
    context.session.flush()
    say = context.say
    when = say.when(context.pool.round_due_at) if context.pool.round_due_at else ""
    line = views.want_line(context.session, say, good, event.want)
    text = say("{name}, {want}. Decided {when}.", name=context.member.name, want=line, when=when)
    deed = undo.remember(context.session, context.member, "want", event.want.id, before, context.now)
    back = Choice(str(say("Undo")), f"undo {deed.id}", context.pool_id)
    return context.reply(text, *([also] if also else []), back)


def helpful_tasks(session: Session, pool_id: int) -> tuple[int, ...]:
    """Return the numbers of open tasks that would help somebody who has too little free."""
    query = select(Task.number).where(
        Task.pool_id == pool_id, col(Task.closed_at).is_(None), col(Task.opened_at).is_not(None)
    )
    return tuple(session.exec(query.order_by(col(Task.weight).desc(), col(Task.number)).limit(HINTS_MAX)))


@command(
    "bid",
    GOOD,
    Parameter("most", Kind.HOURS, example="1.5"),
    Parameter("count", Kind.COUNT, optional=True),
    *WANT_OPTIONS[1:],
    who=Who.ANY,
    does=N_("the same with a bid: at most so many hours a unit"),
)
def bid(context: Context, name: str, most: int, count: int = 1, maker: str = "", every: str = "") -> Reply:
    """Place a want with a bid; a small whole number may have been meant as a count."""
    good = _good(context, name)
    if good.free:
        return want(context, name)
    draft = wants.WantDraft(count, most, _product(context, good, maker), bool(every))
    also = None
    if count == 1 and most % HOUR == 0 and 1 < most // HOUR <= MEANT_MAX:
        label = context.say("I meant {count}", count=views.amount(context.say, good, most // HOUR))
        also = Choice(str(label), f'want "{good.name}" {most // HOUR}', context.pool_id)
    return _place(context, good, draft, also)


@command("unwant", GOOD, who=Who.ANY, does=N_("take a want back"))
def unwant(context: Context, name: str) -> Reply:
    """Take a want back."""
    good = _good(context, name)
    context.emit(wants.unwant(context.session, good, context.member, context.now))
    return context.reply(context.say("{name} wants no {good} any more.", name=context.member.name, good=good.name))


@command(
    "pledge",
    GOOD,
    Parameter("units", Kind.COUNT, example="10"),
    Parameter("by", Kind.MOMENT, "by", optional=True),
    who=Who.MAINTAINER,
    press=Press.ONCE,
    does=N_("your project will make units"),
)
def pledge(context: Context, name: str, units: int, by: datetime | None = None) -> Reply:
    """Promise units of a product."""
    good, say = _good(context, name), context.say
    product = goods.product_of(context.session, good, context.project)
    pledged = pledges.pledge(context.session, good, product, context.member, units, by, context.now)
    context.emit(pledged)
    text = say(
        "{project} pledges {count} ({good}) by {when}. Made them? `/made {good} {units} 2h`",
        project=context.project.name,
        count=views.amount(say, good, units),
        good=good.name,
        when=say.when(pledged.pledge.by_at),
        units=units,
    )
    deed = undo.remember(context.session, context.member, "pledge", pledged.pledge.id, {}, context.now)
    return context.reply(text, Choice(str(say("Undo")), f"undo {deed.id}", context.pool_id))


@command("collected", GOOD, who=Who.ANY, does=N_("you got it"))
def collected(context: Context, name: str) -> Reply:
    """Record that the sender has got their units."""
    good, say = _good(context, name), context.say
    count = goods.collected(context.session, context.member, good, context.now)
    return context.reply(say("{name} has {count}.", name=context.member.name, count=views.amount(say, good, count)))


@command("missing", GOOD, who=Who.ANY, does=N_("you did not get it"))
def missing(context: Context, name: str) -> Reply:
    """Record that the sender did not get their units; the makers confirm it."""
    good, say = _good(context, name), context.say
    context.emit(*goods.missing(context.session, context.member, good, context.now))
    return context.reply(
        say("Noted. The makers have to confirm it: `/return {good} {name}`", good=good.name, name=context.member.name)
    )


@command("handover", who=Who.ANY, does=N_("who gets what, with buttons"), press=Press.AGAIN)
def handover(context: Context) -> Reply:
    """Show who has yet to collect what from the project; elsewhere, what the sender has to collect."""
    say, session = context.say, context.session
    if not context.has_project:
        return _own_handover(context)
    rows = goods.handover(session, context.project)
    lines = [
        say("{name}: {count}", name=member.name, count=_named(context, good, count)) for member, good, count in rows
    ]
    choices = [
        Choice(
            str(say("{name} got {good}", name=member.name, good=good.name)),
            f'handed "{good.name}" "{member.name}"',
            context.pool_id,
            context.project.id,
        )
        for member, good, _count in rows[:PAGE]
    ]
    return context.in_place(joined(lines) or say("Nothing waits to be collected here."), choices)


def _own_handover(context: Context) -> Reply:
    say, session = context.say, context.session
    lines, choices = [], []
    counts: dict[int, int] = {}
    for unit in goods.to_collect(session, context.member):
        counts[unit.product_id] = counts.get(unit.product_id, 0) + 1
    for product_id, count in counts.items():
        product = session.get_one(Product, (context.pool_id, product_id))
        good, project = views.good_of(session, product), session.get_one(Project, (context.pool_id, product.project_id))
        lines.append(joined([_named(context, good, count), project.name, product.pickup], " · "))
        choices.append(Choice(str(say("Got {good}", good=good.name)), f'collected "{good.name}"', context.pool_id))
        choices.append(
            Choice(str(say("Did not get {good}", good=good.name)), f'missing "{good.name}"', context.pool_id)
        )
    return context.in_place(joined(lines) or say("There's nothing for you to collect."), choices)


def _named(context: Context, good: Good, count: int) -> Text:
    return Text.of(f"{views.amount(context.say, good, count)}" + (f" ({good.name})" if good.unit else ""))


@command("handed", GOOD, Parameter("person", Kind.NAME), who=Who.PROJECT, does=N_("somebody got it"), hidden=True)
def handed(context: Context, name: str, person: str) -> Reply:
    """Record for a member that they have got their units, and show who is left."""
    good = _good(context, name)
    goods.product_of(context.session, good, context.project)
    goods.collected(context.session, find_member(context, person), good, context.now)
    context.session.flush()
    return handover(context)


@command(
    "return",
    GOOD,
    Parameter("person", Kind.NAME, example="BO"),
    who=Who.MAINTAINER,
    does=N_("not got or not collected: offer it again"),
)
def give_back(context: Context, name: str, person: str) -> Reply:
    """Reverse what a member did not get or collect."""
    good, say = _good(context, name), context.say
    product = goods.product_of(context.session, good, context.project)
    returned = goods.give_back(context.session, product, find_member(context, person), context.now)
    context.emit(returned)
    count = views.amount(say, good, returned.units)
    heading = say(
        "{count} went back; {name} has {hours} again.",
        count=count,
        name=returned.member.name,
        hours=say.hours(returned.cost),
    )
    return good_card(context, good, heading)


@command("shortfalls", who=Who.ANY, does=N_("what is missing and who could make it"), press=Press.AGAIN)
def shortfalls(context: Context) -> Reply:
    """List what is short, with who could make how much, and buttons to pledge it for one's own project."""
    session, say = context.session, context.say
    session.flush()
    outcome = preview(session, context.pool, context.now).outcome
    own = {one.id for one in projects_of(session, context.member) if is_maintainer(session, one, context.member)}
    lines, choices = [], []
    for result in outcome.goods:
        if result.shortfall:
            good = session.get_one(Good, (context.pool_id, result.good_id))
            parts = demand.split(session, good, result.shortfall)
            who = [report.part_line(session, say, one) for one in parts]
            short = say("**{good}**: {count} short", good=good.name, count=result.shortfall)
            lines.append(joined([short, *(who or [say("nobody makes it")])], ", "))
            choices += [
                report.pledge_choice(say, good, one) for one in parts if one.units and one.product.project_id in own
            ]
    return context.reply(joined(lines) or say("Nothing is short."), *choices)
