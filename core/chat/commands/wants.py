"""Wants: what people would like, and at most at which cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import Session, col, select

from core import goods, undo, wants
from core.chat import choices as chosen
from core.chat import views
from core.chat.choices import quoted
from core.chat.command import Commands, Who
from core.chat.commands.goods import GOOD, find_good
from core.chat.parameters import Kind, Parameter
from core.errors import NotEnoughFreeError
from core.names import find
from core.settings import N_, UnfitSettingError
from core.tables import Good, Product, Project, Task
from core.units import HOUR, WANT_UNITS_MAX

if TYPE_CHECKING:
    from core.chat.context import Context
    from core.chat.message import Choice, Reply

command = Commands("goods")
HINTS_MAX = 2
MEANT_MAX = 20  # a bid of more whole hours is no count that somebody forgot
EVERY_ROUND = frozenset({"round", "runde"})
COUNT = Parameter("count", Kind.COUNT, optional=True, most=WANT_UNITS_MAX)
MOST = Parameter("most", Kind.HOURS, "max", optional=True, example="1.5")
OPTIONS = (
    Parameter("maker", Kind.TEXT, "from", optional=True, example="Hill"),
    Parameter("every", Kind.TEXT, "every", optional=True, example="round"),
)


@command(
    "want",
    GOOD,
    COUNT,
    MOST,
    *OPTIONS,
    who=Who.ANY,
    does=N_("you'd like units of a good"),
)
def want(
    context: Context, name: str, count: int = 1, most: int | None = None, maker: str = "", every: str = ""
) -> Reply:
    """Place a want, or get a free good at once."""
    good = find_good(context, name)
    if good.free:
        link = wants.take_free(context.session, good, context.member, context.now)
        return context.reply(context.say("**{good}**: {link}", good=good.name, link=link))
    return _place(context, good, _draft(context, good, count, most, maker, every))


@command(
    "bid",
    GOOD,
    Parameter("most", Kind.HOURS, example="1.5"),
    COUNT,
    *OPTIONS,
    who=Who.ANY,
    does=N_("the same with a bid: at most so many hours a unit"),
)
def bid(context: Context, name: str, most: int, count: int = 1, maker: str = "", every: str = "") -> Reply:
    """Place a want with a bid; a small whole number may have been meant as a count."""
    good, say = find_good(context, name), context.say
    if good.free:
        return want(context, name)
    also: list[Choice] = []
    units = most // HOUR
    if count == 1 and most % HOUR == 0 and 1 < units <= MEANT_MAX:
        label = say("I meant {count}", count=views.amount(say, good, units))
        also.append(chosen.own(context, label, f"want {quoted(good.name)} {units}"))
    return _place(context, good, _draft(context, good, count, most, maker, every), *also)


def _draft(context: Context, good: Good, count: int, most: int | None, maker: str, every: str) -> wants.WantDraft:
    if every and every.casefold() not in EVERY_ROUND:
        key = "every"
        raise UnfitSettingError(key, every, "round")
    product: Product | None = None
    if maker:
        among = [col(Project.pool_id) == context.pool_id, col(Project.archived_at).is_(None)]
        product = goods.product_of(context.session, good, find(context.session, Project, maker, among))
    return wants.WantDraft(count, most, product, bool(every))


def _place(context: Context, good: Good, draft: wants.WantDraft, *also: Choice) -> Reply:
    standing = wants.standing_want(context.session, good, context.member)
    before = undo.want_before(standing)
    try:
        event = wants.want(context.session, good, context.member, standing, draft, context.now)
    except NotEnoughFreeError as refusal:
        refusal.hints = helpful_tasks(context.session, context.pool_id)
        raise
    context.emit(event)
    say = context.say
    text = say(
        "{name}, {want}. Decided {when}.",
        name=context.member.name,
        want=views.want_line(context.session, say, good, event.want),
        when=views.next_round(say, context.pool),
    )
    deed = undo.remember(context.session, context.member, "want", event.want.id, before, context.now)
    return context.reply(text, *also, chosen.undo(say, deed))


def helpful_tasks(session: Session, pool_id: int) -> tuple[int, ...]:
    """Return the numbers of open tasks that would help somebody who has too little free."""
    query = select(Task.number).where(
        Task.pool_id == pool_id, col(Task.closed_at).is_(None), col(Task.opened_at).is_not(None), views.has_free_slot()
    )
    return tuple(session.exec(query.order_by(col(Task.weight).desc(), col(Task.number)).limit(HINTS_MAX)))


@command("unwant", GOOD, who=Who.ANY, does=N_("take a want back"))
def unwant(context: Context, name: str) -> Reply:
    """Take a want back."""
    good = find_good(context, name)
    event, say = wants.unwant(context.session, good, context.member, context.now), context.say
    context.emit(event)
    deed = undo.remember(context.session, context.member, "unwant", event.want.id, {}, context.now)
    text = say("{name} wants no {good} any more.", name=context.member.name, good=good.name)
    return context.reply(text, chosen.undo(say, deed))
