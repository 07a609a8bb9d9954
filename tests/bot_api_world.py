"""What there is in the Telegram of `tests.bot_api`: users, chats and messages, as clients and as the bot see them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.bot_api_text import Entity
    from tests.bot_api_values import File

ANONYMOUS_ID, CHANNEL_BOT_ID, SERVICE_ID = 1_087_968_824, 136_817_688, 777_000
GENERAL = 1  # the topic that has no number outside
IN_CHAT = frozenset({"creator", "administrator", "member", "restricted"})
ADMINS = frozenset({"creator", "administrator"})
RIGHTS = (
    "can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats",
    "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories",
    "can_edit_stories", "can_delete_stories",
)  # fmt: skip


@dataclass(eq=False)
class User:
    """Somebody. `has_started`: the bot may write to them; `is_blocking`: not any more."""

    id: int
    first_name: str
    username: str = ""
    language_code: str = ""
    is_bot: bool = False
    has_started: bool = False
    is_blocking: bool = False

    def to_json(self) -> dict[str, Any]:
        value = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        optional = {"username": self.username, "language_code": self.language_code}
        return value | {name: one for name, one in optional.items() if one}


@dataclass(eq=False)
class Chat:
    """A chat. `members`: the status of each user by id; `topics`: the creating message of each; `peer`: whose it is."""

    id: int
    kind: str
    title: str = ""
    peer: User | None = None
    is_forum: bool = False
    privacy: bool | None = None  # None: as the bot's own setting says
    can_write: bool = True
    migrated_to: Chat | None = field(default=None, repr=False)
    members: dict[int, str] = field(default_factory=dict)
    topics: dict[int, Message] = field(default_factory=dict, repr=False)
    closed_topics: set[int] = field(default_factory=set)
    messages: dict[int, Message] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        if self.peer is not None:
            user = {name: one for name, one in self.peer.to_json().items() if name in {"first_name", "username"}}
            return {"id": self.id, "type": "private", **user}
        return {"id": self.id, "type": self.kind, "title": self.title} | ({"is_forum": True} if self.is_forum else {})

    def has(self, user: User) -> bool:
        return self.members.get(user.id) in IN_CHAT

    @property
    def is_group(self) -> bool:
        return self.kind in {"group", "supergroup"}


@dataclass(frozen=True)
class Button:
    """A button as it is shown, with the one thing it does."""

    label: str
    data: str = ""
    url: str = ""
    copies: str = ""


@dataclass(eq=False)
class Message:
    """A message as it stands. `before`: the texts it had; `markup`: what the bot gave; `service`: fields of its own."""

    chat: Chat
    id: int
    sender: User
    text: str = ""
    entities: list[Entity] = field(default_factory=list)
    reply_to: Message | None = None
    topic: int = 0
    markup: dict[str, Any] = field(default_factory=dict)
    document: File | None = None
    sender_chat: Chat | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)
    is_deleted: bool = False
    date: int = field(default_factory=lambda: int(time.time()))
    edit_date: int = 0
    at: float = field(default_factory=time.monotonic)
    edited_at: float = 0.0

    @property
    def rows(self) -> list[list[Button]]:
        """The buttons under it, row by row."""
        return [[_button(one) for one in row] for row in self.markup.get("inline_keyboard", [])]

    @property
    def buttons(self) -> list[Button]:
        return [button for row in self.rows for button in row]

    @property
    def labels(self) -> list[str]:
        return [button.label for button in self.buttons]

    @property
    def asks_for_reply(self) -> bool:
        return bool(self.markup.get("force_reply"))

    def asks(self, user: User) -> bool:
        """Tell whether this user's client opens the reply box by itself."""
        if not self.asks_for_reply or not self.markup.get("selective"):
            return self.asks_for_reply
        replied = self.reply_to is not None and self.reply_to.sender is user
        return replied or any(self._names(one, user) for one in self.entities)

    def _names(self, entity: Entity, user: User) -> bool:
        if entity["type"] == "text_mention":
            return bool(entity["user"]["id"] == user.id)
        return entity["type"] == "mention" and self.part(entity) == f"@{user.username}"

    def part(self, entity: Entity) -> str:
        """Return the words that an entity marks."""
        raw = self.text.encode("utf-16-le")
        return raw[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")

    def marked(self, kind: str) -> list[str]:
        """Return the words marked so: bold, code, bot_command, date_time."""
        return [self.part(one) for one in self.entities if one["type"] == kind]

    def to_json(self, *, is_nested: bool = False) -> dict[str, Any]:
        """Return it as the bot is told of it; a message that is quoted does not quote again."""
        value: dict[str, Any] = {"message_id": self.id, "from": self.sender.to_json(), "chat": self.chat.to_json()}
        value["date"] = self.date
        if self.sender_chat is not None:
            value["sender_chat"] = self.sender_chat.to_json()
        names = ("text", "entities") if self.document is None else ("caption", "caption_entities")
        value |= {name: one for name, one in zip(names, (self.text, self.entities), strict=True) if one}
        if self.edit_date:
            value["edit_date"] = self.edit_date
        if self.buttons:
            value["reply_markup"] = self.markup
        if self.document is not None:
            value["document"] = _document(self.document)
        value |= self._thread() | self.extra
        if not is_nested and (quoted := self._quoted()) is not None:
            value["reply_to_message"] = quoted.to_json(is_nested=True)
        return value

    def _thread(self) -> dict[str, Any]:
        if self.topic:
            return {"message_thread_id": self.topic, "is_topic_message": True}
        if self.chat.kind == "supergroup" and not self.chat.is_forum and self.reply_to is not None:
            return {"message_thread_id": self.root.id}
        return {}

    @property
    def root(self) -> Message:
        """The message that a thread of replies began with."""
        return self if self.reply_to is None else self.reply_to.root

    def _quoted(self) -> Message | None:
        """Return what it answers; in a topic that is at least the message the topic began with."""
        if self.reply_to is None and self.topic and self.topic != self.id:
            return self.chat.topics[self.topic]
        return self.reply_to


@dataclass(eq=False)
class Press:
    """A press of a button, and how the bot answered it. `at` and `answered_at` by the monotonic clock."""

    id: str
    user: User
    message: Message
    data: str
    at: float = field(default_factory=time.monotonic)
    answered_at: float = 0.0
    text: str = ""
    is_alert: bool = False
    url: str = ""

    @property
    def is_answered(self) -> bool:
        return bool(self.answered_at)

    @property
    def seconds(self) -> float:
        """How long the user's client showed that it is waiting."""
        return self.answered_at - self.at


def _button(one: dict[str, Any]) -> Button:
    copies = one.get("copy_text", {}).get("text", "")
    return Button(one["text"], one.get("callback_data", ""), one.get("url", ""), copies)


def _document(file: File) -> dict[str, Any]:
    return {"file_id": f"file-{file.name}", "file_unique_id": file.name, "file_name": file.name,
            "file_size": len(file.content)}  # fmt: skip


def member(user: User, status: str) -> dict[str, Any]:
    """Return a ChatMember."""
    value: dict[str, Any] = {"user": user.to_json(), "status": status}
    if status == "administrator":
        value |= dict.fromkeys(RIGHTS, False) | {"can_manage_chat": True}
    elif status == "creator":
        value["is_anonymous"] = False
    elif status == "kicked":
        value["until_date"] = 0
    return value
