"""How the desk stands now, for every turn, without a look into the database each time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from bot import monotonic
from bot.domain.operations import Claim, QueueState
from bot.domain.situation import Situation
from bot.store.waiting import Waiting
from handoff.hours import WorkingHours
from handoff.routing import LATEST, LOOK_BACK, expected_wait

log = structlog.get_logger(__name__)

FRESH = 5.0
"""Seconds that what was read holds."""
USABLE = 30.0
"""Seconds that it is told while it is being read anew: no customer waits for that, unless it is older."""


@dataclass(frozen=True, slots=True)
class _Facts:
    on_duty: int
    queue: QueueState
    claims: list[Claim]
    wait: timedelta | None
    """Of who would join the queue."""
    read_at: float
    """By the monotonic clock."""

    @property
    def age(self) -> float:
        return monotonic.seconds() - self.read_at


class Situations:
    def __init__(
        self,
        waiting: Waiting,
        hours: WorkingHours | None,
        gone_after: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``gone_after``: an agent who did nothing for so long is not there. Without ``hours`` it is always open."""
        self._waiting = waiting
        self._hours = hours
        self._gone_after = gone_after
        self._clock = clock
        self._known: _Facts | None = None
        self._reading: asyncio.Task[_Facts] | None = None

    async def now(self, place: int | None = None) -> Situation:
        """Not older than ``USABLE``; the hours are those of this moment. The wait is that of who has ``place`` (from 1)
        in the queue, or would join it. Raises what the database does."""
        facts = await self._facts()
        now = self._clock()
        opens = now if self._hours is None else self._hours.next_opening(now)
        is_open = opens is not None and opens <= now
        people = is_open and facts.on_duty > 0
        return Situation(
            now,
            is_open,
            facts.on_duty,
            back_at=None if is_open else opens,
            wait=None if not people else facts.wait if place is None else self._expected(facts, place, now),
            waiting=facts.queue.waiting,
        )

    def _expected(self, facts: _Facts, place: int, now: datetime) -> timedelta | None:
        return expected_wait(place, facts.claims, facts.queue.since, now, self._hours)

    async def _facts(self) -> _Facts:
        known = self._known
        if known is not None and known.age < FRESH:
            return known
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._ended)
        if known is not None and known.age < USABLE:
            return known
        return await asyncio.shield(self._reading)

    def _ended(self, reading: asyncio.Task[_Facts]) -> None:
        self._reading = None
        if not reading.cancelled() and (error := reading.exception()) is not None:
            # Only the kind: the text of a database error may quote what a customer wrote.
            log.warning("the queue could not be read", action="situation_unread", error=type(error).__name__)

    async def _read(self) -> _Facts:
        began = monotonic.seconds()
        on_duty = await self._waiting.on_duty(self._gone_after)
        queue = await self._waiting.queue()
        claims = await self._waiting.claims(LOOK_BACK, LATEST)
        # Once for all turns until the next reading: only who waits needs another place's.
        wait = expected_wait(queue.waiting + 1, claims, queue.since, self._clock(), self._hours)
        self._known = _Facts(on_duty, queue, claims, wait, began)
        return self._known
