"""What comes in and what goes out, as values that are kept in the inbox and the outbox."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Any, Self

from core.chat.text import Text
from core.identity import Place, Sender

OPTIONAL_FIELDS = (
    *("answers", "subject", "reply_to", "toast_for", "mentions"),
    *("link", "group_link", "file", "merges", "edits"),
)


class Incoming(StrEnum):
    """Kinds of events that adapters put into the inbox."""

    TEXT = "text"
    PRESS = "press"
    EDIT = "edit"
    DELETE = "delete"
    ADDED = "added"
    GONE = "gone"
    BACK = "back"
    MOVED = "moved"
    NAMELESS = "nameless"  # written by somebody who hides who they are
    UNREADABLE = "unreadable"  # written, but its key never came


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a platform, in no platform's terms.

    `ref` is the message's own id in its chat, `reply_to` the id of the message it answers; `addressed` if the bot was
    named. Of a press: `choice` is what the button carries ("delivery:index"), or the number of a choice under the
    message `reply_to`; `press_ref` is what the platform wants answered. `moved_to`: the chat's new address.
    """

    event_id: str
    kind: Incoming
    place: Place
    sender: Sender | None = None
    text: str = ""
    ref: str = ""
    reply_to: str = ""
    addressed: bool = False
    choice: str = ""
    press_ref: str = ""
    moved_to: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what is kept of it."""
        place, sender = self.place, self.sender
        return {
            "event_id": self.event_id,
            "kind": self.kind.value,
            "place": [place.platform, place.address, place.topic, place.title, place.private],
            "sender": [sender.platform, sender.user_id, sender.name, sender.handle] if sender else None,
            "text": self.text,
            "ref": self.ref,
            "reply_to": self.reply_to,
            "addressed": self.addressed,
            "choice": self.choice,
            "press_ref": self.press_ref,
            "moved_to": self.moved_to,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        sender = Sender(*value["sender"]) if value["sender"] else None
        return cls(**{**value, "kind": Incoming(value["kind"]), "place": Place(*value["place"]), "sender": sender})


@dataclass(frozen=True, slots=True)
class Choice:
    """A button that is a typed command, in the pool and project it was offered for (0: those of the chat)."""

    label: str
    command: str
    pool_id: int = 0
    project_id: int = 0

    def to_json(self) -> list[Any]:
        """Return what is kept of it."""
        return [self.label, self.command, self.pool_id, self.project_id]


class Where(StrEnum):
    """Where a reply goes."""

    HERE = "here"
    EDIT = "edit"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers. `answers`: plain text in reply to it runs as this command with the text behind it.

    `subject` makes it the live card of something ("task 12"). `where` EDIT replaces the message whose choice was
    pressed; PRIVATE goes to the sender's private chat. `file` is (name, content) to be handed over. `group_link`:
    (label, start parameter) of a button that adds the bot to a group, where a platform has such.
    """

    text: Text
    choices: tuple[Choice, ...] = ()
    answers: str = ""
    subject: str = ""
    where: Where = Where.HERE
    file: tuple[str, str] | None = None
    group_link: tuple[str, str] | None = None


class Priority(IntEnum):
    """The order in which messages leave. An ASK is a notice that needs somebody else's action."""

    TOAST = 0
    REPLY = 1
    EDIT = 2
    ASK = 3
    NOTICE = 4


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it goes to a chat: final text and choices, ready for any platform to render.

    `reply_to`: the id of the message it answers there. `toast_for`: the press it answers. `mentions`: the accounts
    that it concerns. `link`: (label, start parameter) of a button that opens the private chat, `group_link` of one that
    adds the bot to a group.
    `merges`: a notice that may share a message with others. `edits`: the delivery whose message it replaces.
    """

    text: Text
    choices: tuple[Choice, ...] = ()
    answers: str = ""
    subject: str = ""
    reply_to: str = ""
    toast_for: str = ""
    mentions: tuple[int, ...] = ()
    link: tuple[str, str] | None = None
    group_link: tuple[str, str] | None = None
    file: tuple[str, str] | None = None
    merges: bool = False
    edits: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what is kept of it; empty fields are left out."""
        value: dict[str, Any] = {"text": self.text.to_json(), "choices": [choice.to_json() for choice in self.choices]}
        for name in OPTIONAL_FIELDS:
            if getattr(self, name):
                value[name] = getattr(self, name)
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        rest: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in value.items()}
        rest["text"] = Text.from_json(value["text"])
        rest["choices"] = tuple(Choice(*choice) for choice in value["choices"])
        return cls(**rest)

    @property
    def can_merge(self) -> bool:
        """Tell whether nothing but text is in it, so that as a notice it may share a message with others."""
        return not (self.choices or self.answers or self.subject or self.link or self.group_link or self.file)

    def plain(self, prefix: str = "/") -> str:
        """Return the text as plain lines, choices last: what the console and transcripts show."""
        text = str(self.text.with_prefix(prefix))
        buttons = " ".join(f"[{choice.label}]" for choice in self.choices)
        link = f"[{self.link[0]}]" if self.link else ""
        file = f"[{self.file[0]}]\n{self.file[1]}" if self.file else ""
        return "\n".join(part for part in (text, buttons, link, file) if part)


def asked_together(first: Message, second: Message) -> Message:
    """Return two messages that need somebody's action as one; of the same subject the second alone."""
    if first.subject and first.subject == second.subject:
        return second
    choices = tuple(dict.fromkeys((*first.choices, *second.choices)))
    return Message(first.text + "\n" + second.text, choices, mentions=(*first.mentions, *second.mentions))


def merged(messages: list[Message]) -> Message:
    """Return several notices for one chat as one message."""
    text = messages[0].text
    for message in messages[1:]:
        text = text + "\n" + message.text
    mentions = tuple(dict.fromkeys(account for message in messages for account in message.mentions))
    return replace(messages[0], text=text, mentions=mentions)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message could not be sent: `retry_seconds` if another try may help, `gone` if the chat is closed to us.

    `ambiguous`: it may have arrived all the same.
    """

    reason: str
    retry_seconds: float | None = None
    gone: bool = False
    ambiguous: bool = False
