"""Names: what counts as the same, how the second of a name is told apart, what a few letters find."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col

from core.errors import AmbiguousNameError, UnknownNameError
from core.names import LOOK_ALIKE, find, key_of, unique_name
from core.store import add
from core.tables import Good, Member, Pool
from tests.conftest import NOW, found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

    from core.store import Store


@pytest.mark.parametrize(
    "name",
    [
        "ana b\u00e4cker", "ANA BACKER", "Ana Ba\u0308cker", "Ana  B\u00e4cker ", "Ana\tB\u00e4cker",
        "Ana\nB\u00e4cker", "Ana\u00a0B\u00e4cker",
        # nothing to see: zero width, bidi, tags, variation selectors, fillers, half an emoji
        "A\u200bna B\u00e4cker", "\u202eAna B\u00e4cker\u202c", "Ana B\u00e4cker\U000e0041", "Ana B\u00e4cker\ufe0f",
        "Ana B\u00e4cker\u3164", "Ana B\u00e4cker\u115f", "Ana B\u00e4cker\u2800", "Ana\u034f B\u00e4cker",
        "Ana B\u00e4cker\ud83d",
        # wide and mathematical letters
        "\uff21\uff4e\uff41 B\u00e4cker", "\U0001d400\U0001d427\U0001d41a B\u00e4cker",
        # Cyrillic, Greek and phonetic letters that look like Latin ones
        "\u0410na B\u00e4cker", "\u0410n\u0430 \u0412\u00e4\u0441k\u0435\u0433", "\u0391na \u0392\u00e4cker",
        "\u0251na B\u00e4cker",
    ],
)  # fmt: skip
def test_what_looks_alike_is_the_same_name(name: str) -> None:
    assert key_of(name) == "ana backer"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("", ""), ("\u200b \u3164", ""), ("Hill Bakery", "hill bakery"), ("Straße", "strasse"), ("No. 7", "no. 7"),
        ("@Bo", "bo"), ("@@ @Bo@home", "bo@home"), ("@", ""),
        ("\ufb01g", "fig"), ("D\u0131\u015f", "dis"), ("面包", "面包"), ("🍞", "🍞"),
    ],
)  # fmt: skip
def test_keys(name: str, key: str) -> None:
    assert key_of(name) == key


@given(st.text())
def test_a_key_is_clean_and_its_own_key(name: str) -> None:
    key = key_of(name)
    assert key_of(key) == key
    assert key_of(name.upper().lower()) == key_of(name.lower())
    assert not {unicodedata.category(letter) for letter in key} & {"Cc", "Cf", "Cs", "Mn", "Me"}
    assert not set(key) & {chr(letter) for letter in LOOK_ALIKE}


@pytest.mark.parametrize(
    ("taken", "name", "unique"),
    [
        ([], "Ana", "Ana"),
        (["Ben"], "Ana", "Ana"),
        (["ana"], "Ana", "Ana 2"),
        (["Ana", "Ana 2", "Ana 4"], "Ana", "Ana 3"),
        (["Ana"], "\u0410na", "\u0410na 2"),
    ],
)
def test_a_name_is_made_unique(taken: Sequence[str], name: str, unique: str) -> None:
    keys = {key_of(one) for one in taken}
    assert unique_name(name, keys.__contains__) == unique


GOODS = ("Bread", "Brown bread", "Brown sugar", "Crème brûlée", "50% spelt", "5 litres")


def shelf(session: Session) -> Pool:
    pool, _ana = found(session)
    for name in GOODS:
        add(session, Good(pool_id=pool.id, name=name, name_key=key_of(name), created_at=NOW))
    session.flush()
    return pool


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("bread", "Bread"), ("BREAD", "Bread"), ("brea", "Bread"), ("brown b", "Brown bread"),
        ("creme", "Crème brûlée"),
        ("brown\u200b  sugar", "Brown sugar"), ("\u0412read", "Bread"), ("50%", "50% spelt"), ("5 l", "5 litres"),
    ],
)  # fmt: skip
def test_a_name_is_found_whole_or_by_its_beginning(store: Store, word: str, name: str) -> None:
    with store.write() as session:
        pool = shelf(session)
        assert find(session, Good, word, [col(Good.pool_id) == pool.id]).name == name


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("br", ("Bread", "Brown bread", "Brown sugar")),
        ("brown", ("Brown bread", "Brown sugar")),
        ("5 ", ("5 litres", "50% spelt")),
    ],
)
def test_several_names_begin_alike(store: Store, word: str, names: tuple[str, ...]) -> None:
    with store.write() as session:
        pool = shelf(session)
        with pytest.raises(AmbiguousNameError) as refused:
            find(session, Good, word, [col(Good.pool_id) == pool.id])
        assert (refused.value.kind, refused.value.word, refused.value.names) == ("good", word, names)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("braed", "Bread"), ("brwon sugar", "Brown sugar"), ("sugar", "Brown sugar"), ("creme brulle", "Crème brûlée"),
        ("%", ""), ("_", ""), ("", ""), ("\u200b", ""), ("qqq", ""), ("x" * 5_000, ""),
    ],
)  # fmt: skip
def test_an_unknown_name_brings_near_ones(store: Store, word: str, near: str) -> None:
    with store.write() as session:
        pool = shelf(session)
        with pytest.raises(UnknownNameError) as refused:
            find(session, Good, word, [col(Good.pool_id) == pool.id])
        assert (refused.value.kind, refused.value.word) == ("good", word)
        assert len(refused.value.near) <= 3
        assert (refused.value.near[0] if refused.value.near else "") == near


def test_only_rows_that_are_asked_for_are_found(store: Store) -> None:
    with store.write() as session:
        pool = shelf(session)
        for where in (col(Good.pool_id) == pool.id + 1, col(Good.name) != "Bread"):
            with pytest.raises(UnknownNameError) as refused:
                find(session, Good, "bread", [where])
            assert "Bread" not in refused.value.near
        assert find(session, Member, "an", [col(Member.pool_id) == pool.id]).name == "Ana"
