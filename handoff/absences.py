"""Customers who closed the page on which they waited for a person: they are with the bot again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from bot import monotonic
from bot.domain.situation import Situation

EVERY = 30.0
"""Seconds between two looks."""
_MISSED = 4 * EVERY
"""After so long without a look nobody knows who was there meanwhile: the desk, or its database, was away."""


class Expire(Protocol):
    async def __call__(self, gone_after: timedelta, came_after: datetime) -> int:
        """Gives back to the bot who came into the queue after ``came_after`` and is absent for ``gone_after``."""
        ...


class Absences:
    """Expires nobody who was promised that the answer comes here: who came while nobody was there, or whom such a time
    found waiting, waits on; and nobody while no agent is there. After a start, and after a time in which the desk could
    not see who is there, all have ``gone_after`` to come back."""

    def __init__(self, situations: Callable[[], Awaitable[Situation]], expire: Expire, gone_after: timedelta) -> None:
        self._situations = situations
        self._expire = expire
        self._gone_after = gone_after
        self._people_since: datetime | None = None
        """Since when somebody is there without a break, as far as this process has seen."""
        self._looked = 0.0

    async def sweep(self) -> int:
        """Returns how many are with the bot again."""
        situation = await self._situations()
        missed = monotonic.seconds() - self._looked > _MISSED
        self._looked = monotonic.seconds()
        if not situation.people:
            self._people_since = None
            return 0
        if self._people_since is None or missed:
            self._people_since = situation.now
        if situation.now - self._people_since < self._gone_after:
            return 0
        return await self._expire(self._gone_after, self._people_since)
