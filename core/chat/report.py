"""The report of a round: one message per channel, its own tasks and goods first; in private what concerns oneself."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import demand
from core.chat import own_report, views
from core.chat.choices import quoted
from core.chat.message import Choice, Message
from core.chat.text import Text, joined
from core.identity import channels_of
from core.members import maintainers
from core.projects import projects
from core.rounds.inputs import Outcome
from core.tables import Good, Pledge, Pool, Product, Round, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlmodel import Session

    from core.chat.desk import Desk
    from core.chat.say import Say
    from core.rounds.hold import RoundHeld
    from core.rounds.inputs import GoodResult, Inputs, ProductResult, TaskResult

LINES_MAX = 12
DOUBLE_WEIGHT = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report, whose it is, and the choices it offers them."""

    text: Text
    project_ids: frozenset[int] = frozenset()
    choices: tuple[Choice, ...] = ()


def send(desk: Desk, event: RoundHeld) -> None:
    """Write the report to every channel, and to every member in private what changed for them."""
    for chat in channels_of(desk.session, event.pool.id):
        project_id = chat.project_id or 0

        def write(say: Say, project_id: int = project_id) -> Message | None:
            return message(desk.session, say, event, project_id)

        desk.to_channel(chat, write)
    hint(desk, event)
    tell_waiting(desk, event)
    own_report.send(desk, event)


def message(session: Session, say: Say, event: RoundHeld, project_id: int) -> Message | None:
    """Return the report for a project's channel: at most twelve lines, the rest behind a button."""
    lines = all_lines(session, say, event.pool, event.inputs, event.outcome)
    own = [line for line in lines if project_id in line.project_ids]
    own += _kept(session, say, event, project_id)
    others = [line for line in lines if project_id not in line.project_ids]
    shown = [*own, *others][: LINES_MAX - 2]
    tail = shared(say, event.outcome)
    if not shown and not tail:
        return None
    head = say("**Round {number}** · {when}", number=event.round.number, when=say.when(event.round.due_at or say.now))
    choices = [
        choice for line in own if line in shown for choice in line.choices if choice.project_id in {0, project_id}
    ]
    if len(shown) < len(own) + len(others):
        more = say("All results")
        choices.append(Choice(str(more), f"rounds {event.round.number}", event.pool.id))
    link = (str(say("See mine")), "run-me") if own_report.concerns_unreachable(session, event, project_id) else None
    return Message(joined([head, *(line.text for line in shown), tail]), tuple(choices), link=link)


def pledge_writer(good: Good, pledge: Pledge) -> Callable[[Say], Text]:
    """Return how it is said how well a pledge was kept."""
    return lambda say: say(
        "{good}: {units} pledged, {made} made.", good=good.name, units=pledge.units, made=pledge.made
    )


def _kept(session: Session, say: Say, event: RoundHeld, project_id: int) -> list[Line]:
    """Return how well the pledges of a project that ended with this round were kept."""
    query = (
        select(Pledge, Good)
        .join(Product, (col(Product.pool_id) == Pledge.pool_id) & (col(Product.id) == Pledge.product_id))
        .join(Good, (col(Good.pool_id) == Product.pool_id) & (col(Good.id) == Product.good_id))
        .where(Pledge.pool_id == event.pool.id, Product.project_id == project_id)
        .where(col(Pledge.by_at) == event.round.due_at, col(Pledge.ended_at) >= event.round.due_at)
    )
    found = session.exec(query.order_by(col(Pledge.id)))
    return [Line(pledge_writer(good, pledge)(say), frozenset({project_id})) for pledge, good in found]


def all_lines(session: Session, say: Say, pool: Pool, inputs: Inputs, outcome: Outcome) -> list[Line]:
    """Return the lines of a round, tasks first."""
    free = {row.id: row.free for row in inputs.tasks}
    lines = [_task_line(session, say, pool, result, free[result.task_id]) for result in outcome.tasks]
    products: dict[int, list[ProductResult]] = defaultdict(list)
    of_good = {row.id: row.good_id for row in inputs.products}
    for product in outcome.products:
        products[of_good[product.product_id]].append(product)
    lines += [
        _good_line(session, say, pool, good, products[good.good_id])
        for good in outcome.goods
        if good.wanted or good.made or good.given or good.left or good.pledged
    ]
    return lines


def _task_line(session: Session, say: Say, pool: Pool, result: TaskResult, free: int) -> Line:
    """Show who does a task, and what of it is still open at which weight."""
    task = session.get_one(Task, (pool.id, result.task_id))
    title, parts = views.task_title(say, task), []
    if result.winners:
        names = say.names([views.name_of(session, pool.id, winner) for winner in result.winners])
        parts.append(say("{names} at {weight}", names=names, weight=say.weight(result.cleared)))
    is_open = free > len(result.winners)
    if is_open:
        parts.append(say("open at {weight}", weight=say.weight(result.weight)))
    if is_open and result.old_weight < DOUBLE_WEIGHT <= result.weight:
        parts.append(say("an hour counts double by now"))
    claim = Choice(str(say("Claim #{number}", number=task.number)), f"claim {task.number}", pool.id)
    text = say("{task}: {state}", task=title, state=joined(parts, ", "))
    return Line(text, frozenset({task.project_id}), (claim,) if is_open else ())


def _good_line(session: Session, say: Say, pool: Pool, result: GoodResult, products: list[ProductResult]) -> Line:
    good = session.get_one(Good, (pool.id, result.good_id))
    makers = {product.product_id: session.get_one(Product, (pool.id, product.product_id)) for product in products}
    offered = [product for product in products if product.offered]
    parts = [say("{given} of {wanted} given", given=result.given, wanted=result.wanted)]
    if len(offered) == 1:
        parts.append(say("cost {cost}", cost=say.hours(offered[0].cost)))
    parts += [
        say(
            "{project} {cost}", project=views.project_of(session, makers[one.product_id]).name, cost=say.hours(one.cost)
        )
        for one in offered
        if len(offered) > 1
    ]
    project_ids = frozenset(maker.project_id for maker in makers.values())
    pledges: tuple[Choice, ...] = ()
    if result.shortfall:
        parts.append(say("{count} short", count=result.shortfall))
        wanted = demand.split(session, good, result.shortfall)
        parts += [part_line(session, say, one) for one in wanted if len(wanted) > 1]
        pledges = tuple(pledge_choice(say, good, one) for one in wanted if one.units)
    elif result.left:
        parts.append(say("{count} left over", count=result.left))
        if result.average > 0:
            parts.append(say("{hours} not recognised", hours=say.hours(result.left * result.average)))
    if demand.is_made_by_nobody(session, good, result):
        project_ids = frozenset(one.id for one in projects(session, pool.id))
        parts.append(say("nobody makes it. You could? `/good new {good}`", good=good.name))
    return Line(say("**{good}**: {figures}", good=good.name, figures=joined(parts, ", ")), project_ids, pledges)


def part_line(session: Session, say: Say, part: demand.Part) -> Text:
    """Show what one project could make."""
    return say("{project} {count}?", project=views.project_of(session, part.product).name, count=part.units)


def pledge_choice(say: Say, good: Good, part: demand.Part) -> Choice:
    """Return the button with which a project pledges its part."""
    label = say("Pledge {count} {good}", count=part.units, good=good.name)
    return Choice(str(label), f"pledge {quoted(good.name)} {part.units}", good.pool_id, part.product.project_id)


def hint(desk: Desk, event: RoundHeld) -> None:
    """Tell makers of the same good whose effort per unit differs much, once for each state of the figures."""
    session = desk.session
    for result in event.outcome.goods:
        good = session.get_one(Good, (event.pool.id, result.good_id))
        apart = demand.far_apart(session, good)
        key = "" if apart is None else f"{apart[0].id}:{apart[0].last_average} {apart[1].id}:{apart[1].last_average}"
        if apart is not None and key != good.hint:
            write = _hint_writer(session, good, *apart)
            for product in demand.makers(session, good):
                desk.to_channels(good.pool_id, product.project_id, write)
        good.hint = key


def _hint_writer(session: Session, good: Good, cheap: Product, dear: Product) -> Callable[[Say], Message]:
    return lambda say: _hint(session, say, good, cheap, dear)


def _hint(session: Session, say: Say, good: Good, cheap: Product, dear: Product) -> Message:
    who = maintainers(session, views.project_of(session, cheap))
    text = say(
        "**{good}**: {low} each at {cheap}, {high} at {dear}. Sharing how helps both: ask {names}.",
        good=good.name,
        low=say.hours(cheap.last_average or 0),
        cheap=views.project_of(session, cheap).name,
        high=say.hours(dear.last_average or 0),
        dear=views.project_of(session, dear).name,
        names=say.names([one.name for one in who]),
    )
    return Message(text)


def tell_waiting(desk: Desk, event: RoundHeld) -> None:
    """Tell the stewards when the levy could not carry everything, once for each amount."""
    waiting = event.outcome.waiting
    query = select(Round).where(Round.pool_id == event.pool.id, Round.number == (event.round.number or 0) - 1)
    before = desk.session.exec(query).first()
    known = Outcome.unpack(before.outcome).waiting if before is not None and before.outcome is not None else 0
    if waiting in {0, known}:
        return

    def write(say: Say) -> Message:
        return Message(
            say(
                "{hours} of common work waits: the levy is {levy} for each who shares. `/pool set levy 4h`",
                hours=say.hours(waiting),
                levy=say.hours(event.inputs.levy),
            )
        )

    desk.to_stewards(event.pool, write)


def shared(say: Say, outcome: Outcome) -> Text:
    """Return what was shared with all, or carried by all; as one figure where a limit made it less for somebody."""
    if not outcome.shares:
        return Text()
    amounts = [abs(row.amount) for row in outcome.shares]
    count, each, total = len(amounts), say.hours(max(amounts)), say.hours(sum(amounts))
    if outcome.shares[0].amount > 0:
        return say("Left over, shared by {count}: {each} each.", count=count, each=each)
    if max(amounts) - min(amounts) > 1:  # one thousandth is a remainder
        return say(
            "Common work, carried by {count}: {total} in all, less for whom the limit forbids more.",
            count=count,
            total=total,
        )
    return say("Common work, carried by {count}: {each} each.", count=count, each=each)


def closing(say: Say, row: Round) -> Text:
    """Return what lets anybody check the lottery of a round that was held."""
    return say("The lottery's secret, and its hash:\n{secret}\n{hash}", secret=row.secret, hash=row.commitment)
