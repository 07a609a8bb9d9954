"""Monitoring: /healthz for whoever restarts things, /metrics for Prometheus, on a small port of their own."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import UserError
from bot.main import TICK
from bot.platforms import receiving
from bot.roles import Role
from bot.watch import Watch
from core.chat.due import CATCH_UP_MAX
from core.chat.message import Failure
from core.chat.status import parked, pools, queues

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from datetime import datetime

    from bot.config import MonitoringSettings
    from bot.platforms import Attendant
    from bot.wire import Wire
    from core.chat.port import Parcel
    from core.chat.status import PoolStatus, Queues
    from core.store import Store

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
DATABASE_SECONDS_MAX = 5
PARKED_AGE_MAX = timedelta(minutes=1)  # counting them takes a look at every delivery
METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Monitor(Watch):
    """Counts what happens in this process, and tells how it is."""

    def __init__(self, settings: MonitoringSettings, store: Store, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(StoreCollector(store, clock))
        self._received = Counter("dpool_events_received", "Events that came in", ["platform"], registry=registry)
        self._faults = Counter("dpool_faults", "Faults of the program", ["kind"], registry=registry)
        self._deliveries = Counter(
            "dpool_deliveries", "Attempts to send a message", ["platform", "result"], registry=registry
        )
        self._caught_up = Gauge(
            "dpool_platform_caught_up", "Whether all that a platform had is here", ["platform"], registry=registry
        )
        self._seconds = Histogram(
            "dpool_dispatch_seconds", "Time to handle an event", buckets=SECONDS, registry=registry
        )

    def received(self, platform: str, count: int) -> None:
        """Count events."""
        self._received.labels(platform).inc(count)

    def dispatched(self, seconds: float) -> None:
        """Note how long an event took."""
        self._seconds.observe(seconds)

    def fault(self, error: Exception) -> None:
        """Count faults by their kind."""
        self._faults.labels(type(error).__name__).inc()

    def carried(self, parcel: Parcel, result: str | Failure) -> None:
        """Count a message that went out or not."""
        self._deliveries.labels(parcel.place.platform, "failed" if isinstance(result, Failure) else "sent").inc()

    @asynccontextmanager
    async def answering(
        self, attendants: Sequence[Attendant], wire: Wire, roles: frozenset[Role]
    ) -> AsyncIterator[None]:
        """Answer on the port for as long as the context lasts. Raises UserError."""
        health = Health(self._store, self._clock, wire, roles, self._settings.waiting_seconds_max)

        async def healthz(_request: web.Request) -> web.Response:
            illness = await health.illness(attendants)
            answer = {"status": "ill", "reason": illness} if illness else {"status": "ok"}
            return web.json_response(answer, status=503 if illness else 200)

        async def metrics(_request: web.Request) -> web.Response:
            for one in attendants:
                self._caught_up.labels(one.adapter.platform).set(one.adapter.is_caught_up())
            body = await asyncio.to_thread(generate_latest, self._registry)
            return web.Response(body=body, headers={"Content-Type": METRICS})

        app = web.Application()
        app.add_routes([web.get("/healthz", healthz), web.get("/metrics", metrics)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await _listen(runner, self._settings.listen)
            yield
        finally:
            await runner.cleanup()


async def _listen(runner: web.AppRunner, address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "unknown host"
        raise UserError(f"monitoring.listen: {address} can't be used: {reason}") from error


class StoreCollector(Collector):
    """Reads what waits from the store, when somebody asks."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._parked: dict[str, int] = {}
        self._parked_at: datetime | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield how everything stands; only that the database is away, if it is."""
        now = self._clock()
        try:
            with self._store.read() as session:
                waiting, due = queues(session, now), pools(session)
                if self._parked_at is None or now >= self._parked_at + PARKED_AGE_MAX:
                    self._parked, self._parked_at = parked(session), now
        except SQLAlchemyError:
            yield GaugeMetricFamily("dpool_database_up", "Whether the database answers", 0)
            return
        yield GaugeMetricFamily("dpool_database_up", "Whether the database answers", 1)
        yield from _waiting(waiting, now)
        yield _by("dpool_deliveries_parked", "Messages that could not be delivered", "platform", self._parked)
        yield from _rounds(due, now)


def _waiting(waiting: Queues, now: datetime) -> Iterator[GaugeMetricFamily]:
    yield GaugeMetricFamily("dpool_events_waiting", "Events that wait for dispatch", waiting.events)
    events_age = _age(waiting.waiting_since, now)
    yield GaugeMetricFamily("dpool_events_waiting_seconds", "How long the oldest of them has waited", events_age)
    yield _by("dpool_messages_waiting", "Messages that wait to be sent", "platform", waiting.messages)
    messages_age = _age(waiting.messages_since, now)
    yield GaugeMetricFamily("dpool_messages_waiting_seconds", "How long the oldest of them has waited", messages_age)


def _rounds(due: Sequence[PoolStatus], now: datetime) -> Iterator[GaugeMetricFamily]:
    ages = {str(pool.pool_id): _age(pool.held_at, now) for pool in due if pool.held_at is not None}
    yield _by("dpool_round_age_seconds", "Time since the last round", "pool", ages)
    late = {str(pool.pool_id): _age(pool.due_at, now) for pool in due if pool.due_at is not None}
    yield _by("dpool_round_overdue_seconds", "How long the next round is overdue", "pool", late)


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment is not None else 0.0


def _by(name: str, text: str, label: str, values: dict[str, int] | dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


class Health:
    """Tells whether this process does what its roles say."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], wire: Wire, roles: frozenset[Role], waiting_seconds_max: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._wire = wire
        self._roles = roles
        self._waiting_max = timedelta(seconds=waiting_seconds_max)
        self._caught_up_at: dict[str, datetime] = {}

    async def illness(self, attendants: Sequence[Attendant]) -> str:
        """Return what is wrong, in one line; nothing if all is well."""
        try:
            async with asyncio.timeout(DATABASE_SECONDS_MAX):
                found = await asyncio.to_thread(self._illness_of_store)
        except (TimeoutError, SQLAlchemyError):
            return "the database does not answer"
        return found or self._illness_of_platforms(attendants)

    def _illness_of_store(self) -> str:
        now = self._clock()
        with self._store.read() as session:
            waiting, due = queues(session, now), pools(session)
        if Role.WORK in self._roles and waiting.waiting_since and now - waiting.waiting_since > self._waiting_max:
            return f"an event has waited {int(_age(waiting.waiting_since, now))} s for dispatch"
        if self._wire.has(TICK):
            late_max = CATCH_UP_MAX + self._waiting_max
            late = [pool.pool_id for pool in due if pool.due_at is not None and now - pool.due_at > late_max]
            if late:
                return f"the round of pool {late[0]} is overdue"
        return ""

    def _illness_of_platforms(self, attendants: Sequence[Attendant]) -> str:
        """Return the platform that has been out of reach for too long, if this process is there to receive from it."""
        now = self._clock()
        for one in attendants:
            platform = one.adapter.platform
            since = self._caught_up_at.setdefault(platform, now)
            if one.adapter.is_caught_up() or not (one.receives and self._wire.has(receiving(platform))):
                self._caught_up_at[platform] = now
            elif now - since > self._waiting_max:
                return f"{platform} has not been caught up with for {int(_age(since, now))} s"
        return ""
