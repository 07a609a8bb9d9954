"""`dpool play`: transcripts, each against an empty store of its own."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bot.database import opened
from bot.errors import UserError
from core.chat.transcript import MismatchError, play

if TYPE_CHECKING:
    from argparse import Namespace


def command(arguments: Namespace) -> int:
    """Play files and print them; return 1 if one does not hold."""
    paths = [Path(name) for name in arguments.files]
    missing = [f"{path}: can't be read: {reason}" for path in paths if (reason := _unreadable(path))]
    if missing:
        raise UserError(*missing)
    failed = [path for path in paths if not _holds(path)]
    return 1 if failed else 0


def _unreadable(path: Path) -> str:
    try:
        path.read_text(encoding="utf-8")
    except OSError as error:
        return error.strerror or "no such file"
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    return ""


def _holds(path: Path) -> bool:
    with TemporaryDirectory(prefix="dpool-") as folder, opened(f"{folder}/play.db", datetime.now(UTC)) as store:
        try:
            play(path, store, print)
        except MismatchError as error:
            sys.stdout.flush()
            sys.stderr.write(f"{error}\n")
            return False
    return True
