"""What README and docs/ show is played, and every command they name exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot import reference
from core.chat.commands import table
from core.chat.transcript import play

if TYPE_CHECKING:
    from core.store import Store

STORES = ("sqlite",)  # one is enough: the transcripts are played on both
ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CHAT = re.compile(r"^```chat\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([/!][a-z][^`]*)`", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")


@pytest.mark.parametrize("page", [page for page in PAGES if CHAT.search(page.read_text())], ids=lambda page: page.name)
def test_chats_on_the_page_happen_so(page: Path, store: Store, tmp_path: Path) -> None:
    transcript = tmp_path / f"{page.stem}.chat"
    transcript.write_text("".join(CHAT.findall(page.read_text())))
    said: list[str] = []
    play(transcript, store, said.append)
    assert said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_the_page_exist(page: Path) -> None:
    commands = table()
    named = [" ".join(text[1:].split()) for text in NAMED.findall(page.read_text())]
    assert not [text for text in named if commands.find(text) is None]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_on_the_page_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_the_page_of_all_commands_is_made_from_their_table() -> None:
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == reference.page()


def test_every_command_that_people_need_is_in_a_guide() -> None:
    guides = " ".join(page.read_text() for page in PAGES if page.name != "commands.md")
    written = {" ".join(text[1:].split()) for text in re.findall(r"[/!][a-z][^`\n]*", guides)}
    assert [name for name in table().names() if not any(text.startswith(name) for text in written)] == []
