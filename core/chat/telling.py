"""Telling of a round that was held: channels, live cards, and everybody in private, a few at a time.

It comes after the round's own transaction, so that nobody waits while thousands of messages are written. How far it has
come is kept with the round: after a crash it goes on from there, and nobody is told twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import Session, col, select

from core.chat import notices_goods, outbox, own_report, report
from core.chat.desk import Desk
from core.events import Unwanted
from core.rounds.apply import first_round_of_ended
from core.rounds.hold import NOBODY_TOLD, RoundHeld
from core.rounds.inputs import Inputs, Outcome
from core.store import announce, lock_pool
from core.tables import Good, Member, Round, Want
from core.tables_chat import Account, Card, Chat
from core.timing import WITHOUT_RECORDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from core.chat.handling import House
    from core.chat.own_report import MemberOutcome

MEMBERS_AT_ONCE = 50
CARDS_AT_ONCE = 20


class Telling:
    """Tells of one round of a pool, in transactions of its own."""

    def __init__(
        self, house: House, pool_id: int, row_id: int, inputs: Inputs, outcome: Outcome, now: datetime
    ) -> None:
        self._house = house
        self._key = (pool_id, row_id)
        self._inputs = inputs
        self._outcome = outcome
        self._now = now
        self._outcomes: dict[int, MemberOutcome] = {}

    def run(self) -> None:
        """Tell all that has not been told yet."""
        with self._house.store.read() as session:
            told_id = self._row(session).told_id
        if told_id == NOBODY_TOLD:
            told_id = self._step(told_id, self._tell_channels)
        if told_id is not None:
            self._draw_cards()
            self._outcomes = own_report.by_member(self._outcome)
        while told_id is not None:
            told_id = self._step(told_id, self._tell_members)
        if self._house.store.is_sqlite:
            self._house.store.analyse()  # a round is what a pool grows by

    def _row(self, session: Session) -> Round:
        query = select(Round).where(Round.pool_id == self._key[0], Round.id == self._key[1])
        return session.exec(query.options(*WITHOUT_RECORDS)).one()

    def _step(self, told_id: int, act: Callable[[Session, RoundHeld, int], int | None]) -> int | None:
        """Tell some and keep who was the last; None when all are told, or somebody else tells them."""
        with self._house.store.write() as session:
            pool, row = lock_pool(session, self._key[0]), self._row(session)
            if row.told_id != told_id:
                return None
            row.told_id = act(session, RoundHeld(pool, row, self._inputs, self._outcome), told_id)
            announce(session, outbox.WRITTEN)
            return row.told_id

    def _desk(self, session: Session, event: RoundHeld, what: str) -> Desk:
        key = f"round:{event.pool.id}:{event.round.number}{what}"
        return Desk(session, self._now, key, language=self._house.language)

    def _tell_channels(self, session: Session, event: RoundHeld, _told_id: int) -> int:
        desk = self._desk(session, event, "")
        report.send(desk, event)
        desk.draw()
        return 0

    def _draw_cards(self) -> None:
        """Let the cards of what was decided follow. To do it twice is to do it once."""
        pool_id = self._key[0]
        decided = {f"task {one.number}" for one in self._outcome.tasks}
        decided |= {f"good {one.good_id}" for one in self._outcome.goods}
        with self._house.store.read() as session:
            shown = session.exec(select(Card.subject).where(Card.pool_id == pool_id).distinct())
            subjects = sorted(decided.intersection(shown))
        for begin in range(0, len(subjects), CARDS_AT_ONCE):
            with self._house.store.write() as session:
                lock_pool(session, pool_id)
                desk = Desk(session, self._now, "", language=self._house.language)
                for subject in subjects[begin : begin + CARDS_AT_ONCE]:
                    desk.mark(pool_id, subject)
                desk.draw()
                announce(session, outbox.WRITTEN)

    def _tell_members(self, session: Session, event: RoundHeld, told_id: int) -> int | None:
        """Write to the next members who have a private chat."""
        reached = (
            select(Member)
            .join(Account, col(Account.person_id) == Member.person_id)
            .join(Chat, (col(Chat.account_id) == Account.id) & col(Chat.off_at).is_(None))
            .where(Member.pool_id == event.pool.id, Member.id > told_id)
        )
        members = session.exec(reached.distinct().order_by(col(Member.id)).limit(MEMBERS_AT_ONCE)).all()
        for want, good in self._ran_out(session, event, [one.id for one in members]):
            desk = self._desk(session, event, f":want:{want.id}")
            notices_goods.ran_out(desk, Unwanted(good, want, ran_out=True))
        for member in members:
            outcome = self._outcomes.get(member.id)
            if outcome is not None:
                own_report.tell(self._desk(session, event, f":member:{member.id}"), event, member, outcome)
        return members[-1].id if members else None

    def _ran_out(self, session: Session, event: RoundHeld, member_ids: list[int]) -> list[tuple[Want, Good]]:
        """Return the wants that this round ended without all their units."""
        query = (
            select(Want, Good)
            .join(Good, (col(Good.pool_id) == Want.pool_id) & (col(Good.id) == Want.good_id))
            .where(Want.pool_id == event.pool.id, col(Want.member_id).in_(member_ids), Want.units > 0)
            .where(Want.ended_at == event.round.ran_at, Want.first_round <= first_round_of_ended(event.inputs.number))
        )
        return list(session.exec(query.order_by(col(Want.id))).all())


def resume(house: House, pool_id: int, row_id: int, now: datetime) -> None:
    """Go on telling of a round whose teller has died."""
    with house.store.read() as session:
        row = session.get_one(Round, (pool_id, row_id))
        inputs, outcome = Inputs.unpack(row.inputs or b""), Outcome.unpack(row.outcome or b"")
    Telling(house, pool_id, row_id, inputs, outcome, now).run()
