"""Notices about goods: what was made, ran out, did not arrive or is promised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import events as ev
from core.chat import cards, report, views
from core.chat.choices import quoted, typed
from core.chat.message import Choice, Message
from core.tables import Member, Pool, Project

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.chat.desk import Desk
    from core.chat.say import Say


def _created(desk: Desk, event: ev.GoodCreated) -> None:
    """Show the good's card in the project's other channels, as a new task's."""

    def write(say: Say) -> Message:
        return cards.face(desk.session, say, event.good.pool_id, cards.good_subject(event.good))

    desk.to_channels(event.good.pool_id, event.product.project_id, write)


def _batch_made(desk: Desk, event: ev.BatchMade) -> None:
    if event.batch.needs != "project":
        return
    project = desk.session.get_one(Project, (event.good.pool_id, event.product.project_id))

    def ask(say: Say) -> Message:
        text = say(
            "{project} made {count} at {effort} each, last time {last}. Right? `/confirm {good}`",
            project=project.name,
            count=views.named(say, event.good, event.batch.units),
            effort=say.hours(views.batch_average(event.batch)),
            last=say.hours(event.product.last_average or 0),
            good=event.good.name,
        )
        return Message(
            text,
            (
                Choice(
                    str(say("Confirm {good}", good=event.good.name)),
                    f"confirm {quoted(event.good.name)}",
                    event.good.pool_id,
                ),
            ),
        )

    desk.ask_other_channels(event.good.pool_id, event.product.project_id, ask)


def _batch_offered(desk: Desk, event: ev.BatchOffered) -> None:
    for want in event.asked:
        member = desk.session.get_one(Member, (want.pool_id, want.member_id))

        def write(say: Say, maximum: int = want.maximum or 0) -> Message:
            name = event.good.name
            text = say("There's {good} now: you'd pay at most {cost} each.", good=name, cost=say.hours(maximum))
            return Message(
                text, (Choice(str(say("Don't want {good}", good=name)), f"unwant {quoted(name)}", event.good.pool_id),)
            )

        desk.to_member(member, write)


def _expired(desk: Desk, event: ev.BatchExpired) -> None:
    def write(say: Say) -> Message:
        count = views.named(say, event.good, event.units)
        return Message(say("Past its date, no longer offered: {count}.", count=count))

    desk.to_channels(event.good.pool_id, event.product.project_id, write)


def _missing(desk: Desk, event: ev.UnitsMissing) -> None:
    name, good = event.member.name, event.good

    def ask(say: Say) -> Message:
        text = say(
            "{name} did not get {count}. Right? Then: `/return {good} {typed}`",
            name=name,
            typed=typed(name),
            count=views.named(say, good, event.units),
            good=good.name,
        )
        choice = Choice(
            str(say("Return {name}'s {good}", name=name, good=good.name)),
            f"return {quoted(good.name)} {quoted(name)}",
            good.pool_id,
            event.product.project_id,
        )
        return Message(text, (choice,))

    project = views.project_of(desk.session, event.product)
    if project.archived_at is None:
        desk.ask_channels(good.pool_id, project.id, ask)
    else:
        desk.to_stewards(desk.session.get_one(Pool, good.pool_id), ask, but=event.member.id)


def _returned(desk: Desk, event: ev.UnitsReturned) -> None:
    desk.to_member(
        event.member,
        lambda say: Message(
            say(
                "{count} went back; you have {hours} again.",
                count=views.named(say, event.good, event.units),
                hours=say.hours(event.cost),
            )
        ),
    )


def ran_out(desk: Desk, event: ev.Unwanted) -> None:
    """Tell somebody whose want was not met for too many rounds; who took theirs back knows."""
    if not event.ran_out:
        return
    member = desk.session.get_one(Member, (event.want.pool_id, event.want.member_id))
    name = event.good.name
    desk.to_member(
        member,
        lambda say: Message(
            say("Your want for {good} ran out after eight rounds.", good=name),
            (
                Choice(
                    str(say("Want {good} again", good=name)),
                    f"want {quoted(name)} {event.want.units}",
                    event.good.pool_id,
                ),
            ),
        ),
    )


def _maker_gone(desk: Desk, event: ev.MakerGone) -> None:
    member, name = desk.session.get_one(Member, (event.want.pool_id, event.want.member_id)), event.good.name

    def write(say: Say) -> Message:
        again = Choice(
            str(say("Want {good} from anybody", good=name)),
            f"want {quoted(name)} {event.want.units}",
            event.good.pool_id,
        )
        text = say("{project} is closed: your want for {good} from there ended.", project=event.project.name, good=name)
        return Message(text, (again,))

    desk.to_member(member, write)


def _pledge_ended(desk: Desk, event: ev.PledgeEnded) -> None:
    """Say how well a pledge was kept; one that ends with a round is part of its report."""
    pool = desk.session.get_one(Pool, event.good.pool_id)
    if event.pledge.by_at != pool.round_due_at:
        write = report.pledge_writer(event.good, event.pledge)
        desk.to_channels(event.good.pool_id, event.product.project_id, lambda say: Message(write(say)))


WRITERS: dict[type, Callable[[Desk, Any], None]] = {
    ev.GoodCreated: _created,
    ev.BatchMade: _batch_made,
    ev.BatchOffered: _batch_offered,
    ev.BatchExpired: _expired,
    ev.UnitsMissing: _missing,
    ev.UnitsReturned: _returned,
    ev.Unwanted: ran_out,
    ev.MakerGone: _maker_gone,
    ev.PledgeEnded: _pledge_ended,
}
