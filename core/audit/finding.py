"""What an audit finds: which invariant does not hold, where, and the two figures that should be one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Invariant(StrEnum):
    """Everything that is always true of a pool."""

    BALANCES = "balances"  # of all members and the commons add up to zero
    COMMONS = "commons"  # holds what the last round kept, and what was moved since
    AMOUNT = "transfer-amount"  # is positive
    SIDES = "transfer-sides"  # differ
    KEY = "transfer-key"  # is unique
    FORM = "transfer-form"  # a kind moves in its own direction, and in a round or outside of rounds
    LIMIT = "limit"  # no round takes a member below it
    CREDIT = "contribution"  # 0 <= recognised <= due <= effort
    CREDITED = "contribution-credited"  # its transfers add up to what is recognised
    WORK = "contribution-twice"  # a report is confirmed once
    BATCH = "batch-units"  # given + left (+ expired) = units
    GIVEN = "batch-given"  # is the number of its units that are with members
    UNIT = "unit-twice"  # no unit is given twice
    STRAYED = "unit-strayed"  # a unit is of its batch's product, and of its want's good and member
    OFFERED = "batch-offered"  # only what is offered is given
    EFFORT = "batch-effort"  # is the sum of its contributions
    WANT = "want"  # of 1 to 100 units, holding what it bids, by somebody who is there
    WANTS = "want-twice"  # a member has one standing want per good
    SLOTS = "task-slots"  # are not overfilled
    SLOT = "task-slot-twice"  # a member fills one slot of a task
    OPEN = "round-open"  # exactly one is
    NUMBERS = "round-numbers"  # are consecutive
    MOMENT = "round-moment"  # comes once
    LOTTERY = "round-lottery"  # has a secret with the hash that was published
    DUE = "round-due"  # the pool knows when its open round is due
    LAST_ID = "last-id"  # is not below any row's number
    KEPT = "round-kept"  # inputs and outcome are there and readable, and are the round's own
    OUTCOME = "round-outcome"  # is what its inputs decide
    TRANSFERS = "round-transfers"  # are what the outcome says
    UNITS = "round-units"  # are what the outcome says


Figure = int | str


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """An invariant that does not hold: `where` names the rows ("batch 12"), `found` is there instead of `expected`."""

    invariant: Invariant
    where: str
    found: Figure
    expected: Figure
