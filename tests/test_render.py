"""Each kind of message looks on every platform as it did.

What looks otherwise on purpose: `python -m tests.rendering`, then read the difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.matrix.html import look
from adapters.telegram.entities import pieces
from tests.rendering import ACCOUNTS, GOLDEN, HOSTILE, RENDERERS, golden, samples

if TYPE_CHECKING:
    from core.chat.message import Message


@pytest.fixture(scope="module")
def messages() -> dict[str, Message]:
    """One of each kind."""
    return samples()


@pytest.mark.parametrize("platform", RENDERERS)
def test_golden(platform: str, messages: dict[str, Message]) -> None:
    assert golden(platform, messages) == (GOLDEN / f"{platform}.txt").read_text(encoding="utf-8")


def test_there_is_one_of_each_kind(messages: dict[str, Message]) -> None:
    assert all(message.text for message in messages.values())
    for name in ("choices", "answers", "subject", "file", "link", "mentions", "toast_for"):
        assert any(getattr(message, name) for message in messages.values()), name


def test_hostile_names_are_no_markup_anywhere(messages: dict[str, Message]) -> None:
    message = messages["names that play tricks"]
    html = look(message, ACCOUNTS).formatted
    assert "<script" not in html
    assert "<3" not in html
    assert [one.type for one in pieces(message.text, ACCOUNTS)[0].entities] == ["bold"]
    assert pieces(message.text, ACCOUNTS)[0].text.startswith(HOSTILE)
