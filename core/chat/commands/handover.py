"""Handing over: who gets what, who got it, and what goes back."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from core import goods
from core.chat import views
from core.chat.choices import quoted, typed
from core.chat.command import Commands, Press, Who
from core.chat.commands.goods import GOOD, find_good, good_card
from core.chat.commands.lists import PAGED, page_choices
from core.chat.commands.tasks import find_member
from core.chat.message import Choice
from core.chat.parameters import Kind, Parameter
from core.chat.text import joined
from core.settings import N_
from core.tables import Product, Project

if TYPE_CHECKING:
    from core.chat.context import Context
    from core.chat.message import Reply

command = Commands("goods")
PAGE = 5


@command("collected", GOOD, who=Who.ANY, does=N_("you got it"))
def collected(context: Context, name: str) -> Reply:
    """Record that the sender has got their units."""
    good, say = find_good(context, name), context.say
    count = goods.collected(context.session, context.member, good, context.now)
    return context.reply(say("{name} has {count}.", name=context.member.name, count=views.named(say, good, count)))


@command("missing", GOOD, who=Who.ANY, does=N_("you did not get it"))
def missing(context: Context, name: str) -> Reply:
    """Record that the sender did not get their units; the makers confirm it."""
    good, say = find_good(context, name), context.say
    context.emit(*goods.missing(context.session, context.member, good, context.now))
    name = typed(context.member.name)
    return context.reply(
        say("Noted. The makers have to confirm it: `/return {good} {name}`", good=good.name, name=name)
    )


@command("handover", *PAGED, who=Who.ANY, does=N_("who gets what, with buttons"), press=Press.AGAIN)
def handover(context: Context, page: int = 1) -> Reply:
    """Show who has yet to collect what from the project; elsewhere, what the sender has to collect."""
    if not context.has_project:
        return _own_handover(context)
    say, pool_id, project_id = context.say, context.pool_id, context.project.id
    rows = goods.handover(context.session, context.project, (page - 1) * PAGE, PAGE + 1)
    lines, choices = [], []
    for member, good, count in rows[:PAGE]:
        lines.append(say("{name}: {count}", name=member.name, count=views.named(say, good, count)))
        label = say("{name} got {good}", name=member.name, good=good.name)
        handed_to = f"handed {quoted(good.name)} {quoted(member.name)}"
        choices.append(Choice(str(label), handed_to, pool_id, project_id))
    choices += page_choices(context, "handover", page, has_more=len(rows) > PAGE)
    return context.in_place(joined(lines) or say("Nothing waits to be collected here."), choices)


def _own_handover(context: Context) -> Reply:
    say, session = context.say, context.session
    lines, choices = [], []
    counts = Counter(unit.product_id for unit in goods.to_collect(session, context.member))
    names: dict[str, None] = {}
    for product_id, count in sorted(counts.items()):
        product = session.get_one(Product, (context.pool_id, product_id))
        good, project = views.good_of(session, product), session.get_one(Project, (context.pool_id, product.project_id))
        lines.append(joined([views.named(say, good, count), project.name, product.pickup], " · "))
        names[good.name] = None
    for name in names:
        choices.append(Choice(str(say("Got {good}", good=name)), f"collected {quoted(name)}", context.pool_id))
        label = say("Did not get {good}", good=name)
        choices.append(Choice(str(label), f"missing {quoted(name)}", context.pool_id))
    return context.private(joined(lines) or say("There's nothing for you to collect."), *choices)


@command("handed", GOOD, Parameter("person", Kind.NAME), who=Who.PROJECT, does=N_("somebody got it"), hidden=True)
def handed(context: Context, name: str, person: str) -> Reply:
    """Record for a member that they have got their units, and show who is left."""
    good = find_good(context, name)
    product = goods.product_of(context.session, good, context.project)
    goods.collected(context.session, find_member(context, person), good, context.now, product=product)
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
    good, say = find_good(context, name), context.say
    product = goods.product_of(context.session, good, context.project)
    returned = goods.give_back(context.session, product, find_member(context, person), context.now)
    context.emit(returned)
    count = views.named(say, good, returned.units)
    heading = say("{count} went back to the pool, from {name}.", count=count, name=returned.member.name)
    return good_card(context, good, heading)
