"""A round is told after its own transaction: everybody once, whatever dies in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, select

from core.chat import own_report, telling
from core.chat.due import run_due
from core.rounds.hold import NOBODY_TOLD
from core.tables import Round
from tests.stage import act, on_stage, posted

if TYPE_CHECKING:
    from typing import Any

    from core.chat.player import Player
    from core.store import Store

TAKEN = "bo@bakery: /task new Bake 1h x2\nbo@bakery: [I'd do it]\nana@dm: /me\nbo@dm: /me\nana@bakery: /bid 1 1"


@pytest.fixture
def player(store: Store) -> Player:
    return on_stage(store, TAKEN)


def told(store: Store) -> list[int | None]:
    with store.read() as session:
        return list(session.exec(select(Round.told_id).order_by(col(Round.number))).all())


def private_reports(store: Store) -> int:
    return sum("is yours at" in str(message.text) for message in posted(store))


def test_everybody_is_told_once(player: Player) -> None:
    act(player, "now 2026-05-10 18:00")
    assert told(player.store) == [None, None]
    assert private_reports(player.store) == 2
    run_due(player.house, player.now)
    assert private_reports(player.store) == 2


def test_who_was_told_before_a_crash_is_not_told_again(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MEMBERS_AT_ONCE", 1)
    original, calls = own_report.tell, list[int]()

    def dies_at_the_second(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) in {2, 3}:  # and when due work takes it up at once
            raise RuntimeError
        original(*arguments)

    monkeypatch.setattr(own_report, "tell", dies_at_the_second)
    with player.store.read() as session:
        due_at = session.exec(select(Round.due_at)).one()
    assert due_at is not None
    run_due(player.house, due_at)
    assert private_reports(player.store) == 1
    assert told(player.store)[0] is not None
    run_due(player.house, due_at)
    assert (private_reports(player.store), told(player.store)[0]) == (2, None)


def test_who_finds_it_told_by_somebody_else_stops(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def told_elsewhere(_telling: telling.Telling, told_id: int, _act: object) -> None:
        steps.append(told_id)

    monkeypatch.setattr(telling.Telling, "_step", told_elsewhere)
    act(player, "now 2026-05-10 18:00")
    assert set(steps) == {NOBODY_TOLD}
    assert private_reports(player.store) == 0


def test_a_step_that_somebody_else_has_done_is_not_done_again(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    once = vars(telling.Telling)["_step"]

    def twice(one: telling.Telling, told_id: int, do: object) -> int | None:
        once(one, told_id, do)
        found: int | None = once(one, told_id, do)
        return found

    monkeypatch.setattr(telling.Telling, "_step", twice)
    act(player, "now 2026-05-10 18:00")
    assert private_reports(player.store) == 2
