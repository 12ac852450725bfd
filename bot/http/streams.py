"""How many event streams may be open at once, and whose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from bot.http.limits import Limits


class Audience(StrEnum):
    AGENT = "agent"
    CUSTOMER = "customer"
    """Who has written to the desk."""
    STRANGER = "stranger"
    """Who has a cookie, as anybody may have any number of."""


class Streams:
    """Counts the open event streams of one process. Every audience has places of its own, so that strangers, however
    many, keep no customer out, and nobody keeps an agent out; and nobody alone can take them all."""

    def __init__(self, limits: Limits) -> None:
        self._places = {
            Audience.AGENT: int(limits.connections * limits.agents),
            Audience.CUSTOMER: int(limits.connections * limits.customers),
            Audience.STRANGER: int(limits.connections * limits.strangers),
        }
        self._each = {
            Audience.AGENT: limits.streams_of_agent,
            Audience.CUSTOMER: limits.streams_of_visitor,
            Audience.STRANGER: limits.streams_of_visitor,
        }
        self.open: Counter[Audience] = Counter()
        self._of: dict[str, list[Audience]] = {}
        """By whose they are. What one has open at a time counts in one audience."""

    @contextmanager
    def of_agent(self, session: str) -> Iterator[bool]:
        """Takes a place while entered; False if there is none."""
        with self._place(Audience.AGENT, f"agent {session}") as taken:
            yield taken

    @contextmanager
    def of_visitor(self, visitor: str, *, known: bool) -> Iterator[bool]:
        """Takes a place while entered; False if there is none. ``known`` is who has written to the desk."""
        audience = Audience.CUSTOMER if known else Audience.STRANGER
        with self._place(audience, f"visitor {visitor}") as taken:
            yield taken

    def wrote(self, visitor: str) -> None:
        """A visitor who has written is a stranger no more: their streams count among the customers', where there is
        room."""
        theirs = self._of.get(f"visitor {visitor}", [])
        for index, audience in enumerate(theirs):
            if audience is Audience.STRANGER and self.open[Audience.CUSTOMER] < self._places[Audience.CUSTOMER]:
                self.open[Audience.STRANGER] -= 1
                self.open[Audience.CUSTOMER] += 1
                theirs[index] = Audience.CUSTOMER

    @contextmanager
    def _place(self, audience: Audience, key: str) -> Iterator[bool]:
        theirs = self._of.get(key, [])
        if self.open[audience] >= self._places[audience] or len(theirs) >= self._each[audience]:
            yield False
            return
        self.open[audience] += 1
        theirs.append(audience)
        self._of[key] = theirs
        try:
            yield True
        finally:
            # Whichever of them: they are all alike.
            self.open[theirs.pop()] -= 1
            if not theirs:
                del self._of[key]
