"""What happened: values that rules return and `core.chat.notices` turns into messages.

They carry the rows as they stand in the transaction. `subject` names the live card that shows what changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.tables import (
        Backing,
        Batch,
        Bid,
        Claim,
        Contribution,
        Good,
        Member,
        Pledge,
        Pool,
        Product,
        Project,
        Task,
        Want,
    )
    from core.tables_chat import Account


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class Joined(Event):
    """A member joined a project."""

    project: Project
    member: Member


@dataclass(frozen=True, slots=True)
class JoinRequested(Event):
    """Somebody asks to join the pool, or one of its projects."""

    pool: Pool
    project: Project | None
    member: Member


@dataclass(frozen=True, slots=True)
class Admitted(Event):
    """Somebody who asked was let into the pool or the project of this name, or (`refused`) was not."""

    place: str
    member: Member
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ProjectFounded(Event):
    """A project joined the pool; its stewards are told."""

    project: Project
    member: Member


@dataclass(frozen=True, slots=True)
class Linked(Event):
    """`account` was linked: whoever writes from it or from one of the `others` is one person from now on."""

    account: Account
    others: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class TaskEvent(Event):
    """Something happened to a task."""

    task: Task


@dataclass(frozen=True, slots=True)
class TaskPosted(TaskEvent):
    """A task was posted."""


@dataclass(frozen=True, slots=True)
class TaskEdited(TaskEvent):
    """A task was changed."""


@dataclass(frozen=True, slots=True)
class TaskCancelled(TaskEvent):
    """A task was cancelled; `holders` had slots."""

    holders: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class BidPlaced(TaskEvent):
    """A bid on a task was placed or taken back."""


@dataclass(frozen=True, slots=True)
class ClaimEvent(TaskEvent):
    """Something happened to one slot of a task."""

    claim: Claim
    member: Member


@dataclass(frozen=True, slots=True)
class Claimed(ClaimEvent):
    """A slot was taken; the taker's bid on the task is over, and their word that it is worth it."""

    bid: Bid | None
    backing: Backing | None


@dataclass(frozen=True, slots=True)
class Dropped(ClaimEvent):
    """A slot was given up."""


@dataclass(frozen=True, slots=True)
class HandedOn(ClaimEvent):
    """A slot went from one member to another."""

    giver: Member


@dataclass(frozen=True, slots=True)
class SlotOffered(ClaimEvent):
    """Who has a slot offers it to `member`."""

    giver: Member


@dataclass(frozen=True, slots=True)
class Released(ClaimEvent):
    """A slot was opened again, because nothing was reported."""


@dataclass(frozen=True, slots=True)
class ReminderDue(ClaimEvent):
    """A claimed task is due in a day, or now."""

    overdue: bool


@dataclass(frozen=True, slots=True)
class Reported(ClaimEvent):
    """Work was reported; somebody else has to confirm it."""

    effort: int


@dataclass(frozen=True, slots=True)
class Confirmed(ClaimEvent):
    """Reported work counts as done. `by` is empty if it was confirmed by itself."""

    contribution: Contribution
    by: Member | None


@dataclass(frozen=True, slots=True)
class ConfirmedPartly(ClaimEvent):
    """One of several confirmations that a project asks for."""

    by: Member
    missing: int


@dataclass(frozen=True, slots=True)
class Disputed(ClaimEvent):
    """A report is disputed; a maintainer decides."""

    by: Member


@dataclass(frozen=True, slots=True)
class Rejected(ClaimEvent):
    """A maintainer rejected a report; the slot is open again."""

    by: Member
    why: str


@dataclass(frozen=True, slots=True)
class Corrected(TaskEvent):
    """A maintainer corrected confirmed work; `before` and `after` are its effort, `taken_back` what was credited."""

    member: Member
    by: Member
    before: int
    after: int
    taken_back: int
    why: str


@dataclass(frozen=True, slots=True)
class Backed(TaskEvent):
    """Common work was backed by somebody of another project."""

    by: Member
    missing: int


@dataclass(frozen=True, slots=True)
class GoodEvent(Event):
    """Something happened to a good."""

    good: Good


@dataclass(frozen=True, slots=True)
class GoodCreated(GoodEvent):
    """A project makes a good."""

    product: Product


@dataclass(frozen=True, slots=True)
class BatchMade(GoodEvent):
    """Units were made; offered at once, or waiting for a confirmation."""

    product: Product
    batch: Batch


@dataclass(frozen=True, slots=True)
class BatchOffered(GoodEvent):
    """A batch can be had. `asked` wanted it at cost and learn now what it may cost; `uncovered` cannot afford that."""

    product: Product
    batch: Batch
    asked: tuple[Want, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchExpired(GoodEvent):
    """Units are past their best-before date."""

    product: Product
    units: int


@dataclass(frozen=True, slots=True)
class Wanted(GoodEvent):
    """A want was placed or replaced."""

    want: Want


@dataclass(frozen=True, slots=True)
class Unwanted(GoodEvent):
    """A want was taken back, or ran out."""

    want: Want
    ran_out: bool = False


@dataclass(frozen=True, slots=True)
class MakerGone(GoodEvent):
    """A project that is closed was the only one a want accepted."""

    want: Want
    project: Project


@dataclass(frozen=True, slots=True)
class Pledged(GoodEvent):
    """A project promised units."""

    product: Product
    pledge: Pledge


@dataclass(frozen=True, slots=True)
class PledgeEnded(GoodEvent):
    """A pledge came due; `pledge.made` tells how well it was kept."""

    product: Product
    pledge: Pledge


@dataclass(frozen=True, slots=True)
class UnitsReturned(GoodEvent):
    """Units that were not got or not collected are offered again."""

    member: Member
    units: int
    cost: int


@dataclass(frozen=True, slots=True)
class UnitsMissing(GoodEvent):
    """A member says that units did not arrive; the makers confirm it."""

    product: Product
    member: Member
    units: int
