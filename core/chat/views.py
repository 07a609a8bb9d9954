"""How things look in chat: a task, a good, a want, a member's standing; the same lines everywhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import Session, col, func, select

from core import stock, undo
from core.chat.choices import quoted
from core.chat.choices import undo as choice_to_undo
from core.chat.message import Choice
from core.chat.text import Text, joined
from core.periods import Period, Unit, read_period
from core.reports import backers_missing
from core.tables import Batch, Claim, Contribution, Good, Member, Product, Project, Task, Want
from core.tasks import bids_on, claims_of
from core.units import ORDINARY_WEIGHT, effort, round_half_up, show_weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement

    from core.chat.say import Say
    from core.tables import Pool

# What is due soon comes first, what is never due last: databases differ on where they put nothing.
BY_DUE = (col(Task.due_at).is_(None), col(Task.due_at), col(Task.number))
# Every line about a good asks for the first, every confirmation for the second, so they are built once.
WANTED = (
    select(Want.good_id, func.sum(Want.units))
    .where(Want.pool_id == bindparam("pool_id"), col(Want.good_id).in_(bindparam("good_ids", expanding=True)))
    .where(col(Want.ended_at).is_(None))
    .group_by(col(Want.good_id))
)
WAITING = select(func.coalesce(func.sum(Contribution.effort - col(Contribution.recognised)), 0)).where(
    Contribution.pool_id == bindparam("pool_id"), Contribution.member_id == bindparam("member_id")
)


def good_of(session: Session, product: Product) -> Good:
    """Return the good that a product is a version of."""
    return session.get_one(Good, (product.pool_id, product.good_id))


def name_of(session: Session, pool_id: int, member_id: int) -> str:
    """Return a member's name."""
    return session.get_one(Member, (pool_id, member_id)).name


def amount(say: Say, good: Good, count: int) -> str:
    """Show units of a good."""
    return say.amount(count, good.name, good.unit, good.units)


def named(say: Say, good: Good, count: int) -> Text:
    """Show units with the good's name: `2 loaves of bread`, or `2 bread` where it has no unit."""
    units = amount(say, good, count)
    return say("{units} of {good}", units=units, good=good.name) if good.unit else Text.of(units)


def next_round(say: Say, pool: Pool) -> Text:
    """Show when the pool's next round decides."""
    return say.when(pool.round_due_at or say.now)


def project_of(session: Session, product: Product) -> Project:
    """Return the project that makes a product."""
    return session.get_one(Project, (product.pool_id, product.project_id))


def has_free_slot() -> ColumnElement[bool]:
    """Return the condition that not all slots of a task are taken."""
    taken = (
        select(func.count())
        .select_from(Claim)
        .where(Claim.pool_id == Task.pool_id, Claim.task_id == Task.id, col(Claim.ended_at).is_(None))
        .scalar_subquery()
    )
    return taken < col(Task.slots)


def task_title(say: Say, task: Task) -> Text:
    """Show what a task is: `#12 Dishes`."""
    return say("**#{number} {title}**", number=task.number, title=task.title)


def task_line(session: Session, say: Say, task: Task, claims: list[Claim]) -> Text:
    """Show a task and its claims on one line: what, how long, at which weight, since when whose."""
    parts = [task_title(say, task), Text.of(say.hours(task.hours)), Text.of(say.weight(_weight(task, claims)))]
    if task.due_at is not None:
        parts.append(say("due {when}", when=say.when(task.due_at)))
    if task.product_id is not None:
        parts.append(
            say("for {good}", good=good_of(session, session.get_one(Product, (task.pool_id, task.product_id))).name)
        )
    return joined([*parts, _state(session, say, task, claims)], " · ")


def _weight(task: Task, claims: list[Claim]) -> int:
    """Return the weight that counts now: what it was taken at, or the posted one while a slot is free."""
    return claims[-1].weight if claims and len(claims) >= task.slots else task.weight


def _state(session: Session, say: Say, task: Task, claims: list[Claim]) -> Text:
    """Show where a task stands in its life."""
    if task.cancelled_at is not None:
        return say("cancelled")
    states = [claim_state(session, say, one) for one in claims]
    free = task.slots - len(claims)
    if free > 0 and task.closed_at is None:
        states.append(_open_state(session, say, task, free))
    return joined(states, " · ")


def _open_state(session: Session, say: Say, task: Task, free: int) -> Text:
    slots = say(" {free} of {slots}", free=free, slots=task.slots) if task.slots > 1 else Text()
    if task.opened_at is not None:
        return say("open") + slots
    count = len(bids_on(session, task))
    return say("takes bids") + slots + (say.count(" ({count} bid)", " ({count} bids)", count) if count else Text())


def claim_state(session: Session, say: Say, claim: Claim) -> Text:
    """Show one slot of a task."""
    name = name_of(session, claim.pool_id, claim.member_id)
    if claim.hours is None:
        return say("{name} has it", name=name)
    hours = say.hours(effort(claim.hours, claim.weight))
    if claim.confirmed_at is not None:
        return say("{name}: {hours} confirmed", name=name, hours=hours)
    if claim.disputed_at is not None:
        return say("{name}: {hours} disputed", name=name, hours=hours)
    if claim.weight == ORDINARY_WEIGHT:
        return say("{name}: {hours} to be confirmed", name=name, hours=hours)
    work, weight = say.hours(claim.hours), say.weight(claim.weight)
    return say("{name}: {work} {weight} = {hours} to be confirmed", name=name, work=work, weight=weight, hours=hours)


def period_text(say: Say, period: Period) -> Text:
    """Show how often a task recurs: `every 2 weeks`."""
    texts = {
        Unit.DAY: say.count("every day", "every {count} days", period.count),
        Unit.WEEK: say.count("every week", "every {count} weeks", period.count),
        Unit.MONTH: say.count("every month", "every {count} months", period.count),
    }
    return texts[period.unit]


def task_card(session: Session, say: Say, task: Task, *, alone: bool = True) -> tuple[Text, tuple[Choice, ...]]:
    """Return all there is to say about a task, and its buttons; also its live card. `alone` as for `task_choices`."""
    claims = claims_of(session, task)
    lacks_backers = _lacks_backers(session, task, claims)
    details = _task_details(session, say, task, claims, lacks_backers=lacks_backers)
    return details, _task_choices(session, say, task, claims, alone=alone, lacks_backers=lacks_backers)


def _task_details(session: Session, say: Say, task: Task, claims: list[Claim], *, lacks_backers: bool) -> Text:
    project = session.get_one(Project, (task.pool_id, task.project_id))
    lines = [task_line(session, say, task, claims)]
    facts = [Text.of(project.name), Text.of(task.place)]
    if task.every:
        facts.append(period_text(say, read_period(task.every)))
    lines.append(joined(facts, " · "))
    lines += [say("“{note}”", note=one.note) for one in claims if one.note]
    lines += [say("Disputed: {why}", why=one.dispute) for one in claims if one.disputed_at is not None and one.dispute]
    if _is_common_work(task, claims):
        lines.append(_backing(session, say, task, lacks_backers=lacks_backers))
    return joined(lines)


def _is_common_work(task: Task, claims: list[Claim]) -> bool:
    """Tell whether there is confirmed work that no good pays for."""
    return task.product_id is None and any(one.confirmed_at is not None for one in claims)


def _lacks_backers(session: Session, task: Task, claims: list[Claim]) -> bool:
    return _is_common_work(task, claims) and backers_missing(session, task) > 0


def _backing(session: Session, say: Say, task: Task, *, lacks_backers: bool) -> Text:
    unpaid = select(Contribution.id).where(
        Contribution.pool_id == task.pool_id,
        Contribution.task_id == task.id,
        Contribution.recognised < col(Contribution.effort),
    )
    if session.exec(unpaid.limit(1)).first() is None:
        return say("Recognised.")
    if lacks_backers:
        return say("Counts once another project backs it: `/back {number}`", number=task.number)
    return say("Counts at the next round.")


def task_choices(
    session: Session, say: Say, task: Task, claims: list[Claim], *, alone: bool = True
) -> tuple[Choice, ...]:
    """Return the buttons that fit where a task and its claims stand. `alone`: under it are none of other tasks."""
    lacks_backers = _lacks_backers(session, task, claims)
    return _task_choices(session, say, task, claims, alone=alone, lacks_backers=lacks_backers)


def _task_choices(
    session: Session, say: Say, task: Task, claims: list[Claim], *, alone: bool, lacks_backers: bool
) -> tuple[Choice, ...]:
    if task.cancelled_at is not None:
        return ()
    number = task.number
    found: list[tuple[Text, str]] = []
    if task.slots > len(claims) and task.closed_at is None:
        if task.opened_at is None:
            label = say("I'd do it") if alone else say("I'd do #{number}", number=number)
            found.append((label, f"bid {number} {show_weight(task.weight)}"))
        else:
            found.append((say("Claim #{number}", number=number), f"claim {number}"))
    if any(one.reported_at is None for one in claims):
        found.append((say("Done #{number}", number=number), f"done {number}"))
        found.append((say("Drop #{number}", number=number), f"drop {number}"))
    found += _report_choices(say, task, claims)
    if lacks_backers:
        found.append((say("Back #{number}", number=number), f"back {number}"))
    choices = [Choice(str(label), command, task.pool_id) for label, command in found]
    deed = undo.last_on(session, task, say.now) if alone else None
    return (*choices, choice_to_undo(say, deed)) if deed is not None else tuple(choices)


def _report_choices(say: Say, task: Task, claims: list[Claim]) -> list[tuple[Text, str]]:
    number, found = task.number, []
    waiting = [one for one in claims if one.reported_at is not None and one.confirmed_at is None]
    if any(one.disputed_at is None for one in waiting):
        found.append((say("Confirm #{number}", number=number), f"confirm {number}"))
        found.append((say("Dispute #{number}", number=number), f"dispute {number}"))
    if any(one.disputed_at is not None for one in waiting):
        found.append((say("Accept #{number}", number=number), f"accept {number}"))
        found.append((say("Reject #{number}", number=number), f"reject {number}"))
    return found


def good_line(say: Say, good: Good, found: list[stock.Offer], wanted: int) -> Text:
    """Show a good with its offers on one line: left, wanted, last cost, effort per unit."""
    if good.free:
        return say("**{good}** · free", good=good.name)
    left = sum(offer.units for offer in found)
    parts = [say("**{good}**", good=good.name), say("{count} left", count=amount(say, good, left))]
    parts.append(say("{count} wanted", count=wanted))
    if good.last_cost is not None:
        parts.append(say("last cost {cost}", cost=say.hours(good.last_cost)))
    average = average_effort(found)
    if average is not None:
        parts.append(say("{effort} each", effort=say.hours(average)))
    return joined(parts, " · ")


def waiting_effort(session: Session, member: Member) -> int:
    """Return what of a member's confirmed work is not recognised yet."""
    return int(session.exec(WAITING, params={"pool_id": member.pool_id, "member_id": member.id}).one())


def wanted_units(session: Session, goods: Sequence[Good]) -> Counter[int]:
    """Return how many units of these goods of a pool are wanted right now, by the goods' ids."""
    params = {"pool_id": goods[0].pool_id, "good_ids": [good.id for good in goods]}
    return Counter({good_id: int(units) for good_id, units in session.exec(WANTED, params=params)})


def average_effort(found: list[stock.Offer]) -> int | None:
    """Return the effort per unit of what is on offer, or else of what was made last."""
    units = sum(offer.units for offer in found)
    if units:
        return round_half_up(sum(offer.effort_left for offer in found), units)
    known = [offer.product.last_average for offer in found if offer.product.last_average is not None]
    return round_half_up(sum(known), len(known)) if known else None


def good_details(session: Session, say: Say, good: Good) -> Text:
    """Show all there is to say about a good; also its live card."""
    found = stock.offers(session, good)
    lines = [good_line(say, good, found, wanted_units(session, [good])[good.id])]
    for offer in found:
        parts = [Text.of(offer.project.name)]
        if not good.free:
            parts.append(say("{count} left", count=offer.units))
        if offer.units:
            parts.append(say("from {cost}", cost=say.hours(offer.reserve)))
        parts.append(Text.of(offer.product.pickup))
        lines.append(joined(parts, " · "))
    if not good.free:
        unit = good.unit or say("unit")
        lines.append(say("Reply with your most hours per {unit}, e.g. 1.5", unit=unit))
    return joined(lines)


def good_choices(say: Say, good: Good) -> tuple[Choice, ...]:
    """Return the buttons under a good."""
    return (Choice(str(say("Want {good}", good=good.name)), f"want {quoted(good.name)}", good.pool_id),)


def good_answers(good: Good) -> str:
    """Return the command that a plain reply to a good's card is for: a bid, unless it is free."""
    return "" if good.free else f"bid {quoted(good.name)}"


def want_line(session: Session, say: Say, good: Good, want: Want) -> Text:
    """Show a want: how many, at most for how much each, from whom."""
    count = amount(say, good, want.units)
    parts = [say("**{good}**: ", good=good.name) + count if good.unit else Text.of(count)]
    if want.bid is not None:
        parts.append(
            say("at most {bid} each", bid=say.hours(want.bid))
            if want.units > 1
            else say("at most {bid}", bid=say.hours(want.bid))
        )
    elif want.maximum is not None:
        parts.append(say("at cost, at most {bid}", bid=say.hours(want.maximum)))
    else:
        parts.append(say("at cost"))
    if want.product_id is not None:
        product = session.get_one(Product, (want.pool_id, want.product_id))
        parts.append(say("from {project}", project=project_of(session, product).name))
    if want.every_round:
        parts.append(say("every round"))
    return joined(parts, ", ")


def batch_average(batch: Batch) -> int:
    """Return a batch's effort per unit."""
    return round_half_up(batch.effort, batch.units)
