"""How the pool's messages look on Matrix: plain and HTML, both complete; what a send that failed means. By tables."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from nio import AsyncClient

from adapters.matrix.failures import RefusedError, UnreachableError, failure_of
from adapters.matrix.html import CHARACTERS_MAX, content, look, toast
from adapters.matrix.invites import PENDING_MAX, Invites
from adapters.matrix.pace import Pace, backoff_seconds
from adapters.matrix.web import Web
from core.chat.message import Choice, Failure, Message, Priority
from core.chat.port import AdapterError, Parcel
from core.chat.text import Style, Text
from core.identity import Place, Sender

if TYPE_CHECKING:
    from collections.abc import Callable

ANA = Sender("matrix", "@ana:valley.test", "Ana", "ana")
CY = Sender("telegram", "7", "Cy", "cy")
ACCOUNTS = {1: ANA, 2: CY}


@pytest.mark.parametrize(
    ("text", "body", "formatted"),
    [
        (Text.of("a <b> & 'c'\nd"), "a <b> & 'c'\nd", "a &lt;b&gt; &amp; &#x27;c&#x27;<br>d"),
        (Text.of("1.5 h", Style.BOLD), "1.5 h", "<strong>1.5 h</strong>"),
        (Text.of("/task new", Style.COMMAND), "!task new", "<code>!task new</code>"),
        (Text.of("K7Q2", Style.CODE), "K7Q2", "<code>K7Q2</code>"),
        (Text.of("Sun 18:00", Style.TIME, "1700000000"), "Sun 18:00", "Sun 18:00"),
        (
            Text.of("manual", Style.LINK, 'https://a.test/?b="c"'),
            'manual (https://a.test/?b="c")',
            '<a href="https://a.test/?b=&quot;c&quot;">manual</a>',
        ),
        (Text.of("manual", Style.LINK, "javascript:alert(1)"), "manual", "manual"),
        (Text.of("Ana", Style.MENTION, "1"), "Ana", '<a href="https://matrix.to/#/@ana:valley.test">Ana</a>'),
        (Text.of("Cy", Style.MENTION, "2"), "Cy", "Cy"),
        (Text.of("Eli", Style.MENTION, "3"), "Eli", "Eli"),
    ],
)
def test_texts(text: Text, body: str, formatted: str) -> None:
    shown = look(Message(text), ACCOUNTS)
    assert (shown.body, shown.formatted) == (body, formatted)


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        ("claim 12", " · !claim 12"),
        ("undo 7", " · !undo"),
        ("only 3 undo 7", " · !undo"),
        ("only 3 bid 12 0.8", " · !bid 12 0.8"),
        ('want "bread" 2', " · !want bread 2"),
        ('want "rye bread" "2nd"', ' · !want "rye bread" "2nd"'),
        ("goods page:2", ""),
    ],
)
def test_choices_are_numbered_and_say_what_to_type(command: str, typed: str) -> None:
    shown = look(Message(Text.of("#12"), (Choice("<Mine>", command), Choice("Tasks", "tasks"))), {})
    assert shown.body == f"#12\n1 <Mine>{typed}\n2 Tasks · !tasks"
    assert shown.formatted.startswith("#12<br><strong>1</strong> &lt;Mine&gt;")
    assert shown.formatted.endswith("<br><strong>2</strong> Tasks · <code>!tasks</code>")


def test_links_lead_to_the_private_room_or_say_what_to_type() -> None:
    message = Message(Text.of("Only you"), link=("See mine", "run-me"))
    assert look(message, {}).body == "Only you\nSee mine: !me"
    there = look(message, {}, "!a:valley.test")
    assert there.body == "Only you\nSee mine: https://matrix.to/#/!a:valley.test"
    assert there.formatted == 'Only you<br><a href="https://matrix.to/#/!a:valley.test">See mine</a>'


@pytest.mark.parametrize("letter", ["x", "<", "\n"])
def test_what_is_too_long_is_cut(letter: str) -> None:
    shown = look(Message(Text.of("a" + letter * CHARACTERS_MAX)), {})
    assert len(shown.body) == CHARACTERS_MAX
    assert shown.body.endswith("…")
    assert not shown.formatted.endswith("&lt")


def parcel(message: Message, *, topic: str = "", private: bool = False, edits: str = "") -> Parcel:
    place = Place("matrix", "!a", topic, private=private)
    return Parcel(1, "key", 1, 1, place, Priority.REPLY, message, edits, ACCOUNTS)


@pytest.mark.parametrize(
    ("mentions", "private", "kind", "rings"),
    [
        ((), False, "m.notice", {}),
        ((2,), False, "m.notice", {}),
        ((1, 2), False, "m.text", {"user_ids": ["@ana:valley.test"]}),
        ((), True, "m.text", {}),
    ],
)
def test_whom_a_message_reaches(mentions: tuple[int, ...], private: bool, kind: str, rings: dict[str, object]) -> None:
    found = content(parcel(Message(Text.of("@room hello"), mentions=mentions), private=private))
    assert (found["msgtype"], found["m.mentions"]) == (kind, rings)


def test_relations() -> None:
    message = Message(Text.of("hello"), reply_to="$1")
    assert content(parcel(message))["m.relates_to"] == {"m.in_reply_to": {"event_id": "$1"}}
    in_thread = content(parcel(Message(Text.of("hello")), topic="$5"))["m.relates_to"]
    assert in_thread == {
        "rel_type": "m.thread",
        "event_id": "$5",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$5"},
    }
    assert "m.relates_to" not in content(parcel(Message(Text.of("hello"))))


def test_an_edit_rings_nobody_twice_and_reads_well_where_edits_are_not_shown() -> None:
    found = content(parcel(Message(Text.of("new"), mentions=(1,)), topic="$5", edits="$1"))
    assert found["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$1"}
    assert (found["body"], found["formatted_body"], found["m.mentions"]) == ("* new", "* new", {})
    assert found["m.new_content"]["body"] == "new"
    assert found["m.new_content"]["m.mentions"] == {"user_ids": ["@ana:valley.test"]}


def test_toasts() -> None:
    found = toast("@ana:valley.test", "A<na", "too late\nby far", "", "$1")
    assert found["body"] == "A<na: too late\nby far"
    assert found["formatted_body"] == ('<a href="https://matrix.to/#/@ana:valley.test">A&lt;na</a>: too late<br>by far')
    assert found["m.mentions"] == {"user_ids": ["@ana:valley.test"]}


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (UnreachableError("away"), Failure("away", retry_seconds=2)),
        (RefusedError(429, "M_LIMIT_EXCEEDED", "slow", 9), Failure("M_LIMIT_EXCEEDED slow", retry_seconds=9)),
        (RefusedError(403, "M_FORBIDDEN", "not in room"), Failure("M_FORBIDDEN not in room", gone=True)),
        (RefusedError(413, "M_TOO_LARGE", "big"), Failure("M_TOO_LARGE big")),
        (RefusedError(400, "", ""), Failure("400")),
    ],
)
def test_failures(error: Exception, found: Failure) -> None:
    assert failure_of(error) == found


def test_a_login_that_has_ended_ends_the_bot() -> None:
    with pytest.raises(AdapterError, match="M_UNKNOWN_TOKEN"):
        failure_of(RefusedError(401, "M_UNKNOWN_TOKEN", "gone"))


def outcomes(*found: Exception | None) -> Callable[[], asyncio.Future[int]]:
    """Return something to do that fails so in turn, and then succeeds."""
    left = list(found)

    def work() -> asyncio.Future[int]:
        future = asyncio.get_running_loop().create_future()
        error = left.pop(0) if left else None
        future.set_exception(error) if error is not None else future.set_result(7)
        return future

    return work


async def test_who_is_told_to_wait_holds_back_all() -> None:
    pace, now = Pace(), asyncio.get_running_loop().time
    begun = now()
    assert await pace.do(outcomes(RefusedError(429, "M_LIMIT_EXCEEDED", "", 0.6))) == 7
    assert now() - begun >= 0.6
    pace.hold(0.6)
    begun = now()
    await asyncio.gather(pace.do(outcomes()), pace.do(outcomes()))
    assert now() - begun >= 0.6
    with pytest.raises(RefusedError):
        await pace.do(outcomes(RefusedError(403, "", "")))


async def test_what_must_be_done_is_tried_again() -> None:
    assert await Pace().insist(outcomes(UnreachableError("away")), "a thing")
    assert not await Pace().insist(outcomes(RefusedError(404, "", "")), "a thing")
    assert [backoff_seconds(tries) for tries in (1, 2, 3, 9, 10**6)] == [0.5, 1, 2, 30, 30]


def invited(*rooms: str, inviter: str = "@eve:elsewhere.test") -> dict[str, Any]:
    """Return the part of a sync that says so."""
    state = {"type": "m.room.member", "state_key": "@pool:valley.test", "sender": inviter}
    events = [{**state, "content": {"membership": "invite"}}]
    return {room: {"invite_state": {"events": events}} for room in rooms}


async def test_a_storm_of_invitations_is_bounded_and_hides_nobody() -> None:
    web = Web(AsyncClient("http://127.0.0.1"))
    invites = Invites(web, Pace(), "@pool:valley.test", ("*:valley.test",), {})
    invites.note(invited(*map(str, range(PENDING_MAX * 3))))
    invites.note(invited("!ours", inviter="@ana:valley.test"))
    kept = json.loads(invites.to_json())
    assert len(kept) == PENDING_MAX + 1
    assert [room for room, accept in kept.items() if accept] == ["!ours"]
    again = Invites(web, Pace(), "@pool:valley.test", (), {})
    again.from_json(invites.to_json())
    again.withdraw("!ours")
    assert json.loads(again.to_json()) == dict.fromkeys(map(str, range(PENDING_MAX)), False)
