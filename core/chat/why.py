"""Why things went as they did, with the figures, from what the round kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import Session, col, func, select

from core import ledger
from core.chat import views
from core.chat.text import Text, joined
from core.ledger import TransferKind
from core.rounds.explain import enough_bid
from core.rounds.inputs import Inputs, Outcome
from core.tables import Contribution, Good, Round, Task, Transfer, Want
from core.tasks import find_task

if TYPE_CHECKING:
    from core.chat.context import Context
    from core.chat.say import Say
    from core.rounds.inputs import WantResult


def last_held(session: Session, pool_id: int) -> Round | None:
    """Return the last round that was held."""
    query = select(Round).where(Round.pool_id == pool_id, Round.state == "done")
    return session.exec(query.order_by(col(Round.number).desc()).limit(1)).first()


def good(context: Context, wanted: Good) -> Text:
    """Explain what the last round decided about a good for the sender."""
    say, row = context.tell, last_held(context.session, context.pool_id)
    if row is None or row.outcome is None or row.inputs is None:
        return say("No round has been held yet.")
    outcome, inputs = Outcome.unpack(row.outcome), Inputs.unpack(row.inputs)
    of_good = {product.id for product in inputs.products if product.good_id == wanted.id}
    demand = next((one for one in outcome.goods if one.good_id == wanted.id), None)
    if demand is None:
        return say("{good} was not there yet in round {number}.", good=wanted.name, number=row.number)
    offered = sum(one.offered for one in outcome.products if one.product_id in of_good)
    costs = sorted({one.cost for one in outcome.products if one.product_id in of_good and one.offered})
    head = say(
        "Round {number}: {wanted} wanted, {offered} there", number=row.number, wanted=demand.wanted, offered=offered
    )
    cost = say("; cost {costs}", costs=" / ".join(say.hours(one) for one in costs)) if costs else Text()
    own = next((one for one in outcome.wants if one.good_id == wanted.id and one.member_id == context.member.id), None)
    if own is None:
        return head + cost + say(". You had no want for {good}.", good=wanted.name)
    return head + cost + _own(context, say, own, inputs)


def _own(context: Context, say: Say, own: WantResult, inputs: Inputs) -> Text:
    wanted = context.session.get_one(Good, (context.pool_id, own.good_id))
    if own.bid >= 0:
        bid = say(", your bid {bid}", bid=say.hours(own.bid))
    elif own.too_dear:
        return say(". At cost it was above what you'd pay at most. To raise it: `/bid {good} HOURS`", good=wanted.name)
    else:
        return say(". There was none of what you wanted.")
    if own.got == own.units:
        return bid + say(". You got {count}.", count=views.amount(say, wanted, own.got))
    if own.covered < own.units and own.got == own.covered:
        return bid + say(". You could cover {covered} of {units}. More: `/tasks`", covered=own.covered, units=own.units)
    enough = enough_bid(inputs, own)
    got = say(". You got {count}", count=views.amount(say, wanted, own.got)) if own.got else Text()
    if enough is None:
        return bid + got + say(". No bid would have got one.") if not own.got else bid + got + say(".")
    more = (
        say("; {enough} would have got one more.", enough=say.hours(enough))
        if own.got
        else say("; {enough} would have got one.", enough=say.hours(enough))
    )
    return bid + got + more


def task(context: Context, number: int) -> Text:
    """Explain what the last round decided about a task."""
    say, found = context.tell, find_task(context.session, context.pool_id, number)
    row = last_held(context.session, context.pool_id)
    outcome = Outcome.unpack(row.outcome) if row is not None and row.outcome is not None else Outcome()
    result = next((one for one in outcome.tasks if one.number == number), None)
    lines = [views.task_line(context.session, say, found)]
    if row is None or result is None:
        lines.append(say("No round has decided about it yet."))
        return joined(lines)
    if result.weight != result.old_weight:
        lines.append(
            say(
                "Nobody took it, so its weight rose from {old} to {new}.",
                old=say.weight(result.old_weight),
                new=say.weight(result.weight),
            )
        )
    if result.eligible > len(result.winners):
        lines.append(
            say(
                "Round {number}: {bids} bids at {weight} or less; the lowest won, at the lowest losing bid: {cleared}.",
                number=row.number,
                bids=result.eligible,
                weight=say.weight(result.weight),
                cleared=say.weight(result.cleared),
            )
        )
    elif result.winners:
        lines.append(
            say(
                "Round {number}: as many bids as places, so it counts {weight}.",
                number=row.number,
                weight=say.weight(result.cleared),
            )
        )
    else:
        lines.append(
            say("Round {number}: no bid at {weight} or less.", number=row.number, weight=say.weight(result.weight))
        )
    return joined(lines)


def balance(context: Context) -> Text:
    """Explain the sender's balance: what made it, in sums."""
    session, say, member = context.session, context.tell, context.member
    session.flush()
    standing = ledger.standing(session, member)
    sums = {kind: _sum(session, context.pool_id, member.id, kind) for kind in TransferKind}
    names = {
        TransferKind.EFFORT: say("effort recognised"),
        TransferKind.COST: say("units you got"),
        TransferKind.SETTLE: say("shared with all"),
        TransferKind.RETURN: say("returned"),
        TransferKind.MERGE: say("from your other account"),
        TransferKind.LEAVE: say("left"),
    }
    lines = [say("Balance: **{balance}**", balance=say.hours(standing.balance))]
    lines += [
        say("{hours} {name}", hours=say.hours(amount), name=names[kind]) for kind, amount in sums.items() if amount
    ]
    waiting = views.waiting_effort(session, member)
    if waiting:
        lines.append(say("{hours} is confirmed and counts when somebody wants the result.", hours=say.hours(waiting)))
    return joined(lines)


def _sum(session: Session, pool_id: int, member_id: int, kind: TransferKind) -> int:
    total = func.coalesce(func.sum(Transfer.amount), 0)
    plus = select(total).where(Transfer.pool_id == pool_id, Transfer.to_id == member_id, Transfer.kind == kind)
    minus = select(total).where(Transfer.pool_id == pool_id, Transfer.from_id == member_id, Transfer.kind == kind)
    return int(session.exec(plus).one()) - int(session.exec(minus).one())


def transfer_line(context: Context, say: Say, row: Transfer) -> Text:
    """Show one transfer of the sender: when, how much, what for."""
    amount = row.amount if row.to_id == context.member.id else -row.amount
    sign = "+" if amount > 0 else ""
    return joined([say.when(row.at), f"{sign}{say.hours(amount)}", _reason(context, say, row)], " · ")


def _reason(context: Context, say: Say, row: Transfer) -> Text:
    kind, _, number = row.subject.partition(":")
    key = (context.pool_id, int(number)) if number.isdigit() else None
    if kind == "want" and key:
        want = context.session.get_one(Want, key)
        return Text.of(context.session.get_one(Good, (context.pool_id, want.good_id)).name)
    if kind == "contribution" and key:
        contribution = context.session.get_one(Contribution, key)
        done = context.session.get_one(Task, (context.pool_id, contribution.task_id))
        return say("#{number} {title}", number=done.number, title=done.title)
    if row.kind == TransferKind.SETTLE:
        return say("round {number}, shared with all", number=row.round_number)
    return Text.of(row.subject or row.kind)
