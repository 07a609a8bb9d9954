"""Goods: what the projects make, what people want, and who gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import col, select

from core import batches, demand, goods, pledges, stock, undo
from core.chat import choices as chosen
from core.chat import report, views
from core.chat.cards import good_subject
from core.chat.command import Commands, Press, Who
from core.chat.commands.lists import PAGE as PAGES
from core.chat.commands.lists import PAGED, page_choices, read_page
from core.chat.commands.tasks import card, nothing_to_change
from core.chat.message import Choice
from core.chat.parameters import Kind, Parameter
from core.chat.plurals import plural
from core.chat.text import joined
from core.events import GoodEvent
from core.members import is_maintainer, projects_of
from core.settings import N_, UnfitSettingError
from core.sharing import Rule
from core.tables import Good

if TYPE_CHECKING:
    from datetime import datetime

    from core.chat.context import Context
    from core.chat.message import Reply
    from core.chat.text import Text
    from core.stock import Offer

command = Commands("goods")
PAGE = 5
GOOD = Parameter("name", Kind.NAME, example="bread")
GOODS = (  # built once
    select(Good)
    .where(Good.pool_id == bindparam("pool_id"))
    .order_by(col(Good.name_key))
    .offset(bindparam("begin"))
    .limit(PAGE + 1)
)
POOL_RULE = "pool"  # gives up a rule of the good's own
DETAILS = (
    Parameter("unit", Kind.TEXT, "unit", optional=True, example="loaf"),
    Parameter("free", Kind.TEXT, "free", optional=True, example="URL"),
    Parameter("rule", Kind.TEXT, "rule", optional=True, example="effort"),
    Parameter("pickup", Kind.TEXT, "pickup", optional=True, example='"Fri 17–19, Mill St"'),
)


def good_card(context: Context, good: Good, heading: Text | None = None, *more: Choice) -> Reply:
    """Answer with a good's live card, under a heading that says what happened."""
    context.session.flush()
    text = views.good_details(context.session, context.say, good)
    text = joined([heading, text]) if heading else text
    choices = views.good_choices(context.say, good)
    return context.reply(text, *choices, *more, answers=views.good_answers(good), subject=good_subject(good))


def find_good(context: Context, name: str) -> Good:
    """Return the good that a word names."""
    return goods.find_good(context.session, context.pool_id, name)


def _units(context: Context, unit: str) -> tuple[str, str]:
    """Return a unit's singular and plural; `loaf/loaves` gives both."""
    one, _, many = (part.strip() for part in unit.partition("/"))
    if one and not many:
        many = plural(one, context.say.language)
    return one, many


def _rule(rule: str) -> str:
    try:
        return Rule(rule.casefold()).value if rule else ""
    except ValueError:
        key = "rule"
        raise UnfitSettingError(key, rule, Rule.EFFORT.value) from None


@command(
    "good new",
    GOOD,
    *DETAILS,
    who=Who.MAINTAINER,
    does=N_("your project makes this good"),
)
def new(context: Context, name: str, unit: str = "", free: str = "", rule: str = "", pickup: str = "") -> Reply:
    """Add a product of the project."""
    one, many = _units(context, unit)
    draft = goods.GoodDraft(name, one, many, free, _rule(rule), pickup)
    created = goods.new_good(context.session, context.project, draft, context.now)
    context.emit(created)
    say = context.say
    heading = say("{project} makes **{good}** now.", project=context.project.name, good=created.good.name)
    return good_card(context, created.good, heading)


@command(
    "good set",
    GOOD,
    *DETAILS,
    who=Who.MAINTAINER,
    does=N_("change what is said about a good"),
)
def change(context: Context, name: str, unit: str = "", free: str = "", rule: str = "", pickup: str = "") -> Reply:
    """Change a good that the project makes."""
    if not (unit or free or rule or pickup):
        raise nothing_to_change("unit:loaf")
    good = find_good(context, name)
    product = goods.product_of(context.session, good, context.project)
    if unit:
        good.unit, good.units = _units(context, unit)
    good.free = free if free and good.free else good.free
    if rule:
        good.rule = "" if rule.casefold() == POOL_RULE else _rule(rule)
    product.pickup = pickup or product.pickup
    context.emit(GoodEvent(good))
    return good_card(context, good, context.say("Changed."))


@command("good", GOOD, who=Who.ANY, does=N_("one good, with its makers"), press=Press.AGAIN)
def show(context: Context, name: str) -> Reply:
    """Show a good."""
    return good_card(context, find_good(context, name))


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
        return good_card(context, find_good(context, words))
    page = read_page(words) if is_page else 0
    session, say = context.session, context.say
    rows = session.exec(GOODS, params={"pool_id": context.pool_id, "begin": page * PAGE}).all()
    found = rows[:PAGE]
    if not found:
        return context.in_place(say("No goods yet. Your project makes one? `/good new bread unit:loaf`"))
    choices = [choice for good in found for choice in views.good_choices(say, good)]
    if len(rows) > PAGE:
        choices.append(Choice(str(say("More")), f"goods page:{page + 2}", context.pool_id))
    if page:
        choices.append(Choice(str(say("Back")), f"goods page:{page}", context.pool_id))
    offers, wanted = stock.offers_of_all(session, found), views.wanted_units(session, found)
    lines = [
        joined([views.good_line(say, good, offers[good.id], wanted[good.id]), *_makers(offers[good.id])], " · ")
        for good in found
    ]
    return context.in_place(joined(lines), choices)


def _makers(offers: list[Offer]) -> list[str]:
    return [offer.project.name for offer in offers if offer.project.archived_at is None]


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
    good, say = find_good(context, name), context.say
    before = undo.made_before(context.session, goods.product_of(context.session, good, context.project))
    result = goods.made(context.session, good, context.project, context.member, units, hours, until, context.now)
    context.emit(*result.events)
    deed = undo.remember(context.session, context.member, "made", result.batch.id, before, context.now)
    count, batch, back = views.named(say, good, units), result.batch, chosen.undo(say, deed)
    if result.report is not None:
        task = result.report.task
        heading = say("{count}, offered once #{number} is confirmed.", count=count, number=task.number)
        return card(context, task, heading, back)
    average = say.hours(views.batch_average(batch))
    if batch.needs == "project":
        text = say("{count} made, {effort} each: far more than last time.", count=count, effort=average)
        return good_card(context, good, joined([text, say("So another project has to confirm it.")], " "), back)
    return good_card(context, good, say("{count} made, {effort} each.", count=count, effort=average), back)


@command("confirm", GOOD, who=Who.ANY, does=N_("confirm a large batch of another project"))
def confirm(context: Context, name: str) -> Reply:
    """Confirm a large batch for another project."""
    good = find_good(context, name)
    batch = batches.waiting_for_project(context.session, good, context.member)
    context.emit(*batches.confirm_batch(context.session, batch, context.member, context.now))
    say = context.say
    return good_card(context, good, say("Confirmed: {count} on offer.", count=views.amount(say, good, batch.left)))


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
    good, say = find_good(context, name), context.say
    product = goods.product_of(context.session, good, context.project)
    pledged = pledges.pledge(context.session, good, product, context.member, units, by, context.now)
    context.emit(pledged)
    text = say(
        "{project} pledges {count} by {when}. Made them? `/made {good} {units} 2h`",
        project=context.project.name,
        count=views.named(say, good, units),
        good=good.name,
        when=say.end(pledged.pledge.by_at),
        units=units,
    )
    deed = undo.remember(context.session, context.member, "pledge", pledged.pledge.id, {}, context.now)
    return context.reply(text, chosen.undo(say, deed))


@command("shortfalls", *PAGED, who=Who.ANY, does=N_("what is missing and who could make it"), press=Press.AGAIN)
def shortfalls(context: Context, page: int = 1) -> Reply:
    """List what is short, with who could make how much, and buttons to pledge it for one's own project."""
    session, say, begin = context.session, context.say, (page - 1) * PAGE
    session.flush()
    found = demand.shortfalls(session, context.pool, context.now)
    own = {one.id for one in projects_of(session, context.member) if is_maintainer(session, one, context.member)}
    lines, choices = [], []
    for good_id, missing in found[begin : begin + PAGE]:
        good = session.get_one(Good, (context.pool_id, good_id))
        parts = demand.split(session, good, missing)
        who = [report.part_line(session, say, one) for one in parts]
        short = say("**{good}**: {count} short", good=good.name, count=missing)
        lines.append(joined([short, *(who or [say("nobody makes it")])], ", "))
        choices += [
            report.pledge_choice(say, good, one) for one in parts if one.units and one.product.project_id in own
        ]
    choices += page_choices(context, "shortfalls", page, has_more=len(found) > begin + PAGE)
    return context.in_place(joined(lines) or say("Nothing is short."), choices)
