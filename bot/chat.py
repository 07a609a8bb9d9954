"""`dpool chat`: the console on a database, with a small pool going if there is none yet."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from adapters.console import Console
from bot import demo
from bot.clock import Clock
from bot.database import file_of, opened
from bot.log import set_up
from core.chat.commands import table
from core.chat.handling import House
from core.timetable import UnknownZoneError, read_zone

if TYPE_CHECKING:
    from argparse import Namespace

    from core.store import Store

NEW = "Making a small pool to play with, in {path} …"


def command(arguments: Namespace) -> int:
    """Chat in this terminal."""
    set_up(level=logging.WARNING)
    clock, zone = Clock(), local_zone()
    path = file_of(arguments.database)
    if path is not None and not path.exists():
        _write(NEW.format(path=path))
        demo.make(path, clock(), zone)
    with opened(arguments.database, clock()) as store:
        chat(store, clock, zone)
    return 0


def chat(store: Store, clock: Clock, zone: str) -> None:
    """Talk to whoever is there: with line editing in a terminal, else with plain lines."""
    house = House(store, table(), secrets.token_bytes, timezone=zone)
    if is_terminal():
        # its libraries are for terminals only: plain lines start sooner without them
        asyncio.run(import_module("bot.interactive").talk(house, clock))
    else:
        _in_lines(Console(house, clock, _write))


def is_terminal() -> bool:
    """Tell whether somebody sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _in_lines(console: Console) -> None:
    """Read lines one by one: each is done with, and its answers are written, before the next is read."""
    with asyncio.Runner() as runner:
        runner.run(console.start())
        for line in sys.stdin:
            _write(console.prompt + line.rstrip("\n"))
            if not runner.run(console.handle(line)):
                break
        runner.run(console.stop())


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def local_zone() -> str:
    """Return the name of this machine's time zone; UTC if it does not say."""
    for name in (os.environ.get("TZ", "").lstrip(":"), os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]):
        try:
            return read_zone(name).key
        except UnknownZoneError:
            continue
    return "UTC"
