"""One person on two platforms: a code in one private chat, typed in the other, and a yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import linking
from core.chat.accounts import account_shown
from core.chat.choices import own
from core.chat.command import Commands, Who
from core.chat.parameters import Kind, Parameter
from core.chat.text import joined
from core.settings import N_

if TYPE_CHECKING:
    from core.chat.context import Context
    from core.chat.message import Reply
    from core.chat.say import Say
    from core.chat.text import Text
    from core.linking import Part, Result

command = Commands("people")


@command(
    "link",
    Parameter("code", Kind.CODE, optional=True),
    who=Who.ALL,
    does=N_("be one person on two platforms; with a code, from the other"),
)
def link(context: Context, code: str = "") -> Reply:
    """Give a code, or ask about one."""
    if code and not context.is_private:
        return _void(context, code)
    if code:
        return _ask(context, linking.redeem(context.session, context.account, code, context.now))
    say = context.tell
    secret = linking.issue(context.session, context.account, context.now, context.entropy)
    lines = [
        say("Your code: **{code}**, for ten minutes.", code=secret),
        say("From your other account, write to me in private: `/link {code}` (on Matrix: !link)", code=secret),
        say("Show it to nobody: who types it can become you."),
    ]
    return context.private(joined(lines))


def _void(context: Context, code: str) -> Reply:
    linking.void(context.session, code, context.now)
    return context.reply(
        context.say("Here everybody could read it, so that code is void. A new one, in private with me: `/link`")
    )


def _ask(context: Context, found: Result) -> Reply:
    """Say who becomes one person with whom and what is put together, and ask."""
    say = context.say
    lines = [
        say("Make these accounts one person? There's no way back."),
        say("{account}: this one", account=account_shown(say, context.account)),
        *(say("{account}: where the code is from", account=account_shown(say, one)) for one in found.others),
        say("Each account can then act as you in every pool. Never use somebody else's code: they could act as you."),
        *(line for part in found.parts for line in _part(say, part)),
    ]
    return context.reply(joined(lines), own(context, say("Link"), f"link with {found.person_id}"))


def _part(say: Say, part: Part) -> list[Text]:
    """Say what is put together in one pool."""
    values = {"pool": part.pool, "balance": say.hours(part.balance), "name": part.name}
    if part.own is not None and part.other is not None:
        one, other = say.hours(part.own), say.hours(part.other)
        lines = [
            say("{pool}: {one} here and {other} there make {balance}; you're {name}.", one=one, other=other, **values)
        ]
    elif part.own is not None:
        lines = [say("{pool}: {balance}, from here; you're {name}.", **values)]
    else:
        lines = [say("{pool}: {balance}, from there; you're {name}.", **values)]
    if part.replaced:
        lines.append(say("You want {goods} twice: the newer want stays.", goods=say.names(part.replaced)))
    if part.ended:
        lines.append(say("You don't have enough free for all wants. Ended: {goods}.", goods=say.names(part.ended)))
    if part.freed:
        numbers = say.names([f"#{number}" for number in part.freed])
        lines.append(say("You hold {tasks} twice: one place is free again.", tasks=numbers))
    return lines


@command(
    "link with",
    Parameter("person", Kind.TASK),
    who=Who.ALL,
    does=N_("say yes to one person on two platforms"),
    hidden=True,
)
def link_with(context: Context, person: int) -> Reply:
    """Link the account with the one that was asked about."""
    return _done(context, linking.link(context.session, context.account, person, context.now))


def _done(context: Context, result: Result) -> Reply:
    context.emit(*result.events)
    say = context.say
    names = say.names([str(account_shown(say, one)) for one in result.others])
    lines = [say("Linked: you're one person with {accounts} now.", accounts=names)]
    lines += [
        say("{pool}: {balance}; you're {name}.", pool=part.pool, balance=say.hours(part.balance), name=part.name)
        for part in result.parts
    ]
    return context.in_place(joined(lines))
