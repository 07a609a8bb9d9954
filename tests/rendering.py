"""What the pool says as every platform shows it. `python -m tests.rendering` writes the golden files anew.

Read the difference before you keep it: what is in `tests/golden` is what people see.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telegram import ForceReply, InlineKeyboardMarkup

from adapters.known import Known
from adapters.matrix import html
from adapters.plain import Page
from adapters.screen import Screen
from adapters.seat import Seat
from adapters.telegram.entities import pieces
from adapters.telegram.keyboard import under
from core.chat.message import Choice, Message, Priority
from core.chat.port import Parcel
from core.chat.text import Style, Text
from core.chat.transcript import Player, play_line
from core.identity import Place, Sender
from core.schema import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
HOSTILE = "<3 *Bo* @room [x](y) &amp; `c` \u202ecba"
ACCOUNTS = {
    7: Sender("matrix", "@bo:example.org", "Bo", "bo"),
    8: Sender("telegram", "42", "Eve <3", "eve"),
    9: Sender("console", "cy", "Cy", "cy"),
}
# Steps of a play; of those with a title the first message is shown that has a line like the pattern.
SCENE = (
    ("", "now 2026-05-04 09:00", ""),
    ("", "ana@bakery: /pool new Valley", ""),
    ("", "> code: (?P<code>\\w{4}-\\w{4})", ""),
    ("", "ana@bakery: /project new Hill Bakery", ""),
    ("", "dee@garden: /project new Sunny Garden {code}", ""),
    ("a task's card", "ana@bakery: /task new Dishes 1.5h due:fri at:Kitchen", "#1"),
    ("a good's card", "ana@bakery: /good new bread unit:loaf", "Reply"),
    ("a question with answers", "bo@bakery: /done", "Which task"),
    ("a bid", "bo@bakery: /bid 1 0.8", "Bo"),
    ("a refusal", "bo@bakery: /bid bread 9", "free"),
    *(("", f"ana@bakery: /task new Job {number} 1h urgent", "") for number in range(1, 7)),
    ("a list with more pages", "bo@bakery: /tasks", "#"),
    ("", "bo@bakery: /made bread 4 2h", ""),
    ("", "ana@bakery: /confirm 8", ""),
    ("", "dee@garden: /want bread", ""),
    ("a round's report", "now 2026-05-10 18:00", "Round 1 ·"),
)


def samples() -> dict[str, Message]:
    """One of each kind of message, as the core writes it, by title."""
    found, seen = {}, []
    folder = Path(tempfile.mkdtemp())
    store = open_store(f"sqlite:///{folder}/dpool.db", NOW)

    def note(_platform: str, message: Message) -> str:
        seen.append(message)
        return message.plain()

    player, chat = Player(store, render=note), ""
    for title, line, pattern in SCENE:
        seen.clear()
        chat = play_line(player, line, chat)
        if title:
            found[title] = next((one for one in seen if re.search(pattern, one.plain())), Message(Text()))
    store.close()
    shutil.rmtree(folder)
    return {**found, **made_up()}


def made_up() -> dict[str, Message]:
    """What a short play does not come to: every style, and names that try to be more than that."""
    time = Text.of("Sun 18:00", Style.TIME, "1778436000")
    who = Text.of("Bo", Style.MENTION, "7") + ", " + Text.of("Eve <3", Style.MENTION, "8") + " and "
    return {
        "every style": Message(
            Text.of("Bold", Style.BOLD)
            + " · "
            + Text.of("code <b>", Style.CODE)
            + " · "
            + Text.of("/claim 12", Style.COMMAND)
            + " · "
            + Text.of("/tasks", Style.COMMAND)
            + " · "
            + Text.of("a manual", Style.LINK, "https://example.org/?a=1&b=2")
            + " · "
            + Text.of("no web", Style.LINK, "javascript:alert(1)")
            + " · "
            + time
        ),
        "people who are meant": Message(
            who + Text.of("Cy", Style.MENTION, "9") + ": whose turn is it?", mentions=(7, 8, 9)
        ),
        "names that play tricks": Message(
            Text.of(HOSTILE, Style.BOLD) + f" has #12 {HOSTILE}\n</pre><script>",
            (Choice(f"Take {HOSTILE}", f'give 12 "{HOSTILE}"'), Choice("Undo", "undo 4")),
        ),
        "a toast": Message(Text.of("You did that already."), toast_for="p1"),
        "a file": Message(Text.of("Everything about you."), file=("dpool-1.csv", "when,what\n2026-05-04,'=1+1\n")),
        "a link": Message(Text.of("That's for you alone."), link=("See mine", "run-me"), mentions=(7, 8)),
        "a question": Message(Text.of("How many hours? Reply e.g. 2h"), answers="done 12", mentions=(8,)),
    }


# One renderer per platform


def parcel(platform: str, message: Message) -> Parcel:
    """A message on its way to a group of a platform."""
    place = Place(platform, {"telegram": "-1001", "matrix": "!bakery:example.org"}.get(platform, "bakery"))
    return Parcel(3, "key", 1, 1, place, Priority.REPLY, message, accounts=ACCOUNTS)


def on_console(message: Message) -> Iterator[str]:
    """Yield what the console shows, in 80 columns."""
    lines: list[str] = []
    seat = Seat("ana", "bakery")
    screen = Screen(lines.append, Page(), seat, Known(ZoneInfo("UTC")), lambda: NOW)
    screen.message(Place("console", "bakery"), message, 3, "m3", NOW)
    yield from "\n".join(lines).split("\n")


def on_telegram(message: Message) -> Iterator[str]:
    """Yield the messages for Telegram: each text, its entities, what is under it."""
    there = parcel("telegram", message)
    for piece in pieces(message.text, ACCOUNTS):
        yield from piece.text.split("\n")
        encoded = piece.text.encode("utf-16-le")
        for one in piece.entities:
            words = encoded[2 * one.offset : 2 * (one.offset + one.length)].decode("utf-16-le")
            more = [f"{name}={value}" for name, value in one.to_dict().items() if name in {"url", "unix_time", "user"}]
            yield "  ".join([f"  {one.type}: {words!r}", *more])
    markup = under(there, "pool_bot")
    if isinstance(markup, ForceReply):
        yield f"  asks for a reply, selective: {markup.selective}"
    elif isinstance(markup, InlineKeyboardMarkup):
        for row in markup.inline_keyboard:
            yield "  " + " ".join(f"[{button.text} → {button.callback_data or button.url}]" for button in row)
    if message.file is not None:
        yield f"  document {message.file[0]}: {message.file[1]!r}"


def on_matrix(message: Message) -> Iterator[str]:
    """Yield the event for Matrix: its plain body, its HTML, and whom it rings for."""
    content = html.content(parcel("matrix", message), "!private:example.org")
    yield from content["body"].split("\n")
    yield f"  html: {content['formatted_body']}"
    yield f"  {content['msgtype']}, mentions {json.dumps(content['m.mentions'])}"
    if message.file is not None:
        yield f"  file {message.file[0]}: {message.file[1]!r}"


RENDERERS: dict[str, Callable[[Message], Iterator[str]]] = {
    "console": on_console,
    "telegram": on_telegram,
    "matrix": on_matrix,
}


def golden(platform: str, messages: dict[str, Message]) -> str:
    """Every sample as a platform shows it. What turns the direction of text is written out."""
    blocks = ["\n".join([f"== {title} ==", *RENDERERS[platform](one)]) for title, one in messages.items()]
    return ("\n\n".join(blocks) + "\n").replace("\u202e", "<U+202E>")


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    written = samples()
    for name in RENDERERS:
        (GOLDEN / f"{name}.txt").write_text(golden(name, written), encoding="utf-8")
