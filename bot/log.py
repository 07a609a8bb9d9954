"""Logging: lines for people or for programs on stderr, and no secret and nothing personal in any of them.

Only our own loggers speak below WARNING: libraries tell of requests with whole addresses, and of rows with what is in
them. Of an exception, its kind and the way to it are told, but not its words, which may hold what somebody wrote.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

FORMAT = "{asctime} {levelname:7} {message}"
SECRET_LENGTH_MIN = 4  # a shorter one would blot out ordinary words
OURS = ("bot", "adapters", "core")
SILENT = ("nio", "telegram")  # their warnings quote events; what matters of them, the adapters say
EVENT_LOOP = "asyncio"  # its first line says what happened, the others show exceptions with their words
Format = Literal["lines", "json"]


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return what takes secrets out of a text, also where they are part of an address."""
    forms = {form for secret in secrets for form in (secret, quote(secret), quote(secret, safe=""))}
    wanted = sorted((form for form in forms if len(form) >= SECRET_LENGTH_MIN), key=len, reverse=True)

    def redact(text: str) -> str:
        for form in wanted:
            text = text.replace(form, "***")
        return text

    return redact


def fault(error: BaseException) -> str:
    """Return where an exception comes from and its kind, with those that led to it, all without their words."""
    return "\n".join(_chain(error, set()))


def _chain(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _chain(before, seen)
        yield "which led to:"
    for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _chain(part, seen)
        yield "which is part of:"
    yield from "".join(traceback.format_tb(error.__traceback__)).splitlines()
    kind = type(error)
    yield f"{kind.__module__}.{kind.__qualname__}{_harmless(error)}".removeprefix("builtins.")


def _harmless(error: BaseException) -> str:
    """Return what an exception says for certain about the machine only."""
    if isinstance(error, OSError) and error.strerror:
        return f": {error.strerror}"
    if isinstance(error, DBAPIError) and error.orig is not None:
        code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
        return f" ({type(error.orig).__name__}, {code})"
    return ""


def keep_out(secrets: Iterable[str]) -> None:
    """Let no record of any logger carry a secret: taken out where records are made, whoever handles them."""
    redact = redactor(secrets)

    make: Callable[..., logging.LogRecord] = logging.LogRecord

    def make_clean(*args: object, **values: object) -> logging.LogRecord:
        record = make(*args, **values)
        try:
            record.msg = redact(record.getMessage())
        except (TypeError, ValueError, KeyError):  # a message that does not fit its arguments
            record.msg = redact(str(record.msg))
        record.args = None
        if record.name == EVENT_LOOP:
            record.msg = record.msg.partition("\n")[0]
        if record.exc_info:
            error = record.exc_info[1]
            record.exc_text = redact(fault(error)) if error is not None else None
            record.exc_info = None
        record.stack_info = None
        return record

    logging.setLogRecordFactory(make_clean)


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, and fault if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": at, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_text:
            line["fault"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


def set_up(secrets: Iterable[str] = (), level: int | str = logging.INFO, form: Format = "lines") -> None:
    """Log to stderr, without secrets, without anything personal, and without the noise of libraries."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(FORMAT, style="{"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    keep_out(secrets)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
