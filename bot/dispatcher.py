"""The thread that dispatches what is in the inbox, in its order."""

from __future__ import annotations

import logging
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from core.chat.dispatch import dispatch_some
from core.trouble import Trouble, line_of, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from core.chat.handling import House

log = logging.getLogger(__name__)
POLL_SECONDS = 1.0  # the safety net; the door wakes it at once
FAULT_SECONDS = 1.0


class Dispatcher:
    """Dispatches when woken; `on_done` hears when something has been, so that senders and due work can follow.

    `on_dispatched` hears of each event how many seconds it took, of those that were done together their share.
    """

    def __init__(self, house: House, clock: Callable[[], datetime]) -> None:
        self.on_done: Callable[[], None] = lambda: None
        self.on_dispatched: Callable[[float], None] = lambda _seconds: None
        self._house = house
        self._clock = clock
        self._lock = Lock()
        self._wanted = Event()
        self._is_told_to_stop = Event()
        self._thread = Thread(target=self._run, name="dispatch", daemon=True)

    def start(self) -> None:
        """Begin, with what waits already."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the event being handled."""
        self._is_told_to_stop.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Say, from any thread, that something came in."""
        self._wanted.set()

    def run_now(self) -> None:
        """Dispatch everything that waits, in this thread."""
        total, may_be_more = 0, True
        with self._lock:
            while may_be_more and not self._is_told_to_stop.is_set():
                began = monotonic()
                count, may_be_more = dispatch_some(self._house, self._clock())
                for _ in range(count):
                    self.on_dispatched((monotonic() - began) / count)
                total += count
        if total:
            self.on_done()

    def _run(self) -> None:
        is_away = False
        while not self._is_told_to_stop.is_set():
            self._wanted.clear()
            try:
                self.run_now()
                self._wanted.wait(POLL_SECONDS)
            except Exception as error:  # nobody else would notice; the event waits in the inbox
                if trouble_of(error) is Trouble.FAULT:
                    log.exception("dispatch failed; it goes on in %s s", FAULT_SECONDS)
                elif not is_away:
                    log.warning("dispatch waits for the database: %s", line_of(error))
                is_away = True
                self._is_told_to_stop.wait(FAULT_SECONDS)
            else:
                is_away = False
