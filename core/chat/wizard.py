"""What to answer when a command cannot run: ask for what is missing, or say what to type instead.

A question is a message whose plain reply completes the command; there is no state besides that message.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.chat import refusals, remedies
from core.chat.choices import distinct, quoted
from core.chat.message import Choice, Reply
from core.chat.parameters import EXAMPLES, Kind, MissingError, UnreadableError
from core.errors import OutOfBoundsError
from core.numbers import NumberBoundsError
from core.settings import PoolSettings, UnfitSettingError
from core.tables import Claim, Good, Member, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement

    from core.chat.command import Command
    from core.chat.context import Context
    from core.chat.text import Text
    from core.errors import Refusal

CHOICES_MAX = 6
SPEAKING = "as"  # the command that speaks for a member without a phone
NEW_MEMBER = "member new"
COUNT_FIRST = re.compile(r"[0-9]+ (?P<name>\D.*)")


def answer(context: Context, refusal: Refusal) -> Reply:
    """Return the answer to a command that was refused."""
    if isinstance(refusal, MissingError):
        choices = distinct(_candidates(context, refusal))
        return Reply(_question(context, refusal), choices, answers=_answers(context, refusal))
    if isinstance(refusal, NumberBoundsError | OutOfBoundsError | UnfitSettingError):
        _exemplify(context, refusal)
    elif isinstance(refusal, UnreadableError):
        _turn_round(context, refusal)
    found = remedies.choices(context.say, refusal, context.text)
    if context.has_member and context.member.person_id is None:
        found = [_spoken_for(choice, context.member) for choice in found]
    return Reply(refusals.line(context.say, refusal), distinct(found))


def _turn_round(context: Context, refusal: UnreadableError) -> None:
    """Let `/want 2 bread` be answered with `/want bread 2`."""
    command, _rest = _typed(context)
    takes_count = any(parameter.kind is Kind.COUNT for parameter in command.parameters)
    match = COUNT_FIRST.fullmatch(refusal.word)
    if takes_count and match and refusal.kind is Kind.NAME:
        count = refusal.word.partition(" ")[0]
        refusal.example = remedies.in_place_of(refusal.word, f"{match['name']} {count}", context.text)


def _spoken_for(choice: Choice, member: Member) -> Choice:
    """Let a choice be for the member without a phone for whom somebody spoke."""
    first = choice.command.partition(" ")[0]
    is_so = first.removeprefix("/").casefold() == SPEAKING
    return choice if is_so else replace(choice, command=f"{SPEAKING} {quoted(member.name)} {choice.command}")


def _answers(context: Context, missing: MissingError) -> str:
    """Return the command that a reply completes. A title stands first, so that with it all is to be said anew."""
    command, _rest = _typed(context)
    is_own = any(parameter.kind is Kind.TITLE for parameter in command.parameters)  # not that of `/as Bo did`
    return command.name if missing.kind is Kind.TITLE and is_own else context.text.strip()


def _exemplify(context: Context, refusal: NumberBoundsError | OutOfBoundsError | UnfitSettingError) -> None:
    """Let a refused value say what would do: the same command with an example in its place."""
    if isinstance(refusal, UnfitSettingError):
        word = refusal.value
    elif isinstance(refusal, OutOfBoundsError):  # readable, but more than the pool allows: the weight of a bid
        word, refusal.example = context.text.split()[-1], EXAMPLES[Kind.WEIGHT]
    else:
        word = refusal.word
        if refusal.kind == Kind.WEIGHT:  # only a bid has one, for which the pool sets the bound
            refusal.most = PoolSettings(context.pool.settings).max_weight
    refusal.example = remedies.in_place_of(word, refusal.example, context.text)


def _question(context: Context, missing: MissingError) -> Text:
    say, example = context.say, missing.example
    if missing.kind is Kind.NAME:
        return _which(context, missing)
    questions: dict[Kind, Callable[[], Text]] = {
        Kind.TITLE: lambda: say("What is to be done? Reply e.g. `Dishes 2h`"),
        Kind.HOURS: lambda: say("How many hours? Reply e.g. `{example}`", example=example),
        Kind.COUNT: lambda: say("How many? Reply e.g. `{example}`", example=example),
        Kind.WEIGHT: lambda: say("At which weight? Reply e.g. `{example}`", example=example),
        Kind.TASK: lambda: say("Which task? Reply with its number, e.g. `{example}`", example=example),
        Kind.CODE: lambda: say("Which code? Reply e.g. `{example}`", example=example),
        Kind.PERIOD: lambda: say("For how long? Reply e.g. `{example}`", example=example),
        Kind.NOTE: lambda: say("Why? Reply with a few words."),
        Kind.WORD: lambda: say("Which one? Reply e.g. `{example}`", example=example),
    }
    ask = questions.get(missing.kind)
    return ask() if ask else say("What then? Reply e.g. `{example}`", example=example)


def _which(context: Context, missing: MissingError) -> Text:
    say, kind = context.say, _named(context, missing)
    if kind is Good:
        return say("Which good? Reply e.g. `{example}`", example="bread")
    if kind is Member:
        return say("Who? Reply with the name.")
    if _typed(context)[0].name == NEW_MEMBER:
        return say("Who? Reply with the name.")
    return say("What is it called? Reply with the name.")


def _typed(context: Context) -> tuple[Command, str]:
    """Return the command that lacks something, and what stands behind it."""
    found = context.table.find(context.text)
    return found or (context.table.commands[0], "")  # what lacks something was found once already


def _named(context: Context, missing: MissingError) -> type[Good | Member] | None:
    """Return what a missing name is the name of: a good, a member, or (None) something that is new."""
    command, _rest = _typed(context)
    if command.name.endswith(" new"):
        return None
    return Good if command.topic == "goods" and missing.name == "name" else Member


def _candidates(context: Context, missing: MissingError) -> list[Choice]:
    """Return what can be meant, as choices that complete the command."""
    typed, (command, rest) = context.text.strip(), _typed(context)
    if not context.has_member:
        return []
    if missing.kind is Kind.TASK and not rest:
        return [
            Choice(f"#{task.number} {task.title[:20]}", f"{typed} {task.number}", context.pool_id)
            for task in _tasks(context, command.name)
        ]
    kind = _named(context, missing) if missing.kind is Kind.NAME else None
    if kind is None:
        return []
    return [Choice(name, f"{typed} {quoted(name)}", context.pool_id) for name in _names(context, kind)]


def _names(context: Context, table: type[Good | Member]) -> list[str]:
    """Return the first names of goods or of other people in the pool."""
    query = select(table.name).where(table.pool_id == context.pool_id).order_by(col(table.name_key))
    if table is Member:
        query = query.where(col(Member.left_at).is_(None), Member.id != context.member.id)
    return list(context.session.exec(query.limit(CHOICES_MAX)))


def _tasks(context: Context, name: str) -> list[Task]:
    """Return the newest tasks for which a command makes sense."""
    unconfirmed = (col(Claim.ended_at).is_(None), col(Claim.confirmed_at).is_(None))
    own = (*unconfirmed, col(Claim.reported_at).is_(None), Claim.member_id == context.member.id)
    reported = (*unconfirmed, col(Claim.reported_at).is_not(None))
    to_confirm = (*reported, col(Claim.disputed_at).is_(None), Claim.member_id != context.member.id)
    disputed = (*reported, col(Claim.disputed_at).is_not(None))
    confirmed = (col(Claim.ended_at).is_(None), col(Claim.confirmed_at).is_not(None))
    is_alive = (col(Task.closed_at).is_(None),)
    conditions: dict[str, tuple[ColumnElement[bool], ...]] = {
        **dict.fromkeys(("done", "drop", "task give"), _with_claim(context, *own)),
        **dict.fromkeys(("confirm", "dispute"), _with_claim(context, *to_confirm)),
        **dict.fromkeys(("accept", "reject"), _with_claim(context, *disputed)),
        "correct": _with_claim(context, *confirmed),
        "back": (col(Task.product_id).is_(None), *_with_claim(context, *confirmed)),
        "bid": (col(Task.opened_at).is_(None), *is_alive),
        "claim": (col(Task.opened_at).is_not(None), *is_alive),
    }
    query = select(Task).where(Task.pool_id == context.pool_id, *conditions.get(name, is_alive))
    return list(context.session.exec(query.order_by(col(Task.number).desc()).limit(CHOICES_MAX)))


def _with_claim(context: Context, *conditions: ColumnElement[bool] | bool) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a task has a slot like this."""
    return (col(Task.id).in_(select(Claim.task_id).where(Claim.pool_id == context.pool_id, *conditions)),)
