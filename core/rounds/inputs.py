"""Everything a round decides from, and everything it decides, as plain rows that are kept for replay.

Amounts are thousandths of a weighted hour, weights hundredths, instants microseconds since the epoch. 0 stands for
"no row", -1 for "no figure".
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Self

from core.rounds.kept import Kept, packed

NONE = -1


class TaskRow(NamedTuple):
    """A task with free slots; `rises` if it was already open at the last round."""

    id: int
    number: int
    free: int
    weight: int
    hours: int
    rises: int


class BidRow(NamedTuple):
    """A standing bid on a task."""

    task_id: int
    member_id: int
    weight: int


class CapRow(NamedTuple):
    """The hours a member wants to take on in a round."""

    member_id: int
    hours: int


class GoodRow(NamedTuple):
    """A good that is wanted or on offer, and its sharing rule."""

    id: int
    name: str
    rule: str


class ProductRow(NamedTuple):
    """A product: what is on offer of it, what its project pledged, and what was made since the last round."""

    id: int
    good_id: int
    units: int
    effort: int
    leftover_rounds: int
    last_average: int
    pledged: int
    made: int


class BatchRow(NamedTuple):
    """A batch on offer."""

    id: int
    product_id: int
    units: int
    left: int
    given: int
    effort: int


class WantRow(NamedTuple):
    """A standing want, the oldest first. `product_id` 0: any; `bid` -1: at cost; `maximum` -1: no cost shown yet."""

    id: int
    good_id: int
    member_id: int
    product_id: int
    units: int
    got: int
    bid: int
    maximum: int
    waited: int


class MemberRow(NamedTuple):
    """A member; `shares` if active and neither on a break nor exempted."""

    id: int
    balance: int
    limit: int
    shares: int


class ContributionRow(NamedTuple):
    """Confirmed work, the oldest first: in a batch on offer, or due and not yet credited in full."""

    id: int
    member_id: int
    batch_id: int
    effort: int
    due: int
    recognised: int


def _packed(value: Inputs | Outcome, kinds: dict[str, tuple[Any, str]]) -> bytes:
    figures = {one.name: getattr(value, one.name) for one in fields(value) if one.name not in kinds}
    lists = {name: (kind._fields.index(key), getattr(value, name)) for name, (kind, key) in kinds.items()}
    return packed(figures, lists)


def _unpacked(data: bytes, kinds: dict[str, tuple[Any, str]], only: tuple[str, ...]) -> dict[str, Any]:
    kept = Kept(data)
    lists = {name: list(map(kinds[name][0]._make, kept.rows(name))) for name in only or kinds}
    return {**kept.figures, **lists}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a round decides from. `elapsed_seconds` since the last round; `commons` is what the commons held before."""

    number: int
    secret: str
    elapsed_seconds: int
    growth: int
    max_weight: int
    levy: int
    commons: int = 0
    tasks: list[TaskRow] = field(default_factory=list)
    bids: list[BidRow] = field(default_factory=list)
    caps: list[CapRow] = field(default_factory=list)
    goods: list[GoodRow] = field(default_factory=list)
    products: list[ProductRow] = field(default_factory=list)
    batches: list[BatchRow] = field(default_factory=list)
    wants: list[WantRow] = field(default_factory=list)
    members: list[MemberRow] = field(default_factory=list)
    contributions: list[ContributionRow] = field(default_factory=list)

    def pack(self) -> bytes:
        """Return what is kept of it."""
        return _packed(self, INPUT_LISTS)

    @classmethod
    def unpack(cls, data: bytes, *only: str) -> Self:
        """Read what `pack` wrote, or `only` some of its lists."""
        return cls(**_unpacked(data, INPUT_LISTS, only))


class TaskResult(NamedTuple):
    """A task's weight after its rise, and what was cleared at which weight. `eligible` bids met the weight."""

    task_id: int
    number: int
    old_weight: int
    weight: int
    cleared: int
    eligible: int
    winners: list[int]


class ProductResult(NamedTuple):
    """What a unit of a product cost, and what became of its units."""

    product_id: int
    reserve: int
    cost: int
    offered: int
    given: int


class GoodResult(NamedTuple):
    """Over- and under-production of one good, in units."""

    good_id: int
    wanted: int
    made: int
    given: int
    left: int
    pledged: int
    unmet: int
    shortfall: int
    average: int

    @property
    def concerns(self) -> bool:
        """Tell whether anybody has to do with it: what nobody wants, makes or made is told to nobody."""
        return bool(self.wanted or self.made or self.given or self.left or self.pledged)


class WantResult(NamedTuple):
    """What became of a want: what it bid a unit (-1: nothing), how many units it could cover and got."""

    want_id: int
    good_id: int
    member_id: int
    units: int
    bid: int
    covered: int
    got: int
    lost: int
    too_dear: int


class GivenRow(NamedTuple):
    """Units of a batch that go to a want, at a cost each."""

    want_id: int
    member_id: int
    batch_id: int
    product_id: int
    units: int
    cost: int


class CreditRow(NamedTuple):
    """A contribution's effort that is due now in all, and what of it is credited in this round."""

    contribution_id: int
    member_id: int
    due: int
    credited: int


class ShareRow(NamedTuple):
    """A member's part of what the commons held: positive gets, negative gives."""

    member_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round decided. `waiting`: effort due that the levy could not carry; `kept`: what nobody could share."""

    tasks: list[TaskResult] = field(default_factory=list)
    products: list[ProductResult] = field(default_factory=list)
    goods: list[GoodResult] = field(default_factory=list)
    wants: list[WantResult] = field(default_factory=list)
    given: list[GivenRow] = field(default_factory=list)
    credits: list[CreditRow] = field(default_factory=list)
    shares: list[ShareRow] = field(default_factory=list)
    surplus: int = 0
    waiting: int = 0
    kept: int = 0

    def pack(self) -> bytes:
        """Return what is kept of it."""
        return _packed(self, OUTCOME_LISTS)

    @classmethod
    def unpack(cls, data: bytes, *only: str) -> Self:
        """Read what `pack` wrote, or `only` some of its lists."""
        return cls(**_unpacked(data, OUTCOME_LISTS, only))


# What the rows of each list are, and by which of their numbers they are kept and looked up.
INPUT_LISTS: dict[str, tuple[Any, str]] = {
    "tasks": (TaskRow, "number"),
    "bids": (BidRow, "task_id"),
    "caps": (CapRow, "member_id"),
    "goods": (GoodRow, "id"),
    "products": (ProductRow, "good_id"),
    "batches": (BatchRow, "product_id"),
    "wants": (WantRow, "good_id"),
    "members": (MemberRow, "id"),
    "contributions": (ContributionRow, "batch_id"),
}
OUTCOME_LISTS: dict[str, tuple[Any, str]] = {
    "tasks": (TaskResult, "number"),
    "products": (ProductResult, "product_id"),
    "goods": (GoodResult, "good_id"),
    "wants": (WantResult, "good_id"),
    "given": (GivenRow, "want_id"),
    "credits": (CreditRow, "contribution_id"),
    "shares": (ShareRow, "member_id"),
}
