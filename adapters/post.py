"""The post of one platform: the door by which events come in, and the sender that carries the outbox to its adapter.

The core is synchronous: both call it in worker threads.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from core.chat import inbox, outbox
from core.chat.message import Failure, Message, Priority
from core.chat.port import AdapterError, Parcel
from core.chat.text import Style
from core.identity import Place, Sender
from core.tables_chat import Account, Chat, Delivery, Meta

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlmodel import Session

    from core.chat.message import Event
    from core.chat.port import Adapter
    from core.store import Store

log = logging.getLogger(__name__)
POLL_SECONDS = 1.0  # the safety net; a commit wakes the sender at once
STORE_RETRY_SECONDS = 5.0
FAULT_RETRY_SECONDS = 30.0
STOP_SECONDS_MAX = 5.0
PARALLEL_MAX = 8
REST_MAX = timedelta(seconds=30)
Result = TypeVar("Result")


class Door:
    """The way in. What has been received is kept, whatever happens next; `on_received` wakes whoever dispatches."""

    def __init__(self, store: Store, clock: Callable[[], datetime], on_received: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._on_received = on_received

    async def receive(self, events: Sequence[Event], facts: Mapping[str, str] | None = None) -> int:
        """Keep events durably, each once, and `facts` (a sync token) with them; return how many were new.

        Only then may the platform hear that they arrived.
        """
        count = await asyncio.to_thread(self._keep, events, facts or {})
        if count:
            self._on_received()
        return count

    async def fact(self, key: str) -> str:
        """Return a fact that was kept with events; empty if there is none."""
        return await asyncio.to_thread(self._fact, key)

    def _keep(self, events: Sequence[Event], facts: Mapping[str, str]) -> int:
        count = 0
        with self._store.write() as session:
            for event in events:
                place = event.place
                chat = f"{place.platform}:{place.address}"
                payload = event.to_json()
                count += inbox.receive(session, place.platform, event.event_id, chat, payload, self._clock())
                session.flush()
            for key, value in facts.items():
                session.merge(Meta(key=key, value=value))
        return count

    def _fact(self, key: str) -> str:
        with self._store.read() as session:
            row = session.get(Meta, key)
            return row.value if row is not None else ""


class Carrier:
    """The sender: binds what is next, hands it to the adapter, records how it went.

    A chat has one message under way at a time, and one to be tried again is waited for, for a while: so its messages
    keep their order, and an outage that is over delays nobody for long.
    """

    def __init__(
        self, store: Store, adapter: Adapter, clock: Callable[[], datetime], *, parallel: int = PARALLEL_MAX
    ) -> None:
        self._store = store
        self._adapter = adapter
        self._clock = clock
        self._parallel = parallel
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted = asyncio.Event()
        self._starting = asyncio.Lock()
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._resting: dict[int, datetime] = {}
        self._fatal: AdapterError | None = None

    def wake(self) -> None:
        """Say, from any thread, that there may be something to send."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wanted.set)

    async def recover(self) -> None:
        """Take up what an earlier process left without saying how it went; once, before anything is sent."""
        await asyncio.to_thread(self._recover)

    async def run(self) -> None:
        """Send until cancelled. Raises AdapterError when the adapter cannot go on."""
        self._loop = asyncio.get_running_loop()
        await self._stored(self._recover)
        try:
            while self._fatal is None:
                self._wanted.clear()
                await self._start()
                await self._rest()
            raise self._fatal
        finally:
            await self._finish()

    async def flush(self) -> None:
        """Send everything that can go now."""
        while True:
            was_busy = bool(self._under_way)
            has_started = await self._start()
            if self._under_way:
                await asyncio.wait(self._under_way.values())
            elif not was_busy and not has_started:  # what was busy may have held something back, and be done by now
                return

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._wanted.wait()

    async def _finish(self) -> None:
        """Let what is under way arrive: cut off, nobody would know whether it did."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=STOP_SECONDS_MAX)

    async def _start(self) -> bool:
        """Start what can go now; return whether there was anything."""
        has_started = False
        async with self._starting:
            while len(self._under_way) < self._parallel and self._fatal is None:
                parcel = await self._stored(partial(self._bind, self._busy()))
                if parcel is None:
                    break
                self._under_way[parcel.chat_id] = asyncio.create_task(self._carry(parcel))
                has_started = True
        return has_started

    def _busy(self) -> set[int]:
        now = self._clock()
        self._resting = {chat_id: until for chat_id, until in self._resting.items() if until > now}
        return {*self._under_way, *self._resting, *self._adapter.busy_chats()}

    async def _carry(self, parcel: Parcel) -> None:
        try:
            await self._deliver(parcel)
        finally:
            del self._under_way[parcel.chat_id]
            self._wanted.set()

    async def _deliver(self, parcel: Parcel) -> None:
        try:
            result = await self._adapter.send(parcel)
        except AdapterError as error:
            self._fatal = error
            return
        except Exception:
            log.exception("%s: a message could not be sent", self._adapter.platform)
            result = Failure("a fault in the adapter", retry_seconds=FAULT_RETRY_SECONDS, ambiguous=True)
        if isinstance(result, Failure):
            log.warning("%s: not sent to %s: %s", parcel.place.platform, parcel.place.address, result.reason)
        again_at = await self._stored(partial(self._record, parcel, result))
        if again_at is not None and parcel.priority != Priority.TOAST:
            self._resting[parcel.chat_id] = min(again_at, self._clock() + REST_MAX)

    async def _stored(self, work: Callable[[], Result]) -> Result:
        """Do something with the store, as often as it takes: what has been sent must be recorded."""
        while True:
            try:
                return await asyncio.to_thread(work)
            except DBAPIError as error:
                log.warning("the database does not answer: %s", error.orig)
                await asyncio.sleep(STORE_RETRY_SECONDS)

    # In worker threads

    def _recover(self) -> None:
        with self._store.write() as session:
            outbox.recover(session, self._adapter.platform)

    def _bind(self, busy: set[int]) -> Parcel | None:
        adapter = self._adapter
        with self._store.write() as session:
            delivery = outbox.bind_next(
                session,
                adapter.platform,
                self._clock(),
                busy_chats=busy,
                card_seconds=adapter.card_seconds,
                repeats_safely=adapter.repeats_safely,
            )
            return None if delivery is None else _parcel(session, delivery)

    def _record(self, parcel: Parcel, result: str | Failure) -> datetime | None:
        """Return when it will be tried again, if it will."""
        now = self._clock()
        with self._store.write() as session:
            if isinstance(result, str):
                outbox.sent(session, parcel.delivery_id, result, now)
                return None
            outbox.failed(session, parcel.delivery_id, result, now)
            delivery = session.get_one(Delivery, parcel.delivery_id)
            return delivery.retry_at if delivery.state == "ready" else None


def _parcel(session: Session, delivery: Delivery) -> Parcel:
    message = Message.from_json(delivery.payload)
    chat = session.get_one(Chat, delivery.chat_id)
    place = Place(chat.platform, chat.address, chat.topic, chat.title, private=chat.account_id is not None)
    return Parcel(
        delivery.id or 0,
        delivery.key,
        delivery.attempts,
        delivery.chat_id,
        place,
        Priority(delivery.priority),
        message,
        delivery.ref or "" if delivery.edits is not None else "",
        _accounts(session, message),
    )


def _accounts(session: Session, message: Message) -> dict[int, Sender]:
    named = {int(span.target) for span in message.text.spans if span.style is Style.MENTION and span.target.isdigit()}
    wanted = named | set(message.mentions)
    if not wanted:
        return {}
    rows = session.exec(select(Account).where(col(Account.id).in_(wanted)))
    return {row.id or 0: Sender(row.platform, row.user_id, row.name, row.handle) for row in rows}
