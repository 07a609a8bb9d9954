"""The post of one platform: the door by which events come in, and the sender that carries the outbox to its adapter.

The core is synchronous: both call it in worker threads.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from core.chat import binding, inbox, outbox
from core.chat.message import Failure, Message, Priority
from core.chat.notices_chats import tell_closed
from core.chat.port import AdapterError, Parcel
from core.chat.text import Style
from core.identity import Place, Sender
from core.tables_chat import Account, Chat, Meta
from core.trouble import Trouble, line_of, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from sqlmodel import Session

    from core.chat.message import Event
    from core.chat.port import Adapter
    from core.store import Store
    from core.tables_chat import Delivery

log = logging.getLogger(__name__)
POLL_SECONDS = 1.0  # the safety net; a commit wakes the sender at once
STORE_RETRY_SECONDS = 1.0
LOOK_SECONDS = 3.0  # how often senders look whether another is gone
FAULT_RETRY_SECONDS = 30.0
STOP_SECONDS_MAX = 5.0
PARALLEL_MAX = 8
Result = TypeVar("Result")


class Patience:
    """Works with the store in worker threads, as often as it takes: what came in or went out must be written down."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def do(self, work: Callable[[], Result]) -> Result:
        """Do something with the store; while it is out of reach, wait. The log says when that begins and ends."""
        is_away = False
        while True:
            try:
                result = await asyncio.to_thread(work)
            except SQLAlchemyError as error:
                if trouble_of(error) is Trouble.CONFLICT:
                    continue
                if not is_away:
                    log.warning("the database does not answer: %s", line_of(error))
                is_away = True
                await asyncio.sleep(STORE_RETRY_SECONDS)
            else:
                if is_away:
                    log.info("the database answers again")
                return result


class Door:
    """The way in. What has been received is kept, whatever happens next; `on_received` wakes whoever dispatches."""

    def __init__(self, store: Store, clock: Callable[[], datetime], on_received: Callable[[], None]) -> None:
        self._patience = Patience(store)
        self._clock = clock
        self._on_received = on_received

    async def receive(self, events: Sequence[Event], facts: Mapping[str, str] | None = None) -> int:
        """Keep events durably, each once, and `facts` (a sync token) with them; return how many were new.

        Only then may the platform hear that they arrived. While the store is out of reach, it waits.
        """
        count = await self._patience.do(partial(self._keep, events, facts or {}))
        if count:
            self._on_received()
        return count

    async def fact(self, key: str) -> str:
        """Return a fact that was kept with events; empty if there is none."""
        return await self._patience.do(partial(self._fact, key))

    def _keep(self, events: Sequence[Event], facts: Mapping[str, str]) -> int:
        count = 0
        with self._patience.store.write() as session:
            for event in events:
                place = event.place
                chat = f"{place.platform}:{place.address}"
                payload = event.to_json()
                count += inbox.receive(session, place.platform, event.event_id, chat, payload, self._clock())
            for key, value in facts.items():
                session.merge(Meta(key=key, value=value))
        return count

    def _fact(self, key: str) -> str:
        with self._patience.store.read() as session:
            row = session.get(Meta, key)
            return row.value if row is not None else ""


class Carrier:
    """The sender: binds what is next, hands it to the adapter, records how it went.

    A chat has one message under way at a time, and one to be tried again is waited for, for a while: so its messages
    keep their order, and an outage that is over delays nobody for long. Where several processes send, `number` is
    this one's, and `alive` says which of them are there (None: only this one can be): what others left is taken up.
    `on_result` hears how each message went.
    """

    def __init__(
        self,
        store: Store,
        adapter: Adapter,
        clock: Callable[[], datetime],
        *,
        parallel: int = PARALLEL_MAX,
        number: int = 0,
        alive: Callable[[], Collection[int] | None] = lambda: None,
        on_result: Callable[[Parcel, str | Failure], None] = lambda _parcel, _result: None,
    ) -> None:
        self._patience = Patience(store)
        self._adapter = adapter
        self._clock = clock
        self._parallel = parallel
        self._number = number
        self._alive = alive
        self._on_result = on_result
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted = asyncio.Event()
        self._starting = asyncio.Lock()
        self._recording = asyncio.Lock()
        self._results: list[tuple[Parcel, str | Failure]] = []
        self._under_way: dict[int, asyncio.Task[None]] = {}  # by delivery
        self._served: dict[int, int] = {}  # the chat of each of these, but for toasts
        self._missing: set[int] = set()
        self._fatal: AdapterError | None = None

    def wake(self) -> None:
        """Say, from any thread, that there may be something to send."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wanted.set)

    async def recover(self) -> None:
        """Take up what an earlier process left without saying how it went; once, before anything is sent."""
        await self._patience.do(self._recover)

    async def run(self) -> None:
        """Send until cancelled. Raises AdapterError when the adapter cannot go on."""
        self._loop = asyncio.get_running_loop()
        await self.recover()
        looked_at = self._loop.time()
        try:
            while self._fatal is None:
                self._wanted.clear()
                await self._start()
                await self._rest()
                if self._loop.time() > looked_at + LOOK_SECONDS:
                    await self._patience.do(self._look_after)
                    looked_at = self._loop.time()
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
            while (free := self._parallel - len(self._under_way)) > 0 and self._fatal is None:
                busy = {*self._served.values(), *self._adapter.busy_chats()}
                parcels = await self._patience.do(partial(self._bind, free, busy))
                for parcel in parcels:
                    if parcel.priority != Priority.TOAST:
                        self._served[parcel.delivery_id] = parcel.chat_id
                    self._under_way[parcel.delivery_id] = asyncio.create_task(self._carry(parcel))
                    has_started = True
                if len(parcels) < free:
                    break
        return has_started

    async def _carry(self, parcel: Parcel) -> None:
        try:
            await self._deliver(parcel)
        finally:
            del self._under_way[parcel.delivery_id]
            self._served.pop(parcel.delivery_id, None)
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
        self._on_result(parcel, result)
        if isinstance(result, Failure):
            log.warning("%s: not sent to %s: %s", parcel.place.platform, parcel.place.address, result.reason)
        await self._write_down(parcel, result)

    async def _write_down(self, parcel: Parcel, result: str | Failure) -> None:
        """Record how a message went, with all others that are known by then."""
        self._results.append((parcel, result))
        await asyncio.sleep(0)  # what was sent together is often heard of at once
        async with self._recording:
            if self._results:
                results, self._results = self._results, []
                await self._patience.do(partial(self._record, results))

    # In worker threads

    def _recover(self) -> None:
        alive = self._alive()
        with self._patience.store.write() as session:
            outbox.recover(session, self._adapter.platform, None if alive is None else self._gone(session, alive))

    def _look_after(self) -> None:
        """Take up what senders left that are gone for a while: one may just have lost sight of the database."""
        alive = self._alive()
        if alive is None:
            return
        with self._patience.store.write() as session:
            gone = self._gone(session, alive)
            outbox.recover(session, self._adapter.platform, gone & self._missing)
            self._missing = gone

    def _gone(self, session: Session, alive: Collection[int]) -> set[int]:
        """Return the senders that have something under way and are not there any more."""
        return outbox.senders(session, self._adapter.platform) - {self._number, *alive}

    def _bind(self, count: int, busy: set[int]) -> list[Parcel]:
        adapter = self._adapter
        with self._patience.store.write() as session:
            deliveries = binding.bind(
                session,
                adapter.platform,
                self._clock(),
                count=count,
                busy_chats=busy,
                card_seconds=adapter.card_seconds,
                repeats_safely=adapter.repeats_safely,
                sender=self._number,
            )
            return [_parcel(session, delivery) for delivery in deliveries]

    def _record(self, results: Sequence[tuple[Parcel, str | Failure]]) -> None:
        with self._patience.store.write() as session:
            refs = {parcel.delivery_id: result for parcel, result in results if isinstance(result, str)}
            outbox.sent(session, refs, self._clock())
            for parcel, result in results:
                if isinstance(result, Failure):
                    self._record_failure(session, parcel, result)

    def _record_failure(self, session: Session, parcel: Parcel, failure: Failure) -> None:
        outbox.failed(session, parcel.delivery_id, failure, self._clock())
        chat = session.get_one(Chat, parcel.chat_id)
        if chat.off_at is not None:
            tell_closed(session, chat, self._clock())


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
