"""What people do in the Telegram of `tests.bot_api`, and which of it the bot is told."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.bot_api_text import found
from tests.bot_api_updates import Updates
from tests.bot_api_world import (
    ADMINS,
    ANONYMOUS_ID,
    CHANNEL_BOT_ID,
    IN_CHAT,
    Button,
    Chat,
    Message,
    Press,
    User,
    member,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WAIT_SECONDS = 120.0  # a busy machine is slow; a quiet one takes a moment
LOOK_SECONDS = 0.05  # conditions may be about what the server does not see


class People:
    """Users, groups, and what happens among them."""

    def __init__(self, bot_id: int, *, username: str = "dpool_bot", privacy: bool = True, seed: int = 1) -> None:
        self.bot = User(bot_id, "dpool", username, is_bot=True)
        self.privacy = privacy
        self.users: dict[int, User] = {bot_id: self.bot}
        self.chats: dict[int, Chat] = {}
        self.presses: dict[str, Press] = {}
        self.updates = Updates(self.changed, seed)
        self._random = random.Random(seed)
        self._ids = itertools.count(1001)
        self._message_ids = itertools.count(1)  # of private chats and basic groups together
        self._supergroup_ids: dict[int, itertools.count[int]] = defaultdict(lambda: itertools.count(1))
        self._watchers: set[asyncio.Event] = set()
        anonymous = User(ANONYMOUS_ID, "Group", "GroupAnonymousBot", is_bot=True)
        channel_bot = User(CHANNEL_BOT_ID, "Channel", "Channel_Bot", is_bot=True)
        self.users |= {ANONYMOUS_ID: anonymous, CHANNEL_BOT_ID: channel_bot}

    # Who and what there is

    def user(self, first_name: str, *, username: str = "", language_code: str = "", is_bot: bool = False) -> User:
        """Return somebody new; their username is their name in small letters if none is given ("-": they have none)."""
        handle = re.sub(r"\W", "", first_name.lower()) if not username else username.removeprefix("-")
        user = User(next(self._ids), first_name, handle, language_code, is_bot)
        self.users[user.id] = user
        return user

    def private(self, user: User) -> Chat:
        """Return the private chat of a user with the bot."""
        return self.chats.setdefault(user.id, Chat(user.id, "private", peer=user))

    def group(
        self,
        title: str,
        members: Iterable[User] = (),
        *,
        supergroup: bool = False,
        is_forum: bool = False,
        privacy: bool | None = None,
    ) -> Chat:
        """Return a new group, its first member the owner; the bot is not in it yet (`add_bot`)."""
        kind = "supergroup" if supergroup or is_forum else "group"
        number = self._random.randrange(10**9, 2 * 10**9)
        chat = Chat(-(10**12) - number if kind == "supergroup" else -number, kind, title, is_forum=is_forum)
        chat.privacy = privacy
        chat.members = {user.id: "creator" if place == 0 else "member" for place, user in enumerate(members)}
        self.chats[chat.id] = chat
        return chat

    def channel(self, title: str) -> Chat:
        """Return a new channel, to write or forward in the name of."""
        chat = Chat(-(10**12) - self._random.randrange(10**9, 2 * 10**9), "channel", title)
        return self.chats.setdefault(chat.id, chat)

    def messages(self, chat: Chat | User, *, topic: int | None = None) -> list[Message]:
        """Return what a client shows in a chat, as it stands now; of one topic only if asked (0: General)."""
        where = self.private(chat) if isinstance(chat, User) else chat
        shown = [one for one in where.messages.values() if not one.is_deleted]
        return [one for one in shown if topic is None or one.topic == topic]

    def sent(self, chat: Chat | User, *, topic: int | None = None) -> list[Message]:
        """Return what the bot has written there."""
        return [one for one in self.messages(chat, topic=topic) if one.sender is self.bot]

    def find(self, chat: Chat | User, pattern: str, since: float = 0.0) -> Message | None:
        """Return the bot's newest message there that matches, written or changed since then."""
        shown = [one for one in self.sent(chat)[::-1] if max(one.at, one.edited_at) >= since]
        return next((one for one in shown if re.search(pattern, one.text, re.IGNORECASE)), None)

    # Waiting

    def changed(self) -> None:
        """Say that something happened, to whoever waits for it."""
        for watcher in self._watchers:
            watcher.set()

    async def until(self, condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
        """Wait until something is so. Raises TimeoutError."""
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    watcher.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_SECONDS):
                            await watcher.wait()
        finally:
            self._watchers.discard(watcher)

    async def said(
        self, chat: Chat | User, pattern: str, seconds: float = WAIT_SECONDS, *, since: float = 0.0
    ) -> Message:
        """Wait for the bot to say something that matches; return the newest such message. Says what it said instead."""
        try:
            await self.until(lambda: self.find(chat, pattern, since), seconds)
        except TimeoutError:
            texts = "\n".join(one.text for one in self.sent(chat))
            raise AssertionError(f"nothing matched {pattern!r} of:\n{texts}") from None
        message = self.find(chat, pattern, since)
        assert message is not None
        return message

    async def talk(self, user: User, chat: Chat | User, text: str, pattern: str, **rest: Any) -> Message:
        """Write, and wait for an answer there that matches."""
        since = time.monotonic()
        await self.write(user, chat, text, **rest)
        return await self.said(chat, pattern, since=since)

    async def touch(self, user: User, message: Message, label: str, seconds: float = WAIT_SECONDS) -> str:
        """Press a button and wait for the answer; return what flashes up."""
        press = await self.press(user, message, label)
        await self.until(lambda: press.is_answered, seconds)
        return press.text

    # Writing

    def add_message(self, chat: Chat, sender: User, text: str = "", **rest: Any) -> Message:
        """Put a message into a chat; nobody is told."""
        ids = self._supergroup_ids[chat.id] if chat.kind == "supergroup" else self._message_ids
        message = Message(chat, next(ids), sender, text, **rest)
        chat.messages[message.id] = message
        self.changed()
        return message

    async def write(
        self,
        user: User,
        chat: Chat | User,
        text: str,
        *,
        reply_to: Message | None = None,
        topic: int = 0,
        forward: User | Chat | None = None,
        sender_chat: Chat | None = None,
        extra: dict[str, Any] | None = None,
    ) -> Message:
        """Let a user write. `chat`: a group, or the user for the chat with the bot. `sender_chat`: in whose name."""
        where = self.private(chat) if isinstance(chat, User) else chat
        user.has_started = user.has_started or where.kind == "private"
        sender = user if sender_chat is None else self.users[ANONYMOUS_ID if sender_chat is where else CHANNEL_BOT_ID]
        fields = {"forward_origin": _origin(forward)} if forward is not None else {}
        message = self.add_message(
            where, sender, text, entities=found(text), reply_to=reply_to, topic=topic, sender_chat=sender_chat,
            extra={**fields, **(extra or {})},
        )  # fmt: skip
        self.tell(message)
        return message

    async def edit(self, message: Message, text: str) -> None:
        """Let its writer change a message."""
        message.before.append(message.text)
        message.text, message.entities, message.edit_date = text, found(text), int(time.time())
        self.tell(message, kind="edited_message")

    async def delete(self, message: Message) -> None:
        """Delete a message; bots are not told."""
        message.is_deleted = True

    def tell(self, message: Message, *, kind: str = "message") -> int:
        """Tell the bot of a message, if it may see it; return the update's number."""
        return self.updates.add(kind, message.to_json()) if self.is_seen(message) else 0

    def is_seen(self, message: Message) -> bool:
        """Tell whether the bot may see a message: in groups with privacy mode on, only what is meant for it."""
        chat = message.chat
        if chat.kind == "private":
            return True
        if not chat.has(self.bot):
            return False
        privacy = self.privacy if chat.privacy is None else chat.privacy
        is_service = not message.text and message.document is None
        if not privacy or is_service or chat.members[self.bot.id] in ADMINS:
            return True
        return self._is_for_bot(message)

    def _is_for_bot(self, message: Message) -> bool:
        name = f"@{self.bot.username}".lower()
        if message.reply_to is not None and message.reply_to.sender is self.bot:
            return True
        for entity in message.entities:
            part = message.part(entity).lower()
            if entity["type"] == "mention" and part == name:
                return True
            if entity["type"] == "bot_command" and ("@" not in part or part.endswith(name)):
                return entity["offset"] == 0 or part.endswith(name)
        return False

    # Pressing

    async def press(self, user: User, message: Message, label: str) -> Press:
        """Press the button whose label is or begins so."""
        return await self.press_data(user, message, self.button(message, label).data)

    def button(self, message: Message, label: str) -> Button:
        """Return the button whose label is or begins so."""
        fitting = sorted(
            (one for one in message.buttons if one.label.lower().startswith(label.lower())), key=lambda one: one.label
        )
        assert fitting, f"no button {label!r} among {message.labels} under: {message.text}"
        return fitting[0]

    async def press_data(self, user: User, message: Message, data: str) -> Press:
        """Press what the message need not have: clients can be made to send anything."""
        press = Press(str(self._random.randrange(10**17, 10**18)), user, message, data)
        self.presses[press.id] = press
        shown = message.to_json()
        if message.is_deleted:
            shown = {"message_id": message.id, "chat": message.chat.to_json(), "date": 0}
        query = {
            "id": press.id,
            "from": user.to_json(),
            "message": shown,
            "chat_instance": str(message.chat.id),
            "data": data,
        }
        self.updates.add("callback_query", query)
        return press

    async def open_link(self, user: User, url: str, group: Chat | None = None) -> Message:
        """Open a t.me link of the bot: `?start=…` in private, `?startgroup=…` for a group."""
        parts = urlsplit(url)
        assert parts.hostname == "t.me", url
        assert parts.path.strip("/").lower() == self.bot.username.lower(), url
        query = parse_qs(parts.query, keep_blank_values=True)
        if group is None:
            value = query["start"][0]
            assert re.fullmatch(r"[\w-]{0,64}", value), value
            return await self.write(user, user, f"/start {value}".strip())
        if not group.has(self.bot):
            await self.add_bot(group, user)
        return await self.write(user, group, f"/start@{self.bot.username} {query['startgroup'][0]}".strip())

    # Coming and going

    async def add_bot(self, chat: Chat, by: User, *, status: str = "member") -> None:
        """Add the bot to a group."""
        self._set_status(chat, by, status)
        self._service(chat, by, {"new_chat_members": [self.bot.to_json()]})

    async def kick_bot(self, chat: Chat, by: User, *, status: str = "kicked") -> None:
        """Remove the bot from a group."""
        if chat.kind == "group":
            self._service(chat, by, {"left_chat_member": self.bot.to_json()})
        self._set_status(chat, by, status)

    async def set_bot_status(self, chat: Chat, by: User, status: str) -> None:
        """Make the bot an administrator of a group, or a member again."""
        self._set_status(chat, by, status)

    async def block(self, user: User) -> None:
        """Let a user block the bot."""
        user.is_blocking = True
        self._tell_status(self.private(user), user, "member", "kicked")

    async def unblock(self, user: User) -> None:
        """Let a user take the bot back."""
        user.is_blocking = False
        self._tell_status(self.private(user), user, "kicked", "member")

    async def join(self, chat: Chat, user: User) -> None:
        """Let a user come into a group."""
        chat.members[user.id] = "member"
        self._service(chat, user, {"new_chat_members": [user.to_json()]})

    async def leave(self, chat: Chat, user: User) -> None:
        """Let a user leave a group."""
        chat.members[user.id] = "left"
        self._service(chat, user, {"left_chat_member": user.to_json()})

    async def topic(self, chat: Chat, name: str, by: User) -> int:
        """Make a topic; return its number."""
        message = self.add_message(chat, by, extra={"forum_topic_created": {"name": name, "icon_color": 7322096}})
        message.topic = message.id
        chat.topics[message.id] = message
        self.tell(message)
        return message.id

    async def migrate(self, chat: Chat) -> Chat:
        """Let a group become a supergroup, with another id and no messages."""
        new = self.group(chat.title, supergroup=True, privacy=chat.privacy)
        new.members, chat.migrated_to = dict(chat.members), new
        owner = self._owner(chat)
        self._tell_status(new, owner, "left", new.members.get(self.bot.id, "left"))
        self._service(chat, owner, {"migrate_to_chat_id": new.id})
        self._service(new, self.users[ANONYMOUS_ID], {"migrate_from_chat_id": chat.id, "sender_chat": new.to_json()})
        return new

    def _owner(self, chat: Chat) -> User:
        owners = (user_id for user_id, status in chat.members.items() if status == "creator")
        return self.users[next(owners, self.bot.id)]

    def _service(self, chat: Chat, by: User, fields: dict[str, Any]) -> None:
        self.tell(self.add_message(chat, by, extra=fields))

    def _set_status(self, chat: Chat, by: User, status: str) -> None:
        old = chat.members.get(self.bot.id, "left")
        chat.members[self.bot.id] = status
        self._tell_status(chat, by, old, status)

    def _tell_status(self, chat: Chat, by: User, old: str, new: str) -> None:
        if old in IN_CHAT or new in IN_CHAT:
            value = {"chat": chat.to_json(), "from": by.to_json(), "date": int(time.time())}
            members = {"old_chat_member": member(self.bot, old), "new_chat_member": member(self.bot, new)}
            self.updates.add("my_chat_member", {**value, **members})

    def push(self, update: dict[str, Any] | str) -> int:
        """Hand the bot any update at all; its number is added. Returns it."""
        return self.updates.push(update)


def _origin(who: User | Chat) -> dict[str, Any]:
    """Return where a forwarded message is from."""
    if isinstance(who, User):
        return {"type": "user", "date": int(time.time()), "sender_user": who.to_json()}
    return {"type": "channel", "date": int(time.time()), "chat": who.to_json(), "message_id": 1}
