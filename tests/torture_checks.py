"""What must be true after a torture, looked up in the tables by plain SQL, without a line of the program."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.bot_api import BotApi
    from tests.bot_api_world import Message

# Each finds something that must not be.
NEVER = {
    "members far below any limit": """
        SELECT pool_id, account, sum(change) FROM (
            SELECT pool_id, from_id AS account, -amount AS change FROM transfer WHERE from_id IS NOT NULL
            UNION ALL SELECT pool_id, to_id, amount FROM transfer WHERE to_id IS NOT NULL) AS moved
        GROUP BY pool_id, account HAVING sum(change) < -10000""",
    "effort credited beyond what was done": """
        SELECT pool_id, sum(amount) FROM transfer WHERE kind = 'effort' AND from_id IS NULL GROUP BY pool_id
        HAVING sum(amount) > (SELECT sum(effort) FROM contribution WHERE contribution.pool_id = transfer.pool_id)""",
    "transfers made twice": "SELECT pool_id, key FROM transfer GROUP BY pool_id, key HAVING count(*) > 1",
    "transfers of nothing": "SELECT pool_id, key FROM transfer WHERE amount <= 0",
    "slots with two holders": """
        SELECT task.number, count(*) FROM task JOIN claim ON claim.pool_id = task.pool_id AND claim.task_id = task.id
        WHERE claim.ended_at IS NULL GROUP BY task.pool_id, task.number, task.slots HAVING count(*) > task.slots""",
    "work counted twice": """
        SELECT pool_id, task_id, member_id FROM contribution GROUP BY pool_id, task_id, member_id
        HAVING count(*) > 1""",
    "units given twice": """
        SELECT batch.id FROM batch WHERE batch.given + batch."left" > batch.units OR batch.given <>
        (SELECT count(*) FROM givenunit WHERE givenunit.pool_id = batch.pool_id AND givenunit.batch_id = batch.id
         AND givenunit.returned_at IS NULL)""",
    "rounds held twice": "SELECT pool_id, due_at FROM round WHERE state <> 'open' GROUP BY 1, 2 HAVING count(*) > 1",
    "rounds left undone": "SELECT pool_id, number FROM round WHERE state NOT IN ('open', 'done', 'skipped')",
    "more than one open round": "SELECT pool_id FROM round WHERE state = 'open' GROUP BY pool_id HAVING count(*) > 1",
    "events that failed": "SELECT id, fault FROM inbox WHERE fault <> '' OR done_at IS NULL",
}


@dataclass
class Model:
    """What people were told is done, kept beside the program: names that must be there once, and every command."""

    tasks: set[str] = field(default_factory=set)
    guests: set[str] = field(default_factory=set)
    commands: list[Message] = field(default_factory=list)


@dataclass(frozen=True)
class Verdict:
    """What was found: faults, and how often something was said twice, or perhaps not at all."""

    faults: list[str]
    command_count: int
    doubled_count: int
    parked_count: int


def rows_of(url: str, query: str) -> list[tuple[Any, ...]]:
    """Look something up in a store."""
    if url.startswith("postgresql"):
        with psycopg.connect(url) as server:
            return server.execute(query.encode()).fetchall()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
        return file.execute(query).fetchall()


def _names(found: Iterable[tuple[Any, ...]], expected: set[str], what: str) -> list[str]:
    """Return what is missing, doubled, or nobody's."""
    counts = Counter(str(name) for (name,) in found)
    lost = [f"{what} lost: {name}" for name in sorted(expected - counts.keys())]
    doubled = [f"{what} doubled: {name}" for name, count in counts.items() if count > 1]
    return lost + doubled + [f"{what} from nowhere: {name}" for name in sorted(counts.keys() - expected)]


def verdict(url: str, api: BotApi, model: Model, days: int) -> Verdict:
    """Compare a store and what people saw in so many days with what must be so."""
    ((round_count,),) = rows_of(url, "SELECT count(*) FROM round WHERE state IN ('done', 'skipped')")
    faults = [] if round_count == days else [f"{round_count} rounds in {days} days"]
    faults += [f"{what}: {rows}" for what, query in NEVER.items() if (rows := rows_of(url, query))]
    titles = "SELECT title FROM task WHERE title LIKE 'Job %' OR title LIKE 'Deed %'"
    faults += _names(rows_of(url, titles), model.tasks, "task")
    faults += _names(rows_of(url, "SELECT name FROM member WHERE name LIKE 'Guest %'"), model.guests, "guest")
    deliveries = rows_of(url, "SELECT state, attempts, fault, payload FROM delivery")
    replies: Counter[int] = Counter()
    doubled_count = 0
    seen: set[tuple[int, int, str]] = set()
    for chat in api.chats.values():
        for message in api.sent(chat):
            if message.reply_to is not None:
                key = (chat.id, message.reply_to.id, message.before[0] if message.before else message.text)
                doubled_count += key in seen
                seen.add(key)
                replies[id(message.reply_to)] += 1
    for command in model.commands:
        answers = [row for row in deliveries if re.search(f"[\"']{command.id}[\"']", str(row[-1]))]
        if not replies[id(command)] and not any(state == "parked" for state, *_rest in answers):
            faults.append(f"no answer to {command.text!r}: {answers}")
    return Verdict(faults, len(model.commands), doubled_count, sum(state == "parked" for state, *_rest in deliveries))
