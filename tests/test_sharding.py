"""Every key and every reference of a pool's tables carries pool_id; the tables of no pool are named, with a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import PrimaryKeyConstraint, Table, UniqueConstraint
from sqlmodel import SQLModel

import core.tables
import core.tables_chat

PAGE = (Path(__file__).parents[1] / "docs" / "sharding.md").read_text(encoding="utf-8")
SECOND_PART = PAGE.index("## The tables of no pool")


def tables_of(module: object) -> list[Table]:
    name = getattr(module, "__name__", "")
    found = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, SQLModel)]
    tables = [getattr(one, "__table__", None) for one in found if one.__module__ == name]
    return [table for table in tables if isinstance(table, Table)]


OF_A_POOL = [table for table in tables_of(core.tables) if table.name != "pool"]
OF_NO_POOL = tables_of(core.tables_chat)


def listed(part: str) -> set[str]:
    """The tables in the first column of a part's table."""
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_there_are_no_other_tables() -> None:
    known = {table.name for table in (*OF_A_POOL, *OF_NO_POOL)} | {"pool"}
    assert set(SQLModel.metadata.tables) == known
    assert len(OF_A_POOL) > 15


@pytest.mark.parametrize("table", OF_A_POOL, ids=lambda table: str(table.name))
def test_every_key_and_reference_of_a_pools_table_carries_pool_id(table: Table) -> None:
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            assert next(iter(constraint.columns)).name == "pool_id", constraint
    assert len(table.primary_key.columns) > 1
    for index in table.indexes:
        assert not index.unique or next(iter(index.columns)).name == "pool_id", index
    for reference in table.foreign_key_constraints:
        assert reference.columns[0].name == "pool_id"
        assert reference.elements[0].target_fullname == f"{reference.referred_table.name}.pool_id"
        assert reference.referred_table in OF_A_POOL


@pytest.mark.parametrize("table", OF_NO_POOL, ids=lambda table: str(table.name))
def test_a_table_of_no_pool_refers_to_none_of_a_pools(table: Table) -> None:
    assert [one for one in table.foreign_key_constraints if one.referred_table not in OF_NO_POOL] == []


def test_the_page_lists_every_table_in_its_part_and_gives_a_reason_for_those_of_no_pool() -> None:
    assert listed(PAGE[:SECOND_PART]) == {table.name for table in OF_A_POOL} | {"pool"}
    assert listed(PAGE[SECOND_PART:]) == {table.name for table in OF_NO_POOL}
    reasons = [line.split("|")[2].strip() for line in PAGE[SECOND_PART:].splitlines() if line.startswith("| `")]
    assert all(len(reason) > 30 for reason in reasons)
    assert len(set(reasons)) == len(OF_NO_POOL)
