"""`dpool` over and over: everything is imported once, so that each run begins at once after the last one was killed.

Reads a command line from its input, runs it in a process of its own, writes that one's number and then its exit code.
"""

from __future__ import annotations

import os
import sys

import adapters.matrix
import bot.main
from bot.cli import main
from core.chat.commands import table

LOADED = (adapters.matrix.connect, bot.main.command, table())


def run(line: str) -> int:
    """Run a command line; return its exit code."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return main(line.split())


def serve() -> None:
    """Run what is asked for, one after another."""
    for line in iter(sys.stdin.readline, ""):
        number = os.fork()
        if not number:
            sys.exit(run(line))
        tell(number)
        tell(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))


def tell(figure: int) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{figure}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
