"""What a round changed for one member, told in private: units, tasks, recognition, what was shared."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core import sharing
from core.bulk import sliced
from core.chat import views
from core.chat.choices import quoted
from core.chat.message import Choice, Message
from core.chat.text import Text, joined
from core.ledger import balance
from core.tables import Good, Member, Membership, Product, Task, Want
from core.tables_chat import Account, Chat

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.chat.desk import Desk
    from core.chat.say import Say
    from core.rounds.hold import RoundHeld
    from core.rounds.inputs import Outcome, TaskResult, WantResult


@dataclass(slots=True)
class MemberOutcome:
    """What a round changed for one member; amounts in thousandths."""

    tasks: list[TaskResult] = field(default_factory=list)
    got: list[WantResult] = field(default_factory=list)
    lost: list[WantResult] = field(default_factory=list)
    too_dear: list[WantResult] = field(default_factory=list)
    product_ids: set[int] = field(default_factory=set)
    cost: int = 0
    recognised: int = 0
    shared: int = 0

    def add(self, want: WantResult) -> None:
        """Count what became of a want; one that found nothing there changed nothing."""
        if want.too_dear:
            self.too_dear.append(want)
        if want.got:
            self.got.append(want)
        if want.bid >= 0 and want.got < want.units:
            self.lost.append(want)


def by_member(outcome: Outcome) -> dict[int, MemberOutcome]:
    """Return what a round changed, by member."""
    found: dict[int, MemberOutcome] = defaultdict(MemberOutcome)
    for task in outcome.tasks:
        for winner in task.winners:
            found[winner].tasks.append(task)
    for want in outcome.wants:
        found[want.member_id].add(want)
    for given in outcome.given:
        found[given.member_id].cost += given.units * given.cost
        found[given.member_id].product_ids.add(given.product_id)
    for credit in outcome.credits:
        found[credit.member_id].recognised += credit.credited
    for share in outcome.shares:
        found[share.member_id].shared += share.amount
    return {member_id: one for member_id, one in sorted(found.items()) if one != MemberOutcome()}


def tell(desk: Desk, event: RoundHeld, member: Member, outcome: MemberOutcome) -> None:
    """Tell a member what changed for them."""
    desk.to_member(member, lambda say: message(desk.session, say, event, member, outcome))


def affected(outcome: Outcome) -> set[int]:
    """Return the members for whom a round changed something."""
    found = {winner for task in outcome.tasks for winner in task.winners}
    found |= {one.member_id for one in outcome.wants if one.too_dear or one.got or one.bid >= 0}
    found |= {one.member_id for one in outcome.credits if one.credited}
    return found | {one.member_id for one in outcome.shares if one.amount}


def concerns_unreachable(session: Session, pool_id: int, project_id: int, changed: set[int]) -> bool:
    """Tell whether something changed for somebody in a project whom no private chat reaches."""
    members = select(Membership.member_id).where(Membership.pool_id == pool_id, Membership.project_id == project_id)
    concerned = sorted(changed.intersection(session.exec(members).all()))
    is_open = select(Chat.id).join(Account, col(Account.id) == col(Chat.account_id))
    is_open = is_open.where(Account.person_id == Member.person_id, col(Chat.off_at).is_(None))
    unreachable = select(Member.id).where(
        Member.pool_id == pool_id, col(Member.person_id).is_not(None), ~is_open.exists()
    )
    queries = (unreachable.where(col(Member.id).in_(part)).limit(1) for part in sliced(concerned))
    return any(session.exec(query).first() is not None for query in queries)


def message(session: Session, say: Say, event: RoundHeld, member: Member, outcome: MemberOutcome) -> Message:
    """Return what is told to one member."""
    pool_id, choices = event.pool.id, []
    lines = [say("**Round {number}** in {pool}", number=event.round.number, pool=event.pool.name)]
    lines += [_task_line(session, say, pool_id, result) for result in outcome.tasks]
    goods = {one.good_id: session.get_one(Good, (pool_id, one.good_id)) for one in outcome.got}
    if outcome.got:
        units = say.names([str(views.named(say, goods[one.good_id], one.got)) for one in outcome.got])
        lines.append(say("You get {units} for {cost}.", units=units, cost=say.hours(outcome.cost)))
        lines += [_pickup(session, say, product_id, pool_id) for product_id in sorted(outcome.product_ids)]
    for good in goods.values():
        label = say("Did not get {good}", good=good.name)
        choices.append(Choice(str(label), f"missing {quoted(good.name)}", pool_id))
    for one in outcome.lost:
        good = session.get_one(Good, (pool_id, one.good_id))
        lines.append(_lost_line(say, good, one))
        choices.append(Choice(str(say("Why {good}", good=good.name)), f"why {quoted(good.name)}", pool_id))
    for one in outcome.too_dear:
        line, choice = _too_dear(session, say, event, one)
        lines.append(line)
        choices.append(choice)
    if outcome.recognised:
        lines.append(say("Recognised: {hours}.", hours=say.hours(outcome.recognised)))
    if outcome.shared:
        lines.append(say("Your share of the commons: {hours}.", hours=say.change(outcome.shared)))
    standing = balance(session, pool_id, member.id)
    lines.append(say("Balance: {hours}. Why? `/why`", hours=say.hours(standing)))
    return Message(joined(lines), tuple(choices))


def _task_line(session: Session, say: Say, pool_id: int, result: TaskResult) -> Text:
    task = session.get_one(Task, (pool_id, result.task_id))
    return say(
        "{task} is yours at {weight}. When it's done: `/done {number}`",
        task=views.task_title(say, task),
        weight=say.weight(result.cleared),
        number=task.number,
    )


def _lost_line(say: Say, good: Good, one: WantResult) -> Text:
    if one.covered < one.units and one.got >= one.covered:
        return say(
            "{good}: you can cover {covered} of {units} only, the rest waits.",
            good=good.name,
            covered=one.covered,
            units=one.units,
        )
    if one.got:
        return say("{good}: {count} more not this time.", good=good.name, count=one.units - one.got)
    return say("Not this time: {good}.", good=good.name)


def _too_dear(session: Session, say: Say, event: RoundHeld, one: WantResult) -> tuple[Text, Choice]:
    """Ask somebody whose want stands at cost whether they want it at what it costs by now."""
    pool_id = event.pool.id
    want, good = session.get_one(Want, (pool_id, one.want_id)), session.get_one(Good, (pool_id, one.good_id))
    of_good = {row.id for row in event.inputs.products if row.good_id == good.id}
    reserves = [
        row.reserve
        for row in event.outcome.products
        if row.offered and row.product_id in of_good and want.product_id in {None, row.product_id}
    ]
    now = sharing.at_cost_bid(reserves)
    text = say(
        "{good} is {cost} each by now; you'd pay at most {most}.",
        good=good.name,
        cost=say.hours(now),
        most=say.hours(want.maximum or 0),
    )
    label = say("{good} at {cost}", good=good.name, cost=say.hours(now))
    return text, Choice(str(label), f"want {quoted(good.name)} {want.units} max:{say.figure(now)}", pool_id)


def _pickup(session: Session, say: Say, product_id: int, pool_id: int) -> Text:
    """Say where units of a product are to be had; nothing if its makers have not said."""
    product = session.get_one(Product, (pool_id, product_id))
    if not product.pickup:
        return Text()
    return say("{project}: {pickup}", project=views.project_of(session, product).name, pickup=product.pickup)
