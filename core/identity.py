"""Who somebody is and where they write: accounts, people and chats, before any pool is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam
from sqlmodel import col, func, select, update

from core.clean import clean
from core.store import add_now, see
from core.tables import Member, Pool, Project
from core.tables_chat import Account, Card, Chat, Delivery, Outbox, Person

if TYPE_CHECKING:
    from sqlmodel import Session

NAME_LENGTH_MAX = 60
# Asked for again and again, so they are built once.
ACCOUNT = (
    select(Account, Person)  # whose language is asked for with every message
    .join(Person, col(Person.id) == col(Account.person_id))
    .where(Account.platform == bindparam("platform"), Account.user_id == bindparam("user_id"))
    .with_for_update(read=True, of=Account)
)
CHAT = select(Chat).where(
    Chat.platform == bindparam("platform"), Chat.address == bindparam("address"), Chat.topic == bindparam("topic")
)
# With every message: who speaks, and where. Tables of no pool only, so that a server can keep pools elsewhere.
SPEAKER = (
    select(Account, Person, Chat)
    .join(Person, col(Person.id) == col(Account.person_id))
    .join(
        Chat,
        (col(Chat.platform) == bindparam("chat_platform"))
        & (col(Chat.address) == bindparam("address"))
        & (col(Chat.topic) == bindparam("topic")),
        isouter=True,
    )
    .where(Account.platform == bindparam("platform"), Account.user_id == bindparam("user_id"))
    .with_for_update(read=True, of=Account)
)
MEMBERSHIPS = (
    select(Member, Pool)  # whose language and clock are asked for next
    .join(Pool, col(Pool.id) == col(Member.pool_id))
    .where(Member.person_id == bindparam("person_id"), col(Member.left_at).is_(None))
    .order_by(col(Member.pool_id))
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a platform says wrote something; the id counts, handle and name are for show."""

    platform: str
    user_id: str
    name: str
    handle: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a platform says it was written."""

    platform: str
    address: str
    topic: str = ""
    title: str = ""
    private: bool = False


def speaker_of(session: Session, sender: Sender, place: Place) -> tuple[Account, Chat, list[Member]]:
    """Return the sender's account, the chat of a place, and the sender as a member of every pool they are in.

    Every message asks for these, first of all: so the pools are seen before anything else of theirs.
    """
    where = {"platform": sender.platform, "user_id": sender.user_id}
    here = {"chat_platform": place.platform, "address": place.address, "topic": place.topic}
    found = session.exec(SPEAKER, params={**where, **here}).first()
    if found is None:
        account = _new_account(session, sender)
        return account, chat_of(session, place, account), []
    account, _person, chat = found
    members = []
    for member, pool in session.exec(MEMBERSHIPS, params={"person_id": account.person_id}):
        see(session, pool)
        members.append(member)
    return _shown_as(session, account, sender), _chat_at(session, chat, place, account), members


def account_of(session: Session, sender: Sender) -> Account:
    """Return the sender's account; a new one comes with a person of its own. What it shows is made fit to show."""
    # Whose account it is does not change while something is done from it: two accounts may be linked meanwhile.
    found = session.exec(ACCOUNT, params={"platform": sender.platform, "user_id": sender.user_id}).first()
    return _shown_as(session, found[0], sender) if found is not None else _new_account(session, sender)


def _new_account(session: Session, sender: Sender) -> Account:
    person = add_now(session, Person())
    account = Account(platform=sender.platform, user_id=sender.user_id, person_id=person.id)
    account.name, account.handle = _names(sender)
    return add_now(session, account)


def _names(sender: Sender) -> tuple[str, str]:
    name, handle = (clean(one, NAME_LENGTH_MAX)[:NAME_LENGTH_MAX].strip() for one in (sender.name, sender.handle))
    return name, handle


def _shown_as(session: Session, account: Account, sender: Sender) -> Account:
    """Let an account show what its platform says of it now; if somebody else is at it too, with the next message."""
    if (account.name, account.handle) != (names := _names(sender)):
        is_free = select(Account.id).where(Account.id == account.id).with_for_update(key_share=True, skip_locked=True)
        if session.exec(is_free).first() is not None:
            account.name, account.handle = names
    return account


def accounts_of(session: Session, person_id: int) -> list[Account]:
    """Return the accounts of a person, the oldest first."""
    return list(session.exec(select(Account).where(Account.person_id == person_id).order_by(col(Account.id))).all())


def member_by_handle(session: Session, pool_id: int, handle: str) -> Member | None:
    """Return the member of a pool who has this handle or user id on a platform, if that is exactly one."""
    is_named = (func.lower(Account.handle) == handle.lower()) | (Account.user_id == f"@{handle}")
    people = select(Account.person_id).where(is_named)
    query = select(Member).where(Member.pool_id == pool_id, col(Member.left_at).is_(None))
    found = session.exec(query.where(col(Member.person_id).in_(people)).limit(2)).all()
    return found[0] if len(found) == 1 else None


def chat_of(session: Session, place: Place, account: Account | None = None) -> Chat:
    """Return the chat of a place; `account` is whose private chat it is."""
    where = {"platform": place.platform, "address": place.address, "topic": place.topic}
    return _chat_at(session, session.exec(CHAT, params=where).first(), place, account)


def _chat_at(session: Session, chat: Chat | None, place: Place, account: Account | None) -> Chat:
    """Let the chat of a place be as its platform says it is now."""
    if chat is None:
        chat = Chat(platform=place.platform, address=place.address, topic=place.topic, title=place.title)
        chat.account_id = account.id if place.private and account else None
        return add_now(session, chat)
    if place.title and chat.title != place.title:
        chat.title = place.title
    if place.private and account and chat.account_id is None:
        chat.account_id = account.id  # it was first heard of without its person, such as when they blocked us
    elif not place.private and chat.account_id is not None:
        chat.account_id = None  # others have come into what was a private chat
    return chat


def home_of(session: Session, chat: Chat) -> Chat:
    """Return the chat whose pool and project hold here: a topic or thread that is nobody's is part of its group."""
    if chat.pool_id is not None or not chat.topic:
        return chat
    query = select(Chat).where(Chat.platform == chat.platform, Chat.address == chat.address, Chat.topic == "")
    return session.exec(query).first() or chat


def move_chat(session: Session, chat: Chat, address: str) -> None:
    """Let a chat and its topics go on at another address, with all that was known or waits at either."""
    if not address or address == chat.address:
        return
    for one in session.exec(select(Chat).where(Chat.platform == chat.platform, Chat.address == chat.address)).all():
        query = select(Chat).where(Chat.platform == one.platform, Chat.address == address, Chat.topic == one.topic)
        other = session.exec(query).first()
        kept, given_up = one, other
        if other is not None and one.pool_id is None and other.pool_id is not None:
            kept, given_up = other, one
        if given_up is not None:
            for table in (Outbox, Delivery, Card):
                session.exec(update(table).where(col(table.chat_id) == given_up.id).values(chat_id=kept.id))
            session.delete(given_up)
            session.flush()
        kept.address, kept.off_at = address, None


def private_chat_of(session: Session, account: Account) -> Chat | None:
    """Return the private chat with an account, open or not."""
    return session.exec(select(Chat).where(Chat.account_id == account.id).order_by(col(Chat.id)).limit(1)).first()


def private_chat(session: Session, person_id: int, platform: str = "") -> Chat | None:
    """Return a private chat in which a person can be reached, on `platform` if there is one."""
    query = select(Chat).join(Account, col(Account.id) == col(Chat.account_id))
    chats = session.exec(query.where(Account.person_id == person_id, col(Chat.off_at).is_(None)).order_by(col(Chat.id)))
    found = chats.all()
    return next((chat for chat in found if chat.platform == platform), found[0] if found else None)


def channels_of(session: Session, pool_id: int, project_id: int | None = None) -> list[Chat]:
    """Return the channels of a project, or of all projects of a pool."""
    here = (col(Project.pool_id) == Chat.pool_id) & (col(Project.id) == Chat.project_id)
    query = select(Chat, Project).join(Project, here, isouter=True)  # whose settings are asked for next
    query = query.where(Chat.pool_id == pool_id, col(Chat.project_id).is_not(None))
    if project_id is not None:
        query = query.where(Chat.project_id == project_id)
    return [chat for chat, _project in session.exec(query.order_by(col(Chat.id)))]


def memberships_of_person(session: Session, person_id: int) -> list[Member]:
    """Return the person as a member of every pool they are in."""
    return [member for member, _pool in session.exec(MEMBERSHIPS, params={"person_id": person_id})]
