"""Seeded simulation of whole pools over production code: `python -m tests.simulation 100 [--seed S] [--steps K]`.

A failure is a seed. It comes with the shortest history that could be found in a minute, written like a transcript.
"""

from __future__ import annotations

import argparse
import logging
import random
import re
import sqlite3
import sys
from collections import defaultdict
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import pairwise, zip_longest
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from sqlmodel import SQLModel

from tests.simulated_checks import FailureError, Faults, Watch, of_exception
from tests.simulated_people import People
from tests.simulated_steps import Clock, Crash, Fault, Post, Press, Step, Work, Write, opening
from tests.simulated_world import Shelf, State, World, clear_away, current_shelf, file_shelf, on_shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = 40
AUDIT_EVERY = 8
SHRINK_SECONDS_MAX = 60
CRASHES_EVERY = 20  # seeds: to play a history twice more takes as long again
CRASHES_SHARE = 0.4
CRASH_STATEMENTS_MAX = 60
DETAIL_MAX = 600
SENT_AS = re.compile(r",(?:NULL|[0-9]+)\);$")  # the delivery, of which a crash may need one more
COMPARED = {"outbox", "pool", "person", "account", "code"} | {
    one.name for one in SQLModel.metadata.sorted_tables if "pool_id" in one.primary_key.columns
}
# Days from the start: an ordinary week, and the ends of summer time in Berlin.
DAYS = (0, 172, 327)


@dataclass(frozen=True, slots=True)
class Failed:
    """A failure, at which step, and the history that led to it."""

    failure: FailureError
    history: list[Step]


class Trial:
    """Playing, with what came of it: an exception of any kind is a failure."""

    failure: FailureError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        self.failure = error if isinstance(error, FailureError) else of_exception(error)
        return True


def run(seed: int, steps: int = STEPS, *, audit_every: int = AUDIT_EVERY) -> Failed | None:
    """Simulate one seed; return how it failed, if it did."""
    chance = random.Random(seed)
    days = chance.choice(DAYS)
    with _noted_faults() as faults:
        history = _prefix(days)
        world, _rest = _opened_world(history)
        people, watch = People(world, chance), Watch(world, faults)
        with Trial() as trial:
            for number in range(steps):
                for step in people.next_steps():
                    history.append(step)
                    world.do(step)
                    watch.look(step, thoroughly=False)
                if number % audit_every == audit_every - 1:
                    watch.look(Work(), thoroughly=True)
            _settle(world, watch, history)
        world.close()
    if trial.failure is None and seed % CRASHES_EVERY == 0:
        begun = len(_prefix(days))
        crashed = [*history[:begun], *with_crashes(history[begun:], chance)]
        difference = changed_by_crashes(crashed)
        return Failed(difference, crashed) if difference else None
    return Failed(trial.failure, history) if trial.failure else None


def with_crashes(history: list[Step], chance: random.Random) -> list[Step]:
    """Return a history with many more crashes, and none of the accidents that may change what happens."""
    result: list[Step] = []
    for step in history:
        if isinstance(step, Work | Clock) and chance.random() < CRASHES_SHARE:
            result.append(Crash(chance.randrange(CRASH_STATEMENTS_MAX)))
        if not isinstance(step, Fault | Post):
            result.append(step)
    return result


def changed_by_crashes(history: list[Step]) -> FailureError | None:
    """Play a history with and without its crashes; return what is not the same in the end."""
    uneventful: list[Step] = [step for step in history if not isinstance(step, Crash)]
    crashed, expected = (_contents(one) for one in (history, uneventful))
    for name in sorted(crashed.keys() | expected.keys()):
        for found, wanted in zip_longest(crashed.get(name, []), expected.get(name, [])):
            if found != wanted:
                return FailureError(f"a crash changes {name}", f"{found} instead of {wanted}"[:DETAIL_MAX])
    return None


def _contents(history: list[Step]) -> dict[str, list[str]]:
    """Return every row of every pool, and what was written to chats, after a history; in a file, wherever we are."""
    with _noted_faults(), on_shelf(file_shelf()):
        world, rest = _opened_world(history)
        for step in rest:
            world.do(step)
        with closing(sqlite3.connect(file_shelf().path)) as connection:
            lines = list(connection.iterdump())
        world.close()
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        name = line.removeprefix('INSERT INTO "').partition('"')[0]
        if name in COMPARED:
            found[name].append(SENT_AS.sub("", line) if name == "outbox" else line)
    return found


@contextmanager
def _noted_faults() -> Iterator[Faults]:
    """Catch what dispatch logs, which would only be in the way."""
    faults, logger = Faults(), logging.getLogger("core")
    logger.addHandler(faults)
    propagated, logger.propagate = logger.propagate, False
    try:
        yield faults
    finally:
        logger.removeHandler(faults)
        logger.propagate = propagated


def _prefix(days: int) -> list[Step]:
    return [Clock(days * 1440, outage=True), *opening()]


def _opened_world(history: list[Step]) -> tuple[World, list[Step]]:
    """Return a world after the opening, if the history begins with one, and what comes then."""
    for days in DAYS:
        prefix = _prefix(days)
        if history[: len(prefix)] == prefix:
            store, state = _opened(days, current_shelf())
            return World(store, deepcopy(state)), history[len(prefix) :]
    return World(), history


@cache
def _opened(days: int, _shelf: Shelf) -> tuple[Any, State]:
    """Return what a store holds and the state of its world after the opening, so many days after the start."""
    world = World()
    for step in _prefix(days):
        world.do(step)
    world.sent.clear()
    return world.close(), world.state


def _settle(world: World, watch: Watch, history: list[Step]) -> None:
    """Let everything come to rest, and look once more: nothing may be waiting then."""
    history.append(Clock(3 * 1440))
    world.do(history[-1])
    watch.look(history[-1], thoroughly=True)
    watch.rest()


def replay(history: list[Step], name: str, seconds: float) -> Failed | None:
    """Play a history from nothing; return the failure of this name, if it comes again within the time."""
    if name.startswith("a crash changes"):
        difference = changed_by_crashes(history)
        return Failed(difference, history) if difference and difference.name == name else None
    with _noted_faults() as faults:
        world = World()
        watch = Watch(world, faults)
        end = monotonic() + seconds
        played: list[Step] = []
        with Trial() as trial:
            for step in history:
                played.append(step)
                world.do(step)
                watch.look(step, thoroughly=name.startswith("audit"))
                if monotonic() > end:
                    break
            else:
                watch.rest()
        world.close()
    return Failed(trial.failure, played) if trial.failure and trial.failure.name == name else None


def _hurried(history: list[Step]) -> list[Step]:
    """Return a history in which as much as possible is worked off at once: that is faster, and mostly as wrong."""
    kept: list[Step] = []
    for before, step in pairwise([*history, Clock(0)]):
        # A pool's code has to be there before it can be written, and a button before it can be pressed.
        founds = bool(kept) and isinstance(kept[-1], Write) and "/pool new" in kept[-1].text
        if not isinstance(before, Work) or founds or isinstance(step, Press | Clock):
            kept.append(before)
    return kept


def shrink(failed: Failed, seconds: float | None = None) -> Failed:
    """Leave steps out, ever fewer at a time, as long as the same failure remains and there is time."""
    seconds = SHRINK_SECONDS_MAX if seconds is None else seconds
    end = monotonic() + seconds
    best = replay(_hurried(failed.history), failed.failure.name, seconds) or failed
    size = max(1, len(best.history) // 2)
    while monotonic() < end:
        shorter = False
        start = len(best.history) - size
        while start > -size and monotonic() < end:
            kept = [*best.history[: max(0, start)], *best.history[max(0, start) + min(size, size + start) :]]
            found = replay(kept, best.failure.name, end - monotonic())
            if found is not None:
                best, shorter = found, True
            start = min(start, len(best.history)) - size
        if size == 1 and not shorter:
            break
        size = size if shorter and size == 1 else max(1, size // 2)
    return best


def transcript(history: list[Step]) -> Iterator[str]:
    """Write a history down so that it can be pasted into a transcript, as far as that can be said there."""
    world_now = State().now
    yield f"now {world_now:%Y-%m-%d %H:%M}"
    pools = 0
    for step in history:
        if isinstance(step, Clock):
            world_now += timedelta(minutes=step.minutes)
            if step.minutes:
                yield from ["# an outage until then:"] * step.outage
                yield f"now {world_now:%Y-%m-%d %H:%M}"
        elif not isinstance(step, Work):
            yield str(step)
            if "/pool new" in str(step):
                yield f"> code: (?P<code{pools}>\\w{{4}}-\\w{{4}})"
                pools += 1


def main() -> int:
    """Simulate seeds one after the other; stop at the first that fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulate seeded pools.")
    parser.add_argument("count", type=int, help="how many seeds")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--steps", type=int, default=STEPS, help="how long each goes on")
    options = parser.parse_args()
    began = monotonic()
    for seed in range(options.seed, options.seed + options.count):
        failed = run(seed, options.steps)
        if failed is not None:
            sys.stdout.write(report(seed, failed, shrink(failed)))
            return 1
    sys.stdout.write(
        f"{options.count} seeds, {options.steps} steps each, {monotonic() - began:.0f} s: nothing found.\n"
    )
    return 0


def report(seed: int, failed: Failed, shortest: Failed) -> str:
    """Return what to tell about a failure."""
    lines = [
        f"seed {seed}, step {len(failed.history)}: {failed.failure}",
        f"shortest history found, {len(shortest.history)} steps: {shortest.failure}",
        *transcript(shortest.history),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        clear_away()
