"""`dpool migrate`: a whole database moves into another one, of either kind. The old one is left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.clock import Clock
from bot.database import claimed, same_database
from bot.errors import UserError
from bot.moving import copy_to

if TYPE_CHECKING:
    from argparse import Namespace


def command(arguments: Namespace) -> int:
    """Copy everything and compare; return 1 if something in it is not as it must be."""
    if same_database(arguments.source, arguments.target):
        raise UserError("Both are the same database.")
    with claimed(arguments.source) as source:
        return copy_to(arguments.target, source, Clock()())
