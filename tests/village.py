"""A small world for tests of the rules: one pool, a bakery and a garden, five people, and a clock set by hand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from core import goods, ledger, reports, tasks, wants
from core.audit import check, replay
from core.members import join_project, new_member
from core.projects import found_pool, new_project
from core.rounds.gather import gather
from core.rounds.hold import RoundHeld, decided, hold
from core.settings import PoolSettings, ProjectSettings
from core.store import Store, add_now
from core.tables import Batch, Claim, Contribution, Good, Member, Pool, Product, Project, Task, Want
from core.tables_chat import Chat, Person
from core.tasks import Draft
from core.timing import current_round
from core.wants import WantDraft

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.rounds.inputs import Outcome

START = datetime(2026, 5, 4, 9, tzinfo=UTC)  # a Monday; rounds are on Sundays at 18:00
DAY = timedelta(days=1)
HOMES = {"Ana": "bakery", "Bo": "bakery", "Cy": "bakery", "Dee": "garden", "Eve": "garden"}


def entropy(count: int) -> bytes:
    """No chance in tests: the same bytes every time."""
    return hashlib.shake_256(b"village").digest(count)


@dataclass
class Village:
    """Ana founded the pool and the bakery, Dee the garden; Bo and Cy bake, Eve gardens. Hours are in thousandths."""

    session: Session
    now: datetime = START
    pool: Pool = field(init=False)
    people: dict[str, Member] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)

    def __post_init__(self) -> None:
        person = add_now(self.session, Person())
        self.pool, self.people["Ana"] = found_pool(self.session, "Valley", {}, (person.id, "Ana"), self.now, entropy)
        self.project("bakery", "Ana")
        for name in ("Bo", "Cy"):
            self.join(name, "bakery")

    def garden(self) -> Village:
        """Found the second project."""
        self.join("Dee", "")
        self.project("garden", "Dee")
        self.join("Eve", "garden")
        return self

    def project(self, name: str, founder: str) -> Project:
        chat = add_now(self.session, Chat(platform="console", address=name))
        founded = new_project(self.session, self.pool, name, self.people[founder], chat, self.now)
        self.projects[name] = founded.project
        return founded.project

    def join(self, name: str, project: str) -> Member:
        if name not in self.people:
            person = add_now(self.session, Person())
            self.people[name] = new_member(self.session, self.pool, name, person.id, self.now)
            self.people[name].admitted_at = self.now
        if project:
            join_project(self.session, self.projects[project], self.people[name], self.now)
        return self.people[name]

    def set(self, **values: str) -> None:
        """Change settings of the pool; the timetable's own moments stay as they are."""
        for key, value in values.items():
            self.pool.settings = PoolSettings.change(self.pool.settings, key, value)

    def set_project(self, name: str, **values: str) -> None:
        for key, value in values.items():
            self.projects[name].settings = ProjectSettings.change(self.projects[name].settings, key, value)

    # Work

    def post(self, by: str = "Ana", project: str = "bakery", **values: Any) -> Task:
        """Post a task of one hour, or whatever is given."""
        draft = Draft(**{"title": "Dishes", "hours": 1000, **values})
        return tasks.post(self.session, self.projects[project], self.people[by], draft, self.now).task

    def bid(self, task: Task, name: str, weight: int) -> None:
        tasks.bid(self.session, task, self.people[name], weight, self.now)

    def claim(self, task: Task, name: str) -> Claim:
        return tasks.claim(self.session, task, self.people[name], self.now).claim

    def drop(self, task: Task, name: str) -> None:
        tasks.drop(self.session, task, self.people[name], self.now)

    def report(self, task: Task, name: str, hours: int | None = None) -> Claim:
        row = tasks.claim_of(self.session, task, self.people[name])
        return tasks.report(self.session, task, row, self.people[name], hours, "", self.now).claim

    def confirm(self, task: Task, by: str, whose: str = "") -> None:
        row = reports.waiting(self.session, task, whose, but=self.people[by])
        reports.confirm(self.session, task, row, self.people[by], self.now)

    def work(self, name: str, hours: int, good: str = "", project: str = "bakery") -> Contribution:
        """Let somebody do confirmed work for a product of their project, or common work."""
        product = self.product(good, project) if good else None
        done = goods.did(self.session, self.projects[project], self.people[name], "Work", hours, product, self.now)
        by = next(one for one in self.people if one != name)
        reports.confirm(self.session, done.task, done.claim, self.people[by], self.now)
        return self.session.exec(
            select(Contribution).where(Contribution.pool_id == self.pool.id, Contribution.claim_id == done.claim.id)
        ).one()

    # Goods

    def good(self, name: str = "bread", project: str = "bakery", **values: str) -> Good:
        draft = goods.GoodDraft(name, **values)
        return goods.new_good(self.session, self.projects[project], draft, self.now).good

    def find(self, name: str) -> Good:
        return goods.find_good(self.session, self.pool.id, name)

    def product(self, good: str = "bread", project: str = "bakery") -> Product:
        return goods.product_of(self.session, self.find(good), self.projects[project])

    def made(
        self,
        units: int,
        hours: int | None = None,
        good: str = "bread",
        by: str = "Bo",
        project: str = "bakery",
        until: datetime | None = None,
    ) -> goods.Made:
        """Make a batch of what has gathered, or with the maker's own hours."""
        return goods.made(
            self.session, self.find(good), self.projects[project], self.people[by], units, hours, until, self.now
        )

    def batch(self, units: int, effort: int, good: str = "bread", by: str = "Bo", project: str = "bakery") -> Batch:
        """Put a batch on offer."""
        self.work(by, effort, good, project)
        return self.made(units, good=good, by=by, project=project).batch

    def want(
        self, name: str, units: int = 1, bid: int | None = None, good: str = "bread", maker: str = "", **values: bool
    ) -> Want:
        product = self.product(good, maker) if maker else None
        draft = WantDraft(units, bid, product, **values)
        found, member = self.find(good), self.people[name]
        standing = wants.standing_want(self.session, found, member)
        return wants.want(self.session, found, member, standing, draft, self.now).want

    # Rounds and figures

    def next_round(self) -> RoundHeld:
        """Go to the next due moment and hold the round; everything the audit knows must hold afterwards."""
        assert self.pool.round_due_at is not None
        self.now = self.pool.round_due_at
        inputs = gather(self.session, self.pool, current_round(self.session, self.pool.id), self.now)
        held = hold(self.session, self.pool.id, decided(self.pool.revision, inputs), self.now, entropy)
        assert held is not None
        self.session.flush()
        assert check(self.session, self.pool) == []
        assert replay(self.session, self.pool, held.round.number) == []
        return held

    def outcome(self) -> Outcome:
        return self.next_round().outcome

    def later(self, **values: float) -> datetime:
        self.now += timedelta(**values)
        return self.now

    def balance(self, name: str) -> int:
        self.session.flush()
        return ledger.balance(self.session, self.pool.id, self.people[name].id)

    def balances(self) -> dict[str, int]:
        return {name: self.balance(name) for name in self.people}

    def commons(self) -> int:
        return ledger.balance(self.session, self.pool.id, ledger.COMMONS)

    def claims(self, task: Task) -> list[Claim]:
        query = select(Claim).where(Claim.pool_id == self.pool.id, Claim.task_id == task.id)
        return list(self.session.exec(query.order_by(col(Claim.id))).all())


__all__ = ["DAY", "START", "Store", "Village", "entropy"]
