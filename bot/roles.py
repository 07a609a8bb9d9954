"""The roles a process can have, so that several can share the work on one PostgreSQL database."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from bot.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

ALL = "all"


class Role(StrEnum):
    """What a process does: receive from platforms, dispatch, send, or look after what is due."""

    INGEST = "ingest"
    WORK = "work"
    SEND = "send"
    TICK = "tick"


EVERY_ROLE = frozenset(Role)


def read_roles(given: Iterable[str]) -> frozenset[Role]:
    """Read roles, each text one or several with commas between; none is all of them. Raises UserError."""
    found: set[Role] = set()
    for word in (part.strip().lower() for text in given for part in text.split(",")):
        if word == ALL:
            found |= EVERY_ROLE
        elif word in EVERY_ROLE:
            found.add(Role(word))
        else:
            raise UserError(f"--role {word}: there are {', '.join(Role)} and {ALL}")
    return frozenset(found) or EVERY_ROLE


def require_alone(roles: frozenset[Role], database: str) -> None:
    """Refuse to share the work on a SQLite file. Raises UserError."""
    if roles != EVERY_ROLE:
        raise UserError(f"{database}: on a SQLite file one process has every role; leave out --role, or use PostgreSQL")
