"""What must be true in a simulation after every step."""

from __future__ import annotations

import logging
import re
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlmodel import Session, col, func, or_, select

from core import audit, ledger
from core.chat.message import Event, Incoming
from core.settings import PoolSettings
from core.tables import Batch, GivenUnit, Member, Pool, Transfer, Want
from core.tables_chat import Chat, Delivery, Inbox, Outbox
from tests.simulated_steps import Again, Clock, Press, Race, Step, Write
from tests.simulated_world import TABLE

if TYPE_CHECKING:
    from core.chat.message import Message
    from tests.simulated_world import World

CHARACTERS_MAX = 4096
ARRIVALS_MAX = 2  # a second time only if nobody could tell whether it had arrived
# No text of ours has these, and nobody in the simulation types them.
INSIDE = re.compile(r"Traceback|sqlalchemy|sqlite|\b\w+Error\b|object at 0x|\bNone\b|\bcore\.\w")
NOT_OF_A_COMMAND = frozenset({"return", "leave", "merge"})


class FailureError(Exception):
    """Something that must not be. `name` stays the same while a history is made shorter."""

    def __init__(self, name: str, detail: str) -> None:
        """Say what, and with which figures."""
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail


def of_exception(error: BaseException) -> FailureError:
    """Return the failure that an exception of the program is, named by where it came from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/core/" in frame.filename]
    where = f"{frames[-1].filename.rsplit('/core/')[-1]} {frames[-1].name}" if frames else "?"
    path = " < ".join(f"core/{frame.filename.rsplit('/core/')[-1]}:{frame.lineno}" for frame in reversed(frames[-4:]))
    return FailureError(f"{type(error).__name__} in {where}", f"{error} ({path})")


class Faults(logging.Handler):
    """Catches what dispatch notes down when an event cannot be handled."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.found: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exception."""
        if record.exc_info and record.exc_info[1]:
            self.found.append(record.exc_info[1])


@dataclass(slots=True)
class Standing:
    """What a pool's accounts hold."""

    balances: dict[int | None, int]
    limits: dict[int, int]
    last_transfer: int


@dataclass(slots=True)
class Watch:
    """Looks at a world after every step; remembers what it has seen."""

    world: World
    faults: Faults
    done: dict[int, object] = field(default_factory=dict)
    standings: dict[int, Standing] = field(default_factory=dict)

    def look(self, step: Step, *, thoroughly: bool) -> None:
        """Raise a FailureError if anything is wrong."""
        faults, self.faults.found = self.faults.found, []
        for fault in faults:
            if "simulated" not in str(fault):
                raise of_exception(fault)
        for _chat, message in self.world.sent:
            look_at_message(message)
        self.world.sent.clear()
        often = [number for number, count in self.world.state.arrivals.items() if count > ARRIVALS_MAX]
        if often:
            raise FailureError("a message came too often", f"deliveries {often}")
        if isinstance(step, Write | Press | Again):
            return
        with self.world.store.read() as session:
            self._inbox(session)
            for pool in session.exec(select(Pool).order_by(col(Pool.id))):
                self._accounts(session, pool)
                _units(session, pool)
                if isinstance(step, Clock | Race) and pool.round_due_at and pool.round_due_at <= self.world.state.now:
                    raise FailureError("a round is overdue", f"{pool.round_due_at} {self.world.state.now}")
                if thoroughly:
                    _holds(session, pool)
                    _audit(session, pool)

    def rest(self) -> None:
        """Make sure that no message waits which could be sent."""
        now = self.world.state.now
        waiting = (
            select(Outbox.key)
            .join(Chat, col(Chat.id) == col(Outbox.chat_id))
            .where(
                col(Outbox.delivery_id).is_(None), or_(col(Outbox.not_before).is_(None), col(Outbox.not_before) <= now)
            )
        )
        ready = select(Delivery.key).join(Chat, col(Chat.id) == col(Delivery.chat_id))
        ready = ready.where(
            Delivery.state == "ready", or_(col(Delivery.retry_at).is_(None), col(Delivery.retry_at) <= now)
        )
        with self.world.store.read() as session:
            stuck = [one for query in (waiting, ready) for one in session.exec(query.where(col(Chat.off_at).is_(None)))]
        if stuck:
            raise FailureError("messages wait for nothing", str(stuck))

    def _inbox(self, session: Session) -> None:
        """Every event is handled exactly once, and answered where it must be."""
        events = select(Inbox.platform, Inbox.event_id).group_by(col(Inbox.platform), col(Inbox.event_id))
        twice = session.exec(events.having(func.count() > 1)).first()
        if twice is not None:
            raise FailureError("an event is there twice", str(twice))
        known = max(self.done, default=0)
        for row in session.exec(select(Inbox).where(col(Inbox.id) > known).order_by(col(Inbox.id))):
            if row.done_at is None:
                raise FailureError("an event was left", str(row.payload))
            if row.fault == "xxx":
                raise FailureError("an event was set aside", str(row.payload))
            self.done[row.id] = row.done_at
            self._answered(session, row)

    def _answered(self, session: Session, row: Inbox) -> None:
        event = Event.from_json(row.payload)
        if not must_be_answered(event):
            return
        answers = select(func.count()).select_from(Outbox).where(col(Outbox.key).startswith(f"in:{row.id}:"))
        if not session.exec(answers).one():
            raise FailureError("no answer", f"{event.kind} {event.text or event.choice!r} in {event.place.address}")

    def _accounts(self, session: Session, pool: Pool) -> None:
        """All adds up to zero; nobody is taken below their limit, but by what is taken back."""
        balances = ledger.balances(session, pool.id)
        commons = ledger.balance(session, pool.id, ledger.COMMONS)
        if commons + sum(amount for member_id, amount in balances.items() if member_id is not None):
            raise FailureError("balances do not add up to zero", f"commons {commons}, {balances}")
        settings, recognised = PoolSettings(pool.settings), ledger.recognised(session, pool.id)
        members = session.exec(select(Member.id).where(Member.pool_id == pool.id)).all()
        limits = {one: ledger.limit_with(settings, recognised.get(one, 0)) for one in members}
        last = session.exec(select(func.max(Transfer.id)).where(Transfer.pool_id == pool.id)).one() or 0
        before = self.standings.get(pool.id, Standing({}, {}, 0))
        self.standings[pool.id] = Standing(balances, limits, last)
        if last == before.last_transfer:
            return
        for one in members:
            was, now = before.balances.get(one, 0), balances.get(one, 0)
            if now < was and now < -limits[one]:
                raise FailureError(
                    "below the limit", f"pool {pool.id} member {one}: {was} > {now}, limit {limits[one]}"
                )


def _units(session: Session, pool: Pool) -> None:
    """No more units of a batch are with people than it has."""
    query = select(GivenUnit.batch_id, func.count()).where(
        GivenUnit.pool_id == pool.id, col(GivenUnit.returned_at).is_(None)
    )
    counts = dict(session.exec(query.group_by(col(GivenUnit.batch_id))).all())
    batches = select(Batch.id, Batch.units).where(Batch.pool_id == pool.id)
    made = dict(session.exec(batches).all())
    for batch_id, count in counts.items():
        if count > made[batch_id]:
            raise FailureError("a unit is given twice", f"batch {batch_id}: {count} of {made[batch_id]}")


def _holds(session: Session, pool: Pool) -> None:
    expected = Counter[int]()
    for want in session.exec(select(Want).where(Want.pool_id == pool.id, col(Want.ended_at).is_(None))):
        expected[want.member_id] += want.units * (want.maximum or 0)
    for member in session.exec(select(Member).where(Member.pool_id == pool.id)):
        held = ledger.standing(session, member).held
        if held != expected[member.id]:
            raise FailureError("holds are not what the wants hold", f"{member.name}: {held}, {expected[member.id]}")


def _audit(session: Session, pool: Pool) -> None:
    found = [*audit.check(session, pool), *audit.replay(session, pool)]
    if found:
        raise FailureError(f"audit {found[0].invariant}", "; ".join(str(one) for one in found[:3]))


def must_be_answered(event: Event) -> bool:
    """Tell whether silence would be wrong: a known command, words in private or to the bot, a press."""
    if event.sender is None or event.kind not in {Incoming.TEXT, Incoming.PRESS}:
        return False
    if event.kind is Incoming.PRESS:
        return bool(event.press_ref)
    text = event.text.strip()
    if text[:1] in {"/", "!"} and text[1:2].isalpha():
        return event.place.private or event.addressed or TABLE.find(text[1:]) is not None
    return False


def look_at_message(message: Message) -> None:
    """Check one message as it goes out."""
    text = message.plain()
    if len(text) > CHARACTERS_MAX:
        raise FailureError("a message is too long", f"{len(text)}: {text[:80]}")
    inside = INSIDE.search(text)
    if inside:
        raise FailureError("the program's inside shows", text[:300])
    labels = [choice.label for choice in message.choices]
    if len(set(labels)) < len(labels):
        raise FailureError("labels are not unique", str(labels))
    if not message.toast_for and not text.strip() and not message.edits:
        raise FailureError("an empty message", str(message))
