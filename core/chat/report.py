"""The report of a round: one message per channel, its own tasks and goods first; in private what concerns oneself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import demand
from core.bulk import sliced
from core.chat import own_report, views
from core.chat.choices import quoted
from core.chat.message import Choice, Message
from core.chat.text import Text, joined
from core.identity import channels_of
from core.members import maintainers
from core.projects import projects
from core.rounds.kept import Kept
from core.tables import Good, Pledge, Pool, Product, Round, Task

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.chat.desk import Desk
    from core.chat.say import Say
    from core.rounds.hold import RoundHeld
    from core.rounds.inputs import GoodResult, Inputs, Outcome, ProductResult, TaskResult

LINES_MAX = 12
Whose = frozenset[int]  # the projects that a line is about
DOUBLE_WEIGHT = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report, and the choices it offers those whose it is."""

    text: Text
    choices: tuple[Choice, ...] = ()


Writer = Callable[["Say"], Line]


@dataclass(frozen=True, slots=True)
class Report:
    """What the channels of a pool are told: `lines` all of them, `hints` only those whose they are.

    `changed`: the members for whom something did.
    """

    lines: list[tuple[Writer, Whose]]
    hints: list[tuple[Writer, Whose]]
    tail: Callable[[Say], Text]
    changed: set[int]


def send(desk: Desk, event: RoundHeld) -> None:
    """Write the report to every channel."""
    writers = line_writers(desk.session, event.pool, event.inputs, event.outcome)
    lines = list(zip(writers, _by_project(desk.session, event), strict=True))
    report = Report(lines, hints(desk.session, event), shared(event.outcome), own_report.affected(event.outcome))
    for chat in channels_of(desk.session, event.pool.id):
        project_id = chat.project_id or 0

        def write(say: Say, project_id: int = project_id) -> Message | None:
            return message(desk.session, say, event, project_id, report)

        desk.to_channel(chat, write)
    tell_waiting(desk, event)


def message(session: Session, say: Say, event: RoundHeld, project_id: int, report: Report) -> Message | None:
    """Return the report for a project's channel: at most twelve lines, the rest behind a button.

    Of thousands of lines only these are written. How pledges were kept and hints are nowhere else, so they always fit.
    """
    notes = _kept(session, event, project_id) + [write for write, whose in report.hints if project_id in whose]
    room = max(0, LINES_MAX - 2 - len(notes))
    own = [write for write, whose in report.lines if project_id in whose][:room]
    others = [write for write, whose in report.lines if project_id not in whose][: room - len(own)]
    offering = [write(say) for write in own]
    shown = offering + [write(say) for write in [*notes, *others][: LINES_MAX - 2]]
    tail = report.tail(say)
    if not shown and not tail:
        return None
    head = say("**Round {number}** · {when}", number=event.round.number, when=say.when(event.round.due_at or say.now))
    choices = [choice for line in offering for choice in line.choices if choice.project_id in {0, project_id}]
    if len(own) + len(others) < len(report.lines):
        more = say("All results")
        choices.append(Choice(str(more), f"rounds {event.round.number}", event.pool.id))
    is_private = own_report.concerns_unreachable(session, event.pool.id, project_id, report.changed)
    link = (str(say("See mine")), "run-me") if is_private else None
    return Message(joined([head, *(line.text for line in shown), tail]), tuple(choices), link=link)


def pledge_writer(good: Good, pledge: Pledge) -> Callable[[Say], Text]:
    """Return how it is said how well a pledge was kept."""
    return lambda say: say(
        "{good}: {units} pledged, {made} made.", good=good.name, units=pledge.units, made=pledge.made
    )


def _kept(session: Session, event: RoundHeld, project_id: int) -> list[Writer]:
    """Return how it is said how well the pledges of a project that ended with this round were kept."""
    query = (
        select(Pledge, Good)
        .join(Product, (col(Product.pool_id) == Pledge.pool_id) & (col(Product.id) == Pledge.product_id))
        .join(Good, (col(Good.pool_id) == Product.pool_id) & (col(Good.id) == Product.good_id))
        .where(Pledge.pool_id == event.pool.id, Product.project_id == project_id)
        .where(col(Pledge.by_at) == event.round.due_at, col(Pledge.ended_at) >= event.round.due_at)
    )
    writers = [pledge_writer(good, pledge) for pledge, good in session.exec(query.order_by(col(Pledge.id)))]
    return [partial(_kept_line, write) for write in writers]


def _kept_line(write: Callable[[Say], Text], say: Say) -> Line:
    return Line(write(say))


def line_writers(session: Session, pool: Pool, inputs: Inputs, outcome: Outcome) -> list[Writer]:
    """Return how each line of a round is written, tasks first."""
    free = {row.id: row.free for row in inputs.tasks}
    writers: list[Writer] = [partial(_task_line, session, pool, one, free[one.task_id]) for one in outcome.tasks]
    products: dict[int, list[ProductResult]] = defaultdict(list)
    of_good = {row.id: row.good_id for row in inputs.products}
    for product in outcome.products:
        products[of_good[product.product_id]].append(product)
    return writers + [partial(_good_line, session, pool, one, products[one.good_id]) for one in _goods_told(outcome)]


def _goods_told(outcome: Outcome) -> list[GoodResult]:
    return [one for one in outcome.goods if one.concerns]


def _by_project(session: Session, event: RoundHeld) -> list[Whose]:
    """Return whose each line of a round is; what nobody makes any more is everybody's."""
    pool_id = event.pool.id
    homes = dict[int, int]()
    for part in sliced([one.task_id for one in event.outcome.tasks]):
        query = select(Task.id, Task.project_id).where(Task.pool_id == pool_id, col(Task.id).in_(part))
        homes.update(session.exec(query).all())
    makers, active = defaultdict[int, set[int]](set), {one.id for one in projects(session, pool_id)}
    for good_id, project_id in session.exec(
        select(Product.good_id, Product.project_id).where(Product.pool_id == pool_id)
    ):
        makers[good_id].add(project_id)
    tasks = [frozenset({homes[one.task_id]}) for one in event.outcome.tasks]
    return tasks + [
        frozenset(makers[one.good_id] if not one.wanted or makers[one.good_id] & active else active)
        for one in _goods_told(event.outcome)
    ]


def _task_line(session: Session, pool: Pool, result: TaskResult, free: int, say: Say) -> Line:
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
    return Line(text, (claim,) if is_open else ())


def _good_line(session: Session, pool: Pool, result: GoodResult, products: list[ProductResult], say: Say) -> Line:
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
    pledges: tuple[Choice, ...] = ()
    if result.pledged:
        parts.append(say("{count} pledged", count=result.pledged))
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
        parts.append(say("nobody makes it. You could? `/good new {good}`", good=good.name))
    return Line(say("**{good}**: {figures}", good=good.name, figures=joined(parts, ", ")), pledges)


def part_line(session: Session, say: Say, part: demand.Part) -> Text:
    """Show what one project could make."""
    return say("{project} {count}?", project=views.project_of(session, part.product).name, count=part.units)


def pledge_choice(say: Say, good: Good, part: demand.Part) -> Choice:
    """Return the button with which a project pledges its part."""
    label = say("Pledge {count} {good}", count=part.units, good=good.name)
    return Choice(str(label), f"pledge {quoted(good.name)} {part.units}", good.pool_id, part.product.project_id)


def hints(session: Session, event: RoundHeld) -> list[tuple[Writer, Whose]]:
    """Return what to tell makers of the same good whose effort per unit differs much, once for each state of it."""
    apart = demand.all_far_apart(session, event.pool.id)
    keys = {one: f"{low.id}:{low.last_average} {high.id}:{high.last_average}" for one, (low, high) in apart.items()}
    query = select(Good.id).where(Good.pool_id == event.pool.id, Good.hint != "")
    decided, found = {result.good_id for result in event.outcome.goods}, list[tuple[Writer, Whose]]()
    for good_id in sorted(decided & {*keys, *session.exec(query)}):
        good, key = session.get_one(Good, (event.pool.id, good_id)), keys.get(good_id, "")
        if key not in {"", good.hint}:
            makers = frozenset(product.project_id for product in demand.makers(session, good))
            found.append((partial(_hint_line, session, good, *apart[good_id]), makers))
        good.hint = key
    return found


def _hint_line(session: Session, good: Good, cheap: Product, dear: Product, say: Say) -> Line:
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
    return Line(text)


def tell_waiting(desk: Desk, event: RoundHeld) -> None:
    """Tell the stewards when the levy could not carry everything, once for each amount."""
    waiting = event.outcome.waiting
    query = select(Round.outcome).where(Round.pool_id == event.pool.id, Round.number == (event.round.number or 0) - 1)
    before = desk.session.exec(query).first()
    known = Kept(before).figures["waiting"] if before is not None else 0
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


def shared(outcome: Outcome) -> Callable[[Say], Text]:
    """Return how it is said what was shared with all, or carried by all; one figure where a limit made it less."""
    if not outcome.shares:
        return lambda _say: Text()
    amounts = [abs(row.amount) for row in outcome.shares]
    most, least, total, count = max(amounts), min(amounts), sum(amounts), len(amounts)
    is_left_over, is_even = outcome.shares[0].amount > 0, most - least <= 1  # one thousandth is a remainder

    def write(say: Say) -> Text:
        if is_left_over:
            return say("Left over, shared by {count}: {each} each.", count=count, each=say.hours(most))
        if is_even:
            return say("Common work, carried by {count}: {each} each.", count=count, each=say.hours(most))
        return say(
            "Common work, carried by {count}: {total} in all; those near their limit carry less.",
            count=count,
            total=say.hours(total),
        )

    return write


def closing(say: Say, row: Round) -> Text:
    """Return what lets anybody check the lottery of a round that was held."""
    return say("The lottery's secret, and its hash:\n{secret}\n{hash}", secret=row.secret, hash=row.commitment)
