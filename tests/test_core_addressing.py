"""Being spoken to: our name behind a command or in front of words; other bots' commands are theirs."""

from __future__ import annotations

import pytest

from core.chat.addressing import addressed
from tests.cases import table

NAMES = frozenset({"pool", "valley_bot", "pool:example.org"})
CASES = table("""
    plain command    | /want bread 2           | /want bread 2 | no
    with our name    | /want@Pool bread 2      | /want bread 2 | yes
    with !           | !want@pool bread        | !want bread   | yes
    name first       | @pool want bread 2      | want bread 2  | yes
    name and a colon | @valley_bot: want bread | want bread    | yes
    a Matrix name    | @pool:example.org help  | help          | yes
    only the name    | @pool                   |               | yes
    somebody else    | @bo want bread          | @bo want bread| no
    talk             | bread is good           | bread is good | no
    a mail address   | mail to ana@pool        | mail to ana@pool | no
""")


@pytest.mark.parametrize(("text", "words", "is_ours"), CASES)
def test_who_is_spoken_to(text: str, words: str, is_ours: str) -> None:
    assert addressed(text, NAMES) == (words, is_ours == "yes")


@pytest.mark.parametrize("text", ["/want@otherbot bread", "!help@other_bot"])
def test_another_bots_command_is_not_for_us(text: str) -> None:
    assert addressed(text, NAMES) is None


def test_several_lines_stay_together() -> None:
    assert addressed("/done@pool 1 2h\nit was hot", NAMES) == ("/done 1 2h\nit was hot", True)
