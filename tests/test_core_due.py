"""Due work: each thing once, in order, at its moment; what fails holds up nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from core.chat import due, inbox
from core.chat.due import next_due, run_due
from core.chat.player import Player
from core.tables import Claim, Pool, Round
from tests.stage import act, dump, on_stage, seen

if TYPE_CHECKING:
    from core.store import Store

ROUND = datetime(2026, 5, 10, 18, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def upcoming(player: Player) -> datetime | None:
    with player.store.read() as session:
        return next_due(session, player.now)


def deliver(player: Player) -> list[str]:
    player.shown = []
    player.deliver()
    return [one.text for one in player.shown]


def rounds_held(store: Store) -> int:
    with store.read() as session:
        return len(session.exec(select(Round).where(Round.state == "done")).all())


def test_without_a_pool_nothing_is_planned(store: Store) -> None:
    player = Player(store)
    assert run_due(player.house, player.now) is None


def test_the_next_moment_is_the_earliest_of_all_kinds(store: Store) -> None:
    player = on_stage(store)
    assert upcoming(player) == ROUND
    act(player, "bo@bakery: /made bread 2 1h until:fri\nana@bakery: /confirm 1")
    friday = upcoming(player)
    assert friday is not None
    assert friday < ROUND
    act(player, "ana@bakery: /pledge bread 2 by:thu")
    pledge = upcoming(player)
    assert pledge is not None
    assert pledge < friday
    act(player, "ana@bakery: /task new Dishes 1h urgent due:wed every:week\nbo@bakery: /claim 2")
    reminder = upcoming(player)
    assert reminder is not None
    assert reminder < pledge


def test_running_twice_is_running_once(store: Store) -> None:
    player = on_stage(store, "bo@bakery: /want bread")
    player.now = ROUND
    assert run_due(player.house, ROUND) == ROUND + timedelta(days=7)
    first = dump(store)
    assert deliver(player)
    assert run_due(player.house, ROUND) == ROUND + timedelta(days=7)
    assert dump(store) == first
    assert deliver(player) == []


def test_both_reminders_come_and_each_once(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent due:2026-05-07\nbo@bakery: /claim 1")
    with store.read() as session:
        first = session.exec(select(Claim)).one().deadline_at
    assert first is not None
    for at, words in ((first, "is due"), (first + timedelta(days=1), "is due now")):
        player.now = at
        run_due(player.house, at)
        run_due(player.house, at)
        assert [text for text in deliver(player) if words in text] != []
        assert deliver(player) == []


def test_after_an_outage_everything_that_was_missed_is_made_up_for(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent due:2026-05-06\nbo@bakery: /claim 1")
    later = datetime(2026, 5, 20, 9, tzinfo=UTC)
    player.now = later
    assert run_due(player.house, later) == datetime(2026, 5, 24, 18, tzinfo=UTC)
    texts = "\n".join(deliver(player))
    assert "#1" in texts
    assert "open again" in texts
    assert rounds_held(store) == 1


def test_after_an_outage_things_happen_in_the_order_of_their_moments(store: Store) -> None:
    """Bread that was good until Monday is given out by the round of the Sunday before, however late that is held."""
    player = on_stage(
        store, "bo@bakery: /made bread 2 1h until:2026-05-11\nana@bakery: /confirm 1\ndee@garden: /want bread"
    )
    player.now = datetime(2026, 5, 13, 9, tzinfo=UTC)
    run_due(player.house, player.now)
    assert rounds_held(store) == 1
    act(player, "dee@dm: /me\n> -?0\\.\\d")
    act(player, "dee@dm: /handover\n> 1 loaf")


@pytest.mark.parametrize("reason", ["adapters", "inbox"])
def test_a_round_waits_for_earlier_events_at_most_two_minutes(store: Store, reason: str) -> None:
    player = on_stage(store)
    if reason == "inbox":
        with store.write() as session:
            inbox.receive(session, "console", "late", "c", {}, ROUND)
    is_caught_up = (lambda: False) if reason == "adapters" else (lambda: True)
    almost = ROUND + 2 * MINUTE - timedelta(seconds=1)
    for now in (ROUND, almost):
        assert run_due(player.house, now, is_caught_up=is_caught_up) == now + due.RETRY_AFTER
        assert rounds_held(store) == 0
    run_due(player.house, ROUND + 2 * MINUTE, is_caught_up=is_caught_up)
    assert rounds_held(store) == 1


def test_what_came_in_after_the_moment_does_not_hold_up_the_round(store: Store) -> None:
    player = on_stage(store)
    with store.write() as session:
        inbox.receive(session, "console", "late", "c", {}, ROUND + MINUTE)
    run_due(player.house, ROUND)
    assert rounds_held(store) == 1


def test_what_is_due_after_a_waiting_round_waits_with_it(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /pledge bread 2 by:2026-05-10")
    later = ROUND + timedelta(days=1)
    with store.read() as session:
        moments = sorted(one for one in (next_due(session, player.now), next_due(session, ROUND)) if one)
    assert moments[0] == ROUND
    now = ROUND + MINUTE
    assert run_due(player.house, now, is_caught_up=lambda: False) == now + due.RETRY_AFTER
    assert run_due(player.house, later) is not None
    assert rounds_held(store) == 1


@pytest.mark.parametrize("broken", ["round", "claim"])
def test_what_fails_holds_up_nothing_else_and_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent due:2026-05-06\nbo@bakery: /claim 1")
    now = ROUND + MINUTE
    with monkeypatch.context() as patch:
        patch.setattr(due, "hold" if broken == "round" else "reopen", lambda *_: 1 / 0)
        assert run_due(player.house, now) == now + due.FAULT_RETRY_AFTER
    assert [type(one) for one in player.faults] == [ZeroDivisionError]
    assert "could not be done" in caplog.text
    assert rounds_held(store) == (0 if broken == "round" else 1)
    run_due(player.house, now + MINUTE)
    assert rounds_held(store) == 1
    with store.read() as session:
        assert session.exec(select(Claim)).one().ended_at is not None


def test_a_store_out_of_reach_is_no_fault(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise OperationalError("select", {}, Exception("connection refused"))

    player = on_stage(store)
    monkeypatch.setattr(due, "decide_outside", fail)
    with pytest.raises(OperationalError):
        run_due(player.house, ROUND)
    assert player.faults == []
    monkeypatch.undo()
    run_due(player.house, ROUND)
    assert rounds_held(store) == 1


def test_who_comes_second_does_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between finding and locking another process may have done it."""
    player = on_stage(store, "ana@bakery: /task new Dishes 1h urgent due:2026-05-06\nbo@bakery: /claim 1")
    look = vars(due)["_look"]

    found: list[Any] = []

    def look_twice(*arguments: Any) -> Any:
        seen_now = look(*arguments)
        if not found:
            found.append(seen_now)
            run_due(player.house, arguments[1])
        return seen_now

    monkeypatch.setattr(due, "_look", look_twice)
    run_due(player.house, ROUND)
    assert found[0][0]
    texts = deliver(player)
    assert sum("open again" in text for text in texts) <= 2
    assert rounds_held(store) == 1


def test_a_round_that_another_process_held_is_not_told_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h")
    monkeypatch.setattr(due, "hold", lambda *_: None)
    run_due(player.house, ROUND)
    assert deliver(player) == []
    assert not player.faults
    monkeypatch.setattr(due, "decide_outside", lambda *_: None)
    run_due(player.house, ROUND)
    assert deliver(player) == []


def test_a_round_whose_pool_keeps_changing_is_at_last_decided_while_others_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = on_stage(store, "ana@bakery: /task new Dishes 1h")
    decide_outside, tries = vars(due)["decide_outside"], []

    def decide_and_change(*arguments: Any) -> Any:
        tries.append(arguments[-1])
        decided = decide_outside(*arguments)
        with store.write() as session:
            session.exec(select(Pool)).one().settings = {"levy": f"{len(tries)}h"}
        return decided

    monkeypatch.setattr(due, "decide_outside", decide_and_change)
    run_due(player.house, ROUND)
    assert (tries, player.faults, rounds_held(store)) == ([3, 2, 1, 0], [], 1)
    assert sum("Round 1" in text for text in deliver(player)) > 0


def test_quiet_hours_hold_notices_back_and_say_when_to_wake(store: Store) -> None:
    player = on_stage(store, "dee@garden: /project set quiet 17:00-07:00\nana@bakery: /task new Dishes 1h")
    act(player, "now 2026-05-10 18:00\ngarden= 0\nbakery> Round 1")
    assert upcoming(player) == datetime(2026, 5, 11, 7, tzinfo=UTC)
    act(player, "now 2026-05-11 07:00\ngarden> Round 1")
    assert seen(player, "bakery") == []
