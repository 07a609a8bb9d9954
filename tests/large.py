"""A large pool, made by bulk rows as the rules would have left them: many members, wants, tasks, goods, projects.

All amounts are thousandths. Everything is drawn from one seed, so that two pools of one size are the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from sqlmodel import func, select

from core import bulk, sharing
from core.names import key_of
from core.projects import found_pool, new_project
from core.store import add_now
from core.tables import (
    Backing,
    Batch,
    Bid,
    Claim,
    Confirmation,
    Contribution,
    Good,
    Member,
    Membership,
    Pool,
    PoolRow,
    Product,
    Task,
    Want,
)
from core.tables_chat import Account, Chat, Person
from core.timing import newest_number
from core.units import round_half_up
from tests.village import entropy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session, SQLModel

    from core.store import Store

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)  # a Monday; rounds are on Sundays at 18:00
AT = bulk.stored(NOW)
SYLLABLES = tuple(f"{one}{other}" for one, other in zip("bcdfghklmnprstvwyzjq", "aeiouaioueaeiouaeiou", strict=True))
VERBS = ("Wash", "Mend", "Carry", "Water", "Sweep", "Paint", "Sort", "Bake")
THINGS = ("dishes", "fences", "flour", "beds", "the yard", "shelves", "tools", "rolls")
PRIVATE_EVERY = 5  # every fifth member has a private chat with the bot
BIDS_EACH = 3  # on a task that takes bids
WANTS_EACH = 3
PROJECTS = 50
Rows = list[tuple[Any, ...]]


def name_of(number: int, *, words: int = 2) -> str:
    """Return a name of words with two syllables each, another one for each number below 400 ** words."""
    letters: list[str] = []
    for _ in range(2 * words):
        number, syllable = divmod(number, len(SYLLABLES))
        letters.append(SYLLABLES[syllable])
    return " ".join("".join(letters[at : at + 2]).capitalize() for at in range(0, len(letters), 2))


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    members: int = 100_000
    tasks: int = 20_000
    goods: int = 2_000
    projects: int = PROJECTS

    def times(self, factor: float) -> Size:
        """Return a pool of another size, with as many projects."""
        members, tasks, goods = (max(10, int(one * factor)) for one in (self.members, self.tasks, self.goods))
        return Size(members, tasks, goods, self.projects)


@dataclass
class Large:
    """What is being made. Ana (the first) founded the pool and, like Bo and Cy, may do everything that is measured."""

    session: Session
    size: Size
    random: Random = field(default_factory=lambda: Random(1))
    people: list[int] = field(default_factory=list)
    projects: list[int] = field(default_factory=list)
    goods: list[int] = field(default_factory=list)
    products: list[tuple[int, int, int, int]] = field(default_factory=list)  # id, good, project, reserve
    pool: Pool = field(init=False)
    at: int = AT
    claims: dict[int, int] = field(default_factory=dict)  # by task

    def make(self) -> Pool:
        """Make everything."""
        session = self.session
        person = add_now(session, Person())
        session.add(Account(platform="bench", user_id="0", handle="p0", name="Ana", person_id=person.id))
        self.pool, ana = found_pool(session, "Valley", {}, (person.id, "Ana"), NOW, entropy)
        for number in range(self.size.projects):
            chat = add_now(session, Chat(platform="bench", address=f"project {number}", title=f"Project {number}"))
            self.projects.append(new_project(session, self.pool, f"Project {number}", ana, chat, NOW).project.id)
        self.people.append(ana.id)
        session.flush()
        self._people()
        self._goods()
        self.batches()
        self._tasks()
        self.wants()
        bulk.forget(session)
        return self.pool

    def add(self, table: type[PoolRow], columns: str, rows: Rows) -> list[int]:
        """Insert rows of the pool; return their numbers. `columns` is separated by spaces."""
        first = bulk.take_numbers(self.pool, len(rows))
        bulk.insert_from(self.session, (self.pool.id, first), table, columns.split(), rows)
        return list(range(first, self.pool.last_id + 1))

    def add_free(self, table: type[SQLModel], columns: str, rows: Rows) -> None:
        """Insert rows that no pool owns."""
        bulk.insert(self.session, table, columns.split(), rows)

    def home(self, place: int) -> int:
        """Return the project of the member at a place in `people`."""
        return self.projects[place % len(self.projects)]

    def _people(self) -> None:
        names = ["Bo", "Cy", *(name_of(number) for number in range(self.size.members - 3))]
        numbers = range(2, len(names) + 2)  # the first person is Ana
        self.add_free(Person, "id language", [(one, "") for one in numbers])
        accounts = [
            (one, "bench", str(one - 1), f"p{one - 1}", name, one) for one, name in zip(numbers, names, strict=True)
        ]
        self.add_free(Account, "id platform user_id handle name person_id", accounts)
        chats = [
            (one + self.size.projects, "bench", f"dm {one - 1}", "", "", one)
            for one in numbers
            if one <= PRIVATE_EVERY or one % PRIVATE_EVERY == 0
        ]
        self.add_free(Chat, "id platform address topic title account_id", chats)
        rows = [(name, key_of(name), one, 0, "{}", self.at, self.at) for one, name in zip(numbers, names, strict=True)]
        self.people += self.add(Member, "name name_key person_id steward settings joined_at admitted_at", rows)
        homes = [(self.home(place), one, 0, self.at, self.at) for place, one in enumerate(self.people) if place]
        self.add(Membership, "project_id member_id maintainer joined_at admitted_at", homes)
        restart_numbers(self.session)

    def _goods(self) -> None:
        names = [
            "bread",
            *(name_of(number, words=1 if number < 300 else 2).casefold() for number in range(1, self.size.goods)),
        ]
        rows = [(name, key_of(name), "loaf", "loaves", "", "", self.at, "") for name in names]
        self.goods = self.add(Good, "name name_key unit units rule free created_at hint", rows)
        pairs = [
            (good, self.projects[(place + other * 7) % len(self.projects)])
            for place, good in enumerate(self.goods)
            for other in range(1 + place % 2)
        ]
        products = [(good, project, "Fri 17–19", 0, self.at) for good, project in pairs]
        ids = self.add(Product, "good_id project_id pickup leftover_rounds created_at", products)
        self.products = [(one, *pair, 0) for one, pair in zip(ids, pairs, strict=True)]

    def done(self, jobs: Sequence[tuple[int, int, int | None, int]]) -> list[int]:
        """Let work be done and confirmed; jobs are (project, place of the worker, product, hours). Return the tasks."""
        first = self.pool.last_task_number
        self.pool.last_task_number += len(jobs)
        tasks = self.add(
            Task,
            "number project_id creator_id product_id origin title hours slots weight urgent place every created_at "
            "opened_at rose closed_at",
            [
                (
                    first + n,
                    project,
                    self.people[worker],
                    product,
                    "did",
                    "Work",
                    hours,
                    1,
                    100,
                    0,
                    "",
                    "",
                    self.at,
                    self.at,
                    0,
                    self.at,
                )
                for n, (project, worker, product, hours) in enumerate(jobs, 1)
            ],
        )
        claims = self.add(
            Claim,
            "task_id member_id weight how rose claimed_at hours note reported_at dispute confirmed_at stage",
            [
                (task, self.people[worker], 100, "claimed", 0, self.at, hours, "", self.at, "", self.at, "")
                for task, (_project, worker, _product, hours) in zip(tasks, jobs, strict=True)
            ],
        )
        others = [self.people[(worker + len(self.projects)) % len(self.people)] for _p, worker, _product, _h in jobs]
        rows = [("claim", claim, other, self.at) for claim, other in zip(claims, others, strict=True)]
        self.add(Confirmation, "subject subject_id member_id at", rows)
        self.claims = dict(zip(tasks, claims, strict=True))
        return tasks

    def batches(self) -> None:
        """Offer a batch of every product, with the work of two in it; and common work that another project backs."""
        jobs, units = [], []
        for product, _good, project, _reserve in self.products:
            units.append(self.random.randint(10, 2 * self.size.members // len(self.products) + 10))
            home = self.projects.index(project)
            for _ in range(2):
                worker = home + len(self.projects) * self.random.randrange(self.size.members // len(self.projects))
                jobs.append((project, worker % self.size.members, product, units[-1] * self.random.randint(100, 300)))
        tasks = self.done(jobs)
        efforts = [one[3] + other[3] for one, other in zip(jobs[::2], jobs[1::2], strict=True)]
        batches = self.add(
            Batch,
            "product_id member_id units left given effort needs made_at offered_at",
            [
                (product[0], self.people[0], count, count, 0, effort, "", self.at, self.at)
                for product, count, effort in zip(self.products, units, efforts, strict=True)
            ],
        )
        self.contribute(jobs, tasks, [batch for batch in batches for _ in range(2)])
        rows = [
            (product[0], round_half_up(effort, count))
            for product, count, effort in zip(self.products, units, efforts, strict=True)
        ]
        bulk.update(self.session, self.pool.id, Product, ["last_average"], rows)
        reserves = sharing.reserves(sharing.Rule.PREFERENCE, efforts, units, [0] * len(units)).tolist()
        self.products = [(*one[:3], reserve) for one, reserve in zip(self.products, reserves, strict=True)]
        self._common_work()

    def _common_work(self) -> None:
        jobs: list[tuple[int, int, int | None, int]] = [
            (self.home(place), place, None, 1000) for place in range(len(self.projects), self.size.members, 100)
        ]
        tasks = self.done(jobs)
        self.contribute(jobs, tasks, [None] * len(jobs))
        rows = [
            (task, self.people[(job[1] + 1) % len(self.people)], self.at) for task, job in zip(tasks, jobs, strict=True)
        ]
        self.add(Backing, "task_id member_id at", rows)

    def contribute(
        self, jobs: Sequence[tuple[int, int, int | None, int]], tasks: list[int], batches: Sequence[int | None]
    ) -> None:
        rows = [
            (self.people[worker], task, self.claims[task], product, batch, hours, 100, hours, 0, 0, self.at)
            for (_project, worker, product, hours), task, batch in zip(jobs, tasks, batches, strict=True)
        ]
        columns = "member_id task_id claim_id product_id batch_id hours weight effort due recognised confirmed_at"
        self.add(Contribution, columns, rows)

    def _tasks(self) -> None:
        """Post tasks: a quarter of them takes bids, a quarter is taken, the others are open."""
        first = self.pool.last_task_number
        self.pool.last_task_number += self.size.tasks
        rows: Rows = []
        for n in range(self.size.tasks):
            poster = n % len(self.projects)
            due = bulk.stored(bulk.instant(self.at) + timedelta(days=8 + n % 60)) if n % 3 == 0 else None
            opened = None if n % 4 == 0 else self.at
            title = f"{VERBS[n % 8]} {THINGS[n // 8 % 8]}"
            hours, weight = 500 * (1 + n % 7), 80 + n % 60
            rows.append(
                (
                    first + n + 1,
                    self.projects[poster],
                    self.people[poster],
                    title,
                    hours,
                    weight,
                    due,
                    self.at,
                    opened,
                )
            )
        tasks = self.add(Task, "number project_id creator_id title hours weight due_at created_at opened_at", rows)
        bidding = [task for n, task in enumerate(tasks) if n % 4 == 0]
        bids = {
            (task, self.people[self.random.randrange(self.size.members)]): self.random.randint(60, 130)
            for task in bidding
            for _ in range(BIDS_EACH)
        }
        self.add(Bid, "task_id member_id weight at", [(*key, weight, self.at) for key, weight in bids.items()])
        taken = [
            (task, self.people[self.random.randrange(self.size.members)], 100, "claimed", 0, self.at, "", "", "")
            for n, task in enumerate(tasks)
            if n % 4 == 3
        ]
        self.add(Claim, "task_id member_id weight how rose claimed_at note dispute stage", taken)

    def wants(self) -> None:
        """Let everybody want three goods: half of the wants at cost, half with a bid."""
        cheapest: dict[int, int] = defaultdict(lambda: 10**9)
        for _product, good, _project, reserve in self.products:
            cheapest[good] = min(cheapest[good], reserve)
        rows: Rows = []
        first_round = newest_number(self.session, self.pool.id)
        for member in self.people:
            for good in self.random.sample(self.goods, WANTS_EACH):
                units = 1 + (self.random.random() < 0.2)
                bid = None if self.random.random() < 0.5 else 10 * self.random.randint(20, 80)
                maximum = sharing.at_cost_maximum(cheapest[good]) if bid is None else bid
                rows.append((good, member, units, bid, maximum, 0, units, 0, 0, first_round, self.at))
        columns = "good_id member_id units bid maximum every_round units_each_round got waited first_round at"
        self.add(Want, columns, rows)


def restart_numbers(session: Session) -> None:
    """Let PostgreSQL number the next person, account and chat behind those that were given a number."""
    if session.get_bind().dialect.name != "sqlite":
        for table in (Person, Account, Chat):
            newest = session.exec(select(func.max(table.id))).one()
            session.exec(select(func.setval(f"{table.__tablename__}_id_seq", newest))).one()


def make_large(store: Store, size: Size) -> int:
    """Make a large pool in an empty store; return its number."""
    with store.write() as session:
        pool_id = Large(session, size).make().id
    store.analyse()
    return pool_id
