"""Which conversations a list shows, and in which order: plain data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_WRITTEN = re.compile(r"(-?[0-9]{1,2})~(-?[0-9]{1,17})~([0-9]{1,18})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ListView(StrEnum):
    """A rule by which conversations are listed. "My" is of the agent who looks."""

    QUEUE = "queue"
    """Waits for an agent, as it is served: the most urgent and longest waiting first."""
    MINE = "mine"
    """With me, and not snoozed; the latest first."""
    ANSWER = "answer"
    """Waits for my answer; the longest waiting first."""
    LONGEST = "longest"
    """Waits for an answer of anybody; the longest waiting first."""
    URGENT = "urgent"
    """Urgent, and not resolved."""
    COLLEAGUES = "colleagues"
    """With another agent; the latest first."""
    SNOOZED = "snoozed"
    """Snoozed by me; what wakes next first."""
    BOT = "bot"
    """With the bot; the latest first."""
    ALL = "all"
    RESOLVED = "resolved"

    @classmethod
    def _missing_(cls, _: object) -> ListView:
        """An address that somebody edited still shows a list."""
        return cls.QUEUE


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What of a view is shown; empty: all of it."""

    channel: str = ""
    topic: str = ""
    language: str = ""

    def __bool__(self) -> bool:
        return bool(self.channel or self.topic or self.language)


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where a list goes on: behind the conversation that stands there. Conversations that come and go before it change
    nothing of what follows."""

    at: datetime
    """The moment by which the view is ordered."""
    id: int
    priority: int = 0
    """Of the queue: what it is ordered by first."""

    def __str__(self) -> str:
        return f"{self.priority}~{(self.at - _EPOCH) // timedelta(microseconds=1)}~{self.id}"

    @classmethod
    def read(cls, written: str) -> ListPlace | None:
        """As ``str`` writes it; None for anything else."""
        found = _WRITTEN.fullmatch(written)
        if found is None:
            return None
        try:
            at = _EPOCH + timedelta(microseconds=int(found[2]))
        except OverflowError:
            return None
        return cls(at, int(found[3]), int(found[1]))
