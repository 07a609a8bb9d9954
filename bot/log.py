"""Logging: lines for people on stderr, and no secret in any of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FORMAT = "{asctime} {levelname:7} {message}"
SECRET_LENGTH_MIN = 4  # a shorter one would blot out ordinary words
# They tell of every request, with its whole address.
NOISY = ("httpx", "httpcore", "nio", "aiohttp.access", "apscheduler", "telegram", "alembic")


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return what takes secrets out of a text, also where they are part of an address."""
    forms = {form for secret in secrets for form in (secret, quote(secret), quote(secret, safe=""))}
    wanted = sorted((form for form in forms if len(form) >= SECRET_LENGTH_MIN), key=len, reverse=True)

    def redact(text: str) -> str:
        for form in wanted:
            text = text.replace(form, "***")
        return text

    return redact


def keep_out(secrets: Iterable[str]) -> None:
    """Let no record of any logger carry a secret: taken out where records are made, whoever handles them."""
    redact, formatter = redactor(secrets), logging.Formatter()

    make: Callable[..., logging.LogRecord] = logging.LogRecord

    def make_clean(*args: object, **values: object) -> logging.LogRecord:
        record = make(*args, **values)
        try:
            record.msg = redact(record.getMessage())
        except (TypeError, ValueError, KeyError):  # a message that does not fit its arguments
            record.msg = redact(f"{record.msg!r} {record.args!r}")
        record.args = None
        if record.exc_info:
            record.exc_text = redact(formatter.formatException(record.exc_info))
            record.exc_info = None
        return record

    logging.setLogRecordFactory(make_clean)


def set_up(secrets: Iterable[str] = (), level: int = logging.INFO) -> None:
    """Log to stderr, without secrets and without the noise of libraries."""
    logging.basicConfig(format=FORMAT, style="{", level=level, force=True)
    keep_out(secrets)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
