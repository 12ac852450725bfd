"""How the desk stands towards who would wait for a person: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a waiting customer was told about when a person comes."""

    told_at: datetime
    until: datetime | None
    """None: no time was said."""


@dataclass(frozen=True, slots=True)
class Situation:
    now: datetime
    """UTC."""
    open: bool = True
    """Working hours now."""
    on_duty: int = 1
    """Agents who are at the desk."""
    back_at: datetime | None = None
    """When somebody will be there, if nobody is now; None: not known."""
    wait: timedelta | None = None
    """What somebody who joins the queue now may expect; None: not known, and no figure is said."""
    waiting: int = 0
    """Conversations in the queue."""

    @property
    def expectation(self) -> Expectation:
        """What who waits is told now."""
        if not self.people:
            return Expectation(self.now, self.back_at)
        return Expectation(self.now, None if self.wait is None else self.now + self.wait)

    @property
    def people(self) -> bool:
        """Somebody is there now."""
        return self.open and self.on_duty > 0
