"""Several processes on one database: they share the work, and when some are killed the others go on."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, func, select

from bot.errors import UserError
from bot.roles import EVERY_ROLE, Role, read_roles, require_alone
from core.tables import Pool, Round
from core.tables_chat import Inbox
from tests.crew import ROOMS, crew
from tests.file_platform import sent

if TYPE_CHECKING:
    from pathlib import Path

    from core.store import Store

PART_LOCKS = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
    AND classid::bigint = 1685086979"""
PARTS = 3  # to receive, to have caught up, to tick


# Roles


def test_roles_are_named_one_by_one_or_with_commas() -> None:
    assert read_roles(["ingest", " Work,send"]) == {Role.INGEST, Role.WORK, Role.SEND}
    assert read_roles(["all"]) == read_roles([]) == EVERY_ROLE
    with pytest.raises(UserError) as caught:
        read_roles(["work,dance"])
    assert caught.value.lines == ("--role dance: there are ingest, work, send, tick and all",)


def test_on_a_file_one_process_has_every_role() -> None:
    require_alone(EVERY_ROLE, "dpool.db")
    with pytest.raises(UserError, match=r"leave out --role, or use PostgreSQL"):
        require_alone(frozenset({Role.WORK}), "dpool.db")


# Processes


def test_what_processes_share_is_done_once_and_in_order_whoever_is_killed(server_store: Store, tmp_path: Path) -> None:
    with crew(server_store, tmp_path) as processes:
        processes.start("ingest,tick 1", "work 1", "work 2", "send 1", "send 2")
        count = founded = processes.found_pool()
        for victims in (("work 1",), ("send 1", "work 2"), ("ingest,tick 1",)):
            processes.say(*((ROOMS[n % 4], f"p{n % 7}", f"/task new T{n} 1h") for n in range(count, count + 60)))
            processes.until_answered(count + 20)
            processes.kill(*victims)
            processes.start(*victims)
            count += 60
        processes.until_answered(count)
    with server_store.read() as session:
        assert session.exec(select(func.count()).select_from(Inbox).where(col(Inbox.done_at).is_(None))).one() == 0
        assert session.exec(select(func.max(Inbox.fault))).one() == ""
        assert session.exec(select(Pool.last_task_number)).one() == count - founded
    answers: dict[str, list[int]] = defaultdict(list)
    texts: dict[str, str] = {}
    for room, key, ref, text in sent(tmp_path):
        if ref and key not in texts:  # the platform takes a key twice for once
            answers[room].append(int(ref[1:]))
        assert texts.setdefault(key, text) == text
    assert sum(map(len, answers.values())) == count
    assert all(numbers == sorted(numbers) for numbers in answers.values())


def test_one_ticks_and_another_takes_over_within_ten_seconds(server_store: Store, tmp_path: Path) -> None:
    with crew(server_store, tmp_path) as processes:
        processes.start("all 1")
        count = processes.found_pool()
        processes.say((ROOMS[0], "ana", "/pool set rounds daily 18:00"))
        processes.until_answered(count + 1)
        processes.until(lambda: count_parts_taken(server_store) == PARTS)
        processes.start("ingest,tick 2")
        processes.until(lambda: "takes over when that ends" in processes.log())
        processes.until(lambda: count_parts_taken(server_store) == PARTS)
        processes.kill("all 1")
        with server_store.write() as session:
            pool = session.exec(select(Pool)).one()
            current = session.exec(select(Round).where(Round.state == "open")).one()
            pool.round_due_at = current.due_at = pool.founded_at
        assert processes.until(lambda: count_rounds_held(server_store) > 0, seconds=10) < 10


def count_parts_taken(store: Store) -> int:
    with store.read() as session:
        return int(session.connection().exec_driver_sql(PART_LOCKS).scalar_one())


def count_rounds_held(store: Store) -> int:
    with store.read() as session:
        return session.exec(select(func.count()).select_from(Round).where(Round.state == "done")).one()
