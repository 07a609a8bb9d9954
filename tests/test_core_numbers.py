"""Single values with digits in them: what is read, and what is refused however much it looks like a number."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Refusal
from core.numbers import (
    EXAMPLES,
    NotWholeError,
    NumberBoundsError,
    NumberError,
    read_code,
    read_count,
    read_hours,
    read_task,
    read_times,
    read_weight,
    tries_hours,
    tries_number,
    tries_task,
    tries_times,
    tries_weight,
)
from core.units import HOURS_MAX, show_hours, show_weight

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: dict[str, Callable[[str], object]] = {
    "task": read_task,
    "count": read_count,
    "times": read_times,
    "hours": read_hours,
    "weight": read_weight,
    "code": read_code,
}
NEVER = [
    "", " ", "NaN", "nan", "inf", "-Infinity", "-inf", "1e400", "1e3", "-3", "\u22123", "\u20133", "+5",
    "\u0661\u0662", "\uff11\uff12", "²",
    "1_000", "1.5.2", "1..5", "1.", ".5", "1 000", "1'000", "1,000.5", "0x10", "1\u202e2", "1\u200b2", "1\x002",
    "h", "#",
    "x", "#x", "½", "1/2", "#-1", "--1", "1\n", "12\n",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [
        ("2h", 2000), ("1.5h", 1500), ("1,5h", 1500), ("90m", 1500), ("1h30", 1500), ("1h30m", 1500), ("1h5m", 1083),
        ("1 h", 1000), ("1.5 h", 1500), ("90 min", 1500), ("2", 2000), ("1.5", 1500), ("1,5", 1500), ("0.001h", 1),
        ("1.250H", 1250), ("2Std", 2000), ("20m", 333), ("40m", 667), ("1m", 17), ("1000h", 1_000_000), ("007h", 7000),
        ("1.5000000h", 1500), ("3 Stunden", 3000), ("60000m", 1_000_000),
    ],
)  # fmt: skip
def test_hours_are_read(text: str, thousandths: int) -> None:
    assert read_hours(text) == thousandths


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("task", "#12", 12), ("task", "12", 12), ("task", "999999999", 999_999_999), ("task", "007", 7),
        ("count", "1", 1), ("count", "10000", 10_000),
        ("times", "x3", 3), ("times", "X3", 3), ("times", "×3", 3), ("times", "x100", 100),
        ("weight", "0.8", 80), ("weight", "x0.8", 80), ("weight", "×0,8", 80), ("weight", "X1", 100), ("weight",
        "1.21", 121),
        ("weight", "0.01", 1), ("weight", "0.80000", 80), ("weight", "100", 10_000),
        ("code", "K7Q2-M4PD", "K7Q2-M4PD"), ("code", "k7q2m4pd", "K7Q2-M4PD"), ("code", "k7q2\u2013m4pd", "K7Q2-M4PD"),
    ],
)  # fmt: skip
def test_values_are_read(kind: str, text: str, value: object) -> None:
    assert READERS[kind](text) == value


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("text", NEVER)
def test_no_reader_takes_these(kind: str, text: str) -> None:
    with pytest.raises(NumberError) as refused:
        READERS[kind](text)
    assert refused.value.kind in EXAMPLES
    assert READERS[refused.value.kind](refused.value.example)


@pytest.mark.parametrize(
    ("kind", "text", "most"),
    [
        ("task", "0", 999_999_999), ("task", "1234567890", 999_999_999), ("task", "9" * 5000, 999_999_999),
        ("count", "0", 10_000), ("count", "10001", 10_000), ("count", str(2**63), 10_000), ("count",
        "0" * 5000, 10_000),
        ("times", "x0", 100), ("times", "x101", 100),
        ("hours", "0h", HOURS_MAX), ("hours", "0.0", HOURS_MAX), ("hours", "1000.001h", HOURS_MAX), ("hours",
        "0m", HOURS_MAX),
        ("hours", "9" * 5000 + "h", HOURS_MAX), ("hours", f"{2**64}m", HOURS_MAX), ("hours", "1000h01", HOURS_MAX),
        ("hours", "9" * 5000 + "h30", HOURS_MAX), ("weight", "0", 10_000), ("weight", "100.01", 10_000),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused_with_the_bounds(kind: str, text: str, most: int) -> None:
    with pytest.raises(NumberBoundsError) as refused:
        READERS[kind](text)
    error = refused.value
    assert (error.kind, error.least, error.most) == (kind, 1, most)
    assert len(error.word) <= 40


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("hours", "1..5h"), ("hours", "1.2345h"), ("hours", "1h60"), ("hours", "1h3"), ("hours", "1.5m"), ("hours",
        "-3h"),
        ("weight", "0.855"), ("weight", "xx1"), ("times", "xx3"), ("times", "3"), ("times", "x1.5"), ("task", "##1"),
        ("count", "2x"), ("count", "1..5h"), ("code", "HILL-12"), ("code", "K7Q2--M4PD"), ("code", "\u017f7Q2-M4PD"),
        ("hours", "1h\u0663\u0660"), ("hours", "1.\u0665h"),
    ],
)  # fmt: skip
def test_near_misses_are_refused_with_the_word(kind: str, text: str) -> None:
    with pytest.raises(NumberError) as refused:
        READERS[kind](text)
    assert refused.value.word == text


@pytest.mark.parametrize(
    ("text", "thousandths"), [("2.5", 2500), ("1,5", 1500), ("2.0", 2000), ("1.5h", 1500), ("90m", 1500)]
)
def test_a_count_with_a_fraction_may_mean_hours(text: str, thousandths: int) -> None:
    with pytest.raises(NotWholeError) as refused:
        read_count(text)
    assert (refused.value.word, refused.value.thousandths) == (text, thousandths)


@given(st.integers(min_value=10, max_value=HOURS_MAX).map(lambda hundredths: hundredths // 10 * 10))
def test_hours_read_back_as_they_are_shown(thousandths: int) -> None:
    assert read_hours(show_hours(thousandths)) == thousandths
    assert read_hours(show_hours(thousandths, ",")) == thousandths


@given(st.integers(min_value=1, max_value=10_000))
def test_weights_read_back_as_they_are_shown(hundredths: int) -> None:
    assert read_weight(show_weight(hundredths)) == hundredths


@given(
    st.sampled_from(sorted(READERS)),
    st.text(alphabet="0123456789.,xhm# -+eE_\u0663", max_size=12) | st.text(max_size=12),
)
def test_a_reader_reads_or_refuses(kind: str, text: str) -> None:
    try:
        value = READERS[kind](text)
    except Refusal:
        return
    assert isinstance(value, str) or (isinstance(value, int) and value > 0)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("text", ["9" * 20_000, "1." + "0" * 20_000, "1" * 20_000 + "h", "x" * 20_000, "-" * 20_000])
def test_endless_input_is_refused_at_once(kind: str, text: str) -> None:
    started = time.thread_time()  # not the machine's other work
    with suppress(Refusal):
        READERS[kind](text)
    assert time.thread_time() - started < 0.2


@pytest.mark.parametrize(
    ("tries", "yes", "no"),
    [
        (tries_hours, ["1..5h", "-3h", "+5h", "\u0663h", "1h99", "10-12h", "1e400h", "2H", "2 h", "90 min"],
         ["2", "h", "3rd", "nanh", "5m2", "2 m", "2 apples", "a h"]),
        (tries_number, ["2", "1..5", "-3", "\u22123", "+5", "\u0661\u0662", "1_000", "1e400", "NaN", "-Infinity",
        ".5", "5-6"],
         ["7up", "bread", "12a", "nana", "1h", "x2", ""]),
        (tries_weight, ["x0.8", "×1", "x-1", "x1..2"], ["0.8", "x", "xray"]),
        (tries_times, ["x3", "×\u0663", "X0"], ["x1.5", "3x", "x", "xray"]),
        (tries_task, ["#12", "12", "#bread", "-3", "1.5", "7up"], ["bread", "", "-"]),
    ],
)  # fmt: skip
def test_what_a_word_tries_to_be(tries: Callable[[str], bool], yes: list[str], no: list[str]) -> None:
    assert [word for word in yes if not tries(word)] == []
    assert [word for word in no if tries(word)] == []
