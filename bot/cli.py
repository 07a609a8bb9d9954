"""The command line. Each command's module is imported only when it is asked for, so that `dpool` starts quickly."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from importlib import import_module
from typing import TYPE_CHECKING

from bot.errors import UserError

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Sequence

    Commands = _SubParsersAction[ArgumentParser]

DATABASE = "dpool.db"
EXIT_USER, EXIT_INTERRUPTED = 2, 130


def parser() -> ArgumentParser:
    """Return what reads the command line."""
    root = ArgumentParser(prog="dpool", description="A distribution pool that lives in its people's group chats.")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)

    chat = commands.add_parser("chat", help="chat in this terminal, with a small pool to play with")
    chat.add_argument("--database", default=DATABASE, metavar="URL", help="SQLite file or database URL (%(default)s)")
    chat.set_defaults(module="bot.chat")

    play = commands.add_parser("play", help="play transcripts and check what they say")
    play.add_argument("files", nargs="+", metavar="FILE")
    play.set_defaults(module="bot.play")

    run = commands.add_parser("run", help="serve the platforms of a configuration file")
    run.add_argument("--config", required=True, metavar="FILE", help="see config.example.yaml")
    run.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="ROLE",
        help="ingest, work, send, tick, several with commas, or all (all); less than all only on PostgreSQL",
    )
    run.set_defaults(module="bot.main")

    demo = commands.add_parser("demo", help="make the small pool to play with anew")
    demo.add_argument("--seed", type=int, default=1, metavar="N", help="another number, other wants and bids (1)")
    demo.add_argument("--database", default=DATABASE, metavar="FILE", help="where to (%(default)s)")
    demo.set_defaults(module="bot.demo")

    check = commands.add_parser("check", help="see that everything in a database is as it must be")
    _add_database(check)
    check.add_argument("--pool", type=int, metavar="N", help="only this pool")
    check.set_defaults(module="bot.audit", round=None)

    replay = commands.add_parser("replay", help="decide rounds again: the same must come out")
    _add_database(replay)
    replay.add_argument("--pool", type=int, metavar="N", help="only this pool")
    replay.add_argument("--round", type=int, metavar="N", help="only this round")
    replay.set_defaults(module="bot.audit")

    _add_operations(commands)
    return root


def _add_operations(commands: Commands) -> None:
    """Add what an administrator needs."""
    status = commands.add_parser("status", help="show what came in last, what waits, and what is due")
    _add_database(status)
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(module="bot.status")

    backup = commands.add_parser("backup", help="copy a database, which may be in use, into one file")
    backup.add_argument("file", metavar="FILE", help="a new file")
    _add_database(backup)
    backup.set_defaults(module="bot.backup")

    restore = commands.add_parser("restore", help="put a backup into an empty database")
    restore.add_argument("file", metavar="FILE", help="what dpool backup has written")
    _add_database(restore)
    restore.set_defaults(module="bot.restore")

    migrate = commands.add_parser("migrate", help="move everything into another, empty database")
    migrate.add_argument("--from", dest="source", required=True, metavar="URL", help="left as it is")
    migrate.add_argument("--to", dest="target", required=True, metavar="URL", help="SQLite file or database URL")
    migrate.set_defaults(module="bot.migrate")


def _add_database(command: ArgumentParser) -> None:
    """Let a command have its database named, or the configuration that names it."""
    either = command.add_mutually_exclusive_group()
    either.add_argument("--database", default=DATABASE, metavar="URL", help="SQLite file or database URL (%(default)s)")
    either.add_argument("--config", metavar="FILE", help="take the database from a configuration")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code. What a person can cause is said in one line each, with exit code 2."""
    try:
        given = parser().parse_args(arguments)
        code = int(import_module(given.module).command(given))
        sys.stdout.flush()
    except UserError as error:
        for line in error.lines:
            sys.stderr.write(f"{line}\n")
        return EXIT_USER
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read has seen enough; nothing more can be written, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
