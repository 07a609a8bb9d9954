"""Rich text: spans with styles, joined, kept, and shown with a platform's own prefix."""

from __future__ import annotations

from core.chat.text import Span, Style, Text, joined


def test_texts_join_with_texts_and_strings() -> None:
    both = Text.of("a", Style.BOLD) + "b" + Text.of("c")
    assert str(both) == "abc"
    assert both.spans == (Span("a", Style.BOLD), Span("b"), Span("c"))


def test_nothing_to_read_is_false() -> None:
    assert not Text()
    assert not Text.of("")
    assert not Text((Span(""),))
    assert Text.of("x")


def test_the_prefix_is_for_commands_only() -> None:
    text = Text.of("/tasks", Style.COMMAND) + Text.of("/tasks") + Text.of("tasks", Style.COMMAND)
    assert str(text.with_prefix("!")) == "!tasks/taskstasks"


def test_what_is_kept_reads_back() -> None:
    text = Text.of("Ana", Style.MENTION, "7") + "\n<b>no markup</b>"
    assert Text.from_json(text.to_json()) == text


def test_joined_leaves_out_what_is_empty() -> None:
    assert str(joined(["a", Text(), Text.of("b"), ""], " · ")) == "a · b"
    assert not joined([])
