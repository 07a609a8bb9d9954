"""Oneself: balance, wants, history, the reasons for a round's outcome, and one's own settings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import and_, col, or_, select

from core import goods, ledger, undo, wants
from core.chat import views, why
from core.chat.choices import quoted
from core.chat.command import Commands, Press, Who
from core.chat.commands.lists import PAGED, page_choices
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, Parameter
from core.chat.text import Text, joined
from core.chat.values import read_name
from core.events import Wanted
from core.names import key_of, unique_name
from core.settings import N_, MemberSettings, UnknownSettingError
from core.tables import Bid, Claim, Good, Member, Product, Task, Transfer, Want
from core.tasks import claims_of_all

if TYPE_CHECKING:
    from datetime import datetime

    from core.chat.context import Context

command = Commands("me")
OWN_TASKS = (  # these are asked for often, so they are built once
    select(Task)
    .join(Claim, (col(Claim.pool_id) == Task.pool_id) & (col(Claim.task_id) == Task.id))
    .where(Claim.pool_id == bindparam("pool_id"), Claim.member_id == bindparam("member_id"))
    .where(col(Claim.ended_at).is_(None), col(Claim.confirmed_at).is_(None))
    .order_by(*views.BY_DUE)
)
OWN_BIDS = (
    select(Bid, Task)
    .join(Task, (col(Task.pool_id) == Bid.pool_id) & (col(Task.id) == Bid.task_id))
    .where(Bid.pool_id == bindparam("pool_id"), Bid.member_id == bindparam("member_id"))
    .where(col(Task.closed_at).is_(None))
    .order_by(col(Task.number))
)
HISTORY_PAGE = 8
LINES_MAX = 6


@command("me", who=Who.ANY, does=N_("your balance, tasks and wants"), press=Press.AGAIN)
def me(context: Context) -> Reply:
    """Show where the sender stands."""
    session, say, member = context.session, context.tell, context.member
    session.flush()
    standing = ledger.standing(session, member)
    waiting = views.waiting_effort(session, member)
    lines = [
        say("**{name}** in {pool}", name=member.name, pool=context.pool.name),
        say("Balance: {balance}", balance=say.hours(standing.balance)),
        say(
            "Free: {free} (limit {limit}, wants hold {held})",
            free=say.hours(max(0, standing.free)),
            limit=say.hours(standing.limit),
            held=say.hours(standing.held),
        ),
    ]
    if waiting:
        lines.append(say("Waiting: {hours} (confirmed, not yet wanted)", hours=say.hours(waiting)))
    if member.break_until is not None and member.break_until > context.now:
        lines.append(say("Off until {when}. Back earlier? `/break off`", when=say.when(member.break_until)))
    if member.exempt_from is not None and (member.exempt_until is None or member.exempt_until > context.now):
        lines.append(_exempt(context, member.exempt_until))
    choices = [Choice(str(say("Why")), "why", context.pool_id)]
    return context.private(joined([*lines, *_own_tasks(context), *_own_wants(context)]), *choices)


def _exempt(context: Context, until: datetime | None) -> Text:
    say = context.tell
    return (
        say("You need not share costs until {when}.", when=say.end(until))
        if until
        else say("You need not share costs.")
    )


def _own_tasks(context: Context) -> list[Text]:
    """Return the sender's tasks that are not confirmed yet, and their bids; beyond some, how to see all."""
    session, say = context.session, context.tell
    mine = {"pool_id": context.pool_id, "member_id": context.member.id}
    claimed = session.exec(OWN_TASKS, params=mine).all()
    claims = claims_of_all(session, claimed)
    lines = [views.task_line(session, say, task, claims[task.id]) for task in claimed]
    lines += [
        say("Bid: {task} at {weight}", task=views.task_title(say, task), weight=say.weight(bid.weight))
        for bid, task in session.exec(OWN_BIDS, params=mine)
    ]
    return lines if len(lines) <= LINES_MAX else [*lines[:LINES_MAX], say("… all of them: `/tasks mine`")]


def _own_wants(context: Context) -> list[Text]:
    """Return the units that wait for the sender, and what they want."""
    say, session = context.tell, context.session
    units: Counter[int] = Counter()
    for unit in goods.to_collect(session, context.member):
        units[session.get_one(Product, (context.pool_id, unit.product_id)).good_id] += 1
    lines = []
    for good_id, count in sorted(units.items()):
        good = session.get_one(Good, (context.pool_id, good_id))
        lines.append(
            say("For you: {count}. Got it? `/collected {good}`", count=views.named(say, good, count), good=good.name)
        )
    found = [_want_line(context, want) for want in wants.wants_of(session, context.member)]
    return [*lines, *found] if len(found) <= LINES_MAX else [*lines, *found[:LINES_MAX], say("… all of them: `/wants`")]


def _want_line(context: Context, want: Want) -> Text:
    good = context.session.get_one(Good, (context.pool_id, want.good_id))
    return context.tell("Want: {want}", want=views.want_line(context.session, context.tell, good, want))


@command("wants", *PAGED, who=Who.ANY, does=N_("your standing wants"), press=Press.AGAIN)
def my_wants(context: Context, page: int = 1) -> Reply:
    """List the sender's wants."""
    say, begin = context.tell, (page - 1) * LINES_MAX
    every = wants.wants_of(context.session, context.member)
    found = every[begin : begin + LINES_MAX]
    if not found:
        return context.private(say("You want nothing at the moment. What there is: `/goods`"))
    names = [context.session.get_one(Good, (context.pool_id, want.good_id)).name for want in found]
    choices = [Choice(str(say("No {good}", good=name)), f"unwant {quoted(name)}", context.pool_id) for name in names]
    choices += page_choices(context, "wants", page, has_more=len(every) > begin + LINES_MAX)
    return context.private(joined(_want_line(context, want) for want in found), *choices)


@command(
    "why",
    Parameter("number", Kind.TASK, example="12"),
    who=Who.ANY,
    does=N_("why a task went as it did"),
    press=Press.AGAIN,
)
def why_task(context: Context, number: int) -> Reply:
    """Explain what the last round decided about a task."""
    return context.private(why.task(context, number))


@command(
    "why",
    Parameter("name", Kind.NAME, optional=True),
    who=Who.ANY,
    does=N_("why you got it or not; without a word, why your balance is what it is"),
    press=Press.AGAIN,
)
def why_good(context: Context, name: str = "") -> Reply:
    """Explain the last outcome about a good, or the sender's balance."""
    if name:
        return context.private(why.good(context, goods.find_good(context.session, context.pool_id, name)))
    return context.private(why.balance(context))


@command(
    "history",
    *PAGED,
    who=Who.ANY,
    does=N_("everything that moved your balance"),
    press=Press.AGAIN,
)
def history(context: Context, page: int = 1) -> Reply:
    """List the sender's transfers, the newest first."""
    say, own = context.tell, context.own_ids
    sides = ((col(Transfer.from_id), col(Transfer.to_id)), (col(Transfer.to_id), col(Transfer.from_id)))
    mine = or_(*(and_(one.in_(own), or_(other.is_(None), other.not_in(own))) for one, other in sides))
    query = select(Transfer).where(Transfer.pool_id == context.pool_id, mine)
    query = query.order_by(col(Transfer.id).desc()).offset((page - 1) * HISTORY_PAGE).limit(HISTORY_PAGE + 1)
    found = context.session.exec(query).all()
    if not found:
        return context.private(say("Nothing has moved your balance yet."))
    lines = [why.transfer_line(context, say, row) for row in found[:HISTORY_PAGE]]
    pages = page_choices(context, "history", page, has_more=len(found) > HISTORY_PAGE)
    return context.private(joined(lines), *pages)


@command("undo", Parameter("deed", Kind.TASK, optional=True), who=Who.ANY, does=N_("take back what you just did"))
def take_back(context: Context, deed: int | None = None) -> Reply:
    """Take back the sender's last deed, or the one of the button."""
    undone = undo.undo(context.session, context.member, deed, context.now)
    context.emit(undone.event)
    say = context.say
    names = {
        "claim": say("claim"),
        "drop": say("drop"),
        "done": say("report"),
        "bid": say("bid"),
        "want": say("want"),
        "pledge": say("pledge"),
        "made": say("batch"),
    }
    kind = names.get(undone.kind)  # what an unwant took back stands again, which says it all
    text = say("{name} took it back: {kind}.", name=context.member.name, kind=kind) if kind else Text()
    if isinstance(undone.event, Wanted):
        want = views.want_line(context.session, say, undone.event.good, undone.event.want)
        again = say("{name} wants again: {want}.", name=context.member.name, want=want)
        text = joined([text, again], " ")
    is_card = context.pressed is not None and context.pressed.payload.get("subject")
    return context.reply(text) if is_card else context.in_place(text)  # a live card follows by itself


@command(
    "me set",
    Parameter("key", Kind.WORD, optional=True, example="hours"),
    Parameter("value", Kind.REST, optional=True, example="4h"),
    who=Who.ANY,
    does=N_("your settings: hours, quiet, digest, name"),
)
def change(context: Context, key: str = "", value: str = "") -> Reply:
    """Change one of the sender's own settings, or list them all with what they are for."""
    member, say = context.member, context.say
    if not value:
        return context.private(_settings(context, key))
    if key == "name":
        return rename(context, member, value)
    if key not in MemberSettings.table:
        raise UnknownSettingError(key, ("name", *MemberSettings.table))
    member.settings = MemberSettings.change(member.settings, key, value)
    return context.reply(
        say(
            "{name}: {key} is {value} now.",
            name=member.name,
            key=key,
            value=say.setting(MemberSettings(member.settings).shown(key)),
        )
    )


def _settings(context: Context, key: str) -> Text:
    """Return the sender's settings with what they are for, or the one of that name."""
    say, settings = context.tell, MemberSettings(context.member.settings)
    lines = [
        say(
            "**{key}** {value}: {help}",
            key=name,
            value=say.setting(settings.shown(name)),
            help=say.translate(setting.help),
        )
        for name, setting in MemberSettings.table.items()
        if key in {"", name}
    ]
    if key in {"", "name"}:
        lines.insert(0, say("**name** {name}", name=context.member.name))
    if not lines:
        raise UnknownSettingError(key, ("name", *MemberSettings.table))
    return joined(lines)


def rename(context: Context, member: Member, value: str) -> Reply:
    """Give a member another name that nobody else has."""
    old = member.name

    def is_taken(key: str) -> bool:
        query = select(Member.id).where(
            Member.pool_id == context.pool_id, Member.name_key == key, Member.id != member.id
        )
        return context.session.exec(query).first() is not None

    member.name = unique_name(read_name(value, "Ana"), is_taken)
    member.name_key = key_of(member.name)
    return context.reply(context.say("{old} is {name} now.", old=old, name=member.name))
