"""The tables of a pool. Every one carries pool_id, first in its key and in every reference.

Amounts are thousandths of a weighted hour, hours thousandths of an hour, weights hundredths.
The tables that no pool owns (people, chats, inbox, outbox) are in `core.tables_chat`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Index, LargeBinary
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from core.columns import instant, integer, json_object, pool_key, pool_reference, pool_unique, text

STRICT: dict[str, Any] = {"sqlite_strict": True}


class Pool(SQLModel, table=True):
    """The shared system. `revision` changes with every change of the pool; `last_id` numbers all of its rows."""

    __table_args__: ClassVar[Any] = (STRICT,)
    id: int = integer(primary_key=True)
    name: str = text()
    code: str = text(unique=True)
    settings: dict[str, str] = json_object()
    revision: int = integer(0)
    last_id: int = integer(0)
    last_task_number: int = integer(0)
    founded_at: datetime = instant()
    round_due_at: datetime | None = instant(index=True)


class PoolRow(SQLModel):
    """A row of a pool's table; `core.store` numbers it and counts the pool's revision."""

    pool_id: int = integer()
    id: int = integer()


class NamedRow(PoolRow):
    """A row that people name: `name_key` is what its name is compared by (`core.names`)."""

    name: str = text()
    name_key: str = text()


class Project(NamedRow, table=True):
    """A group with its own goals, members, goods, tasks, channels and settings."""

    __table_args__: ClassVar[Any] = (pool_key(), pool_unique("name_key"), STRICT)
    settings: dict[str, str] = json_object()
    created_at: datetime = instant()
    archived_at: datetime | None = instant()


class Member(NamedRow, table=True):
    """A person in a pool. Without a person: somebody without a phone, or who left and was made anonymous.

    `merged_into_id`: the member this one became part of when two accounts were linked; only its transfers stay here.
    """

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_unique("name_key"),
        pool_unique("person_id"),
        Index(
            "member_present",
            "pool_id",
            "name_key",
            "id",
            "admitted_at",
            postgresql_ops={"name_key": "text_pattern_ops"},
            sqlite_where=sql("left_at IS NULL"),
            postgresql_where=sql("left_at IS NULL"),
        ),
        Index(
            "member_merged",
            "pool_id",
            "merged_into_id",
            sqlite_where=sql("merged_into_id IS NOT NULL"),
            postgresql_where=sql("merged_into_id IS NOT NULL"),
        ),
        Index("member_steward", "pool_id", "id", sqlite_where=sql("steward = 1"), postgresql_where=sql("steward = 1")),
        STRICT,
    )
    person_id: int | None = integer()
    steward: int = integer(0)
    settings: dict[str, str] = json_object()
    joined_at: datetime = instant()
    admitted_at: datetime | None = instant()
    left_at: datetime | None = instant()
    break_from: datetime | None = instant()
    break_until: datetime | None = instant()
    exempt_from: datetime | None = instant()
    exempt_until: datetime | None = instant()
    exempt_project_id: int | None = integer()
    merged_into_id: int | None = integer()


class Membership(PoolRow, table=True):
    """A member in a project; a maintainer speaks for the project."""

    __table_args__: ClassVar[Any] = (
        pool_key("project_id", "member_id"),
        pool_reference("project_id", "project"),
        pool_reference("member_id", "member"),
        Index("membership_by_member", "pool_id", "member_id"),
        Index(
            "membership_maintaining",
            "pool_id",
            "project_id",
            sqlite_where=sql("maintainer = 1"),
            postgresql_where=sql("maintainer = 1"),
        ),
        STRICT,
    )
    project_id: int = integer()
    member_id: int = integer()
    maintainer: int = integer(0)
    joined_at: datetime = instant()
    admitted_at: datetime | None = instant()


class Good(NamedRow, table=True):
    """A kind of thing the pool distributes. A free good has something to hand over at once.

    `hint`: which difference between its makers they were told of last.
    """

    __table_args__: ClassVar[Any] = (pool_key(), pool_unique("name_key"), STRICT)
    unit: str = text()
    units: str = text()
    rule: str = text()
    free: str = text()
    created_at: datetime = instant()
    last_cost: int | None = integer()
    hint: str = text()


class Product(PoolRow, table=True):
    """One project's version of a good. `leftover_rounds`: consecutive rounds that ended with units of it left."""

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_unique("good_id", "project_id"),
        pool_reference("good_id", "good"),
        pool_reference("project_id", "project"),
        STRICT,
    )
    good_id: int = integer()
    project_id: int = integer()
    pickup: str = text()
    leftover_rounds: int = integer(0)
    last_average: int | None = integer()
    created_at: datetime = instant()


class Task(PoolRow, table=True):
    """Work a project needs. `weight` is the posted weight; `opened_at` is empty while the task takes bids.

    `origin`: "task" (posted), "did" (done unasked) or "made" (the work behind `/made … 2.5h`).
    `rose`: its weight rose since; `learned`: the weight at which the next occurrence of a recurring task starts.
    Occurrences share `series`, the number of their first, and `anchor_at`, the moment that periods are counted from;
    the newest has `next_at`, when the next one is due.
    """

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_unique("number"),
        pool_reference("project_id", "project"),
        pool_reference("creator_id", "member"),
        pool_reference("product_id", "product"),
        Index("task_by_state", "pool_id", "closed_at", "weight"),
        Index(
            "task_by_series",
            "pool_id",
            "series",
            "number",
            sqlite_where=sql("series IS NOT NULL"),
            postgresql_where=sql("series IS NOT NULL"),
        ),
        STRICT,
    )
    number: int = integer()
    project_id: int = integer()
    creator_id: int = integer()
    product_id: int | None = integer()
    origin: str = text("task")
    title: str = text()
    hours: int = integer()
    slots: int = integer(1)
    weight: int = integer()
    due_at: datetime | None = instant()
    urgent: int = integer(0)
    place: str = text()
    every: str = text()
    series: int | None = integer()
    anchor_at: datetime | None = instant()
    next_at: datetime | None = instant(index=True)
    created_at: datetime = instant()
    opened_at: datetime | None = instant()
    rose: int = integer(0)
    learned: int | None = integer()
    closed_at: datetime | None = instant()
    cancelled_at: datetime | None = instant()


class Claim(PoolRow, table=True):
    """One slot of a task in somebody's hands, with its own life: claimed, reported, confirmed or ended.

    `how` it came about: "claimed", "won" in a round without competition, or "competed" for. `deadline_at` is when it
    needs attention next, `stage` what for: "remind", "due", "release" or "confirm".
    """

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_reference("task_id", "task"),
        pool_reference("member_id", "member"),
        Index("claim_by_task", "pool_id", "task_id"),
        Index("claim_by_member", "pool_id", "member_id", "ended_at"),
        Index("claim_by_deadline", "deadline_at"),
        STRICT,
    )
    task_id: int = integer()
    member_id: int = integer()
    weight: int = integer()
    how: str = text("claimed")
    rose: int = integer(0)
    offered_to_id: int | None = integer()
    claimed_at: datetime = instant()
    hours: int | None = integer()
    note: str = text()
    reported_at: datetime | None = instant()
    disputed_at: datetime | None = instant()
    disputed_by_id: int | None = integer()
    dispute: str = text()
    confirmed_at: datetime | None = instant()
    ended_at: datetime | None = instant()
    stage: str = text()
    deadline_at: datetime | None = instant()


class Confirmation(PoolRow, table=True):
    """Somebody's word that reported work was done, or that a large batch is right."""

    __table_args__: ClassVar[Any] = (
        pool_key("subject", "subject_id", "member_id"),
        pool_reference("member_id", "member"),
        STRICT,
    )
    subject: str = text()
    subject_id: int = integer()
    member_id: int = integer()
    at: datetime = instant()


class Bid(PoolRow, table=True):
    """A standing bid on a task: the lowest weight its member would do it for."""

    __table_args__: ClassVar[Any] = (
        pool_key("task_id", "member_id"),
        pool_reference("task_id", "task"),
        pool_reference("member_id", "member"),
        Index("bid_by_member", "pool_id", "member_id"),
        STRICT,
    )
    task_id: int = integer()
    member_id: int = integer()
    weight: int = integer()
    at: datetime = instant()


class Batch(PoolRow, table=True):
    """Units of a product made at one time. Offered from `offered_at` on; `needs` says what it waits for until then."""

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_reference("product_id", "product"),
        Index("batch_by_product", "pool_id", "product_id", "left"),
        Index("batch_by_task", "pool_id", "task_id"),
        Index("batch_by_offer", "pool_id", "offered_at"),
        Index("batch_left", "pool_id", "id", sqlite_where=sql('"left" > 0'), postgresql_where=sql('"left" > 0')),
        CheckConstraint('given >= 0 AND given + "left" <= units', name="units"),
        STRICT,
    )
    product_id: int = integer()
    member_id: int = integer()
    task_id: int | None = integer()
    units: int = integer()
    left: int = integer()
    given: int = integer(0)
    effort: int = integer()
    needs: str = text()
    made_at: datetime = instant()
    offered_at: datetime | None = instant()
    until_at: datetime | None = instant(index=True)
    expired_at: datetime | None = instant()


class Contribution(PoolRow, table=True):
    """Confirmed work. `due` is the effort somebody wanted the result of, `recognised` what has been credited of it.

    With a product and no batch it is gathering; without a product it is common work.
    """

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_reference("member_id", "member"),
        pool_reference("task_id", "task"),
        pool_reference("product_id", "product"),
        pool_reference("batch_id", "batch"),
        Index("contribution_by_member", "pool_id", "member_id"),
        Index("contribution_by_task", "pool_id", "task_id"),
        Index("contribution_by_time", "pool_id", "confirmed_at", "member_id"),
        Index("contribution_by_batch", "pool_id", "batch_id"),
        Index("contribution_gathering", "pool_id", "product_id", "batch_id"),
        Index(
            "contribution_unpaid",
            "pool_id",
            "product_id",
            sqlite_where=sql("recognised < effort"),
            postgresql_where=sql("recognised < effort"),
        ),
        Index(
            "contribution_owed",
            "pool_id",
            "id",
            sqlite_where=sql("recognised < due"),
            postgresql_where=sql("recognised < due"),
        ),
        CheckConstraint("0 <= recognised AND recognised <= effort AND due <= effort", name="effort"),
        STRICT,
    )
    member_id: int = integer()
    task_id: int = integer()
    claim_id: int = integer()
    product_id: int | None = integer()
    batch_id: int | None = integer()
    hours: int = integer()
    weight: int = integer()
    effort: int = integer()
    due: int = integer(0)
    recognised: int = integer(0)
    confirmed_at: datetime = instant()


class Backing(PoolRow, table=True):
    """Somebody of another project says that common work was worth it."""

    __table_args__: ClassVar[Any] = (
        pool_key("task_id", "member_id"),
        pool_reference("task_id", "task"),
        pool_reference("member_id", "member"),
        STRICT,
    )
    task_id: int = integer()
    member_id: int = integer()
    at: datetime = instant()


class Want(PoolRow, table=True):
    """A member's wish for units of a good. Standing while `ended_at` is empty.

    `bid` empty: at cost. `maximum`: the most a unit may be charged, empty until a first batch shows a cost.
    `got`: units of this want given in earlier rounds; `waited`: rounds it bid enough, was covered and lost.
    `first_round`: the number of the first round it stands in.
    """

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_reference("good_id", "good"),
        pool_reference("member_id", "member"),
        pool_reference("product_id", "product"),
        Index(
            "want_standing",
            "pool_id",
            "member_id",
            "good_id",
            unique=True,
            sqlite_where=sql("ended_at IS NULL"),
            postgresql_where=sql("ended_at IS NULL"),
        ),
        Index(
            "want_by_good",
            "pool_id",
            "good_id",
            sqlite_where=sql("ended_at IS NULL"),
            postgresql_where=sql("ended_at IS NULL"),
        ),
        STRICT,
    )
    good_id: int = integer()
    member_id: int = integer()
    product_id: int | None = integer()
    units: int = integer()
    bid: int | None = integer()
    maximum: int | None = integer()
    every_round: int = integer(0)
    units_each_round: int = integer(0)
    got: int = integer(0)
    waited: int = integer(0)
    first_round: int = integer(0)
    at: datetime = instant()
    ended_at: datetime | None = instant()


class GivenUnit(PoolRow, table=True):
    """One unit of a batch that went to a member, at the cost charged for it."""

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_reference("want_id", "want"),
        pool_reference("member_id", "member"),
        pool_reference("batch_id", "batch"),
        pool_reference("product_id", "product"),
        Index("given_by_member", "pool_id", "member_id", "at"),
        Index("given_by_time", "pool_id", "at", "member_id"),
        Index(
            "given_to_collect",
            "pool_id",
            "product_id",
            sqlite_where=sql("collected_at IS NULL AND returned_at IS NULL"),
            postgresql_where=sql("collected_at IS NULL AND returned_at IS NULL"),
        ),
        STRICT,
    )
    round_number: int = integer()
    want_id: int = integer()
    member_id: int = integer()
    product_id: int = integer()
    batch_id: int = integer()
    cost: int = integer()
    at: datetime = instant()
    collected_at: datetime | None = instant()
    missing_at: datetime | None = instant()
    returned_at: datetime | None = instant()


class FreeTaking(PoolRow, table=True):
    """A member took a free good; what `backers` of other projects wanted is recognised."""

    __table_args__: ClassVar[Any] = (
        pool_key("good_id", "member_id"),
        pool_reference("good_id", "good"),
        pool_reference("member_id", "member"),
        STRICT,
    )
    good_id: int = integer()
    member_id: int = integer()
    at: datetime = instant()


class Pledge(PoolRow, table=True):
    """A project's promise to make units by a date. `made` counts what has been made since."""

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_reference("product_id", "product"),
        pool_reference("member_id", "member"),
        Index("pledge_by_product", "pool_id", "product_id", "ended_at"),
        Index("pledge_by_date", "by_at"),
        STRICT,
    )
    product_id: int = integer()
    member_id: int = integer()
    units: int = integer()
    made: int = integer(0)
    by_at: datetime = instant()
    at: datetime = instant()
    ended_at: datetime | None = instant()


class Round(PoolRow, table=True):
    """One scheduled allocation; the newest is open and has the secret of its lottery, published when it closes.

    `state`: open, done or skipped. `inputs` and `outcome` are compressed JSON, kept for `dpool replay`.
    `told_id`: the last member who was told of it in private, empty when all have been.
    """

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_unique("number"),
        pool_unique("local"),
        Index(
            "round_untold",
            "due_at",
            sqlite_where=sql("told_id IS NOT NULL"),
            postgresql_where=sql("told_id IS NOT NULL"),
        ),
        STRICT,
    )
    number: int | None = integer()
    local: str | None = text(None)
    state: str = text("open")
    secret: str = text()
    commitment: str = text()
    opened_at: datetime = instant()
    due_at: datetime | None = instant()
    ran_at: datetime | None = instant()
    inputs: bytes | None = Field(default=None, sa_type=LargeBinary)
    outcome: bytes | None = Field(default=None, sa_type=LargeBinary)
    told_id: int | None = integer()


class Transfer(PoolRow, table=True):
    """A positive amount from one account to another; an empty side is the commons. Never changed, never deleted."""

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_unique("key"),
        pool_reference("from_id", "member"),
        pool_reference("to_id", "member"),
        Index("transfer_from", "pool_id", "from_id", "kind", "amount"),
        Index("transfer_to", "pool_id", "to_id", "kind", "amount"),
        Index("transfer_by_round", "pool_id", "round_number"),
        CheckConstraint("amount > 0", name="positive"),
        CheckConstraint("COALESCE(from_id, 0) <> COALESCE(to_id, 0)", name="two_accounts"),
        STRICT,
    )
    key: str = text()
    kind: str = text()
    from_id: int | None = integer()
    to_id: int | None = integer()
    amount: int = integer()
    subject: str = text()
    round_number: int | None = integer()
    at: datetime = instant()


class Deed(PoolRow, table=True):
    """Something that can be taken back for two minutes, with what is needed to do so."""

    __table_args__: ClassVar[Any] = (
        pool_key(),
        pool_reference("member_id", "member"),
        Index("deed_by_member", "pool_id", "member_id", "id"),
        Index("deed_by_subject", "pool_id", "subject_id", "at"),
        STRICT,
    )
    member_id: int = integer()
    kind: str = text()
    subject_id: int = integer()
    before: dict[str, Any] = json_object()
    at: datetime = instant()
    undone_at: datetime | None = instant()
