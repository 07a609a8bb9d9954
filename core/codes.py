"""Codes like K7Q2-M4PD: made, kept as hashes, and guessed at only so often."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from core.errors import TooManyTriesError

if TYPE_CHECKING:
    from datetime import datetime

    from core.tables_chat import Account

Entropy = Callable[[int], bytes]
# Without 0, 1, I, L, O and U: nobody has to ask which one it was.
CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 8
CODE_LIFE = timedelta(minutes=10)  # of one-use codes
TRIES_MAX = 5
TRIES_TIME = timedelta(minutes=10)


def new_code(entropy: Entropy) -> str:
    """Return a code like K7Q2-M4PD: 8 of 30 letters, about 39 bits, without bias."""
    letters: list[str] = []
    while len(letters) < CODE_LENGTH:
        byte = entropy(1)[0]
        if byte < len(CODE_LETTERS) * 8:
            letters.append(CODE_LETTERS[byte % len(CODE_LETTERS)])
    return "".join(letters[:4]) + "-" + "".join(letters[4:])


def digest_of(code: str) -> str:
    """Return what is kept of a one-use code."""
    return hashlib.sha256(code.upper().encode()).hexdigest()


def check_tries(account: Account, now: datetime) -> None:
    """Refuse any code, right or wrong, from an account that has just tried too many wrong ones."""
    if account.wrong_codes >= TRIES_MAX and not _is_over(account, now):
        raise TooManyTriesError


def count_wrong(account: Account, now: datetime) -> None:
    """Count a wrong code; the first one begins the time in which they are counted."""
    if _is_over(account, now):
        account.wrong_codes, account.wrong_since = 0, now
    account.wrong_codes += 1


def _is_over(account: Account, now: datetime) -> bool:
    return account.wrong_since is None or account.wrong_since + TRIES_TIME <= now
