"""The console: what each line does, what is shown, and that the next start continues."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from typing import TYPE_CHECKING

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from sqlmodel import col, select

from adapters import console_words as words
from adapters.console import Console
from adapters.known import PRIVATE, place, typed
from adapters.plain import WIDTH, Page
from adapters.terminal import Words, paint
from core.chat.commands import table
from core.chat.handling import House
from core.chat.message import Message, Priority
from core.chat.outbox import post
from core.chat.text import Style, Text
from core.identity import chat_of
from core.store import Store
from core.tables import Round
from core.tables_chat import Account, Chat, Inbox
from tests.clocks import StillClock
from tests.fake_adapter import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


POOL = """
/pool new Valley
/project new Hill Bakery
/good new bread unit:loaf
@bo
/tasks
@ana
"""


class Seen:
    """A console at a store, and what it has written."""

    def __init__(self, store: Store, clock: StillClock | None = None) -> None:
        self.written: list[str] = []
        self.clock = clock or StillClock()
        house = House(store, table(), secrets.token_bytes)
        self.console = Console(house, self.clock, self.written.append)

    async def type(self, *lines: str) -> str:
        """Type lines; return what the last one showed."""
        for line in lines:
            self.written.clear()
            assert await self.console.handle(line)
        return "\n".join(self.written)

    @property
    def text(self) -> str:
        return "\n".join(self.written)


@pytest.fixture(scope="module")
def small_pool(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database with a pool in it, typed at a console."""
    path = tmp_path_factory.mktemp("console") / "dpool.db"
    shutil.copyfile(empty_database, path)
    store = Store(f"sqlite:///{path}")

    async def make() -> None:
        seen = Seen(store)
        await seen.console.start()
        await seen.type(*POOL.split("\n"))
        await seen.console.stop()

    asyncio.run(make())
    store.close()
    return path


@pytest.fixture
async def seen(small_pool: Path, tmp_path: Path) -> AsyncIterator[Seen]:
    """Sit at a console with a pool of two people and one project."""
    shutil.copyfile(small_pool, tmp_path / "dpool.db")
    store = Store(f"sqlite:///{tmp_path / 'dpool.db'}")
    found = Seen(store)
    await found.console.start()
    yield found
    store.close()


async def restarted(seen: Seen) -> Seen:
    await seen.console.stop()
    found = Seen(seen.console.store, StillClock())
    await found.console.start()
    return found


async def test_an_empty_store_says_how_to_begin(store: Store) -> None:
    seen = Seen(store)
    await seen.console.start()
    assert "No pool here yet. You are Ana, in #bakery" in seen.text
    assert seen.console.prompt == "Ana #bakery> "


async def test_the_first_screen_is_short_and_says_where_one_is(seen: Seen) -> None:
    first = (await restarted(seen)).text
    assert len(first.splitlines()) <= 8
    assert "Valley · 2 people, 1 projects · Mon 4 May 12:00 · next round Sun 18:00" in first
    assert "You are Ana, in #bakery" in first
    assert "/want bread" in first
    assert "@bo" in first


async def test_what_is_typed_goes_the_whole_way(seen: Seen) -> None:
    shown = await seen.type("/task new Bake 1h urgent")
    assert shown.splitlines() == [
        "#bakery · Mon 12:00 · here",
        "  #1 Bake · 1 h · ×1 · open",
        "  Hill Bakery",
        "  [4 Claim #1]",
    ]
    with seen.console.store.read() as session:
        row = session.exec(select(Inbox).order_by(col(Inbox.id).desc())).first()
    assert row is not None
    assert row.done_at is not None
    assert row.payload["text"] == "/task new Bake 1h urgent"


async def test_a_number_presses_a_button(seen: Seen) -> None:
    await seen.type("/task new Bake 1h urgent")
    shown = await seen.type("4")
    assert "#1 is yours, Ana." in shown
    assert "[5 Done #1] [6 Drop #1]" in shown
    assert "(You did that already.)" in await seen.type("4")
    assert (await seen.type("@bo", "4")).startswith("(#1 ")
    assert (await seen.type("re 5")).startswith("(#1 ")


@pytest.mark.parametrize("line", ["2 1.5", "re 3: 1.5", "RE 2:1.5", "3:1.5"])
async def test_a_number_and_a_text_answer_a_message(seen: Seen, line: str) -> None:
    assert "Ana, bread: 1 loaf, at most 1.5 h." in await seen.type(line)


async def test_what_no_number_can_do(seen: Seen) -> None:
    assert await seen.type("77") == words.NO_NUMBER.format(number=77)
    assert await seen.type("3") == words.NEEDS_TEXT.format(number=3)
    await seen.type("/task new Bake 1h urgent")
    assert await seen.type("4 1.5") == words.NOT_ASKED


async def test_numbers_begin_anew_after_99(seen: Seen) -> None:
    seen.console.seat.last = 97
    await seen.type("/goods", "/goods", "/goods")
    assert seen.console.seat.last == 1
    last = seen.console.seat.last
    assert f"[{last} Want bread]" in seen.text
    assert "Ana, bread: 1 loaf" in await seen.type(str(last))


async def test_another_person(seen: Seen) -> None:
    assert await seen.type("@bo") == ""
    assert seen.console.prompt == "Bo #bakery> "
    assert "Bo in Valley" in await seen.type("@BO /me")
    assert await seen.type("@zoe") == words.NEWCOMER.format(name="Zoe")
    assert "Zoe" in await seen.type("/members")
    assert await seen.type("@") == "@ana @bo @zoe*"


async def test_another_channel(seen: Seen) -> None:
    assert await seen.type("#garden") == words.NEW_CHANNEL.format(channel="garden")
    assert seen.console.prompt == "Ana #garden> "
    code = (await seen.type("@ana #bakery /pool code")).split("code: ")[1].split()[0]
    assert seen.console.prompt == "Ana #bakery> "
    assert "Garden is a project" in await seen.type(f"#garden /project new Garden {code}")
    assert await seen.type("#") == "#bakery (Hill Bakery) #garden (Garden)* #dm (in private)"
    assert await seen.type("#12") == words.A_TASK.format(number=12)


async def test_every_channel_is_seen_and_changes_elsewhere_are_short(seen: Seen) -> None:
    code = (await seen.type("/pool code")).split("code: ")[1].split()[0]
    await seen.type(f"#garden /project new Garden {code}", "#bakery", "/task new Bake 1h urgent")
    shown = await seen.type("#garden /claim 1")
    assert "#garden · Mon 12:00 · here\n  #1 is yours, Ana." in shown
    assert shown.endswith("#bakery · Mon 12:00 · changed\n  #1 Bake · 1 h · ×1 · Ana has it")
    assert "(changed)" not in await seen.type("#bakery", "/done 1")


async def test_private_chats(seen: Seen) -> None:
    assert (await seen.type("/me")).startswith("Ana's private chat · Mon 12:00\n")
    number = seen.console.seat.last
    assert await seen.type("@bo", f"{number}") == words.NOT_YOURS.format(name="Ana", handle="ana")
    assert await seen.type("#dm") == ""
    assert "I don't know 'hello'" in await seen.type("hello")
    assert "· here" in seen.text
    assert seen.console.prompt == "Bo #dm> "


async def test_who_got_something_in_private_is_told_and_can_be_read(seen: Seen) -> None:
    await seen.type("/made bread 2 1h", "@bo /confirm 1", "/want bread", "@ana /want bread", "#dm")
    shown = await seen.type("now sun 18:00")
    assert "Ana's private chat · Sun 18:00 · here\n  Round 1 in Valley" in shown
    assert shown.endswith(f"{words.OTHERS.format(names='Bo', handle='bo')}\nIt is Sun 10 May 18:00.")
    assert "Bo's private chat · Sun 18:00 · earlier · here\n  Round 1 in Valley" in await seen.type("@bo #dm")
    assert await seen.type("@bo #dm") == ""  # it has been shown


async def test_the_clock_goes_forward_and_rounds_are_held_in_order(seen: Seen) -> None:
    assert await seen.type("now") == "It is Mon 4 May 12:00."
    assert await seen.type("now +90m") == "It is Mon 4 May 13:30."
    await seen.type("/task new Turn 1h")
    shown = await seen.type("now + 2w")
    assert shown.index("Round 1") < shown.index("Round 2")
    assert shown.endswith("It is Mon 18 May 13:30.")
    with seen.console.store.read() as session:
        rows = session.exec(select(Round.ran_at, Round.due_at).where(Round.state == "done")).all()
    assert [ran == due for ran, due in rows] == [True, True]


@pytest.mark.parametrize("text", ["+400d", "+999999w", "+99999w"])
async def test_a_year_at_a_time(seen: Seen, text: str) -> None:
    assert await seen.type(f"now {text}") == words.TOO_FAR


@pytest.mark.parametrize("text", ["yesterday", "2020-01-01", "+3x", "-3d", "٣d", "9" * 500])
async def test_times_that_are_none(seen: Seen, text: str) -> None:
    shown = await seen.type(f"now {text}")
    assert shown
    assert len(shown) < 200
    assert seen.clock.ahead.total_seconds() == 0


async def test_time_goes_on_even_if_due_work_asks_for_the_same_moment(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def stuck(_house: House, now: object) -> object:
        asked.append(now)
        return asked[0]

    monkeypatch.setattr("adapters.console.run_due", stuck)
    assert "It is Mon 4 May 12:03." in await seen.type("now +3m")
    assert len(asked) < 10


async def test_plain_words_and_mentions(seen: Seen) -> None:
    assert await seen.type("good morning") == words.NOBODY
    assert "Ana, bread: 2 loaves" in await seen.type("@pool I'd like 2 bread")
    assert await seen.type("@bo thanks") == words.NOBODY
    assert seen.console.prompt == "Ana #bakery> "
    assert await seen.type("") == ""


async def test_own_words(seen: Seen) -> None:
    assert await seen.type("help") == words.HELP.rstrip("\n")
    assert await seen.type("?") == words.HELP.rstrip("\n")
    assert all(len(line) <= WIDTH for line in words.HELP.splitlines())
    assert not await seen.console.handle("quit")
    assert not await seen.console.handle("EXIT")


async def test_the_next_start_continues(seen: Seen) -> None:
    await seen.type("/task new Bake 1h urgent", "now +3d", "@bo", "#dm")
    again = await restarted(seen)
    assert again.console.prompt == "Bo #dm> "
    assert again.clock() == seen.clock()
    assert "#1 is yours, Bo." in await again.type("4")  # a number that is still on screen
    assert "earlier" in await again.type("#bakery")


async def test_a_message_left_unsent_is_shown_at_the_next_start(seen: Seen) -> None:
    with seen.console.store.write() as session:
        chat = session.exec(select(Chat).where(Chat.address == "bakery")).one()
        post(session, chat, Message(Text.of("left behind")), Priority.REPLY, "left", seen.clock())
    assert "left behind" in (await restarted(seen)).text


async def test_what_comes_between_lines_is_shown(seen: Seen) -> None:
    seen.written.clear()
    with seen.console.store.write() as session:
        account = session.exec(select(Account).where(Account.user_id == "bo")).one()
        chat = chat_of(session, place("bo", PRIVATE), account)
        for key in ("one", "two"):
            post(session, chat, Message(Text.of(key)), Priority.NOTICE, key, seen.clock())
    await seen.console.carrier.flush()
    assert seen.text == ""
    await until(lambda: bool(seen.text))
    assert seen.text == words.OTHERS.format(names="Bo", handle="bo")


async def test_the_port(seen: Seen) -> None:
    await seen.console.run()
    assert seen.console.is_caught_up()
    assert not seen.console.busy_chats()


async def test_files_are_shown(seen: Seen) -> None:
    with seen.console.store.write() as session:
        chat = session.exec(select(Chat).where(Chat.address == "bakery")).one()
        message = Message(Text.of("Your data:"), file=("ana.csv", "a,b\n1,2"))
        post(session, chat, message, Priority.REPLY, "file", seen.clock())
    assert "  Your data:\n  ana.csv\n  a,b\n  1,2" in await seen.type("")


async def test_lines_fit_the_page(seen: Seen) -> None:
    await seen.type(f"/task new {'very long words ' * 8} 1h", f"/task new {'x' * 150} 1h")
    shown = await seen.type("/tasks")
    assert all(len(line) <= WIDTH for line in shown.splitlines())


def test_pages_wrap_at_spaces_and_cut_what_is_too_long() -> None:
    page = Page(10)
    assert page.lines("one two three") == ["one two", "three"]
    assert page.lines("x" * 25) == ["x" * 10, "x" * 10, "x" * 5]
    assert page.lines("ab\n\ncd", "  ") == ["  ab", "", "  cd"]
    assert page.lines("漢字漢字漢字漢字") == ["漢字漢字漢", "字漢字"]
    assert Page(1).lines("漢字") == ["漢", "字"]
    assert page.lines("e\u0301" * 10) == ["e\u0301" * 10]


def test_pages_paint_styles_and_obey_nobody() -> None:
    page = Page(20, paint)
    assert page.lines(Text.of("one", Style.BOLD) + " two") == ["\033[1mone\033[0m two"]
    assert Page().lines(Text.of("a\033[2J\u202eb\tc👩\u200d🌾")) == ["a[2Jbc👩\u200d🌾"]


async def test_completion(seen: Seen) -> None:
    complete = Words(seen.console).candidates
    assert ("/want", "/wa") in complete("/wa")
    assert ("!task new", "!task n") in complete("!task n")
    assert complete("/want br") == [("bread", "br")]
    assert complete("/want ") == []
    assert complete("/nothing") == []
    assert complete("@b") == [("@bo", "@b")]
    assert complete("#d") == [("#dm", "#d")]
    assert complete("n") == [("now", "n")]
    found = list(Words(seen.console).get_completions(Document("/want br"), CompleteEvent()))
    assert [(one.text, one.start_position) for one in found] == [("bread", -2)]


async def test_what_was_typed_is_remembered(seen: Seen) -> None:
    await seen.type("/goods", "1")
    assert typed(seen.console.store)[-2:] == ["/tasks", "/goods"]
