"""The tables that no pool owns: who people are, where they write, and the post in both directions.

They are read before a message's pool is known, so they carry pool_id as a plain value where they have one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import SQLModel

from core.columns import instant, integer, json_object, reference, text
from core.tables import STRICT


class Person(SQLModel, table=True):
    """Somebody, on however many platforms. `pool_id`: the pool they last spoke about in private."""

    __table_args__: ClassVar[Any] = (STRICT,)
    id: int = integer(primary_key=True)
    language: str = text()
    pool_id: int | None = integer()


class Account(SQLModel, table=True):
    """One chat identity. `name` is what the platform shows, `handle` a unique name there (may be recycled).

    `wrong_codes`: how many wrong codes were tried from it since `wrong_since`.
    """

    __table_args__: ClassVar[Any] = (UniqueConstraint("platform", "user_id"), STRICT)
    id: int = integer(primary_key=True)
    platform: str = text()
    user_id: str = text()
    handle: str = text()
    name: str = text()
    person_id: int = reference("person", index=True)
    wrong_codes: int = integer(0)
    wrong_since: datetime | None = instant()


class Chat(SQLModel, table=True):
    """A place where messages go: a group chat, topic or room (a channel once it has a project), or a private chat.

    `address` and `topic` are the platform's; `account_id` is the person's account of a private chat.
    """

    __table_args__: ClassVar[Any] = (
        UniqueConstraint("platform", "address", "topic"),
        Index("chat_by_project", "pool_id", "project_id"),
        STRICT,
    )
    id: int = integer(primary_key=True)
    platform: str = text()
    address: str = text()
    topic: str = text()
    title: str = text()
    account_id: int | None = reference("account", index=True)
    pool_id: int | None = integer()
    project_id: int | None = integer()
    off_at: datetime | None = instant()


class Code(SQLModel, table=True):
    """A one-use code for linking a channel ("channel") or an account ("person"); only its hash is kept.

    `person_id` is whose other account it links; once it is used, `account_id` is who typed it and has yet to say yes.
    """

    __table_args__: ClassVar[Any] = (STRICT,)
    digest: str = text(primary_key=True)
    purpose: str = text()
    person_id: int | None = integer()
    pool_id: int | None = integer()
    project_id: int | None = integer()
    account_id: int | None = integer()
    expires_at: datetime = instant()
    used_at: datetime | None = instant()


class Inbox(SQLModel, table=True):
    """What came in, kept before the platform hears that it arrived. Unique by (platform, event id)."""

    __table_args__: ClassVar[Any] = (
        UniqueConstraint("platform", "event_id"),
        Index("inbox_waiting", "id", sqlite_where=sql("done_at IS NULL"), postgresql_where=sql("done_at IS NULL")),
        {**STRICT, "sqlite_autoincrement": True},
    )
    id: int = integer(primary_key=True)
    platform: str = text()
    event_id: str = text()
    chat: str = text()
    payload: dict[str, Any] = json_object()
    received_at: datetime = instant()
    done_at: datetime | None = instant()
    fault: str = text()


class Outbox(SQLModel, table=True):
    """A message to be sent. `key` makes a second one of the same impossible; `delivery_id` is set when it is bound."""

    __table_args__: ClassVar[Any] = (
        UniqueConstraint("key"),
        Index("outbox_by_chat", "chat_id", "priority", "id"),
        Index(
            "outbox_waiting",
            "platform",
            "priority",
            "id",
            sqlite_where=sql("delivery_id IS NULL"),
            postgresql_where=sql("delivery_id IS NULL"),
        ),
        {**STRICT, "sqlite_autoincrement": True},
    )
    id: int = integer(primary_key=True)
    key: str = text()
    platform: str = text()
    chat_id: int = reference("chat")
    priority: int = integer()
    payload: dict[str, Any] = json_object()
    created_at: datetime = instant()
    not_before: datetime | None = instant()
    delivery_id: int | None = integer()


class Delivery(SQLModel, table=True):
    """One message as it goes out, final. An edit has the `ref` of the message it changes from the start.

    `state`: ready, sent, parked or dropped. `sender`: the process that last took it (0: the only one).
    """

    __table_args__: ClassVar[Any] = (
        Index("delivery_by_ref", "chat_id", "ref", "id"),
        Index(
            "delivery_waiting",
            "platform",
            "priority",
            "id",
            sqlite_where=sql("state = 'ready'"),
            postgresql_where=sql("state = 'ready'"),
        ),
        {**STRICT, "sqlite_autoincrement": True},
    )
    id: int = integer(primary_key=True)
    key: str = text(unique=True)
    platform: str = text()
    chat_id: int = reference("chat")
    priority: int = integer()
    payload: dict[str, Any] = json_object()
    state: str = text("ready")
    edits: int | None = integer()
    ref: str | None = text(None)
    attempts: int = integer(0)
    sender: int = integer(0)
    created_at: datetime = instant()
    retry_at: datetime | None = instant()
    sent_at: datetime | None = instant()
    fault: str = text()


class Card(SQLModel, table=True):
    """A message that shows the state of a subject and follows it: what it shows, and since when it is to be drawn.

    `mark_id`: the last change that it has shown from the start.
    """

    __table_args__: ClassVar[Any] = (
        Index("card_by_subject", "pool_id", "subject", "chat_id"),
        Index(
            "card_marked",
            "marked_at",
            sqlite_where=sql("marked_at IS NOT NULL"),
            postgresql_where=sql("marked_at IS NOT NULL"),
        ),
        Index(
            "card_unmarked",
            "pool_id",
            "subject",
            sqlite_where=sql("marked_at IS NULL"),
            postgresql_where=sql("marked_at IS NULL"),
        ),
        STRICT,
    )
    id: int = integer(primary_key=True)
    pool_id: int = integer()
    subject: str = text()
    chat_id: int = reference("chat")
    outbox_id: int = integer()
    mark_id: int = integer(0)
    shown: dict[str, Any] = json_object()
    marked_at: datetime | None = instant()
    drawn_at: datetime | None = instant()


class Mark(SQLModel, table=True):
    """A subject that has changed, written with the change; a sender takes it up and marks the subject's cards."""

    __table_args__: ClassVar[Any] = ({**STRICT, "sqlite_autoincrement": True},)
    id: int = integer(primary_key=True)
    pool_id: int = integer()
    subject: str = text()


class Press(SQLModel, table=True):
    """A choice that took effect. `key`: the delivery, the choice in it and, for personal ones, who pressed."""

    __table_args__: ClassVar[Any] = (STRICT,)
    key: str = text(primary_key=True)
    account_id: int = reference("account")
    at: datetime = instant()


class Meta(SQLModel, table=True):
    """Facts about the store itself, such as the console's clock."""

    __table_args__: ClassVar[Any] = (STRICT,)
    key: str = text(primary_key=True)
    value: str = text()
