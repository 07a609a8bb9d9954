"""Rows in bulk: none is no work, and what is not given stands at its default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import select

from core import bulk
from core.tables_chat import Meta

if TYPE_CHECKING:
    from core.store import Store


def test_no_rows_are_no_work(store: Store) -> None:
    with store.write() as session:
        bulk.insert(session, Meta, ("key", "value"), [])
        bulk.insert(session, Meta, ("key",), [("empty",)])
    with store.read() as session:
        assert [(row.key, row.value) for row in session.exec(select(Meta).where(Meta.key == "empty"))] == [
            ("empty", "")
        ]
        assert len(session.exec(select(Meta).where(Meta.key == "empty")).all()) == 1
