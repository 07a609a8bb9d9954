"""A living pool to play with: three projects, eight people, two rounds behind them and plenty to do.

It is made as people would: the story below is a transcript, played through inbox, dispatch and due work.
"""

from __future__ import annotations

import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import event

from bot.clock import Clock
from bot.database import file_of, opened
from bot.errors import UserError
from core.chat.transcript import play
from core.schema import NoFolderError
from core.tables_chat import Meta
from core.timetable import Timetable, read_zone

if TYPE_CHECKING:
    from argparse import Namespace
    from zoneinfo import ZoneInfo

    from core.store import Store

MARK = "demo"
ROUNDS = Timetable.read("sun 18:00")
DAY = timedelta(days=1)
JITTER = 0.15
AFTER_MAX = timedelta(hours=24)
# `now first-5d`: that long before the first of the two rounds; `now 40%`: so far in what happens after the second,
# which is all within a day, so that nothing has been confirmed by itself at the end.
MOMENT = re.compile(r"^now (?:(first|second)(?:([+-]\d+)d)?|(\d+)%)$", re.MULTILINE)
FIGURE = re.compile(r"~(\d+\.\d)")  # about so much; the seed decides
STORY = """
now first-5d
ana@bakery: /pool new Valley
> code: (?P<code>\\w{4}-\\w{4})
ana@bakery: /pool set timezone ZONE
> timezone is
ana@bakery: /project new Hill Bakery
dee@garden: /project new Sunny Garden {code}
gil@workshop: /project new Mill Workshop {code}
bo@bakery: /goods
cy@bakery: /goods
eve@garden: /goods
fay@garden: /goods
hal@workshop: /goods
ana@bakery: /good new bread unit:loaf pickup:"Fri 17–19, Mill St"
dee@garden: /good new honey unit:jar pickup:"the shed"
gil@workshop: /good new soap unit:bar
gil@workshop: /good new bike-guide free:https://example.org/bike-guide
ana@bakery: /task new Bake bread 3h for:bread urgent
dee@garden: /task new Harvest honey 3h x2 for:honey urgent
gil@workshop: /task new Boil soap 2h for:soap urgent
ana@bakery: /task new Clean the oven 1h every:week
> #4
dee@garden: /task new Turn the compost 2h
gil@workshop: /task new Mend the roof 4h at:"Mill St 3"
> #6

now first-4d
bo@bakery: /claim 1
eve@garden: /claim 2
fay@garden: /claim 2
hal@workshop: /claim 3
cy@bakery: /bid 4 0.8
bo@bakery: /bid 4 0.9
hal@workshop: /bid 5 1

now first-3d
bo@bakery: /done 1 3h
cy@bakery: /confirm 1
> 3 h confirmed
eve@garden: /done 2 3h
dee@garden: /confirm 2 Eve
fay@garden: /done 2 2.5h a swarm was gone
dee@garden: /confirm 2 Fay
> confirmed
hal@workshop: /done 3
gil@workshop: /confirm 3
ana@bakery: /made bread 6
> 0\\.5 h each
dee@garden: /made honey 5
> 1\\.1 h each
gil@workshop: /made soap 8

now first-2d
ana@bakery: /bid honey ~1.6
> Decided
bo@bakery: /bid honey ~1.4
> Decided
cy@bakery: /want bread
dee@garden: /want bread 2 max:~0.8
> Decided
eve@garden: /bid honey ~1.9
> Decided
fay@garden: /bid bread ~0.9
> Decided
gil@workshop: /bid honey ~1.5
> Decided
hal@workshop: /bid honey ~1.3 2
> Decided
hal@workshop: /want bread
ana@bakery: /want soap 2
cy@bakery: /want bike-guide
> https

now first
bakery> Round 1
garden> honey

now first+1d
cy@bakery: /done 4
ana@bakery: /confirm 4
> confirmed
dee@garden: /back 4
> counts at the next round
ana@bakery: /task new Bake bread 4h for:bread urgent
bo@bakery: /task new Build a stall for the market 3h x2
hal@workshop: /done 5 2h
fay@garden: /confirm 5
> confirmed
fay@garden: /collected bread

now first+3d
cy@bakery: /claim 7
cy@bakery: /done 7 4h
bo@bakery: /confirm 7
> confirmed
ana@bakery: /made bread 8
> 0\\.5 h each
bo@bakery: /bid 8 1.1
eve@garden: /bid 8 1
fay@garden: /bid 8 1.2

now first+5d
bo@bakery: /bid bread ~0.8
> Decided
dee@garden: /bid bread ~0.9 2
> Decided
eve@garden: /want bread 2
> Decided
gil@workshop: /bid bread ~0.7 2
> Decided
hal@workshop: /want bread every:round
> Decided
cy@bakery: /bid honey ~1.5
> Decided
fay@garden: /want soap 2
> Decided

now second
bakery> Round 2
garden> honey.*short

now 5%
dee@garden: /pledge honey 3
> pledges
gil@workshop: /collected honey
gil@workshop: /claim 6
> #6 is yours

now 15%
dee@garden: /task new Plant garlic 2h due:9d
ana@bakery: /task new Bake rye bread 3h for:bread urgent
fay@garden: /task new Water the greenhouse 1h every:week urgent
gil@workshop: /task new Sharpen the garden tools 1.5h urgent
hal@workshop: /task new Sort the screws 1h

now 30%
bo@bakery: /claim 11
> #11 is yours
cy@bakery: /bid 10 0.9
eve@garden: /bid 10 1
ana@bakery: /made bread 4 2h
cy@bakery: /confirm 15
> confirmed

now 50%
hal@workshop: /claim 13
hal@workshop: /done 13 1.5h
> to be confirmed
eve@garden: /did Fix the garden gate 1.5h
> #16.*to be confirmed
eve@garden: /done 8 5h
> to be confirmed
bo@bakery: /dispute 8 Eve five hours?
> disputed

now 70%
ana@bakery: /bid honey ~1.6
> Decided
hal@workshop: /bid honey ~1.4
> Decided
eve@garden: /want bread
> Decided
dee@garden: /bid bread ~0.7
> Decided
gil@workshop: /want soap
> Decided
now 100%
"""


def command(arguments: Namespace) -> int:
    """Make the pool anew; what was there before is kept beside it."""
    path = file_of(arguments.database)
    if path is None:
        raise UserError(f"{arguments.database}: the pool to play with is made in a file, like dpool.db")
    now = Clock()()
    if path.exists():
        with opened(arguments.database, now) as store:
            _require_demo(store, path)
            store.close()  # takes the journal into the file; others are kept out all the same
            kept = path.with_name(f"{path.name}.backup")
            make(path, now, "UTC", arguments.seed, instead_of=kept)
        print(f"{path} is made anew; what was there is in {kept}.")
    else:
        make(path, now, "UTC", arguments.seed)
        print(f"{path} is made. To go there: dpool chat --database {path}")
    return 0


def _require_demo(store: Store, path: Path) -> None:
    with store.read() as session:
        if session.get(Meta, MARK) is None:
            raise UserError(f"{path} holds a real pool, so it is left alone. Name another file with --database")


def make(path: Path, now: datetime, zone: str, seed: int = 1, *, instead_of: Path | None = None) -> None:
    """Make the pool in a file, which appears when all of it is there; `instead_of`: where to put one that is there."""
    if not path.parent.is_dir():
        raise UserError(str(NoFolderError(str(path))))
    with TemporaryDirectory(prefix=".dpool-", dir=path.parent) as folder:
        made = Path(folder) / "demo.db"
        with opened(str(made), now) as store:
            _write_carelessly(store)
            play_story(store, now, zone, seed)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        if instead_of is not None:
            shutil.copy2(path, instead_of)
        made.replace(path)


def _write_carelessly(store: Store) -> None:
    """Let no commit wait for the disk: until the file is there as a whole, nobody needs a part of it."""
    store.engine.dispose()
    event.listen(store.engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))


def play_story(store: Store, now: datetime, zone: str, seed: int) -> None:
    """Play the story so that it ends now."""
    with TemporaryDirectory(prefix="dpool-") as folder:
        path = Path(folder) / "story.chat"
        path.write_text(story(now, zone, seed), encoding="utf-8")
        play(path, store, lambda _line: None)
    with store.write() as session:
        session.merge(Meta(key=MARK, value=str(seed)))


def story(now: datetime, zone: str, seed: int) -> str:
    """Return the story as a transcript, with the moments and figures of this play."""
    drawn = np.random.default_rng(seed)
    second = _last_round(now, read_zone(zone))
    rounds = {"first": _last_round(second - timedelta(seconds=1), read_zone(zone)), "second": second}

    begin = max(second, now - AFTER_MAX)

    def moment(match: re.Match[str]) -> str:
        part = match[3]
        at = begin + (now - begin) * int(part) / 100 if part else rounds[match[1]] + int(match[2] or 0) * DAY
        return f"now {at.astimezone(UTC):%Y-%m-%d %H:%M}"

    def figure(match: re.Match[str]) -> str:
        return f"{float(match[1]) * (1 + drawn.uniform(-JITTER, JITTER)):.1f}"

    return FIGURE.sub(figure, MOMENT.sub(moment, STORY)).replace("ZONE", zone)


def _last_round(until: datetime, zone: ZoneInfo) -> datetime:
    """Return the last moment of a round up to `until`."""
    return [moment.instant for moment in ROUNDS.between(until - 8 * DAY, until, zone)][-1]
