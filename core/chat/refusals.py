"""Every refusal as one line that says what to type instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import errors as e
from core import moments, numbers, periods, settings, timetable
from core.chat import parameters
from core.chat.choices import typed
from core.chat.text import joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.chat.say import Say
    from core.chat.text import Text
    from core.errors import Refusal


def line(say: Say, error: Refusal) -> Text:
    """Return the line for a refusal."""
    return LINES[type(error)](say, error)


def kind_name(say: Say, kind: str) -> str:
    """Return what people call a kind of value."""
    names = {
        "member": say("member"),
        "project": say("project"),
        "good": say("good"),
        "task": say("a task number"),
        "count": say("a whole number"),
        "weight": say("a weight"),
        "times": say("a number of people"),
        "code": say("a code"),
    }
    return str(names.get(kind, say("text")))


def _bounded(say: Say, kind: str, value: int) -> str:
    if kind in {"hours", "bid"}:
        return say.hours(value)
    return say.weight(value) if kind == "weight" else str(value)


def _who(say: Say, names: tuple[str, ...]) -> str:
    return say.names(names) if names else str(say("nobody"))


def _out_of_bounds(say: Say, error: e.OutOfBoundsError) -> Text:
    return _bounds(say, error.kind, _bounded(say, error.kind, error.value), (error.low, error.high), error.example)


def _bounds(say: Say, kind: str, word: str, bounds: tuple[int, int], example: str) -> Text:
    """Say which numbers go. The least hours are a thousandth, of which nobody has to know."""
    low, high = (_bounded(say, kind, bound) for bound in bounds)
    if kind in {"hours", "bid"}:
        which = say("more than 0, at most {high}", high=high)
    elif kind == "weight":
        which = say("a weight from {low} to {high}", low=low, high=high)
    else:
        which = say("a whole number from {low} to {high}", low=low, high=high)
    return say("'{word}' won't do: {which}, like `{example}`.", word=word, which=which, example=example)


def _number(say: Say, error: numbers.NumberError) -> Text:
    values = {"word": error.word, "kind": kind_name(say, error.kind), "example": error.example}
    return say("I can't read '{word}' as {kind}. Try `{example}`.", **values)


def _hours_number(say: Say, error: numbers.NumberError) -> Text:
    if error.kind != "hours":
        return _number(say, error)
    return say("I can't read '{word}' as hours. Try `1.5h` or `90m`.", word=error.word)


def _number_bounds(say: Say, error: numbers.NumberBoundsError) -> Text:
    return _bounds(say, error.kind, error.word, (error.least, error.most), error.example)


def _unknown_name(say: Say, error: e.UnknownNameError) -> Text:
    if error.near:
        return say("{word}: did you mean **{near}**?", word=error.word, near=" / ".join(error.near))
    lists = {"good": "/goods", "member": "/members", "project": "/pool"}
    return say(
        "I know no {kind} '{word}'. See `{list}`.",
        kind=kind_name(say, error.kind),
        word=error.word,
        list=lists.get(error.kind, "/help"),
    )


def _not_enough_free(say: Say, error: e.NotEnoughFreeError) -> Text:
    amount = say.amount(error.units, error.good, error.unit, error.unit)
    figures = say(
        "You have {free} free; {amount} at {each} hold {hold}.",
        free=say.hours(max(0, error.free)),
        amount=amount,
        each=say.hours(error.each),
        hold=say.hours(error.units * error.each),
    )
    tasks = ", ".join(f"#{number}" for number in error.hints)
    hint = say("Bid less, or: `/tasks` ({tasks})", tasks=tasks) if tasks else say("Bid less, or: `/tasks`")
    return joined([figures, hint], " ")


def _still_bidding(say: Say, error: e.StillBiddingError) -> Text:
    when = say.when(error.decided_at) if error.decided_at else ""
    return say(
        "#{number} takes bids until {when}. Say at which weight you'd do it: `/bid {number} {weight}`",
        number=error.number,
        when=when,
        weight=say.weight(error.weight).removeprefix("×"),
    )


def _not_yours(say: Say, error: e.NotYoursError) -> Text:
    if error.names:
        return say(
            "#{number} isn't yours, it's taken by {names}. See `/task {number}`",
            number=error.number,
            names=say.names(error.names),
        )
    return say("You don't have #{number}. To take it: `/claim {number}`", number=error.number)


def _nothing_reported(say: Say, error: e.NothingReportedError) -> Text:
    if error.names:
        return say(
            "#{number} is not reported yet; it's with {names}.", number=error.number, names=say.names(error.names)
        )
    return say("Nobody has reported #{number} yet. See `/task {number}`", number=error.number)


def _nothing_confirmed(say: Say, error: e.NothingConfirmedError) -> Text:
    if error.names:
        return say(
            "#{number}: there's confirmed work of {names} only.", number=error.number, names=say.names(error.names)
        )
    return say("Nothing is confirmed of #{number}. See `/task {number}`", number=error.number)


def _already_confirmed(say: Say, error: e.AlreadyConfirmedError) -> Text:
    if error.by_you:
        return say("You have confirmed #{number} already; it needs others too.", number=error.number)
    return say("#{number} has its confirmation already.", number=error.number)


def _over_cap(say: Say, error: e.OverCapError) -> Text:
    return say(
        "That's {hours} more; you set at most {cap} a round and have {taken}. To change it: `/me set hours {more}`",
        hours=say.hours(error.hours),
        cap=say.hours(error.cap),
        taken=say.hours(error.taken),
        more=say.figure(error.taken + error.hours),
    )


def _nothing_gathered(say: Say, error: e.NothingGatheredError) -> Text:
    if error.waiting:
        first = error.waiting[0]
        return say(
            "#{number} for {good} still waits for somebody else's word: `/confirm {number}`",
            number=first,
            good=error.good,
        )
    return say(
        "No confirmed work for {good} yet. How long did it take? `/made {good} {units} 2h`",
        good=error.good,
        units=error.units,
    )


def _task_closed(say: Say, error: e.TaskClosedError) -> Text:
    if error.cancelled:
        return say("#{number} was cancelled. See `/tasks`", number=error.number)
    return say("#{number} is done. See `/tasks`", number=error.number)


def _unknown_setting(say: Say, error: settings.UnknownSettingError) -> Text:
    return say("There's no setting '{key}'. There are: {keys}.", key=error.key, keys=", ".join(error.keys))


def _not_whole(say: Say, error: numbers.NotWholeError) -> Text:
    return say(
        "{word}: how many, a whole number, or at most {hours} each?",
        word=error.word,
        hours=say.hours(error.thousandths),
    )


def _missing(say: Say, error: parameters.MissingError) -> Text:
    return say("What's missing: {name}, e.g. `{example}`.", name=error.name, example=error.example)


def _unreadable(say: Say, error: parameters.UnreadableError) -> Text:
    return say("I can't read '{word}' here. Try `{example}`.", word=error.word, example=error.example)


def _nothing_to_collect(say: Say, error: e.NothingToCollectError) -> Text:
    if error.name and error.days:
        return say(
            "{name} can still collect {good}: it goes back after {days} days.",
            name=error.name,
            good=error.good,
            days=error.days,
        )
    if error.name:
        return say("{name} has no {good} to give back.", name=error.name, good=error.good)
    if error.days:
        return say("You were given {good} more than {days} days ago: ask its makers.", good=error.good, days=error.days)
    return say("There's no {good} for you to collect.", good=error.good)


def _nothing_to_undo(say: Say, error: e.NothingToUndoError) -> Text:
    if error.too_late:
        return say("That's more than two minutes ago: it stays.")
    if error.built_on:
        return say("It was built on or changed since: it stays.")
    return say("There's nothing to take back.")


def _last_of_kind(say: Say, error: e.LastOfKindError) -> Text:
    if error.role == "steward":
        return say("{name} needs a steward. First make somebody else one: `/pool steward NAME`", name=error.name)
    return say("{name} needs a maintainer. First: `/project maintainer NAME` or `/project archive`", name=error.name)


LINES: dict[type[Refusal], Callable[[Say, Any], Text]] = {
    e.UnknownNameError: _unknown_name,
    e.AmbiguousNameError: lambda say, x: say("{word}: which one, {names}?", word=x.word, names=" / ".join(x.names)),
    e.NameTakenError: lambda say, x: say("There's a {name} already. Take another name.", name=x.name),
    e.UnknownTaskError: lambda say, x: say("There's no #{number}. See `/tasks`", number=x.number),
    e.UnknownCodeError: lambda say, x: say("The code {code} doesn't work (any more). Ask for a new one.", code=x.code),
    e.TooManyTriesError: lambda say, _: say("Too many wrong codes. Try again in ten minutes."),
    e.OwnCodeError: lambda say, _: say("That code is your own: type it from your other account."),
    e.NothingToLinkError: lambda say, _: say("There's nothing to link (any more). For a new code: `/link`"),
    e.BelowLimitTogetherError: lambda say, x: say(
        "Together that's {balance} in {pool}; {least} is the least. First do something: `/tasks`",
        pool=x.pool,
        balance=say.hours(x.balance),
        least=say.hours(x.least),
    ),
    e.NoPoolError: lambda say, _: say("You're in no pool here. Type `/join CODE`, or found one: `/pool new NAME`"),
    e.NoProjectError: lambda say, _: say("This chat is no project's. Make it one: `/project new NAME`"),
    e.NoCodeError: lambda say, x: say(
        "Of which pool? Add its code (ask its stewards): `/project new {name} CODE`. Or found one: `/pool new NAME`",
        name=x.name,
    ),
    e.WhichPoolError: lambda say, _: say("Which pool?"),
    e.WhichProjectError: lambda say, _: say("Which project?"),
    e.NotProjectMemberError: lambda say, x: say("Only {project}'s people can do that.", project=x.project),
    e.NotMaintainerError: lambda say, x: say(
        "Only {project}'s maintainers can do that: ask {names}.", project=x.project, names=_who(say, x.names)
    ),
    e.NotStewardError: lambda say, x: say(
        "Only {pool}'s stewards can do that: ask {names}.", pool=x.pool, names=_who(say, x.names)
    ),
    e.NotAdmittedError: lambda say, x: say("{name} has yet to let you in; its people have been asked.", name=x.name),
    e.LastOfKindError: _last_of_kind,
    e.NotInProjectError: lambda say, x: say(
        "{name} isn't in {project}. See `/members`", name=x.name, project=x.project
    ),
    e.NotYourButtonError: lambda say, x: say(
        "That button is for whoever asked. For yourself: `/{command}`", command=x.command
    ),
    e.NotInPrivateError: lambda say, _: say("That's for a group chat: type it where your project talks."),
    e.NotSpokenForError: lambda say, x: say("{name} has a phone, or is in none of your projects.", name=x.name),
    e.NotForOthersError: lambda say, x: say(
        "'{word}' can't be said for somebody else. What can: {names}.", word=x.word, names=", ".join(x.names)
    ),
    e.ChannelTakenError: lambda say, x: say("This chat is {project}'s already. See `/project`", project=x.project),
    e.TaskClosedError: _task_closed,
    e.StillBiddingError: _still_bidding,
    e.TakenError: lambda say, x: say(
        "#{number} is taken by {names}. Others: `/tasks`", number=x.number, names=say.names(x.names)
    ),
    e.AlreadyYoursError: lambda say, x: say(
        "#{number} is yours already. When it's done: `/done {number}`", number=x.number
    ),
    e.NotYoursError: _not_yours,
    e.AlreadyReportedError: lambda say, x: say("#{number} is reported already. See `/task {number}`", number=x.number),
    e.NothingReportedError: _nothing_reported,
    e.WhoseReportError: lambda say, x: say("#{number}: whose, {names}?", number=x.number, names=" / ".join(x.names)),
    e.OwnWorkError: lambda say, x: say("#{number} is your own work: somebody else has to say so.", number=x.number),
    e.AlreadyConfirmedError: _already_confirmed,
    e.DisputedError: lambda say, x: say(
        "#{number} is disputed; it waits for {names}: `/accept {number}` or `/reject {number} WHY`",
        number=x.number,
        names=_who(say, x.names),
    ),
    e.NotDisputedError: lambda say, x: say("Nobody disputes #{number}. See `/task {number}`", number=x.number),
    e.NothingConfirmedError: _nothing_confirmed,
    e.NothingToCorrectError: lambda say, x: say(
        "#{number}: {name} has {hours} already, so nothing changes. Other hours? `/correct {number} {typed} 1.5h WHY`",
        number=x.number,
        name=x.name,
        typed=typed(x.name),
        hours=say.hours(x.hours),
    ),
    e.OverCapError: _over_cap,
    e.AlreadyBegunError: lambda say, x: say(
        "#{number} is taken by {names} as it is. Call it off (`/task cancel {number}`) and post a new one.",
        number=x.number,
        names=say.names(x.names),
    ),
    e.NotCommonWorkError: lambda say, x: say(
        "#{number} counts when {good} is given out; nobody has to back it.", number=x.number, good=x.good
    ),
    e.NotOtherProjectError: lambda say, x: say(
        "That takes somebody of another project than {project}.", project=x.project
    ),
    e.OutOfBoundsError: _out_of_bounds,
    e.PastMomentError: lambda say, x: say("{when} is over. Try `fri` or `3d`.", when=say.end(x.moment)),
    e.NotYoursToChangeError: lambda say, x: say(
        "Only who posted #{number} or {project}'s maintainers can change it.", number=x.number, project=x.project
    ),
    e.NotAProductError: lambda say, x: say(
        "{project} doesn't make {good}. To begin: `/good new {good}`", project=x.project, good=x.good
    ),
    e.AlreadyAProductError: lambda say, x: say(
        "{project} makes {good} already. Made some? `/made {good} 10 2h`", project=x.project, good=x.good
    ),
    e.NothingGatheredError: _nothing_gathered,
    e.FreeGoodError: lambda say, x: say("{good} is free: there's always enough. Get it: `/want {good}`", good=x.good),
    e.NothingToConfirmError: lambda say, x: say("No {good} waits for a confirmation.", good=x.good),
    e.NotEnoughFreeError: _not_enough_free,
    e.TooMuchToTakeBackError: lambda say, x: say(
        "{name} can give back {most} at most, not {amount}. Try other hours.",
        name=x.name,
        most=say.hours(x.most),
        amount=say.hours(x.amount),
    ),
    e.NoWantError: lambda say, x: say("You have no want for {good}. To have one: `/want {good}`", good=x.good),
    e.NothingToCollectError: _nothing_to_collect,
    e.NothingToUndoError: _nothing_to_undo,
    settings.UnknownSettingError: _unknown_setting,
    settings.UnfitSettingError: lambda say, x: say(
        "'{value}' doesn't fit {key}. Try `{example}`.", value=x.value[:40], key=x.key, example=x.example
    ),
    numbers.NumberError: _hours_number,
    numbers.NumberBoundsError: _number_bounds,
    numbers.NotWholeError: _not_whole,
    moments.UnreadableMomentError: lambda say, x: say(
        "I can't read '{word}' as a day. Try `{example}`.", word=x.word, example=x.example
    ),
    moments.FarMomentError: lambda say, x: say("{word} is too far away. Try `fri` or `3d`.", word=x.word),
    periods.UnreadablePeriodError: lambda say, x: say(
        "I can't read '{word}' as a time. Try `{example}`.", word=x.word, example=x.example
    ),
    timetable.UnreadableTimetableError: lambda say, x: say(
        "I can't read '{word}' as rounds. Try `{example}`.", word=x.word, example=x.example
    ),
    timetable.UnknownZoneError: lambda say, x: say(
        "I know no time zone '{name}'. Try `{example}`.", name=x.name, example=x.example
    ),
    parameters.UnreadableError: _unreadable,
    parameters.MissingError: _missing,
    parameters.SurplusError: lambda say, x: say("'{word}' is one word too many. See `/help`", word=x.word),
    parameters.UnquotedError: lambda say, x: say("Put quotes around it: `{example}`", example=x.example),
    parameters.TooLongError: lambda say, x: say(
        "That's {length} characters; {limit} are enough.", length=x.length, limit=x.limit
    ),
}
