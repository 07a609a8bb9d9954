"""Refusals: everything the pool may answer "no" to, as typed errors that carry values and no text.

`core.chat.refusals` has the one line each is answered with. Amounts are thousandths of a weighted hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Refusal(Exception):
    """Base of all refusals."""


# Names and numbers


@dataclass(eq=False)
class UnknownNameError(Refusal):
    """Nothing of that `kind` has this name; `near` are names that look like it."""

    kind: str
    word: str
    near: tuple[str, ...] = ()


@dataclass(eq=False)
class AmbiguousNameError(Refusal):
    """Several names begin like this."""

    kind: str
    word: str
    names: tuple[str, ...]


@dataclass(eq=False)
class NameTakenError(Refusal):
    """There is one of that `kind` with this name already."""

    kind: str
    name: str


@dataclass(eq=False)
class UnknownTaskError(Refusal):
    """There is no task of that number."""

    number: int


@dataclass(eq=False)
class UnknownCodeError(Refusal):
    """The code is wrong, used or expired."""

    code: str


@dataclass(eq=False)
class TooManyTriesError(Refusal):
    """Too many wrong codes in a short time."""


@dataclass(eq=False)
class OwnCodeError(Refusal):
    """The code links an account of the person who typed it."""


@dataclass(eq=False)
class NothingToLinkError(Refusal):
    """No code was typed that waits for a yes, or its time is over."""


@dataclass(eq=False)
class BelowLimitTogetherError(Refusal):
    """Two accounts owe more together in a pool than one person may: `balance` is below `least`."""

    pool: str
    balance: int
    least: int


# Who may


@dataclass(eq=False)
class NoPoolError(Refusal):
    """The command needs a pool, and this chat has none."""


@dataclass(eq=False)
class NoProjectError(Refusal):
    """The command needs a project, and this chat is no project's channel."""


@dataclass(eq=False)
class NoCodeError(Refusal):
    """A project is to be founded where there is no pool, and no pool's code was typed; `name` is the project's."""

    name: str


@dataclass(eq=False)
class WhichPoolError(Refusal):
    """The person is in several pools and has to say which."""

    pools: tuple[tuple[int, str], ...]


@dataclass(eq=False)
class WhichProjectError(Refusal):
    """The person is in several projects and has to say which."""

    projects: tuple[tuple[int, str], ...]


@dataclass(eq=False)
class NotProjectMemberError(Refusal):
    """Only members of this project may."""

    project: str


@dataclass(eq=False)
class NotMaintainerError(Refusal):
    """Only maintainers of this project may; `names` are some."""

    project: str
    names: tuple[str, ...]


@dataclass(eq=False)
class NotStewardError(Refusal):
    """Only stewards of the pool may; `names` are some."""

    pool: str
    names: tuple[str, ...]


@dataclass(eq=False)
class NotAdmittedError(Refusal):
    """The pool or project asks for approval first, and has not given it yet."""

    name: str


@dataclass(eq=False)
class LastOfKindError(Refusal):
    """The last steward or maintainer cannot go before there is another."""

    role: str
    name: str


@dataclass(eq=False)
class ChannelTakenError(Refusal):
    """This chat is a project's channel already."""

    project: str


@dataclass(eq=False)
class NotInProjectError(Refusal):
    """`name` is not in this project."""

    name: str
    project: str


@dataclass(eq=False)
class NotYourButtonError(Refusal):
    """The button was for whoever asked; `command` is what to type for oneself."""

    command: str


@dataclass(eq=False)
class NotInPrivateError(Refusal):
    """The command makes a group chat a project's channel: it makes no sense in private."""


@dataclass(eq=False)
class NotSpokenForError(Refusal):
    """Only a maintainer of one of their projects speaks for somebody, and only if they have no account."""

    name: str


@dataclass(eq=False)
class NotForOthersError(Refusal):
    """This command cannot be used for somebody else; `names` can."""

    word: str
    names: tuple[str, ...]


# Tasks


@dataclass(eq=False)
class TaskClosedError(Refusal):
    """The task is done or cancelled."""

    number: int
    cancelled: bool


@dataclass(eq=False)
class StillBiddingError(Refusal):
    """The task takes bids until the next round."""

    number: int
    decided_at: datetime | None
    weight: int


@dataclass(eq=False)
class TakenError(Refusal):
    """All slots are taken, by `names`."""

    number: int
    names: tuple[str, ...]


@dataclass(eq=False)
class AlreadyYoursError(Refusal):
    """The member has a slot of this task already."""

    number: int


@dataclass(eq=False)
class NotYoursError(Refusal):
    """The member has no slot of this task; `names` have."""

    number: int
    names: tuple[str, ...]


@dataclass(eq=False)
class AlreadyReportedError(Refusal):
    """The work is reported already."""

    number: int


@dataclass(eq=False)
class NothingReportedError(Refusal):
    """Nobody has reported this task; `names` hold it."""

    number: int
    names: tuple[str, ...]


@dataclass(eq=False)
class WhoseReportError(Refusal):
    """Several members reported; the bot has to be told whose is meant."""

    number: int
    names: tuple[str, ...]
    verb: str


@dataclass(eq=False)
class OwnWorkError(Refusal):
    """Nobody confirms, disputes, accepts or backs their own work."""

    number: int


@dataclass(eq=False)
class AlreadyConfirmedError(Refusal):
    """This work is confirmed, or the member has confirmed it already."""

    number: int
    by_you: bool = False


@dataclass(eq=False)
class DisputedError(Refusal):
    """The report is disputed and waits for a maintainer."""

    number: int
    names: tuple[str, ...]


@dataclass(eq=False)
class NotDisputedError(Refusal):
    """There is no dispute to decide."""

    number: int


@dataclass(eq=False)
class NothingConfirmedError(Refusal):
    """There is no confirmed work on this task by who was named; there is by `names`."""

    number: int
    names: tuple[str, ...]


@dataclass(eq=False)
class NothingToCorrectError(Refusal):
    """The confirmed work has these hours already."""

    number: int
    name: str
    hours: int


@dataclass(eq=False)
class OverCapError(Refusal):
    """The task does not fit in the hours the member wants to take on in a round."""

    cap: int
    taken: int
    hours: int


@dataclass(eq=False)
class AlreadyBegunError(Refusal):
    """Somebody has the task already, so that it cannot be changed."""

    number: int
    names: tuple[str, ...]


@dataclass(eq=False)
class NotCommonWorkError(Refusal):
    """The task is for a product: it counts when that is wanted, and needs nobody to back it."""

    number: int
    good: str


@dataclass(eq=False)
class NotOtherProjectError(Refusal):
    """Only a member of another project can say so."""

    project: str


@dataclass(eq=False)
class OutOfBoundsError(Refusal):
    """A figure is beyond what the pool takes; `kind` says which, `example` is a command that would do."""

    kind: str
    value: int
    low: int
    high: int
    example: str = ""


@dataclass(eq=False)
class PastMomentError(Refusal):
    """The moment is over."""

    moment: datetime


@dataclass(eq=False)
class NotYoursToChangeError(Refusal):
    """Only who posted the task or a maintainer of its project may."""

    number: int
    project: str


# Goods


@dataclass(eq=False)
class NotAProductError(Refusal):
    """This project does not make this good."""

    good: str
    project: str


@dataclass(eq=False)
class AlreadyAProductError(Refusal):
    """This project makes this good already."""

    good: str
    project: str


@dataclass(eq=False)
class NothingGatheredError(Refusal):
    """No confirmed work has gathered for this product; `waiting` reports are not confirmed yet."""

    good: str
    units: int
    waiting: tuple[int, ...]


@dataclass(eq=False)
class FreeGoodError(Refusal):
    """A free good costs nothing and is never made in batches."""

    good: str


@dataclass(eq=False)
class NothingToConfirmError(Refusal):
    """No batch of this good waits for anybody."""

    good: str


@dataclass(eq=False)
class NotEnoughFreeError(Refusal):
    """The want would hold more than the member has free."""

    free: int
    units: int
    each: int
    good: str
    unit: str
    hints: tuple[int, ...] = ()


@dataclass(eq=False)
class TooMuchToTakeBackError(Refusal):
    """A correction takes back more effort than the member has down to their limit, `most`."""

    name: str
    amount: int
    most: int


@dataclass(eq=False)
class NoWantError(Refusal):
    """The member has no standing want for this good."""

    good: str


@dataclass(eq=False)
class NothingToCollectError(Refusal):
    """There is nothing of this good that the member, or `name`, has yet to collect.

    `days`: there is, but it is too late after so many to say that it was not got, or for `name` too early to return it.
    """

    good: str
    name: str = ""
    days: int = 0


@dataclass(eq=False)
class NothingToUndoError(Refusal):
    """There is nothing to take back: at all, any more (`too_late`), or because something is `built_on` it."""

    too_late: bool = False
    built_on: bool = False
