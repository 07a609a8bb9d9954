"""The console in a real terminal: lines are read while due work and messages go on by themselves."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from typing import TYPE_CHECKING

from adapters import terminal
from adapters.console import Console
from adapters.plain import WIDTH, Page
from bot.scheduler import Scheduler
from core.chat.due import run_due

if TYPE_CHECKING:
    from datetime import datetime

    from bot.clock import Clock
    from core.chat.handling import House


async def talk(house: House, clock: Clock) -> None:
    """Talk until the end of the input."""
    width = min(WIDTH, shutil.get_terminal_size().columns)
    page = Page(width) if os.environ.get("NO_COLOR") else Page(width, terminal.paint)
    console = Console(house, clock, _write, page)
    await console.start()

    def due(now: datetime) -> datetime | None:
        try:
            return run_due(house, now)
        finally:
            console.carrier.wake()

    scheduler = Scheduler(due, clock)
    scheduler.start()
    carrying = asyncio.create_task(console.carrier.run())
    try:
        await terminal.read_lines(console)
    finally:
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)
        await asyncio.to_thread(scheduler.stop)
        await console.stop()


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
