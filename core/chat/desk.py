"""The desk: where messages are written in the right language and put into the outbox, each under its own key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from core.chat import cards, outbox
from core.chat.message import Message, Priority, asked_together
from core.chat.say import Say
from core.identity import channels_of, home_of, memberships_of_person, private_chat
from core.members import projects_of, stewards
from core.settings import MemberSettings, PoolSettings, ProjectSettings
from core.tables import Member, Pool, Project
from core.tables_chat import Account, Chat, Person
from core.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from sqlmodel import Session

    from core.tables_chat import Outbox

UTC_ZONE = ZoneInfo("UTC")
ASK_PAUSE = timedelta(minutes=15)
ASKED_CHOICES_MAX = 10
DIGEST = Timetable.read("daily 09:00")


class Desk:
    """Writes for one transaction; `key` names what caused it, so that everything written has a key of its own."""

    def __init__(self, session: Session, now: datetime, key: str, *, language: str = "en") -> None:
        """Open the desk; `language` is for people and chats that have not chosen one."""
        self.session = session
        self.now = now
        self.key = key
        self.language = language
        self.here: Chat | None = None
        self._count = 0
        self._fresh: list[int] = []
        self._marked: dict[tuple[int, str], None] = {}
        self._member_ids: dict[int, dict[int, int]] = {}

    def say_in(self, chat: Chat, pool_id: int = 0) -> Say:
        """Return the language and clock of a chat: of its project, its pool, or the person in private.

        `pool_id` is what a message in a private chat is about.
        """
        home = home_of(self.session, chat)
        about = home.pool_id or pool_id
        pool = self.session.get(Pool, about) if about else None
        if chat.account_id is not None:
            account = self.session.get_one(Account, chat.account_id)
            return self.say_to(account.person_id, pool)
        language = self.language
        if pool is not None:
            language = PoolSettings(pool.settings).language
            if home.project_id is not None:
                project = self.session.get_one(Project, (home.pool_id, home.project_id))
                language = ProjectSettings(project.settings).language or language
        return Say(language, self._zone(pool), self.now)

    def say_to(self, person_id: int, pool: Pool | None) -> Say:
        """Return the language of a person."""
        person = self.session.get_one(Person, person_id)
        pool = pool or self._pool_of(person)
        language = person.language or (PoolSettings(pool.settings).language if pool else self.language)
        return Say(language, self._zone(pool), self.now)

    def _pool_of(self, person: Person) -> Pool | None:
        """Return the pool somebody last spoke about in private, or the only one they are in."""
        found = self.member_ids(person.id)
        pool_id = person.pool_id if person.pool_id in found else min(found) if len(found) == 1 else None
        return self.session.get(Pool, pool_id) if pool_id else None

    def member_ids(self, person_id: int) -> dict[int, int]:
        """Return a person's number as a member of each pool they are in, by pool, as it was when first asked for."""
        if person_id not in self._member_ids:
            self.know(person_id, memberships_of_person(self.session, person_id))
        return self._member_ids[person_id]

    def know(self, person_id: int, members: Iterable[Member]) -> None:
        """Take over what has been asked for: a person as a member of every pool they are in."""
        self._member_ids[person_id] = {one.pool_id: one.id for one in members}

    def _zone(self, pool: Pool | None) -> ZoneInfo:
        return PoolSettings(pool.settings).timezone if pool is not None else UTC_ZONE

    def post(
        self, chat: Chat, message: Message, priority: Priority, *, pool_id: int = 0, not_before: datetime | None = None
    ) -> int | None:
        """Put a message into the outbox; return its number. One with a subject becomes its live card in the chat."""
        self._count += 1
        number = outbox.post(
            self.session, chat, message, priority, f"{self.key}:{self._count}", self.now, not_before=not_before
        )
        if number is not None and message.subject and pool_id and not message.edits:
            cards.place(self.session, pool_id, chat, number, message, self.now)
            self._fresh.append(number)
        return number

    def to_channels(self, pool_id: int, project_id: int | None, write: Callable[[Say], Message | None]) -> None:
        """Write to the channels of a project, or of all projects of the pool, but not where it was said already."""
        for chat in channels_of(self.session, pool_id, project_id):
            if chat is not self.here:
                self.to_channel(chat, write)

    def ask_channels(self, pool_id: int, project_id: int, write: Callable[[Say], Message]) -> None:
        """Ask a project's people for something that needs another's action."""
        self._ask(channels_of(self.session, pool_id, project_id), write)

    def ask_other_channels(self, pool_id: int, project_id: int, write: Callable[[Say], Message]) -> None:
        """Ask the people of all other projects."""
        self._ask([one for one in channels_of(self.session, pool_id) if one.project_id != project_id], write)

    def _ask(self, chats: Sequence[Chat], write: Callable[[Say], Message]) -> None:
        """Ask in chats, but not where it was said already; write once for all that speak the same language."""
        chats = [chat for chat in chats if chat is not self.here]
        last = outbox.last_asks(self.session, [chat.id for chat in chats])
        written: dict[Say, Message] = {}
        joined: dict[int, str] = {}
        for chat in chats:
            say = self.say_in(chat)
            message = written[say] = written.get(say) or write(say)
            joined |= self._ask_in(chat, message, last.get(chat.id))
        if joined:
            cards.release(self.session, chats[0].pool_id or 0, set(joined.values()), joined)

    def _ask_in(self, chat: Chat, message: Message, last: Outbox | None) -> dict[int, str]:
        """Ask at most once in 15 minutes: what comes up meanwhile joins the message that waits.

        Returns the number of that message, and what it was about alone, if so.
        """
        pool_id, not_before = chat.pool_id or 0, self._channel_time(chat)
        if last is not None and last.delivery_id is None:
            waiting = Message.from_json(last.payload)
            together = asked_together(waiting, message)
            if len(together.choices) <= ASKED_CHOICES_MAX:
                last.payload = together.to_json()
                return {last.id: waiting.subject} if waiting.subject else {}
        if last is not None:
            not_before = max(not_before or self.now, (last.not_before or last.created_at) + ASK_PAUSE)
        self.post(chat, message, Priority.ASK, pool_id=pool_id, not_before=not_before)
        return {}

    def to_channel(self, chat: Chat, write: Callable[[Say], Message | None]) -> None:
        """Write a notice to one channel, when it wants to hear of it."""
        message = write(self.say_in(chat))
        if message is not None:
            notice = replace(message, merges=message.can_merge)
            self.post(chat, notice, Priority.NOTICE, pool_id=chat.pool_id or 0, not_before=self._channel_time(chat))

    def to_stewards(self, pool: Pool, write: Callable[[Say], Message], *, but: int = 0) -> None:
        """Write to the pool's stewards in private; where none of them can be reached so, ask in a channel of theirs.

        `but` is the number of the member who did it.
        """
        found = [one for one in stewards(self.session, pool) if one.id != but]
        reached_count = sum(self.to_member(one, write) for one in found)
        if reached_count:
            return
        own = {project.id for one in found for project in projects_of(self.session, one)}
        chat = next((chat for chat in channels_of(self.session, pool.id) if chat.project_id in own), None)
        if chat is not None:
            self._ask([chat], write)

    def to_member(self, member: Member, write: Callable[[Say], Message | None]) -> bool:
        """Write a notice to a member's private chat; return whether there is one."""
        chat = private_chat(self.session, member.person_id) if member.person_id is not None else None
        if chat is None or member.person_id is None:
            return False
        pool = self.session.get_one(Pool, member.pool_id)
        message = write(self.say_to(member.person_id, pool))
        if message is not None:
            notice = replace(message, merges=message.can_merge)
            not_before = self._time(MemberSettings(member.settings), self._zone(pool))
            self.post(chat, notice, Priority.NOTICE, pool_id=member.pool_id, not_before=not_before)
        return True

    def _channel_time(self, chat: Chat) -> datetime | None:
        project = self.session.get_one(Project, (chat.pool_id, chat.project_id))
        pool = self.session.get_one(Pool, chat.pool_id)
        return self._time(ProjectSettings(project.settings), self._zone(pool))

    def _time(self, settings: ProjectSettings | MemberSettings, zone: ZoneInfo) -> datetime | None:
        """Return when a notice may come: at once, after the quiet hours, or with the daily digest."""
        if settings.digest == "on":
            return DIGEST.next_after(self.now, zone).instant
        quiet = settings.quiet
        return quiet.quiet_until(self.now, zone) if quiet is not None else None

    def mark(self, pool_id: int, subject: str) -> None:
        """Remember that the cards of a subject have to follow."""
        self._marked[pool_id, subject] = None

    def draw(self) -> None:
        """Let all marked cards follow; called once, when everything else of the transaction is done."""
        for pool_id, subject in self._marked:
            cards.note(self.session, pool_id, subject, self._fresh)
