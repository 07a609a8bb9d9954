"""An adapter that does as it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.chat.message import Failure
    from core.chat.port import Parcel

WAIT_SECONDS = 60


@dataclass
class FakeAdapter:
    """Answers with what stands in `answers`, by text; keeps what it was sent."""

    platform: str = "fake"
    card_seconds: int = 3
    repeats_safely: bool = False
    sends_apart: bool = True
    answers: dict[str, list[str | Failure | Exception]] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    busy: set[int] = field(default_factory=set)
    gate: asyncio.Event | None = None

    async def start(self) -> None: ...
    async def run(self) -> None: ...
    async def stop(self) -> None: ...

    def is_caught_up(self) -> bool:
        return True

    def busy_chats(self) -> set[int]:
        return self.busy

    async def send(self, parcel: Parcel) -> str | Failure:
        text = str(parcel.message.text)
        self.sent.append(text)
        self.parcels.append(parcel)
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers[text].pop(0) if self.answers.get(text) else f"ref-{parcel.delivery_id}"
        if isinstance(answer, Exception):
            raise answer
        return answer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        for _ in repeat(None):
            if condition():
                return
            await asyncio.sleep(0.01)
