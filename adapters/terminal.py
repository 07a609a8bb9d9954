"""The console in a real terminal: line editing, history, completion; colours only as an addition."""

from __future__ import annotations

from asyncio import to_thread
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import CompleteStyle

from adapters import known
from core.chat.text import Style

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from adapters.console import Console

WORDS = ("help", "now", "quit")
CODES = {Style.BOLD: "1", Style.COMMAND: "36", Style.CODE: "36", Style.LINK: "4", Style.MENTION: "1"}


def paint(text: str, style: Style) -> str:
    """Return a text in the colours of its style."""
    return f"\033[{CODES[style]}m{text}\033[0m" if style in CODES else text


class Words(Completer):
    """Completes commands, and names of people, channels and goods."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield what the text before the cursor may become."""
        del complete_event
        text = document.text_before_cursor
        for word, start in self.candidates(text):
            yield Completion(word, start_position=-len(start))

    def candidates(self, text: str) -> list[tuple[str, str]]:
        """Return (completion, what it replaces) for a line typed so far."""
        there, word = self._console.screen.known, text.rsplit(" ", maxsplit=1)[-1]
        if text.startswith(("/", "!")):
            names = [text[0] + name for name in self._console.house.table.names()]
            commands = [(name, text) for name in names if name.startswith(text.casefold())]
            if commands or " " not in text:
                return commands
            named = [*there.goods, *there.people.values(), *there.channels.values()]
            return [(name, word) for name in named if word and name.casefold().startswith(word.casefold())]
        words = [*WORDS, *(f"@{one}" for one in there.people), *(f"#{one}" for one in (*there.channels, known.PRIVATE))]
        return [(one, text) for one in words if one.startswith(text.casefold())]


async def read_lines(console: Console) -> None:
    """Hand lines to the console until it ends. What happens meanwhile is shown above the line being typed."""
    session: PromptSession[str] = PromptSession(
        history=InMemoryHistory(await to_thread(known.typed, console.store)),
        completer=Words(console),
        complete_style=CompleteStyle.READLINE_LIKE,
        complete_while_typing=False,
    )
    while True:
        try:
            with patch_stdout(raw=True):
                line = await session.prompt_async(console.prompt)
        except KeyboardInterrupt:  # as in a shell: the line is given up
            continue
        except EOFError:
            return
        for one in line.splitlines() or [""]:  # several, if they were pasted
            if not await console.handle(one):
                return
