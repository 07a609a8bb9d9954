"""What Telegram lets a bot send, by a clock of the test's own."""

from __future__ import annotations

import pytest

from adapters.telegram.limits import Limits


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def limits(clock: Seconds) -> Limits:
    return Limits(clock)


def sent_in(limits: Limits, clock: Seconds, address: str, seconds: int) -> int:
    """Send as much as may be sent in so many seconds; return how much that was."""
    count = 0
    for _tenth in range(seconds * 10):
        while 1 not in limits.busy_chats():
            assert limits.take(address, 1) == 0
            count += 1
        clock.now = round(clock.now + 0.1, 1)
    return count


@pytest.mark.parametrize(("address", "seconds", "expected"), [("7", 60, 60), ("-5", 60, 20), ("-5", 1, 3), ("7", 3, 3)])
def test_a_message_a_second_and_twenty_a_minute_in_a_group(
    limits: Limits, clock: Seconds, address: str, seconds: int, expected: int
) -> None:
    assert sent_in(limits, clock, address, seconds) == expected


def test_topics_share_the_limits_of_their_group(limits: Limits) -> None:
    for chat_id in (1, 2, 1):
        limits.take("-5", chat_id)
    assert limits.busy_chats() == {1, 2}
    assert limits.hold_seconds("-5", 3) == 3  # one that was not heard of before
    assert limits.busy_chats() == {1, 2, 3}


def test_thirty_a_second_in_all(limits: Limits, clock: Seconds) -> None:
    waits = [limits.take(str(one), one) for one in range(65)]
    assert waits == [0.0] * 30 + [1.0] * 30 + [2.0] * 5
    clock.now += 4
    assert limits.take("99", 99) == 0


def test_who_is_told_to_wait_waits_alone(limits: Limits, clock: Seconds) -> None:
    limits.take("7", 2)
    limits.hold("-5", 1, 30)
    limits.hold("-5", 1, 5)  # the longer one counts
    clock.now += 29
    assert limits.busy_chats() == {1}
    assert limits.hold_seconds("7", 2) == 0
    clock.now += 1
    assert limits.busy_chats() == set()


def test_chats_that_are_silent_are_forgotten(limits: Limits, clock: Seconds) -> None:
    for one in range(3):
        limits.take("7", one)
    clock.now += 61
    assert limits.busy_chats() == set()
    for one in (1, 2):
        limits.take("7", one)
    assert limits.busy_chats() == set()
    limits.take("7", 1)
    assert limits.busy_chats() == {1, 2}  # chat 0 is not known to be there any more
