"""What a handler knows: who speaks, where, about which pool and project, and what time it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.chat.message import Choice, Reply, Where
from core.members import selves
from core.settings import PoolSettings, ProjectSettings
from core.tables_chat import Person

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlmodel import Session

    from core.chat.command import Command, Table
    from core.chat.say import Say
    from core.chat.text import Text
    from core.events import Event
    from core.tables import Member, Pool, Project
    from core.tables_chat import Account, Chat, Delivery


@dataclass(slots=True)
class Context:
    """One command being handled. `say` speaks the language of the chat, `tell` that of the sender in private.

    `pressed` is the delivery whose choice was pressed; `entropy` gives random bytes; `speaker` is who really typed,
    where a maintainer speaks for a member without a phone. `member_ids`: the sender's number as a member of each pool,
    by pool, as it was when they spoke.
    """

    session: Session
    now: datetime
    entropy: Callable[[int], bytes]
    table: Table
    account: Account
    chat: Chat
    say: Say
    tell: Say
    text: str = ""
    pressed: Delivery | None = None
    defaults: dict[str, str] = field(default_factory=dict)
    member_ids: dict[int, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    _pool: Pool | None = None
    _project: Project | None = None
    _member: Member | None = None
    speaker: Member | None = None

    @property
    def is_private(self) -> bool:
        """Tell whether this is the sender's private chat."""
        return self.chat.account_id == self.account.id

    @property
    def pool(self) -> Pool:
        """The pool the command is about; only where access has made sure of one."""
        if self._pool is None:
            raise LookupError("pool")
        return self._pool

    @property
    def project(self) -> Project:
        """The project the command is about; only where access has made sure of one."""
        if self._project is None:
            raise LookupError("project")
        return self._project

    @property
    def member(self) -> Member:
        """The sender as a member of the pool; only where access has made sure of one."""
        if self._member is None:
            raise LookupError("member")
        return self._member

    @property
    def own_ids(self) -> set[int]:
        """The numbers under which the sender is in the pool's history: their own, and that of accounts linked later."""
        return {one.id for one in selves(self.session, self.member)}

    @property
    def has_pool(self) -> bool:
        """Tell whether a pool is known."""
        return self._pool is not None

    @property
    def has_project(self) -> bool:
        """Tell whether a project is known."""
        return self._project is not None

    @property
    def has_member(self) -> bool:
        """Tell whether the sender is known as a member."""
        return self._member is not None

    @property
    def pool_id(self) -> int:
        """The number of the pool."""
        return self.pool.id

    def enter(self, pool: Pool | None, project: Project | None = None, member: Member | None = None) -> None:
        """Set what the command is about; access does."""
        self._pool, self._project, self._member = pool, project, member
        if pool is not None:
            settings = PoolSettings(pool.settings)
            language = self.session.get_one(Person, self.account.person_id).language or settings.language
            self.tell = replace(self.tell, zone=settings.timezone, language=language)
            self.say = self.tell if self.is_private else replace(self.say, zone=settings.timezone)

    def say_anew(self) -> Say:
        """Return the language and clock of the chat as they are set by now."""
        settings = PoolSettings(self.pool.settings)
        own = ProjectSettings(self.project.settings).language if self.has_project else ""
        if self.is_private:
            own = self.session.get_one(Person, self.account.person_id).language
        return replace(self.say, zone=settings.timezone, language=own or settings.language)

    def run(self, command: Command, values: dict[str, Any]) -> list[Reply]:
        """Run a command's handler; return what it answers."""
        replies = command.handler(self, **values)
        return [replies] if isinstance(replies, Reply) else list(replies)

    def emit(self, *events: Event) -> None:
        """Remember what happened; notices are made of it in the same transaction."""
        self.events.extend(events)

    def reply(
        self, text: Text, *choices: Choice, answers: str = "", subject: str = "", where: Where = Where.HERE
    ) -> Reply:
        """Answer in the chat."""
        return Reply(text, choices, answers, subject, where)

    def private(self, text: Text, *choices: Choice, answers: str = "") -> Reply:
        """Answer in private."""
        return Reply(text, choices, answers, where=Where.PRIVATE)

    def in_place(self, text: Text, choices: Sequence[Choice] = (), answers: str = "") -> Reply:
        """Answer by replacing the message whose choice was pressed, or as a new one."""
        return Reply(text, tuple(choices), answers, where=Where.EDIT if self.pressed is not None else Where.HERE)
