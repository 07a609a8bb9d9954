"""What to answer when a command cannot run: ask for what is missing, or say what to type instead.

A question is a message whose plain reply completes the command; there is no state besides that message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from core.chat import refusals, remedies
from core.chat.choices import distinct, quoted
from core.chat.message import Choice, Reply
from core.chat.parameters import Kind, MissingError
from core.tables import Claim, Good, Member, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.chat.command import Command
    from core.chat.context import Context
    from core.chat.text import Text
    from core.errors import Refusal

CHOICES_MAX = 6


def answer(context: Context, refusal: Refusal) -> Reply:
    """Return the answer to a command that was refused."""
    if isinstance(refusal, MissingError):
        choices = distinct(_candidates(context, refusal))
        return Reply(_question(context, refusal), choices, answers=context.text.strip())
    found = remedies.choices(context.say, refusal, context.text)
    return Reply(refusals.line(context.say, refusal), distinct(found))


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
    """Return tasks for which a command makes sense: one's own, those with a report to confirm, or open ones."""
    standing: list[Any] = [
        Claim.pool_id == context.pool_id,
        col(Claim.ended_at).is_(None),
        col(Claim.confirmed_at).is_(None),
    ]
    own: list[Any] = [*standing, col(Claim.reported_at).is_(None), Claim.member_id == context.member.id]
    reported = [*standing, col(Claim.reported_at).is_not(None)]
    is_open = [col(Task.opened_at).is_(None) if name == "bid" else col(Task.opened_at).is_not(None)]
    conditions: dict[str, list[Any]] = {
        "done": [col(Task.id).in_(select(Claim.task_id).where(*own))],
        "confirm": [col(Task.id).in_(select(Claim.task_id).where(*reported))],
    }
    conditions |= {"drop": conditions["done"], "dispute": conditions["confirm"]}
    query = select(Task).where(
        Task.pool_id == context.pool_id, col(Task.closed_at).is_(None), *conditions.get(name, is_open)
    )
    return list(context.session.exec(query.order_by(col(Task.number).desc()).limit(CHOICES_MAX)))
