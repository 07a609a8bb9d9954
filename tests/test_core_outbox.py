"""The outbox: what leaves first, what shares a message, what is tried again, parked or dropped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from core.chat import binding, cards, outbox
from core.chat.message import Choice, Failure, Message, Priority
from core.chat.text import Text
from core.identity import Place, chat_of
from core.store import add_now
from core.tables_chat import Card, Chat, Delivery, Outbox
from tests.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlmodel import Session

    from core.store import Store

SECOND = timedelta(seconds=1)
BUTTON = Choice("Claim #1", "claim 1")


class Post:
    """An outbox with one chat, "room", in an open transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.room = self.chat("room")
        self.count = 0
        self.state = ""

    def chat(self, address: str) -> Chat:
        return chat_of(self.session, Place("console", address))

    def put(self, words: str, priority: Priority, chat: Chat | None = None, **more: Any) -> Outbox:
        self.count += 1
        not_before = more.pop("not_before", None)
        message = Message(Text.of(words), **{"merges": priority is Priority.NOTICE, **more})
        number = outbox.post(
            self.session, chat or self.room, message, priority, f"k{self.count}", NOW, not_before=not_before
        )
        return self.session.get_one(Outbox, number)

    def next(self, now: datetime = NOW, **more: Any) -> Delivery | None:
        return binding.bind_next(self.session, "console", now, **more)

    def take(self, now: datetime = NOW, **more: Any) -> Delivery:
        found = self.next(now, **more)
        assert found is not None
        return found

    def send(self, now: datetime = NOW) -> str:
        found = self.take(now)
        outbox.sent(self.session, {found.id: f"m{found.id}"}, now)
        return words(found)

    def fail(self, delivery: Delivery, now: datetime = NOW, **how: Any) -> str:
        outbox.failed(self.session, delivery.id, Failure("because", **how), now)
        self.session.flush()
        return delivery.state


def words(delivery: Delivery) -> str:
    return str(Message.from_json(delivery.payload).text)


@pytest.fixture
def post(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    with store.write() as session:
        found = Post(session)
        monkeypatch.setattr(cards, "face", lambda *_arguments: Message(Text.of(found.state)))
        yield found


def card(post: Post, row: Outbox, state: str = "newest") -> Card:
    """Make a message a card, whose subject is in this state."""
    post.state = state
    found = Card(pool_id=1, subject="task 1", chat_id=row.chat_id, outbox_id=row.id, marked_at=NOW, shown=row.payload)
    return add_now(post.session, found)


# Binding


def test_a_key_is_put_in_once(post: Post) -> None:
    message = Message(Text.of("x"))
    assert outbox.post(post.session, post.room, message, Priority.REPLY, "k", NOW) is not None
    assert outbox.post(post.session, post.room, message, Priority.REPLY, "k", NOW) is None
    assert outbox.count_waiting(post.session) == 1


def test_toasts_then_replies_then_edits_then_asks_then_notices(post: Post) -> None:
    shown = post.put("card", Priority.REPLY)
    post.send()
    for priority in sorted(Priority, reverse=True):
        post.put(priority.name, priority)
    card(post, shown)
    assert [post.send() for _ in range(6)] == ["TOAST", "REPLY", "EDIT", "newest", "ASK", "NOTICE"]
    assert post.next() is None


def test_a_card_goes_before_a_notice_that_is_tried_again(post: Post) -> None:
    shown = post.put("card", Priority.REPLY)
    post.send()
    post.put("notice", Priority.NOTICE)
    post.fail(post.take(), retry_seconds=0)
    card(post, shown)
    assert [post.send(), post.send()] == ["newest", "notice"]


def test_what_is_tried_again_goes_before_what_is_new(post: Post) -> None:
    post.put("first", Priority.REPLY)
    post.fail(post.take(), retry_seconds=0)
    post.put("second", Priority.REPLY)
    post.put("toast", Priority.TOAST)
    assert [post.send(), post.send(), post.send()] == ["toast", "first", "second"]


def test_notices_of_a_chat_share_a_message_those_with_buttons_do_not(post: Post) -> None:
    other = post.chat("other")
    post.put("a", Priority.NOTICE, mentions=(1,))
    post.put("elsewhere", Priority.NOTICE, other)
    post.put("b", Priority.NOTICE, mentions=(2,))
    post.put("pressable", Priority.NOTICE, choices=(BUTTON,), merges=False)
    post.put("c", Priority.NOTICE)
    assert [post.send() for _ in range(4)] == ["a\nb", "elsewhere", "pressable", "c"]
    assert post.next() is None


def test_a_merged_message_is_not_endless(post: Post) -> None:
    for number in range(binding.MERGED_MAX + 1):
        post.put(str(number), Priority.NOTICE)
    assert post.send().count("\n") == binding.MERGED_MAX - 1
    assert post.send() == str(binding.MERGED_MAX)
    post.put("a" * binding.MERGED_CHARACTERS_MAX, Priority.NOTICE)
    post.put("b", Priority.NOTICE)
    assert post.send().endswith("a")
    assert post.send() == "b"


def test_what_is_held_back_waits_for_its_time(post: Post) -> None:
    post.put("later", Priority.NOTICE, not_before=NOW + SECOND)
    post.put("now", Priority.NOTICE)
    assert post.send() == "now"
    assert post.next() is None
    assert post.send(NOW + SECOND) == "later"


def test_busy_chats_and_other_platforms_are_left_out(post: Post) -> None:
    post.put("a", Priority.REPLY)
    assert post.next(busy_chats=[post.room.id]) is None
    assert binding.bind_next(post.session, "telegram", NOW) is None
    shown = post.take()
    post.fail(shown, retry_seconds=0)
    assert post.next(busy_chats=[post.room.id]) is None
    assert post.take() is shown


# Edits and cards


def test_an_answer_in_place_edits_the_message_of_the_choice(post: Post) -> None:
    post.put("page 1", Priority.REPLY, choices=(BUTTON,))
    first = post.take()
    outbox.sent(post.session, {first.id: "m1"}, NOW)
    post.put("page 2", Priority.EDIT, edits=first.id)
    second = post.take()
    assert (second.edits, second.ref) == (first.id, "m1")
    outbox.sent(post.session, {second.id: "ignored"}, NOW)
    post.put("page 3", Priority.EDIT, edits=second.id)
    third = post.take()
    assert (third.edits, third.ref) == (first.id, "m1")
    assert outbox.message_shown(post.session, post.room.id, "m1") is second  # the third has not arrived yet


def test_an_answer_in_place_of_what_never_arrived_is_a_new_message(post: Post) -> None:
    post.put("page 1", Priority.REPLY)
    first = post.take()
    post.put("page 2", Priority.EDIT, edits=first.id)
    second = post.take()
    assert (second.edits, second.ref) == (None, None)


def test_a_card_is_drawn_at_most_every_three_seconds_and_only_the_newest_state(post: Post) -> None:
    shown = post.put("card", Priority.REPLY)
    found = card(post, shown, "early")
    assert post.send() == "card"
    assert post.send() == "early"
    for state in ("a", "b", "newest"):
        post.state, found.marked_at = state, NOW
    post.session.flush()
    assert post.next(NOW + 2 * SECOND) is None
    assert post.send(NOW + 3 * SECOND) == "newest"
    assert post.next(NOW + 60 * SECOND) is None


def test_a_card_that_shows_its_state_already_is_not_drawn(post: Post) -> None:
    shown = post.put("card", Priority.REPLY)
    post.send()
    found = card(post, shown, "card")
    post.put("notice", Priority.NOTICE)
    assert post.send() == "notice"
    assert found.marked_at is None
    assert found.drawn_at is None


def test_two_cards_of_a_chat_are_drawn_one_after_the_other(post: Post) -> None:
    shown = [post.put(name, Priority.REPLY) for name in ("a", "b")]
    assert [post.send(), post.send()] == ["a", "b"]
    for row in shown:
        card(post, row)
    (first,) = binding.bind(post.session, "console", NOW, count=9)
    assert binding.bind(post.session, "console", NOW, count=9) == []
    outbox.sent(post.session, {first.id: "m1"}, NOW)
    assert len(binding.bind(post.session, "console", NOW, count=9)) == 1


def test_a_card_whose_message_is_not_there_yet_waits(post: Post) -> None:
    shown = post.put("card", Priority.REPLY)
    card(post, shown)
    first = post.take()
    assert post.next() is None
    outbox.sent(post.session, {first.id: "m"}, NOW)
    assert post.send() == "newest"


def test_an_older_edit_gives_way_to_a_newer_one(post: Post) -> None:
    shown = post.put("card", Priority.REPLY)
    post.send()
    found = card(post, shown, "older")
    older = post.take()
    post.fail(older, retry_seconds=10)
    post.state, found.marked_at = "newer", NOW
    post.session.flush()
    assert post.send(NOW + 5 * SECOND) == "newer"
    assert post.next(NOW + 20 * SECOND) is None
    assert older.state == "dropped"


# How it went


def test_a_retry_has_the_same_text_and_key(post: Post) -> None:
    post.put("a", Priority.NOTICE)
    first = post.take()
    key, payload = first.key, first.payload
    assert post.fail(first, retry_seconds=5) == "ready"
    post.put("b", Priority.NOTICE)
    assert words(post.take()) == "b"
    assert post.next(NOW + 4 * SECOND) is None
    again = post.take(NOW + 5 * SECOND)
    assert (again.id, again.key, again.payload, again.attempts) == (first.id, key, payload, 2)


def test_retries_slow_down_and_end(post: Post) -> None:
    post.put("a", Priority.REPLY)
    now, waits = NOW, []
    found = post.take()
    while post.fail(found, now, retry_seconds=1) == "ready":
        assert found.retry_at is not None
        waits.append(found.retry_at - now)
        now = found.retry_at
        found = post.take(now)
    assert waits[:4] == [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND]
    assert max(waits) == outbox.BACKOFF_SECONDS_MAX * SECOND
    assert (found.state, found.attempts) == ("parked", outbox.ATTEMPTS_MAX)
    assert post.next(now + timedelta(days=1)) is None


def test_what_may_have_arrived_is_sent_once_more_and_then_parked(post: Post) -> None:
    post.put("a", Priority.REPLY)
    found = post.take()
    assert post.fail(found, retry_seconds=1, ambiguous=True) == "ready"
    assert found.fault.startswith(outbox.MAYBE)
    post.take(NOW + SECOND)
    assert post.fail(found, retry_seconds=1) == "ready"  # surely did not arrive this time
    post.take(NOW + 9 * SECOND)
    assert post.fail(found, retry_seconds=1, ambiguous=True) == "parked"


def test_what_cannot_be_repaired_is_parked(post: Post) -> None:
    post.put("a", Priority.REPLY)
    assert post.fail(post.take()) == "parked"
    assert post.next(NOW + timedelta(days=1)) is None


def test_a_crash_before_it_is_known_how_it_went_sends_once_more(post: Post) -> None:
    post.put("a", Priority.REPLY)
    found = post.take()
    assert post.next(NOW + binding.LEASE - SECOND) is None
    assert post.take(NOW + binding.LEASE) is found
    assert found.fault.startswith(outbox.MAYBE)
    outbox.recover(post.session, "console")
    assert post.next(NOW + binding.LEASE) is None
    assert found.state == "parked"


def test_a_platform_that_takes_twice_for_once_is_simply_asked_again(post: Post) -> None:
    post.put("a", Priority.REPLY)
    found = post.take()
    for attempt in range(2, 5):
        outbox.recover(post.session, "console")
        assert post.take(NOW, repeats_safely=True) is found
        assert found.attempts == attempt
    assert not found.fault.startswith(outbox.MAYBE)


def test_a_restart_does_not_cut_short_what_a_platform_asked_for(post: Post) -> None:
    post.put("a", Priority.REPLY)
    post.fail(post.take(), retry_seconds=300)
    outbox.recover(post.session, "console")
    assert post.next(NOW + 299 * SECOND) is None
    assert post.next(NOW + 300 * SECOND) is not None


def test_a_chat_that_is_gone_waits_until_it_is_back(post: Post) -> None:
    for text in ("a", "b", "c"):
        post.put(text, Priority.REPLY)
    first, second = post.take(), post.take()
    post.fail(second, retry_seconds=0)
    assert post.fail(first, gone=True) == "parked"
    assert post.room.off_at == NOW
    assert post.next() is None
    assert outbox.count_waiting(post.session) == 0
    for _ in range(2):
        outbox.switch_on(post.session, post.room)
    assert outbox.count_waiting(post.session) == 3
    assert [post.send() for _ in range(3)] == ["a", "b", "c"]
    assert first.fault == ""


def test_only_what_was_parked_with_the_chat_comes_back(post: Post) -> None:
    post.put("broken", Priority.REPLY)
    post.put("a", Priority.REPLY)
    assert post.fail(post.take()) == "parked"
    assert post.fail(post.take(), gone=True) == "parked"
    outbox.switch_on(post.session, post.room)
    assert post.send() == "a"
    assert post.next() is None


# Toasts


def test_a_toast_is_dropped_once_it_is_stale(post: Post) -> None:
    post.put("old", Priority.TOAST)
    post.put("reply", Priority.REPLY)
    assert post.send(NOW + binding.TOAST_AGE_MAX + SECOND) == "reply"
    assert post.next(NOW + binding.TOAST_AGE_MAX + SECOND) is None
    assert outbox.count_waiting(post.session) == 0


def test_a_fresh_toast_is_tried_again_until_it_is_stale(post: Post) -> None:
    post.put("toast", Priority.TOAST)
    found = post.take(NOW + 29 * SECOND)
    assert post.fail(found, retry_seconds=1) == "ready"
    assert post.take(NOW + 30 * SECOND) is found
    post.fail(found, retry_seconds=40)
    assert post.next(NOW + 90 * SECOND) is None
    assert found.state == "dropped"


@pytest.mark.parametrize("how", [{}, {"gone": True}, {"retry_seconds": 1, "gone": True}])
def test_a_toast_that_fails_is_dropped_and_says_nothing_about_its_chat(post: Post, how: dict[str, Any]) -> None:
    post.put("toast", Priority.TOAST)
    assert post.fail(post.take(), **how) == "dropped"
    assert post.room.off_at is None


def test_the_last_ask_of_a_chat_is_known(post: Post) -> None:
    assert outbox.last_asks(post.session, [post.room.id]) == {}
    post.put("a", Priority.ASK)
    last = post.put("b", Priority.ASK)
    post.put("c", Priority.NOTICE)
    assert outbox.last_asks(post.session, [post.room.id]) == {post.room.id: last}
