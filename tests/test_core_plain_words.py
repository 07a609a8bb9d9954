"""Plain words to the bot: what they mean, and what is left as it was typed."""

from __future__ import annotations

import pytest

from core.chat.plain_words import SENTENCE_LENGTH_MAX, as_command
from tests.cases import table

UNDERSTOOD = table("""
    want with a most   | I'd like 2 bread, up to 1.5h               | want "bread" 2 max:1.5h
    a loaf of          | can I have a loaf of bread please?         | want "bread" 1
    no count           | i want bread                               | want "bread" 1
    hours in words     | I want two bread at most 2 hours each      | want "bread" 2 max:2hours
    in brackets        | We need 3 apple juice (max 1,5h)           | want "apple juice" 3 max:1,5h
    German             | Ich hätte gerne zwei Brot, höchstens 1,5h  | want "Brot" 2 max:1,5h
    a curly apostrophe | I’d love bread                             | want "bread" 1
    claim              | I'll do #12                                | claim 12
    claim in German    | ich mache Aufgabe 12                       | claim 12
    done               | I'm done with 12                           | done 12
    done with hours    | I did 12, took 2h                          | done 12 2h
    it is done         | #12 is done                                | done 12
    done in German     | ich habe 12 erledigt                       | done 12
    finished in German | fertig mit 12 in 90m                       | done 12 90m
    to do              | Hi, what's to do?                          | tasks
    to do in German    | was gibt's zu tun                          | tasks
    goods              | what's there?                              | goods
    balance            | how much do I have left?                   | me
    next round         | Wann ist die nächste Runde?                | pool
    help               | please help!                               | help
    many spaces        | i    want     2      bread                 | want "bread" 2
""")
NOT_UNDERSTOOD = table("""
    thanks     | thanks for the fish
    a verb     | want bread 2
    a question | is there bread?
    nothing    | please
""")


@pytest.mark.parametrize(("said", "command"), UNDERSTOOD)
def test_common_wishes_are_commands(said: str, command: str) -> None:
    assert as_command(said) == command


@pytest.mark.parametrize("said", NOT_UNDERSTOOD)
def test_everything_else_is_not_guessed_at(said: str) -> None:
    assert as_command(said.replace('"', "")) is None


@pytest.mark.parametrize("filler", [" ", ",", "!", ", ", "1.", "a ", "\n"])
def test_words_without_end_take_no_time(filler: str) -> None:
    """A pattern that tries every split of such words would not come back."""
    long = f"i want{filler * 20_000}x"
    assert as_command(long) == ('want "x" 1' if not filler.strip() else None)
    short = "i want " + filler * ((SENTENCE_LENGTH_MAX - 10) // len(filler)) + "x"
    assert as_command(short) is not None
