"""Why things went as they did, with the figures, from what the round kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import Session, col, select

from core import ledger
from core.chat import views
from core.chat.text import Text, joined
from core.ledger import TransferKind
from core.members import selves
from core.reports import backers_missing
from core.rounds.explain import about_good, enough_bid
from core.rounds.inputs import TaskResult
from core.rounds.kept import Kept
from core.tables import Batch, Contribution, Good, Product, Round, Task, Transfer, Want
from core.tasks import claims_of, find_task
from core.timing import last_round

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.chat.context import Context
    from core.chat.say import Say
    from core.rounds.inputs import WantResult
    from core.tables import Round


WAITING_MAX = 3


def good(context: Context, wanted: Good) -> Text:
    """Explain what the last round decided about a good for the sender."""
    say, row = context.tell, last_round(context.session, context.pool_id)
    if wanted.free:
        return say("{good} is free: there's always enough. Get it: `/want {good}`", good=wanted.name)
    if row is None or row.outcome is None or row.inputs is None:
        return say("No round has been held yet. What would happen now: `/round`")
    inputs, outcome = about_good(row.inputs, row.outcome, wanted.id)
    demand = next(iter(outcome.goods), None)
    if demand is None:
        return say("{good} was not there yet in round {number}.", good=wanted.name, number=row.number)
    there = [one for one in outcome.products if one.offered]
    figures = [
        say(
            "Round {number}: {wanted} wanted, {offered} there",
            number=row.number,
            wanted=demand.wanted,
            offered=sum(one.offered for one in there),
        )
    ]
    if there:
        costs = " / ".join(say.hours(cost) for cost in sorted({one.cost for one in there}))
        figures.append(say("cost {costs}", costs=costs))
    own_ids = context.own_ids
    own = next((one for one in outcome.wants if one.member_id in own_ids), None)
    if own is None:
        return say(
            "{figures}. You had no want for {good}. To have one: `/want {good}`",
            figures=joined(figures, "; "),
            good=wanted.name,
        )
    enough = enough_bid(inputs, outcome, own) if own.got < own.units else None
    return _own(context, say, own, enough, figures)


def _own(context: Context, say: Say, own: WantResult, enough: int | None, figures: list[Text]) -> Text:
    """Say on the line with the figures what the sender bid and got, and what would have got one."""
    wanted = context.session.get_one(Good, (context.pool_id, own.good_id))
    if own.bid < 0:
        head = say("{figures}.", figures=joined(figures, "; "))
        if own.too_dear:
            more = say(
                "At cost it was above what you'd pay at most. To raise it: `/bid {good} HOURS`", good=wanted.name
            )
        else:
            more = say("There was none of what you wanted.")
        return joined([head, more], " ")
    bid = joined([joined(figures, "; "), say("your bid {bid}", bid=say.hours(own.bid))], ", ")
    return joined([*_outcome(say, own, wanted, bid), *_missed(say, own, enough)], "; ") + "."


def _outcome(say: Say, own: WantResult, wanted: Good, bid: Text) -> list[Text]:
    if own.got:
        got = say("you got {count}", count=views.amount(say, wanted, own.got))
        return [bid, got]
    return [bid]


def _missed(say: Say, own: WantResult, enough: int | None) -> list[Text]:
    """Say why there were not more."""
    if own.got == own.units:
        return []
    if own.covered < own.units and own.got == own.covered:
        return [say("you could cover {covered} of {units}: `/tasks`", covered=own.covered, units=own.units)]
    if enough is None:
        return [say("no bid would have got one more") if own.got else say("no bid would have got one")]
    if own.got:
        return [say("{enough} would have got one more", enough=say.hours(enough))]
    return [say("{enough} would have got one", enough=say.hours(enough))]


def task(context: Context, number: int) -> Text:
    """Explain what the last round decided about a task, and what of the work on it has been recognised."""
    say, found = context.tell, find_task(context.session, context.pool_id, number)
    row = last_round(context.session, context.pool_id)
    kept = Kept(row.outcome).rows_of("tasks", number) if row is not None and row.outcome is not None else []
    result = next(map(TaskResult._make, kept), None)
    lines = [views.task_line(context.session, say, found, claims_of(context.session, found))]
    if row is None or result is None:
        lines.append(say("The last round did not decide about it."))
    else:
        lines += _decided(say, row, result)
    return joined([*lines, *_recognised(context, say, found)])


def _decided(say: Say, row: Round, result: TaskResult) -> list[Text]:
    lines = []
    if result.weight != result.old_weight:
        old, new = say.weight(result.old_weight), say.weight(result.weight)
        lines.append(say("Nobody took it, so its weight rose from {old} to {new}.", old=old, new=new))
    values = {"number": row.number, "weight": say.weight(result.weight), "cleared": say.weight(result.cleared)}
    if result.eligible > len(result.winners):
        lines.append(
            say.count(
                "Round {number}: {count} bid at {weight} or less.",
                "Round {number}: {count} bids at {weight} or less.",
                result.eligible,
                **values,
            )
        )
        lines.append(say("The lowest won, at the lowest losing bid: {cleared}.", **values))
    elif result.winners:
        lines.append(say("Round {number}: no more bids than places, so it counts {cleared}.", **values))
    else:
        lines.append(say("Round {number}: no bid at {weight} or less.", **values))
    return lines


def _recognised(context: Context, say: Say, found: Task) -> list[Text]:
    """Say what of the confirmed work has been recognised, and what the rest waits for."""
    session = context.session
    work = session.exec(
        select(Contribution).where(Contribution.pool_id == found.pool_id, Contribution.task_id == found.id)
    ).all()
    if not work:
        return []
    done, credited = sum(one.effort for one in work), sum(one.recognised for one in work)
    line = say("{credited} of {effort} recognised.", credited=say.hours(credited), effort=say.hours(done))
    return [line] if credited == done else [joined([line, _waits_for(session, say, found, work)], " ")]


def _waits_for(session: Session, say: Say, found: Task, work: Sequence[Contribution]) -> Text:
    batches = {one.batch_id for one in work if one.batch_id is not None}
    if found.product_id is not None:
        good = views.good_of(session, session.get_one(Product, (found.pool_id, found.product_id)))
        if good.free:
            return say("The rest counts when others get {good}.", good=good.name)
        if not batches:
            return say("It counts in the next batch: `/made {good} 10`", good=good.name)
        rows = [session.get_one(Batch, (found.pool_id, batch_id)) for batch_id in batches]
        given, units = sum(one.given for one in rows), sum(one.units for one in rows)
        return say("{given} of {units} {good} given out.", given=given, units=units, good=good.name)
    if backers_missing(session, found) > 0:
        return say("It counts once another project backs it: `/back {number}`", number=found.number)
    return say("The rest counts at the next rounds.")


def balance(context: Context) -> Text:
    """Explain the sender's balance: what made it, in sums."""
    session, say, member = context.session, context.tell, context.member
    session.flush()
    standing = ledger.standing(session, member)
    own = selves(session, member)
    sums = {kind: sum(ledger.sum_of_kind(session, one, kind) for one in own) for kind in TransferKind}
    lines = [say("Balance: **{balance}**", balance=say.hours(standing.balance))]
    lines += [
        say("{hours} {name}", hours=say.hours(amount), name=_kind_name(say, kind))
        for kind, amount in sums.items()
        if amount
    ]
    return joined([*lines, *_last_share(context, say), *_waiting(context, say)])


def _last_share(context: Context, say: Say) -> list[Text]:
    """Say how the last round came to what the sender got or gave with all."""
    row = last_round(context.session, context.pool_id)
    if row is None or row.outcome is None:
        return []
    kept = Kept(row.outcome)
    own = sum(amount for one in context.own_ids for _member_id, amount in kept.rows_of("shares", one))
    if not own:
        return []
    values = {
        "number": row.number,
        "total": say.hours(abs(kept.figures["surplus"] - kept.figures["kept"])),
        "own": say.change(own),
        "count": kept.count("shares"),
    }
    if own > 0:
        return [say("Round {number}: {total} left over among {count}: {own}", **values)]
    return [say("Round {number}: {total} of common work among {count}: {own}", **values)]


def _waiting(context: Context, say: Say) -> list[Text]:
    """Say which confirmed work of the sender is not recognised yet."""
    session, member = context.session, context.member
    waiting = views.waiting_effort(session, member)
    if not waiting:
        return []
    lines = [say("Waiting: {hours}, confirmed and not yet wanted", hours=say.hours(waiting))]
    query = (
        select(Contribution, Task)
        .join(Task, (col(Task.pool_id) == Contribution.pool_id) & (col(Task.id) == Contribution.task_id))
        .where(Contribution.pool_id == member.pool_id, Contribution.member_id == member.id)
        .where(col(Contribution.recognised) < Contribution.effort)
    )
    for one, done in session.exec(query.order_by(col(Contribution.id)).limit(WAITING_MAX)):
        hours = say.hours(one.effort - one.recognised)
        lines.append(
            say(
                "{hours} of {task}. Why? `/why {number}`",
                hours=hours,
                task=views.task_title(say, done),
                number=done.number,
            )
        )
    return lines


def transfer_line(context: Context, say: Say, row: Transfer) -> Text:
    """Show one transfer of the sender: when, how much, what for."""
    amount = row.amount if row.to_id in context.own_ids else -row.amount
    return joined([say.when(row.at), say.change(amount), _reason(context, say, row)], " · ")


def _reason(context: Context, say: Say, row: Transfer) -> Text:
    """Say what a transfer was for: a good, a task, or with words what its kind is."""
    kind, _, number = row.subject.partition(":")
    key = (context.pool_id, int(number)) if number.isdigit() else None
    if kind == "want" and key:
        want = context.session.get_one(Want, key)
        return Text.of(context.session.get_one(Good, (context.pool_id, want.good_id)).name)
    if kind == "contribution" and key:
        contribution = context.session.get_one(Contribution, key)
        done = context.session.get_one(Task, (context.pool_id, contribution.task_id))
        return views.task_title(say, done)
    if row.kind == TransferKind.SETTLE:
        return say("round {number}, shared with all", number=row.round_number)
    return joined([_kind_name(say, TransferKind(row.kind)), row.subject], ": ")


def _kind_name(say: Say, kind: TransferKind) -> Text:
    names = {
        TransferKind.EFFORT: say("effort recognised"),
        TransferKind.COST: say("units you got"),
        TransferKind.SETTLE: say("shared with all"),
        TransferKind.RETURN: say("returned"),
        TransferKind.LEAVE: say("left"),
    }
    return names[kind]
