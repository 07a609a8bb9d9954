"""Linking in tests: two accounts of one person in a chat, and two members of one village."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import SQLModel, select

from core import ledger
from core.audit import check, replay
from core.merging import Merged, merge
from core.tables_chat import Account
from tests.stage import on_stage

if TYPE_CHECKING:
    from core.chat.player import Player
    from core.store import Store
    from core.tables import Member
    from tests.village import Village

ASK = """
bo@dm: /link
> Your code: (?P<code>\\w{4}-\\w{4})
telegram:bo@dm: /link {code}
> Make these accounts one person
"""
LINK = f"{ASK}\ntelegram:bo@dm: [Link]\n> one person with Bo \\(@bo\\) on Console now"


def people(player: Player) -> dict[tuple[str, str], int]:
    """Whose every account is."""
    with player.store.read() as session:
        return {(one.platform, one.user_id): one.person_id for one in session.exec(select(Account))}


def is_linked(player: Player, who: str, other: str = "telegram") -> bool:
    """Whether somebody's account on the console is one person with that on another platform."""
    found = people(player)
    return found["console", who] == found[other, who]


def two_platforms(store: Store) -> Player:
    """Bo has baked in the console's bakery, and wants bread in a Telegram group; Eve is about."""
    return on_stage(
        store,
        """
        bo@bakery: /made bread 4 2h
        ana@bakery: /confirm 1
        ana@bakery: /project code
        dm:ana> (?P<link>\\w{4}-\\w{4})
        telegram:bo@ovens: /project link {link}
        telegram:bo@ovens: /want bread 2
        telegram:eve@ovens: /tasks
        now 2026-05-10 18:00
        """,
    )


def put_together(village: Village, one: str, two: str) -> Merged:
    """Merge two members; everything the audit knows must hold afterwards, and nothing names the other."""
    before = sum(village.balance(name) for name in (one, two))
    merged = merge(village.session, village.people[one], village.people[two], village.now)
    village.session.flush()
    assert merged.balance == before == ledger.balance(village.session, village.pool.id, merged.member.id)
    assert check(village.session, village.pool) == []
    assert replay(village.session, village.pool, None) == []
    gone = next(village.people[name] for name in (one, two) if village.people[name].id != merged.member.id)
    assert not rows_naming(village, gone)
    return merged


def rows_naming(village: Village, member: Member) -> list[str]:
    """The tables that refer to a member, but for those that may: its own row, and transfers, which never change."""
    found = []
    for table in SQLModel.metadata.sorted_tables:
        for column in table.columns:
            is_reference = column.name.endswith(("member_id", "_by_id", "_to_id", "creator_id", "from_id", "into_id"))
            if not is_reference or table.name == "transfer" or "pool_id" not in table.primary_key.columns:
                continue
            query = table.select().where(table.c.pool_id == member.pool_id, column == member.id)
            found += [f"{table.name}.{column.name}" for _row in village.session.connection().execute(query)]
    return found
