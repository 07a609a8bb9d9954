"""APScheduler wakes due work; what is due, and when it next will be, the tables say."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from core.trouble import Trouble, line_of, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)
JOB = "due"
SAFETY_NET = timedelta(minutes=1)
OUTAGE_RETRY = timedelta(seconds=5)
SOON = timedelta(milliseconds=50)  # a burst of changes wakes it once


class Scheduler:
    """Runs due work when it said it wants to, after a `wake()`, and at least every minute.

    `run_due` gets the time and returns when the next thing is due; `clock` may differ from the machine's.
    """

    def __init__(self, run_due: Callable[[datetime], datetime | None], clock: Callable[[], datetime]) -> None:
        self._run_due = run_due
        self._clock = clock
        self._lock = Lock()
        self._is_running = False
        self._is_wanted = False
        self._is_on = False
        self._scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})

    def start(self) -> None:
        """Begin, with what is due already."""
        self._scheduler.add_job(
            self._run,
            IntervalTrigger(seconds=int(SAFETY_NET.total_seconds()), timezone=UTC),
            id=JOB,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            next_run_time=datetime.now(UTC),
        )
        self._is_on = True
        self._scheduler.start()

    def stop(self) -> None:
        """End, after what is being done."""
        with self._lock:  # from here on nothing is planned: APScheduler waits for the job with its own lock held
            was_on, self._is_on = self._is_on, False
        if was_on:
            self._scheduler.shutdown(wait=True)

    def wake(self) -> None:
        """Say, from any thread, that something else may be due."""
        with self._lock:
            self._is_wanted = True
            if not self._is_running:
                self._plan(SOON)

    def _run(self) -> None:
        with self._lock:
            self._is_running = True
        wait = SAFETY_NET
        try:
            due = self._due()
            if due is not None:
                wait = due - self._clock()
        except Exception as error:
            if trouble_of(error) is Trouble.FAULT:
                log.exception("due work could not be done")
            else:
                log.warning("due work waits for the database: %s", line_of(error))
                wait = OUTAGE_RETRY
        with self._lock:
            self._is_running = False
            self._plan(SOON if self._is_wanted else min(SAFETY_NET, max(SOON, wait)))

    def _due(self) -> datetime | None:
        """Run until nothing was woken for in the meantime."""
        while True:
            with self._lock:
                self._is_wanted = False
            due = self._run_due(self._clock())
            with self._lock:
                if not self._is_wanted:
                    return due

    def _plan(self, wait: timedelta) -> None:
        if self._is_on:
            self._scheduler.modify_job(JOB, next_run_time=datetime.now(UTC) + wait)
